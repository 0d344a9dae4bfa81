package script

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// debconf are the functions of confmodule as the frontend "noninteractive" answers them: every question is skipped and has
// its default, or what the script set.
var debconf = map[string]command{
	"db_version": succeed, "db_capb": succeed, "db_stop": succeed, "db_title": succeed, "db_settitle": succeed, "db_subst": succeed,
	"db_fset": succeed, "db_purge": succeed, "db_unregister": succeed, "db_register": succeed, "db_beginblock": succeed, "db_endblock": succeed,
	"db_go": succeed, "db_input": fail, "db_get": dbGet, "db_set": dbSet, "db_fget": dbFget,
}

// answers are the defaults of the templates (debconf-devel(7)).
func answers(templates string) map[string]string {
	db := map[string]string{}
	name := ""
	for line := range strings.Lines(templates) {
		field, text, ok := strings.Cut(strings.TrimRight(line, "\n"), ":")
		switch {
		case ok && strings.EqualFold(field, "Template"):
			name = strings.TrimSpace(text)
			db[name] = ""
		case ok && strings.EqualFold(field, "Default") && name != "":
			db[name] = strings.TrimSpace(text)
		}
	}
	return db
}

func dbGet(r *reader, at syntax.Node, args []string) (status, error) {
	if len(args) != 2 {
		return unknown, r.refuse(at, "%s", strings.Join(args, " "))
	}
	text, ok := r.db[args[1]]
	if !ok {
		return unknown, r.refuse(at, "it asks a question of another package: %s", args[1])
	}
	r.vars["RET"] = value{text, true}
	return yes, nil
}

func dbSet(r *reader, at syntax.Node, args []string) (status, error) {
	if len(args) < 3 {
		return unknown, r.refuse(at, "%s", strings.Join(args, " "))
	}
	if _, ok := r.db[args[1]]; !ok {
		return unknown, r.refuse(at, "it answers a question of another package: %s", args[1])
	}
	r.db[args[1]] = strings.Join(args[2:], " ")
	return yes, nil
}

// dbFget asks whether a question was seen: none was.
func dbFget(r *reader, _ syntax.Node, _ []string) (status, error) {
	r.vars["RET"] = value{"false", true}
	return yes, nil
}
