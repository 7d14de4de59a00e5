package docker_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/runtime/docker"
)

// task is a task that runs a script.
func task(id, script string) runtime.Spec {
	return runtime.Spec{ID: id, Image: shellImage, Command: []string{"sh", "-c", script}, Resources: runtime.Resources{MilliCPU: 250, MemoryMiB: 64}}
}

func (i *installation) start(t *testing.T, spec runtime.Spec) {
	t.Helper()
	if err := i.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
}

// until waits for a task to be as it must.
func (i *installation) until(t *testing.T, id, what string, is func(runtime.Task) bool) runtime.Task {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last []runtime.Task
	for patience := time.After(time.Minute); ; {
		found, err := i.Tasks(t.Context(), []string{id})
		if err != nil {
			t.Fatal(err)
		}
		if last = found; len(found) == 1 && is(found[0]) {
			return found[0]
		}
		select {
		case <-tick.C:
		case <-patience:
			t.Fatalf("%s: not within a minute; %+v", what, last)
		}
	}
}

func over(t runtime.Task) bool    { return t.State == runtime.Ended || t.State == runtime.Lost }
func running(t runtime.Task) bool { return t.State == runtime.Running }

func (i *installation) texts(t *testing.T, id string) []string {
	t.Helper()
	page, err := i.Output(t.Context(), id, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, line := range page {
		all = append(all, line.Text)
	}
	return all
}

// container is the name of a task's container.
func (i *installation) container(id string) string { return "neap-" + i.config.Installation + "-" + id }

func locksIn(t *testing.T) {
	t.Parallel()
	i := open(t)
	spec := task("locked", "grep -E '^(CapEff|NoNewPrivs)' /proc/self/status; sleep 1000000")
	spec.Env = map[string]string{"TOKEN": "s3cret"}
	spec.Labels = map[string]string{"neap.job": "j-1"}
	spec.Timeout = time.Hour
	i.start(t, spec)
	i.until(t, "locked", "it says what it may", func(t runtime.Task) bool { return t.Lines == 2 })
	// CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID and NET_BIND_SERVICE are the bits 0, 1, 3, 4, 5, 6, 7 and 10.
	if got, want := i.texts(t, "locked"), []string{"CapEff:\t00000000000004fb", "NoNewPrivs:\t1"}; !slices.Equal(got, want) {
		t.Errorf("inside it says %q, want %q", got, want)
	}
	found, err := api(t).ContainerInspect(t.Context(), i.container("locked"), client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	host, config := found.Container.HostConfig, found.Container.Config
	if host.Privileged || host.NetworkMode == "host" || len(host.Binds)+len(host.Mounts) > 0 || host.Memory != 64<<20 || host.MemorySwap != 64<<20 || host.NanoCPUs != 250e6 ||
		host.PidsLimit == nil || *host.PidsLimit <= 0 || host.Init == nil || !*host.Init || host.LogConfig.Config["max-size"] == "" {
		t.Errorf("around it is %+v", host)
	}
	if config.Labels["neap.job"] != "j-1" || config.Labels["neap.task"] != "locked" || config.Labels["neap.timeout"] != "3600000000000" || strings.Contains(fmt.Sprint(config.Labels), "s3cret") {
		t.Errorf("labels are %v", config.Labels)
	}
	files, err := os.ReadFile(i.config.Dir + "/locked/task.json")
	if err != nil || bytes.Contains(files, []byte("s3cret")) {
		t.Errorf("the record keeps a secret that the container has: %v", err)
	}
	if info, err := os.Stat(i.config.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
}

func adopts(t *testing.T) {
	t.Parallel()
	i := open(t)
	spec := task("orphan", "echo one; sleep 2; echo two; sleep 1000000")
	spec.Timeout = 5 * time.Second
	i.start(t, spec)
	before := i.until(t, "orphan", "it writes", func(t runtime.Task) bool { return t.Lines > 0 })
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(i.config.Dir); err != nil {
		t.Fatal(err)
	}
	i.Runtime = nil
	i.reopen(t)
	after := i.until(t, "orphan", "it is taken in", running)
	if !after.Started.Equal(before.Started) {
		t.Errorf("it began at %v, now at %v", before.Started, after.Started)
	}
	i.start(t, spec) // it runs already
	if end := i.until(t, "orphan", "its time is up", over); !end.Exit.TimedOut || end.Ended.Sub(end.Started) < spec.Timeout {
		t.Errorf("it ended with %+v", end)
	}
	if got := i.texts(t, "orphan"); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("it wrote %q", got)
	}
}

func removed(t *testing.T) {
	t.Parallel()
	i := open(t)
	i.start(t, task("gone", "sleep 1000000"))
	i.until(t, "gone", "it runs", running)
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := api(t).ContainerRemove(t.Context(), i.container("gone"), client.ContainerRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	i.Runtime = nil
	i.reopen(t)
	if end := i.until(t, "gone", "it is over", over); end.State != runtime.Lost || end.Reason == "" {
		t.Errorf("it is %+v", end)
	}
}

func killedUnseen(t *testing.T) {
	t.Parallel()
	i := open(t)
	i.start(t, task("killed", "echo here; sleep 1000000"))
	i.until(t, "killed", "it writes", func(t runtime.Task) bool { return t.Lines > 0 })
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := api(t).ContainerKill(t.Context(), i.container("killed"), client.ContainerKillOptions{Signal: "KILL"}); err != nil {
		t.Fatal(err)
	}
	waited := api(t).ContainerWait(t.Context(), i.container("killed"), client.ContainerWaitOptions{})
	select {
	case <-waited.Result:
	case err := <-waited.Error:
		t.Fatal(err)
	}
	i.Runtime = nil
	i.reopen(t)
	if end := i.until(t, "killed", "it is over", over); end.State != runtime.Lost || end.Lines != 1 {
		t.Errorf("it is %+v", end)
	}
}

func lateTimeout(t *testing.T) {
	t.Parallel()
	i := open(t)
	spec := task("late", "sleep 1000000")
	spec.Timeout = time.Second
	i.start(t, spec)
	began := i.until(t, "late", "it runs", running).Started
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	<-time.After(time.Until(began.Add(1500 * time.Millisecond)))
	i.Runtime = nil
	i.reopen(t)
	if end := i.until(t, "late", "its time is up", over); end.State != runtime.Ended || !end.Exit.TimedOut || end.Exit.Stopped {
		t.Errorf("it is %+v", end)
	}
}

func checkpointOfOthers(t *testing.T) {
	t.Parallel()
	i := open(t)
	const image = "neap-test/nobody:1"
	var empty bytes.Buffer
	if err := importFrom(&empty, image, "USER 65534:65534"); err != nil {
		t.Fatal(err)
	}
	for n, want := range []string{"", "0"} {
		spec := task(fmt.Sprint("user", n), fmt.Sprintf(`id -u; cat "$NEAP_CHECKPOINT_DIR/at"; echo %d >"$NEAP_CHECKPOINT_DIR/at"`, n))
		spec.Image, spec.Checkpoint = image, "a checkpoint/of any name"
		i.start(t, spec)
		end := i.until(t, spec.ID, "it is over", over)
		got := i.texts(t, spec.ID)
		if end.Exit.Code != 0 || !slices.Contains(got, "65534") || want != "" && !slices.Contains(got, want) {
			t.Errorf("it ended with %+v and wrote %q", end.Exit, got)
		}
	}
}

// importFrom makes an image of the shell's files, with changes.
func importFrom(packed *bytes.Buffer, name string, changes ...string) error {
	if err := shellFiles(packed); err != nil {
		return err
	}
	return importImage(packed, name, changes...)
}

func refuses(t *testing.T) {
	t.Parallel()
	i := open(t)
	good := task("good", "true")
	if err := i.Check(t.Context(), good); err != nil {
		t.Errorf("a good one: %v", err)
	}
	for what, alter := range map[string]func(*runtime.Spec){
		"host":            func(s *runtime.Spec) { s.Image = "host" },
		"no image":        func(s *runtime.Spec) { s.Image = "" },
		"odd image":       func(s *runtime.Spec) { s.Image = "Not An Image" },
		"huge CPU":        func(s *runtime.Spec) { s.Resources.MilliCPU = 1e9 },
		"huge memory":     func(s *runtime.Spec) { s.Resources.MemoryMiB = 1 << 30 },
		"tiny memory":     func(s *runtime.Spec) { s.Resources.MemoryMiB = 1 },
		"negative memory": func(s *runtime.Spec) { s.Resources.MemoryMiB = -1 },
		"a GPU":           func(s *runtime.Spec) { s.Resources.GPUs = 1 },
		"env":             func(s *runtime.Spec) { s.Env = map[string]string{"A=B": "c"} },
		"zero byte":       func(s *runtime.Spec) { s.Command = []string{"a\x00b"} },
	} {
		spec := good
		alter(&spec)
		var refusal *runtime.Refusal
		if err := i.Check(t.Context(), spec); !errors.As(err, &refusal) || refusal.Kind != runtime.Never {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, config := range []docker.Config{{Installation: "a/b", Dir: t.TempDir()}, {Installation: "a", Network: "host", Dir: t.TempDir()}, {Installation: "a", Network: "container:x", Dir: t.TempDir()}} {
		if _, err := docker.Open(config); err == nil {
			t.Errorf("%+v is accepted", config)
		}
	}
}

func noDaemon(t *testing.T) {
	t.Parallel()
	i := open(t)
	right := i.config.Socket
	i.config.Socket = t.TempDir() + "/none.sock"
	i.reopen(t)
	spec := task("waits", "echo here")
	i.start(t, spec)
	if got := i.until(t, "waits", "it says why it waits", func(t runtime.Task) bool { return t.Reason != "" }); got.State != runtime.Starting {
		t.Errorf("it is %+v", got)
	}
	var refusal *runtime.Refusal
	if err := i.Check(t.Context(), spec); err == nil || errors.As(err, &refusal) {
		t.Errorf("Check says %v, want an error that means later", err)
	}
	i.config.Socket = right
	i.reopen(t)
	if end := i.until(t, "waits", "it is over", over); end.State != runtime.Ended || end.Exit != (runtime.Exit{}) {
		t.Errorf("it is %+v", end)
	}
}

// shellFiles packs a file system with a shell.
func shellFiles(packed *bytes.Buffer) error {
	archive := tar.NewWriter(packed)
	if err := writeShell(archive); err != nil {
		return err
	}
	return archive.Close()
}

// registry is a registry on this machine with one image, whose layer it holds back until it is told.
type registry struct {
	*httptest.Server
	image string // its reference
	blobs map[string][]byte
	part  int // of the layer that comes at once
	rest  chan struct{}
	over  chan struct{} // the test is
}

func (r *registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	path := request.URL.Path
	name := path[strings.LastIndex(path, "/")+1:]
	switch content, known := r.blobs[name]; {
	case path == "/v2/":
	case !known:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)
	default:
		if strings.Contains(path, "/manifests/") {
			w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v2+json")
			w.Header().Set("Docker-Content-Digest", digest(content))
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		first := len(content)
		if first > 100_000 {
			first = r.part
		}
		if request.Method == http.MethodHead {
			return
		}
		if _, err := w.Write(content[:first]); err != nil {
			return
		}
		if first < len(content) {
			w.(http.Flusher).Flush()
			select {
			case <-r.rest:
			case <-request.Context().Done():
				return
			case <-r.over:
				return
			}
			if _, err := w.Write(content[first:]); err != nil {
				return
			}
		}
	}
}
