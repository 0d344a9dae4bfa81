package buildertest

import (
	"strings"

	"github.com/mlbuild/mlbuild/llb/query"
)

// Zeros is a sha256 (hex) that nothing has.
const Zeros = "0000000000000000000000000000000000000000000000000000000000000000"

// LockText is a lock of wheels without dependencies, "torch 2.9.1".
func LockText(packages ...string) string {
	text := "lock-version = \"1.0\"\ncreated-by = \"uv\"\n"
	for _, p := range packages {
		name, version, _ := strings.Cut(p, " ")
		file := strings.ReplaceAll(name, "-", "_") + "-" + version + "-py3-none-any.whl"
		text += "\n[[packages]]\nname = \"" + name + "\"\nversion = \"" + version + "\"\nwheels = [{ url = \"https://files.example/" + file +
			"\", hashes = { sha256 = \"" + Zeros + "\" } }]\n"
	}
	return text
}

// Resolved are the files that a resolution and an inspection leave.
func Resolved(via string, packages ...string) map[string]string {
	return map[string]string{query.ResolvedLock: LockText(packages...), query.ResolvedVia: via, query.InspectionReport: "{}"}
}
