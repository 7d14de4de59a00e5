package replicas

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/store/storetest"
)

// installation is one database with the replicas that work on it.
type installation struct {
	t      *testing.T
	binary string
	url    string
	folder string
	token  string
	made   int
}

// install makes an empty database; it skips the test when there is no PostgreSQL.
func install(t *testing.T) *installation {
	t.Helper()
	url := storetest.Postgres(t).Config.URL
	in := &installation{t: t, binary: binary(t), url: url, folder: t.TempDir()}
	t.Cleanup(in.dropWorld)
	return in
}

// binary is the built neap: NEAP_BIN, or one made for this test.
func binary(t *testing.T) string {
	t.Helper()
	if given := os.Getenv("NEAP_BIN"); given != "" {
		return given
	}
	path := filepath.Join(t.TempDir(), "neap")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, "../../cmd/neap").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

func (in *installation) path(name string) string { return filepath.Join(in.folder, name) }

// replica is one process of an installation.
type replica struct {
	in      *installation
	name    string
	folder  string
	address string
	process *exec.Cmd
	printed *transcript
	ended   chan struct{}
	err     error // of the process, once it has ended
}

// launch starts a process without waiting for it; every replica listens on a port of its own, has a folder of its own, and uses the installation's key.
func (in *installation) launch(flags ...string) *replica {
	in.t.Helper()
	in.made++
	name := fmt.Sprintf("replica %d", in.made)
	r := &replica{in: in, name: name, folder: in.path(fmt.Sprintf("data-%d", in.made)), printed: &transcript{}, ended: make(chan struct{})}
	args := append([]string{"up", "--database", in.url, "--data", r.folder, "--key-file", in.path("server.key"), "--listen", "127.0.0.1:0", "--drain", "0s"}, flags...)
	r.process = exec.Command(in.binary, args...)
	r.process.Stdout, r.process.Stderr = r.printed, r.printed
	if err := r.process.Start(); err != nil {
		in.t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		r.err = r.process.Wait()
		close(r.ended)
	}()
	in.t.Cleanup(func() {
		r.signal(syscall.SIGKILL)
		<-r.ended
		if in.t.Failed() {
			in.t.Logf("%s said:\n%s", name, r.printed.tail(60))
		}
	})
	return r
}

// start is launch, and waits until /readyz says yes.
func (in *installation) start(flags ...string) *replica {
	in.t.Helper()
	r := in.launch(flags...)
	r.awaitReady()
	return r
}

// awaitReady waits until the process has printed its address and /readyz says yes, and learns the admin token from whoever was first.
func (r *replica) awaitReady() {
	r.in.t.Helper()
	eventually(r.in.t, r.name+" is ready", time.Minute, func() bool {
		if r.hasEnded() {
			r.in.t.Fatalf("%s ended early: %v\n%s", r.name, r.err, r.printed.text())
		}
		return r.learnAddress() && r.readiness() == http.StatusOK
	})
	if token, err := os.ReadFile(filepath.Join(r.folder, "admin-token")); err == nil {
		r.in.token = strings.TrimSpace(string(token))
	}
}

func (r *replica) learnAddress() bool {
	_, after, found := strings.Cut(r.printed.text(), "listening on http://")
	if address, _, whole := strings.Cut(after, "\n"); found && whole {
		r.address = address
	}
	return r.address != ""
}

// readiness is the status of /readyz, 0 when nobody listens.
func (r *replica) readiness() int {
	client := http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + r.address + "/readyz")
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// signal sends a signal; a process that has ended gets none.
func (r *replica) signal(s syscall.Signal) {
	if !r.hasEnded() {
		r.process.Process.Signal(s)
	}
}

// kill ends the process without warning, and returns when it is gone.
func (r *replica) kill() {
	r.signal(syscall.SIGKILL)
	<-r.ended
}

// stop asks the process to stop, and fails the test unless it does so gracefully.
func (r *replica) stop() {
	r.in.t.Helper()
	r.signal(syscall.SIGTERM)
	r.awaitEnd()
}

func (r *replica) awaitEnd() {
	r.in.t.Helper()
	select {
	case <-r.ended:
		if r.err != nil {
			r.in.t.Errorf("%s did not stop gracefully: %v", r.name, r.err)
		}
	case <-time.After(30 * time.Second):
		r.in.t.Fatalf("%s does not stop", r.name)
	}
}

func (r *replica) hasEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// limit is how long a test waits for what should come at once.
const limit = 20 * time.Second

// eventually asks every 20 ms until done says yes.
func eventually(t *testing.T, what string, within time.Duration, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(within)
	for !done() {
		select {
		case <-giveUp:
			t.Fatalf("not within %s: %s", within, what)
		case <-tick.C:
		}
	}
}

// transcript is what a process printed.
type transcript struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write is io.Writer's.
func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.Write(p)
}

func (w *transcript) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}

// tail is the last lines.
func (w *transcript) tail(count int) string {
	var last []string
	for lines := bufio.NewScanner(strings.NewReader(w.text())); lines.Scan(); {
		last = append(last, lines.Text())
	}
	return strings.Join(last[max(0, len(last)-count):], "\n")
}
