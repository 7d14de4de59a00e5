package docker_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/runtime/docker"
)

// owned is a daemon that nobody else uses.
type owned struct {
	home string
	over sync.WaitGroup // once it was restarted: until it has ended
}

func ownDaemon(t *testing.T) *owned {
	t.Helper()
	home, err := os.MkdirTemp("", "neap-docker") // t.TempDir is too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	script := func(verb string) {
		command := exec.Command("../../../test/docker.sh", verb)
		command.Env = append(os.Environ(), "NEAP_TEST_DOCKER_HOME="+home)
		if said, err := command.CombinedOutput(); err != nil {
			t.Fatalf("test/docker.sh %s: %v: %s", verb, err, said)
		}
	}
	own := &owned{home: home}
	t.Cleanup(func() {
		script("stop")
		own.over.Wait()
	})
	script("start")
	return own
}

// restart ends a daemon and starts it again as it was started.
func (own *owned) restart(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(own.home, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the daemon ends", func() bool { return syscall.Kill(pid, 0) != nil })
	if err := os.RemoveAll(filepath.Join(own.home, "pid")); err != nil {
		t.Fatal(err)
	}
	words := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	again := exec.Command(words[0], words[1:]...)
	again.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var said bytes.Buffer
	again.Stderr = &said
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	own.over.Go(func() {
		if err := again.Wait(); err != nil {
			t.Errorf("%v: %s", err, said.String())
		}
	})
	c, err := client.New(client.WithHost("unix://" + filepath.Join(own.home, "docker.sock")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	waitFor(t, "the daemon is back", func() bool {
		_, err := c.Ping(t.Context(), client.PingOptions{})
		return err == nil
	})
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for patience := time.After(time.Minute); !is(); {
		select {
		case <-tick.C:
		case <-patience:
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// restarts sees what becomes of tasks when the daemon ends: what it took with it is lost, even if it ended properly on the way, and never passes for done.
func restarts(t *testing.T) {
	own := ownDaemon(t)
	var packed bytes.Buffer
	if err := shellFiles(&packed); err != nil {
		t.Fatal(err)
	}
	i := open(t, func(c *docker.Config) { c.Socket = filepath.Join(own.home, "docker.sock") })
	i.Hurry()
	if err := importAt(i.config.Socket, &packed, shellImage); err != nil {
		t.Fatal(err)
	}
	done, polite, after := task("done", "echo done; exit 3"), task("polite", "trap 'echo saved; exit 0' TERM; echo ready; while :; do sleep 1 & wait; done"), task("after", "echo after")
	i.start(t, done)
	i.until(t, done.ID, "it is over", over)
	i.start(t, polite)
	i.until(t, polite.ID, "it is ready", func(t runtime.Task) bool { return t.Lines > 0 })
	own.restart(t)
	if end := i.until(t, polite.ID, "it is over", over); end.State != runtime.Lost || end.Reason == "" {
		t.Errorf("the one that ran is %+v", end)
	}
	if end := i.until(t, done.ID, "it is over", over); end.State != runtime.Ended || end.Exit.Code != 3 {
		t.Errorf("the one that had ended is %+v", end)
	}
	i.start(t, after)
	if end := i.until(t, after.ID, "it is over", over); end.State != runtime.Ended || end.Exit != (runtime.Exit{}) || end.Lines != 1 {
		t.Errorf("a new one is %+v", end)
	}
}
