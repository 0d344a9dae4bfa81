package packages

import (
	"bufio"
	"os"
	"os/exec"
	"testing"
)

// TestHeldBesideAnEnd: pages that processes share count once, also while another one has ended and nobody has taken note of it.
func TestHeldBesideAnEnd(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("MLBUILD_REQUIRE_TESTBED") == "1" {
			t.Fatal("no python3 here")
		}
		t.Skip("no python3 here")
	}
	cmd := exec.Command(python, "-c", `
import os, time
x = b'x' * 60000000
for i in range(5):
    if os.fork() == 0:
        if i == 0:
            os._exit(0)
        time.sleep(60)
time.sleep(0.2)
print("ready", flush=True)
time.sleep(60)
`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sweep)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(line, err)
	}
	if each := held(); each < 240<<20 {
		t.Errorf("the processes hold %d bytes", each)
	}
	if apart := heldApart(); apart < 55<<20 || apart > 120<<20 {
		t.Errorf("apart they hold %d bytes, want about 60 MB", apart)
	}
}
