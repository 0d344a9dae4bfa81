package account

import (
	"io/fs"
	"os"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

var app = User{Name: "app", UID: 1000, GID: 1000, Home: "/home/app"}

func TestAdd(t *testing.T) {
	root := "root:x:0:0:root:/root:/bin/bash\n"
	tests := []struct{ name, passwd, group, wantPasswd, wantGroup string }{
		{"a usual base", root, "root:x:0:\n", root + "app:x:1000:1000::/home/app:/sbin/nologin\n", "root:x:0:\napp:x:1000:\n"},
		{"no newline at the end", "root:x:0:0:::", "root:x:0:", "root:x:0:0:::\napp:x:1000:1000::/home/app:/sbin/nologin\n", "root:x:0:\napp:x:1000:\n"},
		{"the uid has a name already", "ubuntu:x:1000:1000::/home/ubuntu:/bin/bash\n", "ubuntu:x:1000:\n", "ubuntu:x:1000:1000::/home/ubuntu:/bin/bash\n", "ubuntu:x:1000:\n"},
		{"nothing there", "", "", "app:x:1000:1000::/home/app:/sbin/nologin\n", "app:x:1000:\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			etc := fstest.MapFS{}
			if tt.passwd != "" {
				etc = fstest.MapFS{"passwd": {Data: []byte(tt.passwd)}, "group": {Data: []byte(tt.group)}}
			}
			out := t.TempDir()
			if err := add(t, etc, out); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{"passwd": readBack(t, out, "etc/passwd"), "group": readBack(t, out, "etc/group")}
			want := map[string]string{"passwd": tt.wantPasswd, "group": tt.wantGroup}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("databases (-want +got):\n%s", d)
			}
		})
	}
}

// TestAddShadow: the user has a line in shadow, and its group one in gshadow, where the base has these files.
func TestAddShadow(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, for a file of another group")
	}
	const passwd, group, shadow, gshadow = "root:x:0:0:::\n", "root:x:0:\nshadow:x:42:\n", "root:*:19000:0:99999:7:::\n", "root:*::\n"
	for name, c := range map[string]struct {
		etc             fstest.MapFS
		shadow, gshadow string
	}{
		"both": {fstest.MapFS{"passwd": {Data: []byte(passwd)}, "group": {Data: []byte(group)}, "shadow": {Data: []byte(shadow)}, "gshadow": {Data: []byte(gshadow)}},
			shadow + "app:*:::::::\n", gshadow + "app:!::\n"},
		"none":                         {fstest.MapFS{"passwd": {Data: []byte(passwd)}, "group": {Data: []byte(group)}}, "", ""},
		"the uid has a name already":   {fstest.MapFS{"passwd": {Data: []byte("u:x:1000:1000:::\n")}, "group": {Data: []byte("u:x:1000:\n")}, "shadow": {Data: []byte(shadow)}, "gshadow": {Data: []byte(gshadow)}}, "", ""},
		"a line that is there already": {fstest.MapFS{"passwd": {Data: []byte(passwd)}, "group": {Data: []byte(group)}, "shadow": {Data: []byte("app:!:::::::\n")}}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			if err := add(t, c.etc, out); err != nil {
				t.Fatal(err)
			}
			for file, want := range map[string]string{"shadow": c.shadow, "gshadow": c.gshadow} {
				data, err := os.ReadFile(out + "/etc/" + file)
				if string(data) != want || (err == nil) != (want != "") {
					t.Errorf("%s: %q, %v, want %q", file, data, err, want)
				}
				if info, err := os.Stat(out + "/etc/" + file); err == nil && (info.Mode() != 0o640 || info.Sys().(*syscall.Stat_t).Gid != 42 || !info.ModTime().Equal(fixed)) {
					t.Errorf("%s: %v of group %d at %v", file, info.Mode(), info.Sys().(*syscall.Stat_t).Gid, info.ModTime())
				}
			}
		})
	}
}

func TestAddFixesModesAndTimes(t *testing.T) {
	out := t.TempDir()
	if err := add(t, fstest.MapFS{}, out); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]fs.FileMode{"etc": 0o755 | fs.ModeDir, "etc/passwd": 0o644, "etc/group": 0o644} {
		info, err := os.Stat(out + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode || !info.ModTime().Equal(fixed) {
			t.Errorf("%s: mode %v time %v, want %v %v", name, info.Mode(), info.ModTime(), mode, fixed)
		}
	}
}

func TestAddRefusesTakenName(t *testing.T) {
	etc := fstest.MapFS{"passwd": {Data: []byte("app:x:42:42::/:/bin/sh\n")}}
	if err := add(t, etc, t.TempDir()); !fault.Is(err, fault.User) {
		t.Errorf("got %v, want E-USER", err)
	}
}

var fixed = time.Unix(315532800, 0)

func add(t *testing.T, etc fs.FS, dir string) error {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	return Add(etc, root, app, fixed)
}

func readBack(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(dir + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
