package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/runtime/docker"
	"github.com/neap-cloud/neap/internal/runtime/runtimetest"
)

// variable names the socket of a daemon that tests may do anything with.
const variable = "NEAP_TEST_DOCKER"

// daemon gives that socket.
func daemon(t *testing.T) string {
	t.Helper()
	socket := os.Getenv(variable)
	if socket == "" {
		t.Skipf("%s is not set: nothing is tested on Docker; run: test/docker.sh run go test ./internal/runtime/docker", variable)
	}
	return socket
}

// api speaks to the daemon past the runtime.
func api(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.New(client.WithHost("unix://" + daemon(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

const shellImage = "neap-test/shell:1"

// shell makes an image of Debian's static busybox, once.
var shell = sync.OnceValue(func() error {
	var packed bytes.Buffer
	if err := shellFiles(&packed); err != nil {
		return err
	}
	return importImage(&packed, shellImage)
})

func writeShell(archive *tar.Writer) error {
	program, err := exec.LookPath("busybox")
	if err != nil {
		return fmt.Errorf("install Debian's package busybox-static: %w", err)
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	list, err := exec.Command(program, "--list").Output()
	if err != nil {
		return err
	}
	headers := []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, {Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755, Size: int64(len(binary))},
	}
	for _, name := range strings.Fields(string(list)) {
		if name != "busybox" {
			headers = append(headers, &tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox", Mode: 0o777})
		}
	}
	for _, header := range headers {
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if header.Size > 0 {
			if _, err := archive.Write(binary); err != nil {
				return err
			}
		}
	}
	return nil
}

func importImage(packed io.Reader, name string, changes ...string) error {
	return importAt(os.Getenv(variable), packed, name, changes...)
}

func importAt(socket string, packed io.Reader, name string, changes ...string) error {
	c, err := client.New(client.WithHost("unix://" + socket))
	if err != nil {
		return err
	}
	defer c.Close()
	answer, err := c.ImageImport(context.Background(), client.ImageImportSource{Source: packed, SourceName: "-"}, name, client.ImageImportOptions{Changes: changes})
	if err != nil {
		return err
	}
	defer answer.Close()
	_, err = io.Copy(io.Discard, answer)
	return err
}

// installation is a runtime with a folder that its successors find.
type installation struct {
	config docker.Config
	*docker.Runtime
}

func open(t *testing.T, alter ...func(*docker.Config)) *installation {
	t.Helper()
	socket := daemon(t)
	if err := shell(); err != nil {
		t.Fatal(err)
	}
	i := &installation{config: docker.Config{
		Socket: socket, Dir: filepath.Join(t.TempDir(), "tasks"), Installation: "test" + ident.Hex(6), Network: "none",
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}}
	for _, a := range alter {
		a(&i.config)
	}
	i.reopen(t)
	t.Cleanup(func() { i.tidy(t) })
	return i
}

// reopen puts a successor in its place.
func (i *installation) reopen(t *testing.T) runtime.Runtime {
	t.Helper()
	if i.Runtime != nil {
		if err := i.Close(); err != nil {
			t.Fatal(err)
		}
	}
	next, err := docker.Open(i.config)
	if err != nil {
		t.Fatal(err)
	}
	i.Runtime = next
	return next
}

// tidy removes what the test left at Docker.
func (i *installation) tidy(t *testing.T) {
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	c, err := client.New(client.WithHost("unix://" + i.config.Socket))
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	ctx := context.Background()
	ours := client.Filters{}.Add("label", "neap.installation="+i.config.Installation)
	containers, err := c.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
	if err != nil {
		t.Error(err)
	}
	for _, each := range containers.Items {
		if _, err := c.ContainerRemove(ctx, each.ID, client.ContainerRemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	}
	volumes, err := c.VolumeList(ctx, client.VolumeListOptions{Filters: ours})
	if err != nil {
		t.Error(err)
	}
	for _, each := range volumes.Items {
		if _, err := c.VolumeRemove(ctx, each.Name, client.VolumeRemoveOptions{}); err != nil {
			t.Error(err)
		}
	}
}

// alive counts the processes whose command line has a word, without Docker's init, which repeats the command that it runs.
func alive(word string) (int, error) {
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	n := 0
	for _, name := range names {
		line, err := os.ReadFile(name)
		if err != nil {
			continue // it has just ended
		}
		if text := strings.ReplaceAll(string(line), "\x00", " "); strings.Contains(text, word) && !strings.HasPrefix(text, "/sbin/docker-init ") {
			n++
		}
	}
	return n, nil
}

// TestDocker is one test, so that it is one that is left out where no daemon can run.
func TestDocker(t *testing.T) {
	daemon(t)
	t.Run("keeps the contract of runtimes", keepsTheContract)
	t.Run("tasks are locked in", locksIn)
	t.Run("images are fetched from a registry, and it is told how far", fetches)
	t.Run("a task whose image can't be had ends with the reason", noImage)
	t.Run("a task is stopped while its image is fetched", stopsFetching)
	t.Run("containers are taken in when the folder is lost", adopts)
	t.Run("a task whose container is removed is lost", removed)
	t.Run("a task that is killed while nobody watches is lost", killedUnseen)
	t.Run("a time that is up while nobody watches is enforced afterwards", lateTimeout)
	t.Run("an image that runs as somebody else writes to its checkpoint folder", checkpointOfOthers)
	t.Run("what can never run is refused", refuses)
	t.Run("what a restarted Docker took with it is lost", restarts)
	t.Run("a task waits for a daemon that does not answer", noDaemon)
}

func keepsTheContract(t *testing.T) {
	runtimetest.Run(t, func(t *testing.T) runtimetest.Harness {
		i := open(t)
		return runtimetest.Harness{
			Runtime: i.Runtime, Image: shellImage, Reopen: i.reopen, LimitsMemory: true, Many: 40, Flood: 300_000, Timeout: 2 * time.Second,
			Alive: alive,
		}
	})
}
