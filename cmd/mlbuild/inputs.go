package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// inputFlags are what a run is given beside the project: secrets, agents, caches.
type inputFlags struct {
	secrets []string
	ssh     []string
}

func (i *inputFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&i.secrets, "secret", nil, "`secret` for the steps that name it: id=NAME,src=FILE or id=NAME,env=VARIABLE")
	f.StringArrayVar(&i.ssh, "ssh", nil, "agent socket or `keys`: default or ID=PATH[,PATH]")
}

// given are the inputs as they were read.
type given struct {
	secrets    []builder.Secret
	ssh        []builder.SSH
	knownHosts string // known_hosts(5), for git by ssh
}

// read reads what the flags name. All faults come at once.
func (i *inputFlags) read(ctx context.Context, e *env) (g given, err error) {
	var secretFaults, sshFaults error
	g.secrets, secretFaults = parseSecrets(e, i.secrets)
	g.ssh, sshFaults = parseSSH(e, i.ssh)
	if len(g.ssh) > 0 {
		g.knownHosts = knownHosts(ctx, e)
	}
	return g, fault.List(append(fault.All(secretFaults), fault.All(sshFaults)...)).Err()
}

// parseSecrets reads --secret. The values of files are read by the builder.
func parseSecrets(e *env, flags []string) ([]builder.Secret, error) {
	var all []builder.Secret
	var faults fault.List
	for _, text := range flags {
		s, err := parseSecret(e, text)
		if err == nil && slices.ContainsFunc(all, func(o builder.Secret) bool { return o.ID == s.ID }) {
			err = fault.New(fault.Usage, "the secret %q is given twice", s.ID)
		}
		if err != nil {
			faults = append(faults, fault.All(err)...)
			continue
		}
		all = append(all, s)
	}
	return all, faults.Err()
}

func parseSecret(e *env, text string) (builder.Secret, error) {
	s, kind := builder.Secret{}, ""
	fields, err := attributes("--secret", text)
	if err != nil {
		return s, err
	}
	for _, a := range fields {
		switch a.key {
		case "id":
			s.ID = a.value
		case "src", "source":
			s.File = a.value
		case "env":
			s.Env = a.value
		case "type":
			kind = a.value
		default: // the value may be the secret itself: do not print it
			return s, fault.New(fault.Usage, "--secret takes id, src, env and type alone").Hint("--secret id=NAME,src=FILE or id=NAME,env=VARIABLE")
		}
	}
	if s.ID == "" {
		return s, fault.New(fault.Usage, "--secret without an id").Hint("--secret id=NAME,src=FILE or id=NAME,env=VARIABLE")
	}
	if kind == "env" && s.Env == "" {
		s.Env, s.File = s.File, ""
	}
	if s.File == "" && s.Env == "" { // as docker: the variable of that name, else the file
		if _, ok := e.lookup(s.ID); ok || kind == "env" {
			s.Env = s.ID
		} else {
			s.File = s.ID
		}
	}
	if s.Env != "" {
		v, ok := e.lookup(s.Env)
		s.File, s.Value, s.Set = "", []byte(v), ok
	}
	return s, nil
}

// knownHosts are the keys of servers that the user's ssh knows, "" if there are none.
func knownHosts(ctx context.Context, e *env) string {
	path := e.inHome(".ssh", "known_hosts")
	if path == "" {
		return ""
	}
	data, err := limits.ReadFile(ctx, path, maxText)
	if err != nil {
		return "" // said where a server's key is needed
	}
	return string(data)
}

// parseSSH reads --ssh.
func parseSSH(e *env, flags []string) ([]builder.SSH, error) {
	var all []builder.SSH
	var faults fault.List
	for _, text := range flags {
		id, paths, _ := strings.Cut(text, "=")
		s := builder.SSH{ID: id}
		if paths != "" {
			s.Paths = strings.Split(paths, ",")
		} else if socket := e.get("SSH_AUTH_SOCK"); socket != "" {
			s.Paths = []string{socket}
		} else {
			faults = append(faults, fault.New(fault.Secret, "--ssh %s: there is no agent, SSH_AUTH_SOCK is not set", text).
				Hint("start one: eval $(ssh-agent) && ssh-add; or name a key: --ssh %s=PATH", id))
			continue
		}
		all = append(all, s)
	}
	return all, faults.Err()
}

// parseCaches reads --cache-from and --cache-to: type=…,key=value, or the reference of an image.
func parseCaches(e *env, flag string, texts []string) ([]builder.Cache, error) {
	var all []builder.Cache
	var faults fault.List
	for _, text := range texts {
		c, err := parseCache(e, flag, text)
		if err != nil {
			faults = append(faults, fault.All(err)...)
			continue
		}
		all = append(all, c)
	}
	return all, faults.Err()
}

// cacheTypes are BuildKit's cache backends.
var cacheTypes = []string{"azblob", "gha", "inline", "local", "registry", "s3"}

func parseCache(e *env, flag, text string) (builder.Cache, error) {
	c := builder.Cache{Attrs: map[string]string{}}
	fields, err := attributes(flag, text)
	if err != nil {
		return c, err
	}
	if loneValue(fields) {
		return builder.Cache{Type: "registry", Attrs: map[string]string{"ref": text}}, nil
	}
	for _, a := range fields {
		switch a.key {
		case "":
			return c, unknownAttribute(flag, text, a)
		case "type":
			c.Type = a.value
		default:
			c.Attrs[a.key] = a.value
		}
	}
	if !slices.Contains(cacheTypes, c.Type) {
		return c, fault.New(fault.Usage, "%s %q: there is no type %q", flag, text, c.Type).Hint("the types are: %s", strings.Join(cacheTypes, ", "))
	}
	if c.Type == "inline" {
		return c, fault.New(fault.Usage, "%s: an inline cache would put the daemon's state into the image, whose digest then differs from run to run", flag).
			Hint("leave it out: mlbuild keeps a cache beside the image by itself")
	}
	if missing := missingKey(flag, c); missing != "" {
		return c, fault.New(fault.Usage, "%s %q has no %s", flag, text, missing)
	}
	if c.Type == "local" && flag == "--cache-to" {
		if f := checkDir("dest=", c.Attrs["dest"]); f != nil {
			return c, f
		}
	}
	if c.Type == "gha" {
		return c, fillGitHub(e, flag, c)
	}
	return c, nil
}

func missingKey(flag string, c builder.Cache) string {
	needs := map[string]string{"registry": "ref", "s3": "bucket", "azblob": "account_url"}
	needs["local"] = map[string]string{"--cache-from": "src", "--cache-to": "dest"}[flag]
	if key := needs[c.Type]; key != "" && c.Attrs[key] == "" {
		return key
	}
	return ""
}

// fillGitHub takes what the Actions cache needs from the variables of a workflow, as buildctl does (cmd/buildctl/build/util.go).
func fillGitHub(e *env, flag string, c builder.Cache) error {
	if v2, err := strconv.ParseBool(e.get("ACTIONS_CACHE_SERVICE_V2")); c.Attrs["version"] == "2" || err == nil && v2 {
		setDefault(c.Attrs, "url_v2", e.get("ACTIONS_RESULTS_URL"))
	}
	setDefault(c.Attrs, "url", e.get("ACTIONS_CACHE_URL", "ACTIONS_RESULTS_URL"))
	setDefault(c.Attrs, "token", e.get("ACTIONS_RUNTIME_TOKEN"))
	if c.Attrs["token"] == "" || c.Attrs["url"] == "" && c.Attrs["url_v2"] == "" {
		return fault.New(fault.Usage, "%s type=gha needs ACTIONS_RUNTIME_TOKEN and ACTIONS_RESULTS_URL", flag).
			Hint("GitHub gives them to actions only: expose them to run steps with actions/github-script, or use type=registry")
	}
	return nil
}

func setDefault(m map[string]string, key, value string) {
	if m[key] == "" && value != "" {
		m[key] = value
	}
}

// parseCompression reads a codec. Without the flag the project's holds. A level is refused: the daemon keeps the first blob that it makes of a
// layer, so a level would hold for new layers only, and an image's digest would depend on what its daemon built before.
func parseCompression(text string, variants []builder.Variant) (recipe.Compression, error) {
	if text == "" {
		return projectCompression(variants), nil
	}
	if kind, _, ok := strings.Cut(text, ","); ok && slices.Contains(recipe.Compressions, recipe.Compression(kind)) {
		return "", fault.New(fault.Usage, "--compression %s: a level cannot be chosen", text).
			Hint("a daemon keeps the first blob of a layer, so a level would make digests depend on what it built before; write --compression %s", kind)
	}
	if !slices.Contains(recipe.Compressions, recipe.Compression(text)) {
		return "", fault.New(fault.Usage, "--compression %s: there is no type %q", text, text).
			Hint("the types are: %s", strings.Join(recipe.Texts(recipe.Compressions), ", "))
	}
	return recipe.Compression(text), nil
}

func projectCompression(variants []builder.Variant) recipe.Compression {
	kind := recipe.Compression("")
	for _, v := range variants {
		for _, r := range v.Recipes {
			kind = cmp.Or(kind, r.Compression)
		}
	}
	return kind
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
