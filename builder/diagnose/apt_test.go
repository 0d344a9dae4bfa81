package diagnose

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	bkclient "github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// askingApt is the fault of a step of apt that says something and fails with err.
func askingApt(t *testing.T, yaml, said string, err error) error {
	t.Helper()
	r := buildertest.Recipe(t, "cpu", yaml)
	b, step := quiet(), digest.FromString("apt")
	b.Logs.Keep(&bkclient.SolveStatus{
		Vertexes: []*bkclient.Vertex{{Digest: step, Name: "[resolve] apt", Error: err.Error()}},
		Logs:     []*bkclient.VertexLog{{Vertex: step, Data: []byte(said)}},
	})
	return b.Apt(r, err)
}

// TestExplainApt feeds what apt 2.6 with gpgv and apt 3.0 with sqv say.
func TestExplainApt(t *testing.T) {
	const ignored = "E: Some index files failed to download. They have been ignored, or old ones used instead.\nmlbuild: update-failed\n"
	const broken = "The following packages have unmet dependencies:\n libssl-dev : Depends: libssl3 (= 3.0.20-1~deb12u2) but it is not going to be installed\n" +
		"E: Unable to correct problems, you have held broken packages.\n"
	for _, test := range []struct {
		name, said string
		code       fault.Code
		retry      bool
		says       []string
	}{
		{"unknown", "E: Unable to locate package libgopm1\nmlbuild: near libgopm1: libgomp1 libgbm1 \n", fault.Resolve, false,
			[]string{"python:3.11-slim have no package libgopm1", "did you mean libgomp1, libgbm1?", "system.repositories"}},
		{"unknown, nothing near", "E: Unable to locate package xyzzy\nmlbuild: near xyzzy: \n", fault.Resolve, false, []string{"no package xyzzy"}},
		{"virtual", "Package awk is a virtual package provided by:\n  mawk 1.3\nE: Package 'awk' has no installation candidate\nmlbuild: near awk: gawk \n", fault.Resolve, false,
			[]string{"no package awk", "did you mean gawk?"}},
		{"version gone", "E: Version '7.88.1-10' for 'curl' was not found\nmlbuild: versions curl: 7.88.1-10+deb12u14 7.88.1-10+deb12u15 \n", fault.Resolve, false,
			[]string{"do not have curl in version 7.88.1-10", "they have 7.88.1-10+deb12u14, 7.88.1-10+deb12u15: write curl=7.88.1-10+deb12u15", "system.snapshot"}},
		{"conflict", "Reading package lists...\n" + broken, fault.Resolve, false, []string{"do not fit together with the base docker.io/library/python:3.11-slim", "libssl-dev : Depends: libssl3 (= 3.0.20-1~deb12u2)"}},
		{"conflict for the solver of apt 3", "Solving dependencies...\nE: Unable to satisfy dependencies. Reached two conflicting assignments:\n", fault.Resolve, false, []string{"do not fit together"}},
		{"missing key, gpgv", "W: GPG error: https://apt.example ./ InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 3CE5B152BA331C41\n" +
			"E: The repository 'https://apt.example ./ InRelease' is not signed.\nmlbuild: update-failed\n", fault.Index, false, []string{"a key that is not trusted", "NO_PUBKEY 3CE5B152BA331C41", "system.repositories, key"}},
		{"missing key, sqv", "W: OpenPGP signature verification failed: https://apt.example ./ InRelease: Sub-process /usr/bin/sqv returned an error code (1), error message is: " +
			"Missing key B23397EFB7F67AC2F0AF0FB53CE5B152BA331C41, which is needed to verify signature.\nE: The repository 'https://apt.example ./ InRelease' is not signed.\nmlbuild: update-failed\n",
			fault.Index, false, []string{"a key that is not trusted"}},
		{"no key at all", "W: … error message is: Error: Failed to parse keyring \"/tmp/mlbuild-apt/keyrings/mlbuild-0.gpg\"\n" + ignored, fault.Index, false, []string{"is no OpenPGP key"}},
		{"expired key", "W: GPG error: https://apt.example ./ InRelease: The following signatures were invalid: EXPKEYSIG 3CE5 Test\n" + ignored, fault.Index, false, []string{"has expired"}},
		{"forged", "W: GPG error: https://apt.example ./ InRelease: The following signatures were invalid: BADSIG 3CE5 Test\n" + ignored, fault.Index, false, []string{"by another key", "do not trust"}},
		{"unsigned", "E: The repository 'https://apt.example ./ Release' is not signed.\nmlbuild: update-failed\n", fault.Index, false, []string{"is not signed, so that nothing vouches", "https://apt.example ./"}},
		{"gone", "Err:3 https://apt.example/x ./ Release\n  404  Not Found [IP: 192.0.2.1 443]\nE: The repository 'https://apt.example/x ./ Release' does not have a Release file.\nmlbuild: update-failed\n",
			fault.Index, false, []string{"no Release file", "system.snapshot"}},
		{"expired lists", "E: Release file for https://apt.example is expired (invalid since 3d). Updates for this repository will not be applied.\n" + ignored, fault.Index, false, []string{"too old", "system.snapshot"}},
		{"refused", "E: Failed to fetch http://apt.example/InRelease  Could not connect to apt.example:80 (192.0.2.1). - connect (111: Connection refused)\n" + ignored, fault.Index, true, []string{"does not answer"}},
		{"no DNS", "E: Failed to fetch http://apt.example/InRelease  Temporary failure resolving 'apt.example'\n" + ignored, fault.Index, true, []string{"does not answer", "apt.example"}},
		{"unreachable, apt 3", "E: Failed to fetch http://apt.example/InRelease  Unable to connect to apt.example:80:\n" + ignored, fault.Index, true, []string{"does not answer"}},
		{"server error", "E: Failed to fetch http://apt.example/InRelease  503  Service Unavailable [IP: 192.0.2.1 80]\n" + ignored, fault.Index, true, []string{"returned a server error", "later"}},
		{"sync", "E: Failed to fetch http://apt.example/Packages.xz  File has unexpected size (1 != 2). Mirror sync in progress? [IP: 192.0.2.1 80]\n" + ignored, fault.Index, true, []string{"returned a server error"}},
		{"password", "E: Failed to fetch https://apt.example/InRelease  401  Unauthorized [IP: 192.0.2.1 443]\n" + ignored, fault.Index, false, []string{"wants credentials"}},
		{"own CA, GnuTLS", "E: Failed to fetch https://apt.example/InRelease  Certificate verification failed: The certificate is NOT trusted. Could not handshake\n" + ignored, fault.CA, false, []string{"--ca-cert FILE"}},
		{"own CA, OpenSSL", "E: Failed to fetch https://apt.example/InRelease  SSL connection failed: error:0A000086:SSL routines::certificate verify failed\n" + ignored, fault.CA, false, []string{"--ca-cert FILE"}},
		{"no apt", "mlbuild: no-apt\n", fault.Base, false, []string{"the base docker.io/library/python:3.11-slim has no apt", "Debian or Ubuntu"}},
		{"no sources", "mlbuild: no-sources\n", fault.Index, false, []string{"names no package repository", "system.repositories"}},
		{"anything else", "E: dpkg was interrupted\n", fault.Resolve, false, []string{"dpkg was interrupted", "system.runtime"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			buildertest.Expect(t, askingApt(t, buildertest.SomeSystem, test.said, errors.New("exit code: 1")), test.code, test.retry, test.says...)
		})
	}
}

// Everything that is wrong with the packages comes at once.
func TestExplainAptTellsAll(t *testing.T) {
	err := askingApt(t, buildertest.SomeSystem, "E: Unable to locate package one\nE: Version '1' for 'two' was not found\nE: Unable to locate package three\nE: Couldn't find any package by glob 'three'\n", errors.New("exit code: 1"))
	var got []string
	for _, f := range fault.All(err) {
		got = append(got, string(f.Code)+" "+f.Message[strings.LastIndex(f.Message, "have "):])
	}
	if diff := cmp.Diff([]string{"E-RESOLVE have no package one", "E-RESOLVE have no package three", "E-RESOLVE have two in version 1"}, got); diff != "" {
		t.Error(diff)
	}
}

// A base without a shell fails before anything can say why: BuildKit tells it in the step's log, or in the error.
func TestExplainAptWithoutShell(t *testing.T) {
	const text = `runc run failed: unable to start container process: exec: "/bin/sh": stat /bin/sh: no such file or directory`
	buildertest.Expect(t, askingApt(t, buildertest.SomeSystem, "", errors.New(text)), fault.Base, false, "has no apt")
	buildertest.Expect(t, askingApt(t, buildertest.SomeSystem, text, errors.New("exit code: 1")), fault.Base, false, "has no apt")
}

func TestExplainAptKey(t *testing.T) {
	key := digest.FromString("key")
	yaml := "python: {requirements: []}\nsystem:\n  runtime: [tool]\n  repositories:\n    - {url: https://apt.example/, suite: ./, key: {url: https://apt.example/key.asc, sha256: " + key.Encoded() + "}}\n"
	err := askingApt(t, yaml, "", errors.New("digest mismatch "+digest.FromString("other").String()+": "+key.String()))
	buildertest.Expect(t, err, fault.Digest, false, "the key of the repository https://apt.example is not what mlbuild.yaml promises", "https://apt.example/key.asc", "new sha256")
}
