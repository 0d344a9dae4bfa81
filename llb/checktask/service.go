package checktask

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// What docker takes where an image's health check leaves it open (moby/moby daemon/health.go), in seconds.
const (
	healthInterval      = 30
	healthTimeout       = 30
	healthStartInterval = 5
	healthRetries       = 3
)

// What a service check takes where the project does not say it, and what it may take beside what the project allows its parts, in seconds.
const (
	serviceStart = 60
	serviceGrace = 10
	serviceSlack = 60
)

// Service is what mlbuild-check is told about a service: that of the image with this config, tried as the recipe says, or by the defaults where it says nothing. The files in Secrets
// are left to whoever mounts them.
func Service(r *recipe.Recipe, c dockerspec.DockerOCIImageConfig) check.Run {
	run := check.Run{
		Command: slices.Concat(c.Entrypoint, c.Cmd), Dir: cmp.Or(c.WorkingDir, "/"), Health: serviceHealth(c), Ports: tcpPorts(c.ExposedPorts),
		Start: serviceStart, Grace: serviceGrace, Signal: cmp.Or(c.StopSignal, "SIGTERM"), Writable: writableDirs(r),
		Protected: protectedDirs(r, cmp.Or(c.WorkingDir, "/")),
	}
	if s := r.Smoke; s != nil {
		run.Start, run.Grace, run.Ends, run.Exit = s.Start, s.Stop, s.Ends, s.Exit
		if s.Command != nil {
			run.Command = s.Command
		}
		for _, q := range s.Requests {
			run.Requests = append(run.Requests, serviceRequest(q))
		}
	}
	if run.Ends {
		run.Health, run.Ports = nil, nil
	}
	run.Timeout = run.Start + run.Grace + serviceSlack
	for _, q := range run.Requests {
		run.Timeout += q.Timeout
	}
	return run
}

// serviceHealth is the image's health check with docker's defaults filled in; nil = there is none.
func serviceHealth(c dockerspec.DockerOCIImageConfig) *check.Health {
	h := c.Healthcheck
	if h == nil || len(h.Test) == 0 || h.Test[0] == "NONE" {
		return nil
	}
	seconds := func(d time.Duration, fallback float64) float64 { return cmp.Or(d.Seconds(), fallback) }
	return &check.Health{
		Test: healthWords(h.Test, c.Shell), Interval: seconds(h.Interval, healthInterval), Timeout: seconds(h.Timeout, healthTimeout), StartPeriod: seconds(h.StartPeriod, 0),
		StartInterval: seconds(h.StartInterval, healthStartInterval), Retries: cmp.Or(h.Retries, healthRetries),
	}
}

// healthWords is the command of a health check: its own words, or a shell's with its text.
func healthWords(test, shell []string) []string {
	if test[0] != "CMD-SHELL" {
		return slices.Clone(test[1:])
	}
	if len(shell) == 0 {
		shell = []string{"/bin/sh", "-c"}
	}
	return slices.Concat(shell, []string{strings.Join(test[1:], " ")})
}

// tcpPorts lists the TCP ports of an image, sorted.
func tcpPorts(exposed map[string]struct{}) []int {
	var ports []int
	for p := range exposed {
		number, protocol, _ := strings.Cut(p, "/")
		if n, err := strconv.Atoi(number); err == nil && (protocol == "" || protocol == "tcp") {
			ports = append(ports, n)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

func serviceRequest(q recipe.SmokeRequest) check.Request {
	r := check.Request{
		Name: q.Method + " " + q.Path, Method: q.Method, URL: fmt.Sprintf("http://127.0.0.1:%d%s", q.Port, q.Path), Body: []byte(q.Body),
		Status: q.Status, JSON: q.Expect, Text: q.Text, Timeout: q.Timeout,
	}
	for _, h := range q.Headers {
		r.Headers = append(r.Headers, [2]string{h.Name, h.Value})
	}
	return r
}

// writableDirs lists the directories that the image has for its user to write in: those of app.dirs, and the working directory and the home where they are volumes. Sorted.
func writableDirs(r *recipe.Recipe) []string {
	var all []string
	for _, d := range r.App.Dirs {
		if d.UID == r.User.UID && d.Mode&0o200 != 0 {
			all = append(all, d.Path)
		}
	}
	for _, v := range r.App.Volumes {
		named := slices.ContainsFunc(r.App.Dirs, func(d recipe.Dir) bool { return d.Path == v })
		if !named && (v == r.App.Workdir || v == r.User.Home) {
			all = append(all, v)
		}
	}
	return recipe.SortedUnique(all)
}

// protectedDirs lists the directories of the system and of the packages that the image's user must not write to: none that the project has made the user's, and not the working directory, whose files are the user's. Sorted.
func protectedDirs(r *recipe.Recipe, workdir string) []string {
	all := []string{"/", "/bin", "/etc", "/lib", "/usr", "/usr/bin", "/usr/lib", "/usr/local/bin", recipe.Environment, recipe.Environment + "/bin"}
	if r.Python.Version != "" {
		all = append(all, recipe.SitePackages(r.Python.Version))
	}
	return recipe.SortedUnique(slices.DeleteFunc(all, func(dir string) bool {
		return dir == workdir || dir == r.User.Home || slices.Contains(r.App.Volumes, dir) || slices.ContainsFunc(r.App.Dirs, func(d recipe.Dir) bool { return d.Path == dir })
	}))
}
