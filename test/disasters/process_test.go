package disasters

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one Neap, running or not.
type process struct {
	folder  string // its data
	address string
	command *exec.Cmd
	ended   chan error // closed by nobody, filled once
	output  shared
}

// shared is a buffer that is written to while it is read.
type shared struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (p *process) isRunning() bool { return p.command != nil }

// launch starts the process without waiting for anything.
func (p *process) launch(binary string, env []string, args ...string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.address = l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	p.command = exec.Command(binary, append([]string{"up", "--data", p.folder, "--listen", p.address, "--no-demo", "--log-level", "warn"}, args...)...)
	p.command.Env = append(os.Environ(), env...)
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	if err := p.command.Start(); err != nil {
		p.command = nil
		return err
	}
	p.ended = make(chan error, 1)
	command, ended := p.command, p.ended
	go func() { ended <- command.Wait() }()
	return nil
}

// signal sends a signal to a process that runs.
func (p *process) signal(s syscall.Signal) error {
	if p.command == nil {
		return nil
	}
	return p.command.Process.Signal(s)
}

// kill ends it without warning.
func (p *process) kill() {
	if p.command == nil {
		return
	}
	_ = p.command.Process.Kill() // it may be dead already
	<-p.ended
	p.command = nil
}

// stop ends it gracefully.
func (p *process) stop() error {
	if p.command == nil {
		return nil
	}
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	err := <-p.ended
	p.command = nil
	return err
}

// died tells how the process ended by itself, or nil.
func (p *process) died() error {
	select {
	case err := <-p.ended:
		p.command = nil
		if err == nil {
			err = errors.New("it stopped without being asked")
		}
		return err
	default:
		return nil
	}
}

func (p *process) isReady() bool {
	client := http.Client{Timeout: 2 * time.Second}
	response, err := client.Get("http://" + p.address + "/readyz")
	if err != nil {
		return false
	}
	return errors.Join(response.Body.Close()) == nil && response.StatusCode == http.StatusOK
}

// call sends one request; an error means that there was no whole answer.
func (p *process) call(method, path string, body any) (int, map[string]any, error) {
	token, err := os.ReadFile(filepath.Join(p.folder, "admin-token"))
	if err != nil {
		return 0, nil, err
	}
	var reader io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		reader = bytes.NewReader(encoded)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+p.address+path, reader)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, err
	}
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		return response.StatusCode, nil, fmt.Errorf("%s %s: %d, not JSON: %s", method, path, response.StatusCode, raw)
	}
	return response.StatusCode, answer, nil
}
