# Gives apt a configuration of its own: the base's, changed as the project asks. Nothing of it stays in the image. Beside the base it reads
# /run/mlbuild/apt (sources, preferences, snapshot) and /run/mlbuild/key-N/key.
export LC_ALL=C DEBIAN_FRONTEND=noninteractive APT_CONFIG=/tmp/mlbuild-apt.conf
etc=/tmp/mlbuild-apt given=/run/mlbuild/apt
mkdir -p "$etc/keyrings" "$etc/sources.list.d" "$etc/preferences.d"
cp -r /etc/apt/. "$etc/" 2>/dev/null || :
# The mount may be the base's list caches of another program: apt wants this directory in it.
mkdir -p /var/lib/apt/lists/partial
printf 'Dir::Etc "%s";\nAcquire::Languages "none";\n' "$etc" > "$APT_CONFIG"
# Ubuntu gives an update to some machines first: here every machine is one of them, or the answer would depend on it.
printf 'APT::Get::Always-Include-Phased-Updates "true";\n' >> "$APT_CONFIG"
if [ -f /run/mlbuild/ca.crt ]; then printf 'Acquire::https::CAInfo "/run/mlbuild/ca.crt";\n' >> "$APT_CONFIG"; fi
if [ -f "$given/snapshot" ]; then
  printf 'Acquire::Check-Valid-Until "false";\n' >> "$APT_CONFIG"
  for f in "$etc"/sources.list "$etc"/sources.list.d/*.list "$etc"/sources.list.d/*.sources; do
    if [ -f "$f" ]; then
      awk '
        function replace(text, what, by,  i) {
          while (i = index(text, what)) text = substr(text, 1, i - 1) by substr(text, i + length(what))
          return text
        }
        NR == FNR { pattern = FNR == 1 ? $0 : replace(pattern, "{date}", $0); next }
        /^[ \t]*(deb|URIs:|https?:)/ {
          for (n = 1; n <= NF; n++) if ($n ~ /^https?:\/\//) {
            archive = $n; sub(/\/+$/, "", archive); sub(/.*\//, "", archive)
            $n = replace(pattern, "{archive}", archive)
          }
        }
        { print }' "$given/snapshot" "$f" > "$f.new"
      mv "$f.new" "$f"
    fi
  done
fi
if [ -f "$given/mlbuild.sources" ]; then cp "$given/mlbuild.sources" "$etc/sources.list.d/"; fi
if [ -f "$given/preferences" ]; then cp "$given/preferences" "$etc/preferences.d/mlbuild"; fi
for key in /run/mlbuild/key-*/key; do
  if [ -f "$key" ]; then
    n=${key#/run/mlbuild/key-} n=${n%/key} form=gpg
    if grep -aq -e '-----BEGIN PGP' "$key"; then form=asc; fi # apt goes by the name's ending
    cp "$key" "$etc/keyrings/mlbuild-$n.$form"
    sed -i "s|@key-$n@|$etc/keyrings/mlbuild-$n.$form|" "$etc/sources.list.d/mlbuild.sources"
  fi
done
chmod -R a+rX "$etc" "$APT_CONFIG"
