package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestSecretForms(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	e, _, _ := testEnv("TOKEN=value", "EMPTY=")
	for _, c := range []struct {
		text string
		want builder.Secret
	}{
		{"id=a,src=" + file, builder.Secret{ID: "a", File: file}},
		{"id=a,type=file,source=" + file, builder.Secret{ID: "a", File: file}},
		{"id=a,env=TOKEN", builder.Secret{ID: "a", Env: "TOKEN", Value: []byte("value"), Set: true}},
		{"type=env,id=a,src=TOKEN", builder.Secret{ID: "a", Env: "TOKEN", Value: []byte("value"), Set: true}},
		{"id=TOKEN", builder.Secret{ID: "TOKEN", Env: "TOKEN", Value: []byte("value"), Set: true}},
		{"id=a,env=EMPTY", builder.Secret{ID: "a", Env: "EMPTY", Value: []byte{}, Set: true}},
	} {
		got, err := parseSecret(e, c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.text, diff)
		}
	}
}

func TestCacheForms(t *testing.T) {
	e, _, _ := testEnv("ACTIONS_RUNTIME_TOKEN=t", "ACTIONS_RESULTS_URL=https://cache.example/", "ACTIONS_CACHE_SERVICE_V2=true")
	for _, c := range []struct {
		text string
		want builder.Cache
	}{
		{"r.example/a:cache", builder.Cache{Type: "registry", Attrs: map[string]string{"ref": "r.example/a:cache"}}},
		{"type=registry,ref=r.example/a:cache,mode=max", builder.Cache{Type: "registry", Attrs: map[string]string{"ref": "r.example/a:cache", "mode": "max"}}},
		{"type=local,dest=dir", builder.Cache{Type: "local", Attrs: map[string]string{"dest": "dir"}}},
		{"type=gha,scope=x", builder.Cache{Type: "gha", Attrs: map[string]string{
			"scope": "x", "token": "t", "url": "https://cache.example/", "url_v2": "https://cache.example/",
		}}},
	} {
		got, err := parseCache(e, "--cache-to", c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.text, diff)
		}
	}
}

func TestCompressionForms(t *testing.T) {
	vs := variants("", "cpu")
	vs[0].Recipes[0].Compression = "gzip"
	for text, want := range map[string]recipe.Compression{"": "gzip", "zstd": "zstd", "estargz": "estargz"} {
		if got, err := parseCompression(text, vs); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"lzma", "zstd,9", "gzip,level=9", ",9"} {
		if _, err := parseCompression(text, vs); !fault.Is(err, fault.Usage) {
			t.Errorf("%q: %v, want E-USAGE", text, err)
		}
	}
}

func TestExitCodes(t *testing.T) {
	final, retry := fault.New(fault.Spec, "x"), fault.New(fault.Registry, "x").Retryable()
	for _, c := range []struct {
		faults fault.List
		want   int
	}{
		{fault.List{final}, 1}, {fault.List{retry}, 75}, {fault.List{retry, final}, 1},
		{fault.List{final, fault.New(fault.Usage, "x")}, 2}, {fault.List{fault.New(fault.Cancelled, "x")}, 130},
	} {
		if got := exitCode(c.faults); got != c.want {
			t.Errorf("%v: %d, want %d", c.faults, got, c.want)
		}
	}
}

// A fault is drawn with its place and its hints; without a terminal there are no colours.
func TestFaultsAreDrawn(t *testing.T) {
	e, _, stderr := testEnv()
	f := fault.New(fault.Spec, "unknown key").In(fault.Position{File: "mlbuild.yaml", Line: 7, Column: 3}).Hint("one").Hint("two")
	f.Snippet = "7 |   comand: x\n  |   ^"
	printFaults(e, fault.List{f, fault.New(fault.Ref, "bad")})
	want := strings.Join([]string{
		"error[E-SPEC]: unknown key", "  --> mlbuild.yaml:7:3", "   7 |   comand: x", "     |   ^", "hint: one", "hint: two", "", "error[E-REF]: bad", "",
	}, "\n")
	if diff := cmp.Diff(want, stderr.String()); diff != "" {
		t.Error(diff)
	}
}
