package lookup

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// lockedWheels parses a lock of packages, "name version".
func lockedWheels(t *testing.T, packages ...string) *pylock.Lock {
	t.Helper()
	lock, err := pylock.Parse("pylock.toml", []byte(buildertest.LockText(packages...)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range lock.Packages {
		lock.Packages[i].Wheels[0].SHA256 = fmt.Sprintf("%064d", i+1)
	}
	return lock
}

// TestJudged: what looking into wheels showed becomes what the lock says of them, whatever the project allows.
func TestJudged(t *testing.T) {
	lock := lockedWheels(t, "coloredlogs 15.0", "demo 1.0", "slip 1.0")
	sum := func(i int) string { return lock.Packages[i].Wheels[0].SHA256 }
	rows := func(name string) []byte {
		return []byte(name + "/a.py,,\n" + name + "-1.0.dist-info/WHEEL,,\n" + name + "-1.0.dist-info/METADATA,,\n")
	}
	entries := func(name string, more ...wheel.Listed) []wheel.Listed {
		info := name + "-1.0.dist-info/"
		return append(more, wheel.Listed{Name: name + "/a.py"}, wheel.Listed{Name: info + "WHEEL"}, wheel.Listed{Name: info + "METADATA"}, wheel.Listed{Name: info + "RECORD"})
	}
	startup, flaws, refused := judged(lock, query.Inspected{
		Startup: map[string]map[string][]byte{
			sum(0): {"coloredlogs.pth": []byte("import os; exec('try: __import__(\"coloredlogs\").auto_install() if os.environ.get(\"COLOREDLOGS_AUTO_INSTALL\") else None\\nexcept ImportError: pass')\n")},
			sum(1): {"demo.pth": []byte("import demo\n"), "plain.pth": []byte("lib\n")},
		},
		Odd: map[string]query.OddWheel{
			sum(1): {Entries: entries("demo"), Record: rows("demo")},
			sum(2): {Entries: entries("slip", wheel.Listed{Name: "../../etc/x"}), Record: rows("slip")},
		},
	})
	if len(startup) != 1 || !slices.Equal(startup[sum(1)], []string{"demo.pth"}) {
		t.Errorf("startup: %v", startup)
	}
	if got := strings.Join(flaws[sum(1)], "\n"); !strings.Contains(got, `"demo/a.py": RECORD has no hash of it`) {
		t.Errorf("flaws: %v", flaws)
	}
	if got := refused[sum(2)]; len(got) != 1 || !strings.Contains(got[0], `slip-1.0-py3-none-any.whl: "../../etc/x": its name has`) {
		t.Errorf("refused: %v", refused)
	}
}

// TestLookedWheels: lock and plan refuse what an installation would, with the line that allows it, and tell flaws.
func TestLookedWheels(t *testing.T) {
	lock := lockedWheels(t, "demo 1.0", "slip 1.0")
	demo, slip := lock.Packages[0].Wheels[0].SHA256, lock.Packages[1].Wheels[0].SHA256
	lock.Tool.Flaws = map[string][]string{demo: {`"demo/a.py": RECORD does not list it`}}
	choose := func(python string) (Choice, error) {
		return Choose(buildertest.Recipe(t, "cpu", "python: {packages: [demo, slip]"+python+"}\n"), lock, "2.36", Contents{})
	}
	c, err := choose("")
	if want := `demo 1.0: "demo/a.py": RECORD does not list it; it is installed as pip does, with a RECORD of what is there`; err != nil || !slices.Contains(c.Notes, want) {
		t.Errorf("notes %q, %v", c.Notes, err)
	}
	_, err = choose(", strict_wheels: true")
	buildertest.Expect(t, err, fault.WheelUnsafe, false, "demo-1.0-py3-none-any.whl: \"demo/a.py\": RECORD does not list it", "python.strict_wheels")
	lock.Tool.Startup = map[string][]string{demo: {"demo.pth"}}
	_, err = choose("")
	buildertest.Expect(t, err, fault.WheelUnsafe, false, `demo-1.0-py3-none-any.whl: "demo.pth" runs code at every start of Python`, "python: {allow: [demo/demo.pth]}")
	if _, err = choose(", allow: [Demo/demo.pth]"); err != nil {
		t.Errorf("allowed: %v", err)
	}
	lock.Tool.Refused = map[string][]string{slip: {"slip-1.0-py3-none-any.whl: it leaves"}}
	_, err = choose(", allow: [demo/demo.pth]")
	buildertest.Expect(t, err, fault.WheelUnsafe, false, "slip-1.0-py3-none-any.whl: it leaves", "choose another version")
	if other := lockedWheels(t, "demo 1.0"); other != nil {
		lock.Packages = other.Packages // what the project does not take is not held against it
		if _, err = choose(", allow: [demo/demo.pth]"); err != nil {
			t.Errorf("without the refused wheel: %v", err)
		}
	}
}

// TestWhoseStays: of two packages with one path the note names the one that lies above, and the key that turns it round.
func TestWhoseStays(t *testing.T) {
	lock := lockedWheels(t, "opencv-python 5.0", "opencv-python-headless 5.0")
	for i := range lock.Packages {
		lock.Packages[i].Wheels[0].Size = 60 << 20
	}
	lock.Tool.Overlaps = map[string][]string{"opencv-python opencv-python-headless": {"cv2/__init__.py"}}
	for python, want := range map[string]string{
		"":                        "opencv-python-headless's stays; for the other's: python: {last: [opencv-python]}",
		", last: [opencv-python]": "opencv-python's stays, as python.last says",
		", last: [opencv-python, opencv_python_headless]": "opencv-python-headless's stays, as python.last says",
	} {
		c, err := Choose(buildertest.Recipe(t, "cpu", "python: {packages: [opencv-python, opencv-python-headless]"+python+"}\n"), lock, "2.36", Contents{})
		if err != nil {
			t.Fatal(err)
		}
		if want = "opencv-python and opencv-python-headless both bring cv2/__init__.py with different contents; " + want; !slices.Contains(c.Notes, want) {
			t.Errorf("%s: notes %q", python, c.Notes)
		}
	}
}
