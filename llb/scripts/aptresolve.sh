# Asks apt which packages the arguments bring, without installing anything. The answer has sections, each behind a line with its name. What goes
# wrong is told in apt's own words on stderr, with lines that begin with "mlbuild: " for what apt does not say.
say() { echo "mlbuild: $*" >&2; }
if ! command -v apt-get > /dev/null || ! command -v dpkg-query > /dev/null || [ ! -f /var/lib/dpkg/status ]; then
  say no-apt
  exit 1
fi
if ! grep -qsE '^[[:space:]]*(deb[[:space:]]|URIs:)' "$etc"/sources.list "$etc"/sources.list.d/*.list "$etc"/sources.list.d/*.sources; then
  say no-sources
  exit 1
fi

work=/tmp/mlbuild-resolve
mkdir -p "$work/cache/archives/partial" # empty, or apt leaves out the packages that it has
{ apt-get -q -o Acquire::Retries=2 -o APT::Update::Error-Mode=any update 2>&1 || say update-failed 2>&1; } | tee "$work/update"
if grep -qE '^(mlbuild: update-failed|W: (Failed to fetch|GPG error|An error occurred))' "$work/update"; then exit 1; fi

ask() { apt-get -y --no-install-recommends -o Dir::Cache="$work/cache" -o Acquire::ForceHash=SHA256 "$@"; }
simulate() { ask -q -s install "$@" > "$work/simulated" 2> "$work/said"; }

# near NAME lists the names of the repositories with the fewest edits to it.
near() {
  apt-cache pkgnames | awk -v want="$1" '
    function distance(a, b,  i, j, la, lb, row, last, before, d, c, e) { # swapping two neighbours is one edit
      la = length(a); lb = length(b)
      for (j = 0; j <= lb; j++) last[j] = j
      for (i = 1; i <= la; i++) {
        row[0] = i
        c = substr(a, i, 1)
        for (j = 1; j <= lb; j++) {
          e = substr(b, j, 1)
          d = last[j - 1] + (c != e)
          if (last[j] + 1 < d) d = last[j] + 1
          if (row[j - 1] + 1 < d) d = row[j - 1] + 1
          if (i > 1 && j > 1 && c == substr(b, j - 1, 1) && e == substr(a, i - 1, 1) && before[j - 2] + 1 < d) d = before[j - 2] + 1
          row[j] = d
        }
        for (j = 0; j <= lb; j++) { before[j] = last[j]; last[j] = row[j] }
      }
      return last[lb]
    }
    BEGIN { limit = int(length(want) / 3); if (limit < 2) limit = 2 }
    {
      n = length($0) - length(want)
      if (n <= limit && -n <= limit && (d = distance(want, $0)) <= limit) print d, $0
    }' | sort -k1,1n -k2 | awk 'NR == 1 { best = $1 } NR <= 3 && $1 == best { print $2 }' | tr '\n' ' '
}

if ! simulate "$@" && [ -f "$etc/preferences.d/mlbuild" ]; then # earlier versions that do not fit together any more
  rm "$etc/preferences.d/mlbuild"
  simulate "$@" || :
fi
if grep -q '^E: ' "$work/said"; then
  cat "$work/simulated" "$work/said" >&2
  sed -n "s/^E: Unable to locate package //p; s/^E: Package '\(.*\)' has no installation candidate/\1/p" "$work/said" | sort -u | while read -r name; do
    say "near $name: $(near "$name")"
  done
  sed -n "s/^E: Version '.*' for '\(.*\)' was not found/\1/p" "$work/said" | sort -u | while read -r name; do
    say "versions $name: $(apt-cache madison "$name" | awk -F '|' '{ gsub(/ /, "", $2); print $2 }' | sort -u | tr '\n' ' ')"
  done
  exit 1
fi
ask -qq --print-uris install "$@" > "$work/uris"
# system tells what the packages are for; without an argument, this one.
system() {
  echo @base
  echo "architecture ${2-$(dpkg --print-architecture)}"
  echo @os
  if [ $# -gt 0 ]; then printf 'ID=debian\nVERSION_CODENAME=%s\n' "$1"; else cat /etc/os-release; fi
  echo @links
  for l in /* /var/lock /var/run; do
    if [ $# -eq 0 ] && [ -L "$l" ]; then echo "$l -> $(readlink "$l")"; fi
  done
  echo @installed
  if [ $# -eq 0 ]; then dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version} ${Architecture}\n'; fi
}
{
  if [ -n "${suite-}" ]; then system "$suite" "$architecture"; else system; fi
  echo @removed
  sed -n 's/^Remv \([^ ]*\) \[\([^]]*\)\].*/\1 \2/p' "$work/simulated"
  echo @packages
  cat "$work/uris"
} > /out/answer
