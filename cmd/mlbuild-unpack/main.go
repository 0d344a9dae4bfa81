// Command mlbuild-unpack installs wheels into a directory, in a container that holds nothing else: no Python, no libc, no
// network. mlbuild carries it to the build daemon. Its bytes are part of the cache key of every wheel layer, so it imports
// as little as possible.
//
//	mlbuild-unpack -python 3.11 -out /out [-part k/n] [-allow-pth project/file.pth] [-strict] [-prune rule] [-keep pattern] wheel…
//
// Wheels are installed in the order given; a file that two of them have is the later one's. Files appear below
// /out/opt/venv. Faults and warnings are printed to stderr, one a line; the exit status is 1 after a fault, 2 after a wrong
// command line.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stderr))
}

// command is a parsed command line.
type command struct {
	out       string
	wheels    []string
	options   wheel.Options
	requested map[string]bool   // file name of the wheel → write REQUESTED
	urls      map[string]string // file name of the wheel → file with the contents of direct_url.json
}

func run(args []string, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "account" {
		return runAccount(args[1:], stderr)
	}
	c, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	faults := fault.All(c.install(stderr))
	for _, f := range faults {
		fmt.Fprintln(stderr, strings.ReplaceAll(f.Error(), "\n", " "))
	}
	return min(len(faults), 1)
}

func parse(args []string, stderr io.Writer) (*command, error) {
	c := &command{requested: map[string]bool{}, urls: map[string]string{}}
	flags := flag.NewFlagSet("mlbuild-unpack", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.options.Python, "python", "", "Python version, `X.Y`")
	flags.StringVar(&c.out, "out", "", "root `directory` to install below")
	flags.IntVar(&c.options.Workers, "workers", 0, "goroutines that inflate, 0 = one for each CPU")
	flags.Func("part", "write part k of n, `k/n`, counted from 0", c.part)
	flags.Func("allow-pth", "`project/file.pth` that may run code when Python starts (repeats)", func(s string) error {
		c.options.AllowPth = append(c.options.AllowPth, s)
		return nil
	})
	flags.BoolVar(&c.options.Strict, "strict", false, "refuse wheels that are not as the specification wants them")
	flags.Func("prune", "`patterns` of files to leave out, separated by colons; the last that matches decides, and ! begins an exception (repeats)", func(s string) error {
		c.options.Prune.Rules = append(c.options.Prune.Rules, strings.Split(s, ":"))
		return nil
	})
	flags.Func("keep", "`pattern` of files that stay whatever -prune says (repeats)", func(s string) error {
		c.options.Prune.Keep = append(c.options.Prune.Keep, s)
		return nil
	})
	flags.Func("requested", "file `name` of a wheel that the user asked for (repeats)", func(s string) error {
		c.requested[s] = true
		return nil
	})
	flags.Func("direct-url", "`name=file`: contents of direct_url.json for the wheel of this file name (repeats)", c.directURL)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	c.wheels = flags.Args()
	if c.out == "" || c.options.Python == "" || len(c.wheels) == 0 {
		return nil, fault.New(fault.Usage, "mlbuild-unpack needs -python, -out and at least one wheel")
	}
	c.options.Replace = true
	return c, nil
}

func (c *command) part(s string) error {
	k, n, ok := strings.Cut(s, "/")
	var errK, errN error
	c.options.Part.K, errK = strconv.Atoi(k)
	c.options.Part.N, errN = strconv.Atoi(n)
	if !ok || errK != nil || errN != nil {
		return errors.New("want k/n")
	}
	return nil
}

func (c *command) directURL(s string) error {
	name, file, ok := strings.Cut(s, "=")
	if !ok {
		return errors.New("want name=file")
	}
	c.urls[name] = file
	return nil
}

// install installs the wheels one after another, each with all CPUs, and goes on after a fault to tell all of them.
func (c *command) install(stderr io.Writer) error {
	root, err := os.OpenRoot(c.out)
	if err != nil {
		return fault.New(fault.Internal, "open the output directory: %w", err)
	}
	defer root.Close()
	var faults fault.List
	for _, path := range c.wheels {
		done, err := c.installOne(root, path)
		if err != nil {
			faults = append(faults, fault.All(err)...)
			continue
		}
		name := filepath.Base(path)
		if n := len(done.Flaws); n > 0 {
			fmt.Fprintf(stderr, "note: %s: %s%s; installed as pip does, with a RECORD of what is there\n", name, done.Flaws[0], andMore(n-1))
		}
		for _, file := range done.Replaced {
			fmt.Fprintf(stderr, "warning: %s: %s replaces a file of another wheel with other contents\n", file, name)
		}
	}
	return faults.Err()
}

// andMore says how many more flaws there are.
func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", and %d more", n)
}

func (c *command) installOne(root *os.Root, path string) (*wheel.Installed, error) {
	o := c.options
	name := filepath.Base(path)
	o.Requested = c.requested[name]
	if file, ok := c.urls[name]; ok {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fault.New(fault.Internal, "read the contents of direct_url.json: %w", err)
		}
		o.DirectURL = data
	}
	return wheel.Install(root, path, o)
}
