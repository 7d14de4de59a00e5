package process_test

import (
	"os"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/runtime/process"
	"github.com/neap-cloud/neap/internal/runtime/runtimetest"
)

// This test does something only in the process that TestWithoutRootTheContractHoldsToo starts.
func TestUnprivilegedProcessesKeepTheContract(t *testing.T) {
	if os.Getenv("NEAP_TEST_UNPRIVILEGED") == "" {
		return
	}
	r := open(t, process.Config{Folder: t.TempDir()})
	err := r.Check(t.Context(), runtime.Spec{ID: "t", Image: "/", Command: []string{"true"}})
	if message := refusal(t, err); !strings.Contains(message, "root") {
		t.Errorf("an image: %q", message)
	}
	if _, err := process.New(process.Config{Folder: t.TempDir(), User: "daemon"}); err == nil {
		t.Error("tasks are to run as somebody else")
	}
	runtimetest.Run(t, func(t *testing.T) runtimetest.Harness {
		h := harness(t, process.Config{Folder: t.TempDir()}, "host")
		h.LimitsMemory = false
		return h
	})
}
