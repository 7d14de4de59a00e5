package pubnubgo

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// server is a Neap in a process of its own, which may be ended and started again on the same data and address.
type server struct {
	t            *testing.T
	program      string
	data, listen string
	command      *exec.Cmd
	ended        chan error
	log          *bytes.Buffer
}

func start(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, program: binary(t), data: t.TempDir(), listen: "127.0.0.1:0"}
	s.start()
	t.Cleanup(s.stop)
	return s
}

var listening = regexp.MustCompile(`listening on http://([^\s]+)`)

func (s *server) start() {
	s.t.Helper()
	s.command, s.log, s.ended = exec.Command(s.program, "up", "--data", s.data, "--listen", s.listen), &bytes.Buffer{}, make(chan error, 1)
	s.command.Stderr = s.log
	out, err := s.command.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	address := make(chan string, 1)
	go func() {
		find(out, address)
		s.ended <- s.command.Wait()
	}()
	select {
	case s.listen = <-address:
	case <-time.After(30 * time.Second):
		s.t.Fatalf("the server did not say where it listens within 30 s\n%s", s.log)
	}
}

// find gives the address among what the server prints, and reads the rest so that it is never blocked.
func find(out io.Reader, address chan<- string) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if found := listening.FindStringSubmatch(lines.Text()); found != nil {
			select {
			case address <- found[1]:
			default:
			}
		}
	}
}

// stop ends the server, once.
func (s *server) stop() {
	s.t.Helper()
	if s.command == nil {
		return
	}
	if err := s.command.Process.Signal(os.Interrupt); err != nil {
		s.t.Errorf("stopping the server: %v", err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			s.t.Errorf("the server ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		s.t.Error("the server did not stop within 20 s")
		if err := s.command.Process.Kill(); err != nil {
			s.t.Error(err)
		}
	}
	s.command = nil
	if s.t.Failed() {
		s.t.Logf("the server's log:\n%s", s.log)
	}
}

// binary is the program under test.
func binary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("NEAP_BIN"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "neap")
	build := exec.Command("go", "build", "-o", path, "./cmd/neap")
	build.Dir = filepath.Join("..", "..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building neap: %v\n%s", err, out)
	}
	return path
}

// keys are those of the first account, as anybody gets them who may see its channels.
func (s *server) keys() (publish, subscribe string) {
	s.t.Helper()
	token, err := os.ReadFile(filepath.Join(s.data, "admin-token"))
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.listen+"/neap/v1/channels/keys", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var out struct{ PublishKey, SubscribeKey string }
	if err := json.NewDecoder(response.Body).Decode(&out); err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("keys: %d %v", response.StatusCode, err)
	}
	return out.PublishKey, out.SubscribeKey
}
