# Has apt answer for a system without packages, of another release and architecture than this one. It follows aptsetup.sh and reads suite, architecture,
# status (of dpkg) and only (the project's repositories are all there are) beside its files.
suite=$(cat "$given/suite") architecture=$(cat "$given/architecture") own=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
printf 'APT::Architecture "%s";\nAPT::Architectures { "%s"; };\nDir::State::status "%s";\n' "$architecture" "$architecture" "$given/status" >> "$APT_CONFIG"
# Of this one's repositories those of its own release are taken, with the other's name in its place: of trixie-security, bookworm-security.
renamed='
  function of_release(word) { return own != "" && substr(word, 1, length(own)) == own && substr(word, length(own) + 1) ~ /^([-\/].*)?$/ }
  function renamed(word) { return suite substr(word, length(own) + 1) }'
for f in "$etc"/sources.list "$etc"/sources.list.d/*.list "$etc"/sources.list.d/*.sources; do
  case $f in
    */mlbuild.sources) ;;
    *.sources)
      if [ ! -f "$f" ]; then continue; fi
      awk -v RS= -v own="$own" -v suite="$suite" "$renamed"'
        {
          n = split($0, line, "\n"); text = ""; kept = 0
          for (i = 1; i <= n; i++) {
            if (line[i] ~ /^Suites:/) {
              m = split(line[i], word, /[ \t]+/); line[i] = word[1]
              for (j = 2; j <= m; j++) if (of_release(word[j])) { line[i] = line[i] " " renamed(word[j]); kept++ }
            }
            text = text line[i] "\n"
          }
          if (kept && ! only) print text
        }' only="$(cat "$given/only" 2> /dev/null || :)" "$f" > "$f.new"
      mv "$f.new" "$f"
      ;;
    *)
      if [ ! -f "$f" ]; then continue; fi
      awk -v own="$own" -v suite="$suite" "$renamed"'
        /^[ \t]*deb[ \t]/ {
          for (i = 2; i < NF && $i !~ /:\//; i++) { }
          if (of_release($(i + 1)) && ! only) { $(i + 1) = renamed($(i + 1)); print }
        }' only="$(cat "$given/only" 2> /dev/null || :)" "$f" > "$f.new"
      mv "$f.new" "$f"
      ;;
  esac
done
chmod -R a+rX "$etc" "$APT_CONFIG"
