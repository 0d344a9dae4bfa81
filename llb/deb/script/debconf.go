package script

import (
	"strings"
)

// debconf are the functions of confmodule as the frontend "noninteractive" answers them: every question is skipped and has
// its default, or what the script set.
var debconf = map[string]builtin{
	"db_version": ignored, "db_capb": ignored, "db_stop": ignored, "db_title": ignored, "db_settitle": ignored, "db_subst": ignored,
	"db_fset": ignored, "db_purge": ignored, "db_unregister": ignored, "db_register": ignored, "db_beginblock": ignored, "db_endblock": ignored,
	"db_go": ignored, "db_input": skipped, "db_get": dbGet, "db_set": dbSet, "db_fget": dbFget,
}

// defaults are those of the templates' questions (debconf-devel(7)).
func defaults(templates string) map[string]string {
	answers := map[string]string{}
	name := ""
	for line := range strings.Lines(templates) {
		field, text, ok := strings.Cut(strings.TrimRight(line, "\n"), ":")
		switch {
		case ok && strings.EqualFold(field, "Template"):
			name = strings.TrimSpace(text)
			answers[name] = ""
		case ok && strings.EqualFold(field, "Default") && name != "":
			answers[name] = strings.TrimSpace(text)
		}
	}
	return answers
}

func ignored(*evaluator, []string) (status, error) { return yes, nil }
func skipped(*evaluator, []string) (status, error) { return no, nil }

func dbGet(e *evaluator, args []string) (status, error) {
	if len(args) != 2 {
		return unknown, refuse("%s", strings.Join(args, " "))
	}
	text, ok := e.all.answers[args[1]]
	if !ok {
		return unknown, refuse("it asks a question of another package: %s", args[1])
	}
	e.vars.set("RET", text)
	return yes, nil
}

func dbSet(e *evaluator, args []string) (status, error) {
	if len(args) < 3 {
		return unknown, refuse("%s", strings.Join(args, " "))
	}
	if _, ok := e.all.answers[args[1]]; !ok {
		return unknown, refuse("it answers a question of another package: %s", args[1])
	}
	e.all.answers[args[1]] = strings.Join(args[2:], " ")
	return yes, nil
}

// dbFget asks whether a question was seen: none was.
func dbFget(e *evaluator, _ []string) (status, error) {
	e.vars.set("RET", "false")
	return yes, nil
}
