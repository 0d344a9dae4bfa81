package profiles

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

func TestFaultsOfTheApp(t *testing.T) {
	runFaults(t, []faultCase{
		{"7 workdir proc", yamlFile("app: {workdir: /proc/self/fd/8}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:16: lies in /proc, which the kernel makes"}},
		{"7 workdir relative", yamlFile("app: {workdir: srv}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:16: is not absolute | workdir: /app"}},
		{"7 workdir dots", yamlFile("app: {workdir: /srv/../etc}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:16: holds .."}},
		{"7 workdir dev", yamlFile("app: {workdir: /dev}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:16: lies in /dev"}},
		{"8 uid too high", yamlFile("user: {uid: 2147483648}\n"), Selection{}, []string{"E-USER mlbuild.yaml:1:13: uid 2147483648 is impossible"}},
		{"8 uid negative", yamlFile("user: {uid: -1, gid: -5}\n"), Selection{}, []string{
			"E-USER mlbuild.yaml:1:13: uid -1 is impossible", "E-USER mlbuild.yaml:1:22: gid -5 is impossible"}},
		{"8 false root", yamlFile("user: {name: app, uid: 0}\n"), Selection{}, []string{"E-USER mlbuild.yaml:1:7: root and uid 0 belong together"}},
		{"8 name", yamlFile("user: {name: \"a:b\", home: relative}\n"), Selection{}, []string{
			"E-USER mlbuild.yaml:1:14: cannot name a user", "E-USER mlbuild.yaml:1:27: is not absolute"}},
		{"11 same destination", map[string]string{FileName: "app:\n  copy:\n  - a/x.txt\n  - {from: b/x.txt, to: a/}\n", "a/x.txt": "1", "b/x.txt": "2"}, Selection{}, []string{
			"E-SPEC mlbuild.yaml:4:12: a/x.txt and b/x.txt would both become /app/a/x.txt | another destination"}},
		{"11 inside trees", map[string]string{FileName: "app:\n  copy: [{from: a, to: x}, {from: b, to: x}]\n", "a/s/x": "1", "b/s/x": "2"}, Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:35: a/s/x and b/s/x would both become /app/x/s/x"}},
		{"11 over system", map[string]string{FileName: "app:\n  copy:\n  - {from: etc, to: /}\n  - {from: etc, to: /usr/lib/x}\n  - {from: etc, to: /opt/venv}\n", "etc/passwd": "1"}, Selection{}, []string{
			"E-SPEC mlbuild.yaml:3:12: etc would be copied to /etc", "E-SPEC mlbuild.yaml:4:21: lies in /usr", "E-SPEC mlbuild.yaml:5:21: lies in /opt/venv"}},
		{"many to one", map[string]string{FileName: "app:\n  copy: [{from: \"*.txt\", to: x}]\n", "a.txt": "", "b.txt": ""}, Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:30: 3 files would become the one file /app/x | to: x/"}},
		{"values", yamlFile("app:\n  ports: [0, 8000:80]\n  env: {A-B: c}\n  dirs: [{path: /x, mode: \"9\"}, /etc/x]\n  stop_signal: TERM\n  volumes: [/]\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:11: \"0\" is not a port", "E-SPEC mlbuild.yaml:2:14: \"8000:80\" is not a port | container starts",
			"E-SPEC mlbuild.yaml:3:9: \"A-B\" cannot name", "E-SPEC mlbuild.yaml:4:27: \"9\" is not a mode", "E-SPEC mlbuild.yaml:4:33: lies in /etc",
			"E-SPEC mlbuild.yaml:5:16: not a signal", "E-SPEC mlbuild.yaml:6:13: root of the image"}},
		{"healthcheck", yamlFile("app:\n  healthcheck: {http: /h, interval: soon}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:16: needs a port, and app.ports names no TCP port", "E-SPEC mlbuild.yaml:2:37: \"soon\" is not a time"}},
		{"presets", yamlFile("app: {presets: [tf-grow, jax-half, jax-growth]}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:17: the preset \"tf-grow\" does not exist | did you mean \"tf-growth\"?"}},
		{"init", yamlFile("app: {copy: [], init: true}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:23: app.init starts the image's command, and there is none | command:"}},
		{"init is no flag", yamlFile("app: {init: tini}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:13: app.init must be true or false, this is a text"}},
		{"layers", yamlFile("layers: {max: 500, own: big}\nsystem: {runtime: [LibX]}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:15: it must lie between 10 and 125", "E-SPEC mlbuild.yaml:1:25: \"big\" is not a size",
			"E-SPEC mlbuild.yaml:2:20: not the name of a Debian package"}},
	})
}

func TestFaultsOfFiles(t *testing.T) {
	copying := func(what string, files ...string) map[string]string {
		m := map[string]string{FileName: "app:\n  copy:\n  - " + what + "\n"}
		for i := 0; i+1 < len(files); i += 2 {
			m[files[i]] = files[i+1]
		}
		return m
	}
	runFaults(t, []faultCase{
		{"29 parent", copying("../x"), Selection{}, []string{"E-CONTEXT mlbuild.yaml:3:5: \"../x\" is outside the project"}},
		{"29 absolute", copying("/etc/passwd"), Selection{}, []string{"E-CONTEXT mlbuild.yaml:3:5: the path is absolute"}},
		{"29 url", copying("\"https://x.example/a\""), Selection{}, []string{"E-CONTEXT mlbuild.yaml:3:5: is a URL"}},
		{"29 requirements", yamlFile("python: {requirements: [../r.txt]}\n"), Selection{}, []string{"E-CONTEXT mlbuild.yaml:1:25: outside the project"}},
		{"30 escape", copying("a", "a", "-> b", "b", "-> ../../etc"), Selection{}, []string{"E-CONTEXT mlbuild.yaml:3:5: out of the project: a → b → ../../etc"}},
		{"30 absolute", copying("d", "d/l", "-> /etc/passwd"), Selection{}, []string{"E-CONTEXT mlbuild.yaml:3:5: out of the project: d/l → /etc/passwd"}},
		{"30 loop", copying("d", "d/l", "-> m", "d/m", "-> l"), Selection{}, []string{
			"E-CONTEXT mlbuild.yaml:3:5: circle: d/l → d/m → d/l", "E-CONTEXT mlbuild.yaml:3:5: circle: d/m → d/l → d/m"}},
		{"30 by glob", copying("\"d/*\"", "d/l", "-> ../../x"), Selection{}, []string{
			"E-CONTEXT mlbuild.yaml:3:5: out of the project: d/l → ../x", "E-CONTEXT mlbuild.yaml:3:5: nothing matches"}},
		{"30 requirements", map[string]string{"requirements.txt": "-> /etc/passwd", FileName: "python: {requirements: [requirements.txt]}\n"}, Selection{}, []string{
			"E-CONTEXT mlbuild.yaml:1:25: out of the project: requirements.txt → /etc/passwd"}},
		{"31 missing", copying("cofnig.yaml", "config.yaml", ""), Selection{}, []string{"E-CONTEXT mlbuild.yaml:3:5: cofnig.yaml does not exist | did you mean \"config.yaml\"?"}},
		{"31 missing directory", copying("a/b/c"), Selection{}, []string{"E-CONTEXT mlbuild.yaml:3:5: a/b/c does not exist | no directory a/b"}},
		{"31 empty glob", copying("\"models/*.json\"", "models/a.txt", "", "models/b.txt", ""), Selection{}, []string{
			"E-CONTEXT mlbuild.yaml:3:5: nothing matches \"models/*.json\" among the 2 files and directories below models"}},
		{"31 glob ignored", copying("\"**/*.json\"", ".dockerignore", "models\n", "models/a.json", ""), Selection{}, []string{
			"E-CONTEXT mlbuild.yaml:3:5: nothing matches"}},
		{"31 glob ignored files", copying("\"m/*.json\"", ".dockerignore", "*/*.json\n", "m/a.json", ""), Selection{}, []string{
			"E-CONTEXT mlbuild.yaml:3:5: nothing matches | .dockerignore leaves out what would match: m/a.json"}},
		{"31 file ignored", copying("m/a.json", ".dockerignore", "m\n", "m/a.json", ""), Selection{}, []string{
			"E-CONTEXT mlbuild.yaml:3:5: exists, but .dockerignore leaves it out | !m/a.json"}},
		{"34 not UTF-8", copying("d", "d/a\xff.txt", "", "d/ok", ""), Selection{}, []string{"E-CONTEXT mlbuild.yaml:3:5: the name of \"d/a\\xff.txt\" is not UTF-8 | .dockerignore"}},
		{"34 control character", copying("d", "d/a\nb", ""), Selection{}, []string{"E-CONTEXT mlbuild.yaml:3:5: the name of \"d/a\\nb\" holds a control character"}},
		{"34 case", copying("d", "d/Read.me", "", "d/read.me", "", "d/other", ""), Selection{}, []string{"E-CONTEXT mlbuild.yaml:3:5: /app/d/Read.me and /app/d/read.me differ only in the case of letters | rename it"}},
		{"34 long path", copying("{from: d, to: /srv/"+strings.Repeat("0123456789/", 370)+"}", "d/"+strings.Repeat("x", 60), ""), Selection{}, []string{"E-CONTEXT mlbuild.yaml:3:12: is too long: 4137 bytes, and its last part has 60"}},
		{"34 long name", copying("{from: a, to: "+strings.Repeat("x", 300)+"}", "a", ""), Selection{}, []string{"E-CONTEXT mlbuild.yaml:3:12: its last part has 300; the limits are 4095 and 255"}},
		{"31 missing requirements", yamlFile("python: {requirements: [requirement.txt]}\n"), Selection{}, []string{
			"E-CONTEXT mlbuild.yaml:1:25: requirement.txt does not exist | requirements.txt"}},
	})
}

// TestUnreadableFiles: fault 32, whoever runs the tests.
func TestUnreadableFiles(t *testing.T) {
	files := memory{"requirements.txt": "flask\n", FileName: "app:\n  copy: [d, f.txt]\n", "d/ok": "", "d/shut/x": "", "f.txt": ""}.fs()
	files["f.txt"].Mode = 0o200
	p, err := Load(shut{files, []string{"d/shut", "f.txt"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Resolve(Selection{})
	checkFaults(t, fault.All(err), []string{
		"E-CONTEXT mlbuild.yaml:2:10: d/shut cannot be read: open d/shut: permission denied | chmod", "E-CONTEXT mlbuild.yaml:2:13: f.txt cannot be read: open f.txt: permission denied | chmod"})
}

// shut is a file system that lets nobody open the named files and directories.
type shut struct {
	fstest.MapFS
	names []string
}

func (s shut) check(name string) error {
	if slices.Contains(s.names, name) {
		return &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return nil
}

func (s shut) Open(name string) (fs.File, error) {
	if err := s.check(name); err != nil {
		return nil, err
	}
	return s.MapFS.Open(name)
}

func (s shut) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := s.check(name); err != nil {
		return nil, err
	}
	return s.MapFS.ReadDir(name)
}

// TestIrregularFiles: fault 33.
func TestIrregularFiles(t *testing.T) {
	dir := project(t, map[string]string{"requirements.txt": "flask\n", FileName: "app: {copy: [d, f.sock]}\n", "d/ok": ""})
	if err := syscall.Mkfifo(filepath.Join(dir, "d", "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "f.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, err = resolveDir(dir, Selection{})
	checkFaults(t, fault.All(err), []string{
		"E-CONTEXT mlbuild.yaml:1:14: d/pipe is a FIFO | .dockerignore", "E-CONTEXT mlbuild.yaml:1:17: f.sock is a socket"})
}

// TestHugeFiles: fault 33, with sparse files.
func TestHugeFiles(t *testing.T) {
	dir := project(t, map[string]string{"requirements.txt": "flask\n", FileName: "app: {copy: [m]}\n", "m/a": "", "m/b": "", "m/c": "", "m/d": ""})
	for name, size := range map[string]int64{"a": 5 << 30, "b": 4 << 30, "c": 3 << 30} {
		if err := os.Truncate(filepath.Join(dir, "m", name), size); err != nil {
			if errors.Is(err, syscall.EFBIG) {
				t.Skip("the temporary directory has no sparse files of this size")
			}
			t.Fatal(err)
		}
	}
	_, err := resolveDir(dir, Selection{})
	checkFaults(t, fault.All(err), []string{
		"E-CONTEXT mlbuild.yaml:1:14: m/a has 5.0 GiB, the limit for one file is 4 GiB | volume",
		"E-CONTEXT mlbuild.yaml:1:14: more than 10 GiB | model weights"})
}
