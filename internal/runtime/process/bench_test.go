package process_test

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/runtime/process"
)

// NEAP_BENCH_BINARY is a built neap, whose supervisor is measured instead of this test's.
func benched(b *testing.B) *process.Runtime {
	b.Helper()
	folder := b.TempDir()
	if err := os.Chmod(filepath.Dir(folder), 0o711); err != nil {
		b.Fatal(err)
	}
	c := process.Config{Folder: filepath.Join(folder, "tasks"), HostAllowed: true, Log: slog.New(slog.DiscardHandler)}
	if binary := os.Getenv("NEAP_BENCH_BINARY"); binary != "" {
		c.Shim = []string{binary, process.ShimArgument}
	}
	r, err := process.New(c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = r.Close() })
	return r
}

func BenchmarkOneTaskAfterAnother(b *testing.B) {
	r := benched(b)
	told := r.Watch(b.Context())
	var toRunning, toEnd, started time.Duration
	n := 0
	for b.Loop() {
		n++
		id, begin := fmt.Sprint("t", n), time.Now()
		if err := r.Start(b.Context(), runtime.Spec{ID: id, Image: "host", Command: []string{"true"}}); err != nil {
			b.Fatal(err)
		}
		started += time.Since(begin)
		for state := runtime.State(""); state != runtime.Ended; {
			<-told
			found, err := r.Tasks(b.Context(), []string{id})
			if err != nil || len(found) != 1 {
				b.Fatal(found, err)
			}
			state = found[0].State
			if state == runtime.Ended {
				toRunning += found[0].Started.Sub(begin)
				toEnd += time.Since(begin)
			}
		}
	}
	b.ReportMetric(float64(started.Microseconds())/float64(n)/1000, "ms/Start")
	b.ReportMetric(float64(toRunning.Microseconds())/float64(n)/1000, "ms-to-running")
	b.ReportMetric(float64(toEnd.Microseconds())/float64(n)/1000, "ms-to-end-told")
}

func BenchmarkManyTasksAtOnce(b *testing.B) {
	r := benched(b)
	told := r.Watch(b.Context())
	room := make(chan struct{}, 8)
	over := map[string]bool{}
	n := 0
	collect := func() {
		for _, id := range <-told {
			found, err := r.Tasks(b.Context(), []string{id})
			if err != nil {
				b.Fatal(err)
			}
			if len(found) == 1 && found[0].State == runtime.Ended && !over[id] {
				over[id] = true
				<-room
			}
		}
	}
	begin := time.Now()
	for b.Loop() {
		n++
		for len(room) == cap(room) {
			collect()
		}
		room <- struct{}{}
		if err := r.Start(b.Context(), runtime.Spec{ID: fmt.Sprint("t", n), Image: "host", Command: []string{"true"}}); err != nil {
			b.Fatal(err)
		}
	}
	for len(over) < n {
		collect()
	}
	b.ReportMetric(float64(n)/time.Since(begin).Seconds(), "tasks/s")
}

// BenchmarkSupervisorMemory is not about time: it tells what a supervisor takes while its task sleeps.
func BenchmarkSupervisorMemory(b *testing.B) {
	r := benched(b)
	for b.Loop() {
	}
	if err := r.Start(b.Context(), runtime.Spec{ID: "m", Image: "host", Command: []string{"sh", "-c", "echo there; exec sleep 1000"}}); err != nil {
		b.Fatal(err)
	}
	var found []runtime.Task
	for told := r.Watch(b.Context()); len(found) != 1 || found[0].Lines != 1; <-told {
		found, _ = r.Tasks(b.Context(), []string{"m"})
		if len(found) == 1 && found[0].Lines == 1 {
			break
		}
	}
	out, err := exec.Command("sh", "-c", "for p in /proc/[0-9]*; do if tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q '^neap task-shim'; then grep -E 'VmRSS|RssAnon' $p/status; fi; done").Output()
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%s", out)
	_ = r.Stop(b.Context(), "m", 0)
	for told := r.Watch(b.Context()); found[0].State != runtime.Ended; {
		if found, _ = r.Tasks(b.Context(), []string{"m"}); found[0].State != runtime.Ended {
			<-told
		}
	}
}
