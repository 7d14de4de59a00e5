package examples

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// openFolder is one that jobs, who have users of their own, can read.
func openFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, path := range []string{filepath.Dir(folder), folder} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// server is a Neap on a data folder of its own.
type server struct{ binary, data, url string }

// command is one whose neap is this server's client.
func (s server) command(ctx context.Context, command ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	if command[0] == "neap" {
		c.Path, c.Err = s.binary, nil
	}
	c.Env = append(os.Environ(), "NEAP_URL="+s.url, "NEAP_DATA="+s.data, "PATH="+filepath.Dir(s.binary)+":"+os.Getenv("PATH"))
	return c
}

// run runs a command as somebody would beside that server.
func (s server) run(t *testing.T, command ...string) (out, errs string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := s.command(ctx, command...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err = c.Run()
	return stdout.String(), stderr.String(), err
}

// start starts one, and stops it when the test has ended.
func start(t *testing.T, more ...string) server {
	t.Helper()
	s := server{binary: binary(t), data: filepath.Join(openFolder(t), "data")}
	up := exec.Command(s.binary, append([]string{"up", "--data", s.data, "--listen", "127.0.0.1:0", "--no-demo"}, more...)...)
	var log bytes.Buffer
	up.Stderr = &log
	out, err := up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	address, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		listen(out, address)
		if err := up.Wait(); err != nil {
			t.Logf("the server: %v", err)
		}
	}()
	t.Cleanup(func() {
		if err := up.Process.Signal(os.Interrupt); err != nil {
			t.Errorf("stopping the server: %v", err)
		}
		<-ended
		if t.Failed() {
			t.Logf("the server's log:\n%s", &log)
		}
	})
	select {
	case s.url = <-address:
	case <-ended:
		t.Fatalf("the server ended at once:\n%s", &log)
	case <-time.After(30 * time.Second):
		t.Fatal("the server did not say where it listens within 30 s")
	}
	return s
}

var listening = regexp.MustCompile(`listening on (http://\S+)`)

// listen finds the address among what the server prints, and reads the rest so that it is never blocked.
func listen(out io.Reader, address chan<- string) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if found := listening.FindStringSubmatch(lines.Text()); found != nil {
			address <- found[1]
			break
		}
	}
	_, _ = io.Copy(io.Discard, out)
}

func binary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("NEAP_BIN"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "neap")
	build := exec.Command("go", "build", "-o", path, "./cmd/neap")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building neap: %v\n%s", err, out)
	}
	return path
}
