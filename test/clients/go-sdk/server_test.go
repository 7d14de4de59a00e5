package gosdk

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// server is a Neap to talk to.
type server struct{ url, token, account string }

// start gives the server that the environment names, or one of its own that ends with the test.
func start(t *testing.T) server {
	t.Helper()
	if url := os.Getenv("NEAP_URL"); url != "" {
		return server{strings.TrimSuffix(url, "/"), os.Getenv("NEAP_TOKEN"), os.Getenv("NEAP_ACCOUNT")}
	}
	data := t.TempDir()
	command := exec.Command(binary(t), "up", "--data", data, "--listen", "127.0.0.1:0")
	log := &bytes.Buffer{}
	command.Stderr = log
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	url, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		listen(out, url)
		ended <- command.Wait()
	}()
	t.Cleanup(func() { stop(t, command, ended, log) })
	select {
	case found := <-url:
		return server{found, file(t, data, "admin-token"), file(t, data, "demo-account")}
	case err := <-ended:
		ended <- err
		t.Fatalf("the server ended at once: %v\n%s", err, log)
	case <-time.After(30 * time.Second):
		t.Fatal("the server did not say where it listens within 30 s")
	}
	return server{}
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

var listening = regexp.MustCompile(`listening on (http://[^\s]+)`)

// listen finds the address among what the server prints, and reads the rest so that it is never blocked.
func listen(out io.Reader, url chan<- string) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if found := listening.FindStringSubmatch(lines.Text()); found != nil {
			select {
			case url <- found[1]:
			default:
			}
		}
	}
}

func file(t *testing.T, folder, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

func stop(t *testing.T, command *exec.Cmd, ended <-chan error, log fmt.Stringer) {
	if err := command.Process.Signal(os.Interrupt); err != nil && err != os.ErrProcessDone {
		t.Errorf("stopping the server: %v", err)
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the server did not stop within 20 s")
		if err := command.Process.Kill(); err != nil {
			t.Error(err)
		}
	}
	if t.Failed() {
		t.Logf("the server's log:\n%s", log)
	}
}

// until asks again every half second until the condition holds.
func until(ctx context.Context, t *testing.T, what string, within time.Duration, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}
