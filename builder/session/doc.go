// Package session is what a build offers the daemon while it lasts: the project's files, the programs that steps run, secrets, registry credentials and agents. What was
// given on the command line and what the recipes name come in; services of BuildKit's session come out. Nothing leaves this machine that no recipe names.
//
// Start with session.go, the offer; files.go has the project's files, secrets.go checks what is missing before a daemon is asked for anything.
package session
