package process_test

import (
	"log/slog"
	"os"
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

func TestProcessesKeepTheContract(t *testing.T) {
	runtimetest.Run(t, func(t *testing.T) runtimetest.Harness {
		c := process.Config{Folder: t.TempDir(), Head: 64 << 10, Tail: 16 << 10}
		r := open(t, c)
		return runtimetest.Harness{
			Runtime: r, Image: "host", LimitsMemory: true, Flood: 5000,
			Reopen: func(t *testing.T) runtime.Runtime {
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
				return open(t, c)
			},
		}
	})
}
