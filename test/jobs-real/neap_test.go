// Package jobsreal runs jobs as the real processes that they are: through the real binary, over its API, with what people do to it and to its jobs.
//
// It owns one world: a Neap in a process of its own, which is killed and started again. It must not know anything but what a user can see. Start reading at
// TestJobsAreRealProcesses.
package jobsreal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// neap is a data folder with, most of the time, a process that works on it.
type neap struct {
	binary, folder, address, token string
	arguments                      []string
	process                        *exec.Cmd
	said                           *said
}

// said is all that a process has written.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// binary is the built Neap: NEAP_BIN, or one made for this test.
func binary(t *testing.T) string {
	t.Helper()
	if given := os.Getenv("NEAP_BIN"); given != "" {
		return given
	}
	return build(t, "../../cmd/neap")
}

// build makes a program that needs no other files.
func build(t *testing.T, program string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	command := exec.CommandContext(t.Context(), "go", "build", "-o", path, program)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// up starts a Neap on a folder of its own; it ends with the test.
func up(t *testing.T, binary, host string, arguments ...string) *neap {
	t.Helper()
	n := &neap{binary: binary, folder: shared(t), address: freePort(t, host), arguments: arguments, said: &said{}}
	n.start(t)
	t.Cleanup(func() {
		n.stop(t)
		if t.Failed() {
			t.Logf("Neap said:\n%s", n.said)
		}
	})
	return n
}

// shared is a folder that jobs' users may look into and write to.
func shared(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "neap-jobs-")
	if err == nil {
		err = os.Chmod(folder, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	return folder
}

func freePort(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// url is Neap's over this machine alone, whatever it listens on.
func (n *neap) url() string {
	_, port, _ := net.SplitHostPort(n.address)
	return "http://127.0.0.1:" + port
}

func (n *neap) data() string { return filepath.Join(n.folder, "data") }

func (n *neap) start(t *testing.T) {
	t.Helper()
	n.process = exec.Command(n.binary, append([]string{"up", "--data", n.data(), "--listen", n.address, "--no-demo", "--log-level", "debug"}, n.arguments...)...)
	n.process.Stdout, n.process.Stderr = n.said, n.said
	if err := n.process.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "Neap is ready", func() bool {
		response, err := http.Get(n.url() + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	token, err := os.ReadFile(filepath.Join(n.data(), "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	n.token = strings.TrimSpace(string(token))
}

// kill ends Neap as a power failure would; its jobs are not Neap.
func (n *neap) kill(t *testing.T) {
	t.Helper()
	if err := n.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := n.process.Wait(); err == nil {
		t.Fatal("Neap ended by itself")
	}
	n.process = nil
}

// stop ends Neap the way that people do.
func (n *neap) stop(t *testing.T) {
	t.Helper()
	if n.process == nil {
		return
	}
	if err := n.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := n.process.Wait(); err != nil {
		t.Errorf("Neap did not stop well: %v", err)
	}
	n.process = nil
}

// until asks every 50 ms until done says yes; it fails the test after half a minute.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(30 * time.Second)
	for !done() {
		select {
		case <-giveUp:
			t.Fatalf("gave up waiting until %s", what)
		case <-tick.C:
		}
	}
}

// call sends a request with the administrator's token in the header, or in the query where a path says so (see mapsor).
func (n *neap) call(t *testing.T, method, path string, body any, headers ...string) (status int, raw []byte) {
	t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, n.url()+path, bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		request.Body, request.ContentLength = http.NoBody, 0
	}
	request.Header.Set("Content-Type", "application/json")
	if !strings.Contains(path, "token=") {
		request.Header.Set("Authorization", "Bearer "+n.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	if raw, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, raw
}

// must is call for requests that have to succeed.
func must[T any](t *testing.T, n *neap, method, path string, body any, headers ...string) (answer T) {
	t.Helper()
	status, raw := n.call(t, method, path, body, headers...)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, status, raw)
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, raw)
	}
	return answer
}

// mapsor is a path of the published API, with its token.
func (n *neap) mapsor(path string) string { return path + "?token=" + n.token }

// document is a small job that runs a script of this machine's shell, where no machine is taken back.
func document(class, script string) map[string]any {
	return map[string]any{
		"customer": "lightning", "cloud": "aws", "region": "us-east-1", "id": class, "image": "host", "command": []string{"/bin/sh", "-c", script},
		"resources": map[string]any{"vcpus": 0.05, "memory": 64}, "priority": "HIGH",
	}
}

func with(document map[string]any, name string, value any) map[string]any {
	document[name] = value
	return document
}

// submit gives the id of a job that was submitted over the published API.
func (n *neap) submit(t *testing.T, document map[string]any, headers ...string) string {
	t.Helper()
	return must[map[string]string](t, n, "POST", n.mapsor("/submit"), document, headers...)["job_id"]
}

func (n *neap) status(t *testing.T, id string) string {
	t.Helper()
	return must[map[string]string](t, n, "GET", n.mapsor("/status/"+id), nil)["status"]
}

// job is what Neap's own API tells of one.
type job struct {
	State    string
	Reason   string
	Attempts []struct {
		Outcome, Reason, Limits, Host string
		Exit                          *struct {
			Code                           int
			Signal                         string
			TimedOut, OutOfMemory, Stopped bool
		}
	}
}

// code is the exit code of the last attempt; -1 = nobody knows.
func (j job) code() int {
	if len(j.Attempts) == 0 || j.Attempts[len(j.Attempts)-1].Exit == nil {
		return -1
	}
	return j.Attempts[len(j.Attempts)-1].Exit.Code
}

func (n *neap) read(t *testing.T, id string) job {
	t.Helper()
	return must[job](t, n, "GET", "/neap/v1/jobs/"+id, nil)
}

// ended waits for a job's end, and holds it to a state and a number of attempts.
func (n *neap) ended(t *testing.T, id, state string, attempts int) job {
	t.Helper()
	n.reaches(t, id, "SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED", "REJECTED")
	j := n.read(t, id)
	if j.State != state || len(j.Attempts) != attempts {
		t.Fatalf("not %s after %d attempts: %+v, having written %+v", state, attempts, j, n.lines(t, id))
	}
	return j
}

func (n *neap) reaches(t *testing.T, id string, states ...string) {
	t.Helper()
	var is string
	defer func() {
		if t.Failed() {
			t.Logf("the job is %s: %+v", is, n.read(t, id))
		}
	}()
	until(t, fmt.Sprint("the job is one of ", states), func() bool {
		is = n.status(t, id)
		for _, state := range states {
			if is == state {
				return true
			}
		}
		return false
	})
}

// line is a line that a job wrote.
type line struct {
	Attempt int
	N       int64
	Stream  string
	Text    string
	Dropped int64
}

func (n *neap) lines(t *testing.T, id string) []line {
	t.Helper()
	return must[struct{ Items []line }](t, n, "GET", "/neap/v1/jobs/"+id+"/logs?limit=10000", nil).Items
}

// words waits for a line of an attempt that begins so, and gives what is behind it.
func (n *neap) words(t *testing.T, id string, attempt int, prefix string) (words []string) {
	t.Helper()
	until(t, fmt.Sprintf("attempt %d says %q", attempt, prefix), func() bool {
		for _, l := range n.lines(t, id) {
			if rest, is := strings.CutPrefix(l.Text, prefix); is && l.Attempt == attempt {
				words = strings.Fields(rest)
				return true
			}
		}
		return false
	})
	return words
}

// pids reads numbers of processes.
func pids(t *testing.T, words []string) (all []int) {
	t.Helper()
	for _, w := range words {
		pid, err := strconv.Atoi(w)
		if err != nil || pid < 2 {
			t.Fatalf("%q is no process", w)
		}
		all = append(all, pid)
	}
	return all
}

// living are those of some processes that still run. One that has ended and waits to be noticed does not.
func living(all []int) (left []int) {
	for _, pid := range all {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if at := bytes.LastIndexByte(stat, ')'); err == nil && at > 0 && !bytes.HasPrefix(stat[at:], []byte(") Z")) {
			left = append(left, pid)
		}
	}
	return left
}
