// Package testbed starts the real things that mlbuild talks to, for tests and for people who want to play:
// a buildkitd, a registry whose every request is logged, stand-ins for the base images of docker.io, and a
// stand-in for the PyTorch package index. Nothing outside the machine is needed but a Debian mirror, once:
// what is expensive to make is kept in .cache/testbed of the repository.
//
// A test takes the shared one:
//
//	func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }
//
//	func TestBuild(t *testing.T) {
//		tb := testbed.Shared(t) // skips when something is missing, fails when MLBUILD_REQUIRE_TESTBED=1
//		ref := tb.Registry.Ref("team/app:1")
//		…
//	}
//
// Every process is started with its own state directory and stopped by its pid, also when the test binary
// is killed.
package testbed
