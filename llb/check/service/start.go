package service

import (
	"bufio"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/mlbuild/mlbuild/llb/check"
)

// searchPath is where programs are looked for if the image has no PATH (docker's default).
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// lookUp finds a program as execvp(3) does in an environment.
func lookUp(words []string, dir string, env []string) (string, error) {
	if len(words) == 0 || words[0] == "" {
		return "", fs.ErrInvalid
	}
	name := words[0]
	if strings.Contains(name, "/") {
		return name, nil // the kernel finds it, from dir
	}
	var wrong error = syscall.ENOENT
	for _, at := range filepath.SplitList(cmp.Or(variable(env, "PATH"), searchPath)) {
		file := path.Join(at, name)
		if !path.IsAbs(file) {
			file = path.Join(dir, file)
		}
		info, err := os.Stat(file)
		switch {
		case err != nil || info.IsDir():
		case info.Mode()&0o111 == 0:
			wrong = syscall.EACCES
		default:
			return file, nil
		}
	}
	return "", wrong
}

// variable returns the value of the last one of this name, as a C library without duplicates has it.
func variable(env []string, name string) (value string) {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}

// notStarted says why a command could not be started.
func notStarted(run check.Run, env []string, err error) *check.Fault {
	if len(run.Command) == 0 || run.Command[0] == "" {
		return fault("the image has no command").Hint("name one in app.command, or in smoke.command for the check alone")
	}
	name := run.Command[0]
	f := fault("the command %s cannot be started: %v", name, err)
	f.Program, f.For = name, "command"
	if info, wrong := os.Stat(run.Dir); wrong != nil || !info.IsDir() {
		f.Text = "the working directory " + run.Dir + " is not in the image"
		return f
	}
	file := name
	if !path.IsAbs(file) {
		file = path.Join(run.Dir, file)
	}
	switch {
	case !strings.Contains(name, "/") && errors.Is(err, syscall.ENOENT):
		f.Text = "the command " + name + " is not in the image: no directory of its PATH has it, " + cmp.Or(variable(env, "PATH"), searchPath)
		f.Hint("name the package that brings " + name + " in the requirements, or correct app.command")
	case errors.Is(err, syscall.ENOENT):
		f.Text = "the command " + name + notThere(file)
		f.Hint("correct app.command, or bring the file by app.copy")
	case errors.Is(err, syscall.EACCES):
		f.Text = "the command " + name + " may not be run by the image's user: permission denied"
		f.Hint("app: {copy: [{from: " + path.Base(name) + ", mode: \"0755\"}]} makes a script executable, or name its interpreter first: [sh, " + name + "]")
	case errors.Is(err, syscall.ENOEXEC):
		f.Text = "the command " + name + " is no program for this platform, and no script with a first line such as #!/bin/sh"
	}
	return f
}

// notThere says of what a program lacks: itself, or what its first line names.
func notThere(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return " is not in the image"
	}
	defer f.Close()
	line, _ := bufio.NewReaderSize(f, 256).ReadSlice('\n')
	if words := strings.Fields(strings.TrimPrefix(string(line), "#!")); strings.HasPrefix(string(line), "#!") && len(words) > 0 {
		return " begins with #!" + words[0] + ", which is not in the image"
	}
	return " is there, and the loader that it asks for is not in the image"
}

// unwritable tries to write to directories as a user.
func unwritable(dirs []string, uid int) (faults []check.Fault) {
	for _, dir := range dirs {
		err := writeTo(dir)
		if err == nil {
			continue
		}
		var where *fs.PathError
		if errors.As(err, &where) {
			err = where.Err
		}
		f := fault("the directory %s cannot be written by the image's user, uid %d: %v", dir, uid, err)
		f.File = dir
		faults = append(faults, *f.Hint("app: {dirs: [" + dir + "]} makes it the user's; see that no step and no file of another owner makes it again"))
	}
	return faults
}

// givenAway tries to write to directories as a user who should not be able to. Root always can, and what is not there nobody can. Two names of one directory (/bin, /usr/bin) are one fault.
func givenAway(dirs []string, uid int) (faults []check.Fault) {
	if uid == 0 {
		return nil
	}
	var seen []string
	for _, dir := range dirs {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil || slices.Contains(seen, real) || writeTo(real) != nil {
			continue
		}
		seen = append(seen, real)
		f := fault("the directory %s can be written by the image's user, uid %d: whoever gets into the service could change what it runs", dir, uid)
		f.File = dir
		faults = append(faults, *f.Hint("chown root:root " + dir + " && chmod 755 " + dir + " in the step that gave it away"))
	}
	return faults
}

// writeTo makes a file in a directory and removes it.
func writeTo(dir string) error {
	file, err := os.CreateTemp(dir, ".mlbuild-check-*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}
