package process_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/runtime/process"
	"github.com/neap-cloud/neap/internal/runtime/runtimetest"
)

// The test binary is its own supervisor, as Neap is.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == process.ShimArgument {
		os.Exit(process.Supervise())
	}
	if len(os.Args) == 3 && os.Args[1] == neapArgument {
		beNeap(os.Args[2])
	}
	os.Exit(m.Run())
}

func open(t *testing.T, c process.Config) *process.Runtime {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	c.HostAllowed = true
	r, err := process.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// reachable is a folder that users of tasks can pass through.
func reachable(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.Chmod(filepath.Dir(folder), 0o711); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "tasks")
}

func harness(t *testing.T, c process.Config, image string) runtimetest.Harness {
	t.Helper()
	c.Head, c.Tail = 64<<10, 16<<10
	r := open(t, c)
	return runtimetest.Harness{
		Runtime: r, Image: image, LimitsMemory: true, Flood: 5000,
		Reopen: func(t *testing.T) runtime.Runtime {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			r = open(t, c)
			return r
		},
	}
}

func TestProcessesKeepTheContract(t *testing.T) {
	runtimetest.Run(t, func(t *testing.T) runtimetest.Harness {
		return harness(t, process.Config{Folder: reachable(t)}, "host")
	})
}

func TestProcessesOfNeapsOwnUserKeepTheContract(t *testing.T) {
	runtimetest.Run(t, func(t *testing.T) runtimetest.Harness {
		return harness(t, process.Config{Folder: reachable(t), User: process.SameUser}, "host")
	})
}

func TestProcessesWithoutControlGroupsKeepTheContract(t *testing.T) {
	runtimetest.Run(t, func(t *testing.T) runtimetest.Harness {
		h := harness(t, process.Config{Folder: reachable(t)}, "host")
		h.LimitsMemory = false
		h.Runtime.(*process.Runtime).WithoutGroups()
		reopen := h.Reopen
		h.Reopen = func(t *testing.T) runtime.Runtime {
			again := reopen(t)
			again.(*process.Runtime).WithoutGroups()
			return again
		}
		return h
	})
}

// The machine's own root folder is an image like any other: what tasks write stays in their own layer.
func TestProcessesInAnImageKeepTheContract(t *testing.T) {
	runtimetest.Run(t, func(t *testing.T) runtimetest.Harness {
		return harness(t, process.Config{Folder: reachable(t)}, "/")
	})
}
