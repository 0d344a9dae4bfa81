package account

import (
	"io/fs"
	"os"
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
