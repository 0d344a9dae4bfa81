package profiles

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestEntrypointScripts: what would only show when the container starts is told with the word of the command that names the script.
func TestEntrypointScripts(t *testing.T) {
	for _, c := range []struct {
		name, app string
		file      string
		data      string
		mode      fs.FileMode
		want      []string
	}{
		{"good", "copy: [start.sh], command: [./start.sh]", "start.sh", "#!/bin/sh\nexec python\n", 0o755, nil},
		{"good below a directory", "copy: [bin], entrypoint: [bin/start]", "bin/start", "#!/usr/bin/env python\r_\n", 0o755, nil},
		{"program", "copy: [bin], entrypoint: [/app/bin/start]", "bin/start", "\x7fELF\r\n", 0o755, nil},
		{"mode of the rule", "copy: [{from: start.sh, mode: \"0555\"}], command: [./start.sh]", "start.sh", "#!/bin/sh\n", 0o644, nil},
		{"named interpreter", "copy: [start.sh], command: [sh, -eu, start.sh]", "start.sh", "echo\n", 0o644, nil},
		{"shell line", "copy: [start.sh], command: [sh, -c, start.sh]", "start.sh", "echo\r\n", 0o644, nil},
		{"not of the project", "copy: [start.sh], command: [/usr/bin/env, x]", "start.sh", "", 0o644, nil},
		{"an argument", "copy: [start.sh], entrypoint: [python], command: [./start.sh]", "start.sh", "\r\n", 0o644, nil},
		{"not executable", "copy: [start.sh], command: [./start.sh]", "start.sh", "#!/bin/sh\n", 0o644, []string{
			"E-CONTEXT mlbuild.yaml:2:35: start.sh is not executable | git update-index --chmod=+x start.sh"}},
		{"taken away by the rule", "copy: [{from: start.sh, mode: \"0644\"}], command: [./start.sh]", "start.sh", "#!/bin/sh\n", 0o755, []string{
			"E-CONTEXT mlbuild.yaml:2:57: start.sh is not executable | mode: \"0755\""}},
		{"line ends", "copy: [bin], entrypoint: [bin/start.sh]", "bin/start.sh", "#!/bin/sh\r\nexec python\r\n", 0o755, []string{
			"E-CONTEXT mlbuild.yaml:2:33: bin/start.sh has the line ends of Windows | sed -i 's/\\r$//' bin/start.sh"}},
		{"line ends further down", "copy: [start.sh], command: [bash, start.sh]", "start.sh", "#!/bin/bash\nset -e\r\n", 0o644, []string{
			"E-CONTEXT mlbuild.yaml:2:41: line ends of Windows | eol=lf"}},
		{"no first line", "copy: [start.sh], command: [./start.sh]", "start.sh", "exec python\n", 0o755, []string{
			"E-CONTEXT mlbuild.yaml:2:35: start.sh has no first line that says what runs it | #!/bin/sh"}},
		{"everything", "copy: [start.sh], command: [./start.sh]", "start.sh", "echo\r\n", 0o644, []string{
			"E-CONTEXT mlbuild.yaml:2:35: line ends", "E-CONTEXT mlbuild.yaml:2:35: not executable"}},
		{"on PATH", "copy: [start.sh], command: [start.sh]", "start.sh", "#!/bin/sh\n", 0o755, []string{
			"E-SPEC mlbuild.yaml:2:35: start.sh is looked for on PATH | ./start.sh"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := fstest.MapFS{
				FileName: {Data: []byte("python: {requirements: []}\napp: {" + c.app + "}\n"), Mode: 0o644}, c.file: {Data: []byte(c.data), Mode: c.mode},
			}
			p, err := Load(files, "")
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Resolve(Selection{})
			checkFaults(t, fault.All(err), c.want)
		})
	}
}
