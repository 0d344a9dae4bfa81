package testbed

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// SSHGit serves the repositories of a GitServer by ssh to whoever has the key that Agent holds.
type SSHGit struct {
	Addr       string // "127.0.0.1:4711"
	KnownHosts string // known_hosts(5) with the server's key
	Agent      string // socket of an agent with the user's key, and nothing else has it
	fetches    atomic.Int64
	config     *ssh.ServerConfig
	dir        string
}

// NewSSHGit starts a server and an agent that end with the test.
func NewSSHGit(t testing.TB, g *GitServer) *SSHGit {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil { // the daemon fetches with it
		SkipMissing(t, &MissingError{What: "ssh is not installed", Remedy: "make testbed-deps"})
	}
	s, err := startSSHGit(t, g.dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func startSSHGit(t testing.TB, dir string) (*SSHGit, error) {
	host, _, hostErr := sshKey()
	user, private, userErr := sshKey()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err = errors.Join(hostErr, userErr, err); err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = listener.Close() })
	s := &SSHGit{Addr: listener.Addr().String(), dir: dir}
	s.KnownHosts = knownhosts.Line([]string{s.Addr}, host.PublicKey()) + "\n"
	s.config = &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(user.PublicKey().Marshal()) {
			return nil, errors.New("a stranger's key")
		}
		return &ssh.Permissions{}, nil
	}}
	s.config.AddHostKey(host)
	go accept(listener, s.serve)
	s.Agent, err = serveAgent(t, private)
	return s, err
}

func sshKey() (ssh.Signer, ed25519.PrivateKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	return signer, private, err
}

func accept(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // closed
		}
		go serve(c)
	}
}

// serveAgent holds a key on a socket of its own.
func serveAgent(t testing.TB, private ed25519.PrivateKey) (socket string, err error) {
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "mlb-ssh-") //nolint:usetesting // the path of t.TempDir is too long for a socket
	if err != nil {
		return "", err
	}
	socket = filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		return "", err
	}
	t.Cleanup(func() {
		_ = l.Close()
		_ = os.RemoveAll(dir)
	})
	go accept(l, func(c net.Conn) {
		_ = agent.ServeAgent(keys, c) // until the client hangs up
		_ = c.Close()
	})
	return socket, nil
}

// Repo is the URL of a repository.
func (s *SSHGit) Repo(name string) string { return fmt.Sprintf("ssh://git@%s/%s.git", s.Addr, name) }

// Fetches counts the fetches that were let in.
func (s *SSHGit) Fetches() int { return int(s.fetches.Load()) }

func (s *SSHGit) serve(c net.Conn) {
	defer c.Close()
	_, channels, requests, err := ssh.NewServerConn(c, s.config)
	if err != nil {
		return // no key that is known
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		if channel, requests, err := offered.Accept(); err == nil {
			go s.session(channel, requests)
		}
	}
}

// uploadPack is what git runs on a server to fetch.
var uploadPack = regexp.MustCompile(`^git[ -]upload-pack '/?([A-Za-z0-9-]+\.git)'$`)

// session answers git's one command.
func (s *SSHGit) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	env := os.Environ()
	for r := range requests {
		var text struct{ Value string }
		var pair struct{ Name, Value string }
		switch {
		case r.Type == "env" && ssh.Unmarshal(r.Payload, &pair) == nil && pair.Name == "GIT_PROTOCOL":
			env = append(env, "GIT_PROTOCOL="+pair.Value)
			_ = r.Reply(true, nil)
		case r.Type == "exec" && ssh.Unmarshal(r.Payload, &text) == nil && uploadPack.MatchString(text.Value):
			_ = r.Reply(true, nil)
			s.fetches.Add(1)
			status := s.upload(channel, path.Base(uploadPack.FindStringSubmatch(text.Value)[1]), env)
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
			_ = channel.Close()
		default:
			_ = r.Reply(false, nil)
		}
	}
}

func (s *SSHGit) upload(channel io.ReadWriter, repo string, env []string) (status uint32) {
	cmd := exec.Command("git", "-c", "safe.directory=*", "upload-pack", filepath.Join(s.dir, repo))
	cmd.Env, cmd.Stdout = env, channel
	in, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		return 1
	}
	go func() {
		_, _ = io.Copy(in, channel)
		_ = in.Close()
	}()
	if cmd.Wait() != nil {
		return 1
	}
	return 0
}
