// Package crash kills the real binary at every write and every provider call of a group's life, and then asks the simulated cloud's own record
// whether anything leaked, was launched twice, or got lost.
package crash

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
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// never stands for a process that is not to be killed.
const never = 0

// neap is one data folder with, most of the time, a process that works on it.
type neap struct {
	t       *testing.T
	binary  string
	folder  string
	address string
	token   string
	process *exec.Cmd
	ended   chan error
	output  bytes.Buffer
	killed  bool // the process was lost to its crash point
}

// build makes the binary with crash points in it.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "neap")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", "crash", "-o", binary, "../../cmd/neap").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

func (n *neap) path(name string) string { return filepath.Join(n.folder, name) }

// start runs the process until it is ready. It is killed at its at-th point once it is armed.
func (n *neap) start(at int) {
	n.t.Helper()
	n.address = freeAddress(n.t)
	n.output.Reset()
	n.process = exec.Command(n.binary, "up", "--data", n.path("data"), "--listen", n.address, "--no-demo", "--rate", "40", "--log-level", "warn")
	n.process.Env = append(os.Environ(), "NEAP_CRASH_AT="+strconv.Itoa(at), "NEAP_CRASH_ARMED="+n.path("armed"), "NEAP_CRASH_LOG="+n.path("points"), "NEAP_TEST_MISHAPS_FILE="+n.path("mishaps"))
	n.process.Stdout, n.process.Stderr = &n.output, &n.output
	if err := n.process.Start(); err != nil {
		n.t.Fatalf("start: %v", err)
	}
	n.ended = make(chan error, 1)
	process := n.process
	go func() { n.ended <- process.Wait() }()
	n.eventually("the process is ready", func() bool {
		response, err := http.Get("http://" + n.address + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	token, err := os.ReadFile(n.path("data/admin-token"))
	if err != nil {
		n.t.Fatalf("read the admin token: %v", err)
	}
	n.token = strings.TrimSpace(string(token))
}

// stop ends the process gracefully, unless it is lost to its crash point at that very moment.
func (n *neap) stop() error {
	n.t.Helper()
	if err := n.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.t.Fatalf("stop: %v", err)
	}
	err := <-n.ended
	if err != nil {
		return n.lost(err)
	}
	n.process = nil
	return nil
}

// end makes sure that nothing outlives the test.
func (n *neap) end() {
	if n.process != nil {
		n.process.Process.Kill()
		<-n.ended
	}
}

// isDead reports whether the process has been lost to its crash point; any other death fails the test.
func (n *neap) isDead() bool {
	n.t.Helper()
	select {
	case err := <-n.ended:
		return n.lost(err) != nil
	default:
		return false
	}
}

// lost notes that the process has ended at its crash point; any other end fails the test.
func (n *neap) lost(err error) error {
	n.t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		n.t.Fatalf("the process ended by itself: %v\n%s", err, n.output.String())
	}
	n.process, n.killed = nil, true
	return errLost
}

// errLost says that the process died under a request.
var errLost = errors.New("the process was killed")

// call sends one request, again while a mishap at the cloud prevents it. A connection that breaks because the process was killed gives errLost.
func (n *neap) call(method, path string, body any) (status int, answer map[string]any, err error) {
	n.t.Helper()
	n.eventually(method+" "+path+" is answered", func() bool {
		status, answer, err = n.callOnce(method, path, body)
		return status != http.StatusServiceUnavailable || *mishapsFlag == 0
	})
	return status, answer, err
}

func (n *neap) callOnce(method, path string, body any) (int, map[string]any, error) {
	n.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		n.t.Fatalf("encode: %v", err)
	}
	ctx, cancel := context.WithTimeout(n.t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+n.address+path, bytes.NewReader(encoded))
	if err != nil {
		n.t.Fatalf("request: %v", err)
	}
	if body == nil {
		request.Body, request.ContentLength = http.NoBody, 0
	}
	request.Header.Set("Authorization", "Bearer "+n.token)
	response, err := http.DefaultClient.Do(request)
	var raw []byte
	if err == nil {
		raw, err = io.ReadAll(response.Body)
		response.Body.Close()
	}
	if err != nil {
		n.eventually(fmt.Sprintf("the process has ended after %q", err), n.isDead)
		return 0, nil, errLost
	}
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		n.t.Fatalf("%s %s: %d, not JSON: %s", method, path, response.StatusCode, raw)
	}
	return response.StatusCode, answer, nil
}

// eventually asks every 20 ms until done says yes; it fails the test after a minute.
func (n *neap) eventually(what string, done func() bool) {
	n.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(time.Minute)
	for !done() {
		select {
		case <-giveUp:
			n.t.Fatalf("gave up waiting until %s\n%s", what, n.output.String())
		case <-tick.C:
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}
