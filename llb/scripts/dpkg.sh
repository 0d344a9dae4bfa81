set -eu
# Unpacks and configures the .deb files given as arguments. What they depend on lies there as files, so
# dependencies are not asked for; apt has checked them. Nothing of the run stays but the packages, with one fixed time.
touch /tmp/.mlbuild-start
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true LC_ALL=C.UTF-8
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
if [ -n "${MLBUILD_DEBCONF-}" ]; then
  printf '%s\n' "$MLBUILD_DEBCONF" | debconf-set-selections
fi
# Scripts ask dpkg for other packages, and do less where these are not there. Those that are layers have their records in status.d alone: for
# this run they stand in dpkg's own list, marked, and with empty lists of files.
db=/var/lib/dpkg
for record in "$db"/status.d/*; do
  name=$(sed -n 's/^Package: //p' "$record" 2>/dev/null | head -n 1)
  if [ -z "$name" ] || grep -qx "Package: $name" "$db/status"; then continue; fi
  { echo; sed '1a Mlbuild-Layer: yes' "$record"; } >>"$db/status"
  if grep -qx 'Multi-Arch: same' "$record"; then name=$name:$(sed -n 's/^Architecture: //p' "$record"); fi
  list=$db/info/$name.list
  if [ ! -e "$list" ]; then : >"$list" && echo "$list" >>/tmp/.mlbuild-lists; fi
done
dpkg --force-depends --force-confold --unpack "$@"
dpkg --force-depends --force-confold --configure --pending
dpkg --triggers-only --pending
awk 'BEGIN { RS = ""; ORS = "\n\n" } !/\nMlbuild-Layer: yes/' "$db/status" >/tmp/.mlbuild-status
cat /tmp/.mlbuild-status >"$db/status"
if [ -s /tmp/.mlbuild-lists ]; then xargs rm -f </tmp/.mlbuild-lists; fi
rm -f /var/lib/dpkg/lock* /var/lib/dpkg/triggers/Lock
