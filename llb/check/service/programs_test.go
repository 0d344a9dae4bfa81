package service

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/llb/check"
)

// TestMain makes the test's own program what the tests run: the check itself, which has to be a process of its own, as it reaps whatever ends; and services, named by the second argument.
func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv("MLBUILD_TEST_RUN"); ok {
		os.Exit(checkHere(text))
	}
	if len(os.Args) > 2 && os.Args[1] == "program" {
		programs[os.Args[2]](os.Args[3:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// checkHere is what mlbuild-check does.
func checkHere(text string) int {
	_ = os.Unsetenv("MLBUILD_TEST_RUN")
	var run check.Run
	if err := json.Unmarshal([]byte(text), &run); err != nil {
		panic(err)
	}
	report, err := Check(context.Background(), run, Here{os.Environ(), os.Stdout, time.Now})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return check.Broken
	}
	fmt.Fprintln(os.Stderr, report.Line())
	return min(len(report.Faults), check.Failed)
}

// tried runs a check, and returns its report and what it printed.
func tried(t *testing.T, run check.Run, env ...string) (check.Report, string) {
	t.Helper()
	if run.Signal == "" {
		run.Signal = "SIGTERM"
	}
	run.Dir = t.TempDir()
	run.Start, run.Grace, run.Timeout = or(run.Start, 20), or(run.Grace, 20), or(run.Timeout, 60)
	data, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self(t))
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(append(os.Environ(), env...), "GORACE=atexit_sleep_ms=0", "MLBUILD_TEST_RUN="+string(data)) // else the race detector has each process wait for a second at its end
	err = cmd.Run()
	report, ok := check.ReadAnswer(errs.String())
	if !ok {
		t.Fatalf("no report: %v: %s", err, errs.String())
	}
	if (err != nil) != (len(report.Faults) > 0) {
		t.Errorf("%v with %d faults", err, len(report.Faults))
	}
	return report, out.String()
}

func or(given, fallback float64) float64 {
	if given != 0 {
		return given
	}
	return fallback
}

func self(t *testing.T) string {
	t.Helper()
	file, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// program is the command of one of programs.
func program(t *testing.T, words ...string) []string {
	t.Helper()
	return append([]string{self(t), "program"}, words...)
}

// freePort is one on which nothing listens.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// health asks a port, by the test's own program.
func health(t *testing.T, port int) *check.Health {
	t.Helper()
	return &check.Health{Test: program(t, "ask", fmt.Sprintf("http://127.0.0.1:%d/health", port)), Interval: 30, Timeout: 5, StartInterval: 5, Retries: 3}
}

// programs are the services of the tests, and what asks them.
var programs = map[string]func(args []string){
	"serve":    serve,
	"ask":      ask,
	"stubborn": func(args []string) { signal.Ignore(syscall.SIGTERM); serve(args) },
	"fork":     fork,
	"flood":    flood,
	"sleep":    func([]string) { time.Sleep(time.Minute) },
	"job":      func(args []string) { fmt.Println("trained"); code, _ := strconv.Atoi(args[0]); os.Exit(code) },
	"silent":   func([]string) { select {} },
	"grumpy": func(args []string) {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		go serve(args)
		<-stop
		os.Exit(9)
	},
}

// serve answers on an address until it is stopped, and prints what $PRINT says.
func serve(args []string) {
	if s := os.Getenv("PRINT"); s != "" {
		for _, half := range []string{s[:len(s)/2], s[len(s)/2:] + "\n"} {
			_, _ = io.WriteString(os.Stdout, half)
			time.Sleep(20 * time.Millisecond)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		body, _ := io.ReadAll(r.Body)
		_ = json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "body": string(body), "key": r.Header.Get("X-Key"), "host": r.Host, "scores": []map[string]any{{"label": "b", "score": 0.30000000000000004}}})
	})
	mux.HandleFunc("/html", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>"+strings.Repeat("x", 300))
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/health", http.StatusFound) })
	mux.HandleFunc("/slow", func(http.ResponseWriter, *http.Request) { time.Sleep(time.Minute) })
	mux.HandleFunc("/die", func(http.ResponseWriter, *http.Request) { fmt.Println("out of memory"); os.Exit(3) })
	go func() { panic(http.ListenAndServe(args[0], mux)) }()
	stop := make(chan os.Signal, 1)
	if signal.Ignored(syscall.SIGTERM) {
		stop = nil
	} else {
		signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	}
	<-stop
	fmt.Println("stopped")
}

func ask(args []string) {
	res, err := http.Get(args[0])
	if err != nil || res.StatusCode != http.StatusOK {
		fmt.Println("unhealthy:", err)
		os.Exit(1)
	}
}

// fork starts one process below it, and one whose parent ends at once, and then serves.
func fork(args []string) {
	file, _ := os.Executable()
	_ = exec.Command(file, "program", "sleep").Start()
	_ = exec.Command("/bin/sh", "-c", file+" program sleep & exit 0").Run()
	serve(args)
}

// flood prints 100 MB and ends, or serves.
func flood(args []string) {
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	line := strings.Repeat("x", 99) + "\n"
	for range 1_000_000 {
		_, _ = out.WriteString(line)
	}
	_, _ = out.WriteString("the last line\n")
	_ = out.Flush()
	serve(args)
}
