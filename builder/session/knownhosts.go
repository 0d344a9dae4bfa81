package session

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the hash of known_hosts(5)
	"encoding/base64"
	"path"
	"slices"
	"strings"
)

// KnownHosts returns the lines of a known_hosts(5) that are about one of the servers, "git.example.com" or "[git.example.com]:2222": no others leave this machine.
//
// golang.org/x/crypto/ssh/knownhosts answers whether a key is known and returns no lines; it reads only files, and none of a file in which it cannot parse
// one key, which may well be of a kind that the build's ssh knows. A test holds the two to the same answers.
func KnownHosts(knownHosts string, servers []string) string {
	var b strings.Builder
	for line := range strings.Lines(knownHosts) {
		fields := strings.Fields(line)
		if len(fields) > 0 && strings.HasPrefix(fields[0], "@") { // @cert-authority, @revoked
			fields = fields[1:]
		}
		if len(fields) >= 3 && !strings.HasPrefix(fields[0], "#") && slices.ContainsFunc(servers, func(s string) bool { return isAbout(fields[0], s) }) {
			b.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	return b.String()
}

// isAbout reports whether the first field of a line is about a server: its hash, or a list of patterns of which none with "!" excludes it.
func isAbout(field, server string) bool {
	if hashed, ok := strings.CutPrefix(field, "|1|"); ok {
		salt, sum, _ := strings.Cut(hashed, "|")
		return hashOf(salt, server) == sum
	}
	found := false
	for pattern := range strings.SplitSeq(strings.ToLower(field), ",") {
		pattern, excluded := strings.CutPrefix(pattern, "!")
		if ok, err := path.Match(strings.NewReplacer("[", `\[`, "]", `\]`).Replace(pattern), strings.ToLower(server)); ok && err == nil {
			if excluded {
				return false
			}
			found = true
		}
	}
	return found
}

func hashOf(salt, server string) string {
	key, err := base64.StdEncoding.DecodeString(salt)
	if err != nil {
		return ""
	}
	mac := hmac.New(sha1.New, key)
	mac.Write([]byte(server))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
