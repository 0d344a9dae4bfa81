package scripts

import (
	"os/exec"
	"strings"
	"testing"
)

// TestSpellingsOfAVersion: a wheel that was built is the locked one under any spelling of its version, and under no other version.
func TestSpellingsOfAVersion(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip(err)
	}
	const compare = "\nfor line in sys.stdin:\n    print(same(line.split()[0]) == same(line.split()[1]))\n"
	definitions, found := strings.CutSuffix(InstallWheel, "\nmain()\n")
	if !found {
		t.Fatal("the script does not end with a call of main")
	}
	pairs := []struct {
		a, b string
		same bool
	}{
		{"1.10.0-dev", "1.10.0.dev0", true}, {"1.10.0_dev", "1.10.0.dev0", true}, {"1.0", "1.0.0", true}, {"v1.0-RC.1", "1.0rc1", true}, {"1.0-1", "1.0.post1", true},
		{"1.0_1", "1.0.post1", true}, {"1.0.rev", "1.0.post0", true}, {"1.0alpha", "1.0a0", true}, {"1.0.preview2.post3.dev4", "1.0rc2.post3.dev4", true}, {"2024.01", "2024.1", true},
		{"1.0+Linux-2", "1.0+linux.2", true}, {"0!1.0", "1", true}, {"10.0", "1", false}, {"1.0", "1.0.dev0", false}, {"1.0a1", "1.0b1", false}, {"1.0", "1.0.post0", false},
		{"1.0+a", "1.0+b", false}, {"1!1.0", "1.0", false}, {"1.0.10", "1.0.1", false}, {"banana", "banana", true}, {"banana", "1.0", false},
	}
	var in, want strings.Builder
	for _, p := range pairs {
		in.WriteString(p.a + " " + p.b + "\n")
		want.WriteString(map[bool]string{true: "True\n", false: "False\n"}[p.same])
	}
	command := exec.Command(python, "-c", "__file__ = '/x'\n"+definitions+compare)
	command.Stdin = strings.NewReader(in.String())
	if out, err := command.CombinedOutput(); err != nil || string(out) != want.String() {
		t.Errorf("%v: %s, want %s", err, out, want.String())
	}
}
