package pylock

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// faulty is a package "x" of version 1 with one wheel, given by the keys of its inline table.
func faulty(wheel string) string {
	return head + "\n[[packages]]\nname = \"x\"\nversion = \"1\"\nwheels = [\n  { " + wheel + " },\n]\n"
}

// TestParseFaults covers faults.md 10, 20, 21 and 28: each message, each at its line and column.
func TestParseFaults(t *testing.T) {
	hashes := `hashes = { sha256 = "` + sum("x") + `" }`
	url := `url = "https://files.example/x-1-py3-none-any.whl"`
	for _, test := range []struct {
		name, text string
		code       fault.Code
		message    string
		line, col  int
	}{
		{"no hash", faulty(url), fault.LockHash, "x 1 from files.example: no sha256: x-1-py3-none-any.whl", 9, 5},
		{"md5 only", faulty(url + `, hashes = { sha1 = "bb", md5 = "aa" }`), fault.LockHash,
			"x 1 from files.example: only md5 and sha1, no sha256: x-1-py3-none-any.whl", 9, 5},
		{"short hash", faulty(url + `, hashes = { sha256 = "abc" }`), fault.LockHash,
			"x 1 from files.example: a malformed sha256: x-1-py3-none-any.whl", 9, 5},
		{"index named", strings.Replace(faulty(url), "wheels", "index = \"https://index.example/simple\"\nwheels", 1), fault.LockHash,
			"x 1 from index https://index.example/simple: no sha256: x-1-py3-none-any.whl", 10, 5},
		{"file URL", faulty(`url = "file:///srv/x-1-py3-none-any.whl", ` + hashes), fault.Lock,
			"x 1 comes from a file:// URL, which names a file of one machine", 9, 5},
		{"file URL as path", faulty(`path = "file:///srv/x-1-py3-none-any.whl", ` + hashes), fault.Lock,
			"path of x 1 is a file:// URL: file:///srv/x-1-py3-none-any.whl", 9, 5},
		{"absolute path", faulty(`path = "/srv/x-1-py3-none-any.whl", ` + hashes), fault.Lock,
			"path of x 1 is not a relative slash path: /srv/x-1-py3-none-any.whl", 9, 5},
		{"drive", faulty(`path = "C:/x-1-py3-none-any.whl", ` + hashes), fault.Lock,
			"path of x 1 is not a relative slash path: C:/x-1-py3-none-any.whl", 9, 5},
		{"backslash", faulty(`path = '..\x-1-py3-none-any.whl', ` + hashes), fault.Lock,
			`path of x 1 is not a relative slash path: ..\x-1-py3-none-any.whl`, 9, 5},
		{"leaves the tree", faulty(`path = "a/../../x-1-py3-none-any.whl", ` + hashes), fault.Lock,
			"path of x 1 leaves the project: a/../../x-1-py3-none-any.whl", 9, 5},
		{"ftp", faulty(`url = "ftp://files.example/x-1-py3-none-any.whl", ` + hashes), fault.Lock,
			`x 1 has a URL that is not http or https but "ftp"`, 9, 5},
		{"malformed URL", faulty(`url = "https://h:x/x-1-py3-none-any.whl", ` + hashes), fault.Lock, "x 1 has a malformed URL", 9, 5},
		{"neither", faulty(hashes), fault.Lock, "a file of x 1 has neither url nor path", 9, 5},
		{"negative size", faulty(url + ", size = -1, " + hashes), fault.Lock, "size -1 of x-1-py3-none-any.whl is negative", 9, 5},
		{"name with a slash", faulty(`name = "../x-1-py3-none-any.whl", ` + url + ", " + hashes), fault.Lock,
			`file name "../x-1-py3-none-any.whl" of x 1 is a path`, 9, 5},
		{"not a wheel", faulty(`url = "https://files.example/x-1.zip", ` + hashes), fault.Lock,
			`a wheel of x 1 has a malformed file name: "x-1.zip" does not end in .whl`, 9, 5},
		{"other package", faulty(`url = "https://files.example/y-1-py3-none-any.whl", ` + hashes), fault.Lock,
			"x 1 lists the wheel y-1-py3-none-any.whl, which is of another package", 9, 5},
		{"other version", faulty(`url = "https://files.example/x-2-py3-none-any.whl", ` + hashes), fault.Lock,
			"x 1 lists the wheel x-2-py3-none-any.whl, which is of another version", 9, 5},
		{"credentials", faulty(`url = "https://me:hunter2@files.example/x-1-py3-none-any.whl", ` + hashes), fault.SecretLeak,
			"a URL of x 1 holds credentials for files.example", 9, 5},
		{"token", faulty(`url = "https://hunter2@files.example/x-1-py3-none-any.whl", ` + hashes), fault.SecretLeak,
			"a URL of x 1 holds credentials for files.example", 9, 5},
		{"credentials in a malformed URL", faulty(`url = "https://me:hun/ter2@files.example/x-1-py3-none-any.whl", ` + hashes), fault.SecretLeak,
			"a URL of x 1 holds credentials for its host", 9, 5},
		{"credentials of the index", head + "[[packages]]\nname = \"x\"\n  index = \"https://me:hunter2@index.example/\"\n", fault.SecretLeak,
			"a URL of x holds credentials for index.example", 6, 3},
		{"credentials of git", head + "[[packages]]\nname = \"x\"\nvcs = { type = \"git\", url = \"ssh://git:hunter2@git.example/\" }\n", fault.SecretLeak,
			"a URL of x holds credentials for git.example", 6, 1},
		{"directory outside", head + "[[packages]]\nname = \"x\"\ndirectory = { path = \"../lib\" }\n", fault.Lock,
			"path of x leaves the project: ../lib", 6, 1},
		{"marker", head + "[[packages]]\nname = \"x\"\nmarker = \"os_name\"\n", fault.Lock,
			"marker of x is malformed: expected a comparison such as == or in, found the end at character 8", 6, 1},
		{"requires-python", head + "[[packages]]\nname = \"x\"\nrequires-python = \"3\"\n", fault.Lock,
			`requires-python of x is malformed: "3" has no operator such as >= or ==`, 6, 1},
		{"inline packages", "lock-version = \"1.0\"\npackages = [\n  { name = \"x\", marker = \"y\" },\n]\n", fault.Lock,
			`marker of x is malformed: expected a quoted string or a variable of PEP 508 such as python_version, found "y" at character 1`, 3, 17},
		{"environment", head + "environments = [\n \"os_name\"]\n", fault.Lock,
			"marker of the lock's environment is malformed: expected a comparison such as == or in, found the end at character 8", 5, 2},
		{"name", head + "[[packages]]\nname = \"x y\"\n", fault.Lock, `"x y" is not a package name`, 5, 1},
		{"no name", head + "[[packages]]\nversion = \"1\"\n", fault.Lock, `"" is not a package name`, 4, 1},
		{"no lock-version", "packages = []\n", fault.Lock, "lock-version is missing", 0, 0},
		{"newer major", "created-by = \"x\"\nlock-version = \"2.0\"\n", fault.Lock,
			`lock-version "2.0" is not supported, mlbuild reads 1.x`, 2, 1},
		{"TOML", "a = 1\nb = [\n", fault.Lock, "malformed TOML: array is incomplete", 2, 6},
		{"twice", "a = 1\na = 2\n", fault.Lock, "malformed TOML: key a is already defined", 2, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, err := Parse("pylock.cpu.toml", []byte(test.text))
			f := expectFault(t, err, test.code, test.message)
			if want := (fault.Position{File: "pylock.cpu.toml", Line: test.line, Column: test.col}); f.At != want {
				t.Errorf("at %v, want %v", f.At, want)
			}
			if l != nil || strings.Contains(fmt.Sprintf("%+v", fault.All(err)), "hunter2") {
				t.Errorf("lock %v, faults %+v", l, fault.All(err))
			}
		})
	}
}

func TestParseReportsAllAtOnce(t *testing.T) {
	text := head + "[[packages]]\nname = \"b\"\nmarker = \"x\"\nwheels = [{ url = \"https://files.example/b-1-py3-none-any.whl\" }, { url = \"https://files.example/b-1-py2-none-any.whl\" }]\n" +
		"[[packages]]\nname = \"a\"\nsdist = { path = \"../a.tar.gz\", hashes = { md5 = \"0\" } }\n"
	_, err := Parse("pylock.toml", []byte(text))
	var got []string
	for _, f := range fault.All(err) {
		got = append(got, fmt.Sprintf("%d %s", f.At.Line, f.Code))
	}
	if want := "6 E-LOCK, 7 E-LOCK-HASH, 10 E-LOCK, 10 E-LOCK-HASH"; strings.Join(got, ", ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	f := expectFault(t, err, fault.LockHash, "b from files.example: no sha256: 2 files, first b-1-py3-none-any.whl")
	if len(f.Hints) != 2 || !strings.Contains(f.Hints[0], "mlbuild lock") {
		t.Errorf("hints %q", f.Hints)
	}
}
