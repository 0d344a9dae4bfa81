# Says what Debian packages need: a paragraph of their control files for each, in /out/control. The packages are the arguments; nothing of them is run.
set -eu
for file in "$@"; do
  dpkg-deb -f "$file" Package Provides Pre-Depends Depends
  echo
done >/out/control
