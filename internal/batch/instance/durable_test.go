package instance

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
)

func TestTheSameIDBeginsNothingTwiceWhateverBecameOfTheFirst(t *testing.T) {
	t.Parallel()
	w := begin(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := w.Start(t.Context(), spec("a", "acc-1")); err != nil {
				t.Errorf("start: %v", err)
			}
		})
	}
	all.Wait()
	w.runs(spec("a", "acc-1"))
	if err := w.Forget(t.Context(), "a", ""); err != nil {
		t.Fatal(err)
	}
	if w.task("a").State != runtime.Running {
		t.Error("a task that runs was forgotten")
	}
	if err := w.Stop(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	w.until("it has ended", 2*time.Minute, w.in("a", runtime.Ended))
	w.start(spec("a", "acc-1"))
	for range 2 {
		if err := w.Forget(t.Context(), "a", ""); err != nil {
			t.Fatal(err)
		}
	}
	w.start(spec("a", "acc-1"))
	w.start(spec("a", "acc-2"))
	w.quiet(2 * time.Minute)
	if found, err := w.Tasks(t.Context(), []string{"a"}); err != nil || len(found) > 0 {
		t.Errorf("what was forgotten is %+v, %v", found, err)
	}
	if lines, err := w.Output(t.Context(), "a", 0, 10); err != nil || len(lines) > 0 {
		t.Errorf("and its output %+v, %v", lines, err)
	}
	if n := len(w.made()); n != 1 {
		t.Errorf("%d instances were launched", n)
	}
	if text := w.everything()["instance_tasks"]; text != "" {
		t.Errorf("rows are left: %s", text)
	}
}

func TestATaskThatIsStoppedBeforeItHasAnInstanceEndsWithoutOne(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.dry("c5.large", "spot", w.clock.Now().Add(10*time.Hour))
	w.start(spec("a", "acc-1"))
	w.quiet(time.Minute)
	if err := w.Stop(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	w.until("it has ended", 2*time.Minute, w.in("a", runtime.Ended))
	if now := w.task("a"); now.Exit != (runtime.Exit{Stopped: true}) || !now.Started.IsZero() || now.Instance != "" || len(w.made()) != 0 {
		t.Errorf("%+v", now)
	}
}

// The child of the crash test: it dies where it is told.
const (
	crashFolder = "NEAP_TEST_INSTANCE_FOLDER"
	crashStory  = "NEAP_TEST_INSTANCE_STORY"
	crashAt     = "NEAP_TEST_INSTANCE_AT"
	crashed     = 7 // its exit code
)

// TestLifeOfATaskForTheCrashTest does nothing unless the crash test has started this process for it.
func TestLifeOfATaskForTheCrashTest(t *testing.T) {
	folder := os.Getenv(crashFolder)
	if folder == "" {
		return
	}
	at, err := strconv.ParseInt(os.Getenv(crashAt), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	var passed atomic.Int64
	var begun atomic.Bool
	w := begin(t, func(o *options) {
		o.folder = folder
		o.hook = func(string) {
			if begun.Load() && passed.Add(1) == at {
				os.Exit(crashed)
			}
		}
	})
	begun.Store(true)
	w.live(os.Getenv(crashStory))
	fmt.Printf("\npassed=%d\n", passed.Load())
}

// live is the whole life of a task.
func (w *world) live(story string) {
	w.t.Helper()
	task := w.runs(spec("a", "acc-1"))
	if story == "stopped" {
		if err := w.Stop(w.t.Context(), "a", 0); err != nil {
			w.t.Fatal(err)
		}
		w.until("it has ended", 5*time.Minute, w.in("a", runtime.Ended))
	} else {
		w.interrupt("acc-1", task.Instance)
		w.until("it is lost", 5*time.Minute, w.in("a", runtime.Lost))
	}
	if err := w.Forget(w.t.Context(), "a", ""); err != nil {
		w.t.Fatal(err)
	}
}

// child runs a life that ends at a point of it, and reports how many points it has passed.
func child(ctx context.Context, t *testing.T, folder, story string, at int) (passed int) {
	t.Helper()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestLifeOfATaskForTheCrashTest$")
	cmd.Env = append(os.Environ(), crashFolder+"="+folder, crashStory+"="+story, fmt.Sprintf("%s=%d", crashAt, at))
	told, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == crashed {
		return at
	}
	_, figure, is := strings.Cut(string(told), "passed=")
	figure, _, _ = strings.Cut(figure, "\n")
	passed, failed := strconv.Atoi(figure)
	if err != nil || !is || failed != nil {
		t.Fatalf("the life of a task failed: %v\n%s", err, told)
	}
	return passed
}

// crashesMost is at how many points of a life the test crashes it.
const crashesMost = 6

func TestACrashAtAnyPointLosesNoTaskAndLaunchesNothingTwice(t *testing.T) {
	t.Parallel()
	for _, story := range []string{"stopped", "interrupted"} {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			total := child(t.Context(), t, t.TempDir(), story, -1)
			if total < 20 {
				t.Fatalf("a life has only %d points", total)
			}
			most := crashesMost
			for n := range most {
				at := 1 + n*total/most
				folder := t.TempDir()
				child(t.Context(), t, folder, story, at)
				survive(t, folder, at)
			}
		})
	}
}

// survive goes on after a crash: whoever asked for the task asks again, and wants it ended.
func survive(t *testing.T, folder string, at int) {
	t.Helper()
	w := begin(t, func(o *options) {
		o.folder, o.now = folder, epoch.Add(10*time.Minute)
		o.log = slog.New(slog.DiscardHandler)
	})
	defer w.stop()
	w.start(spec("a", "acc-1"))
	known := func() (runtime.Task, bool) {
		found, err := w.Tasks(t.Context(), []string{"a"})
		if err != nil {
			t.Fatal(err)
		}
		return append(found, runtime.Task{})[0], len(found) > 0
	}
	w.until("it runs, or has come to its end", 10*time.Minute, func() bool {
		task, is := known()
		return !is || task.State != runtime.Starting
	})
	if err := w.Stop(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	w.until("it has come to its end", 10*time.Minute, func() bool {
		task, is := known()
		return !is || task.State == runtime.Ended || task.State == runtime.Lost
	})
	if made, alive := len(w.made()), len(w.alive()); made != 1 || alive != 0 {
		t.Errorf("crashed at %d: %d instances were launched, %d live", at, made, alive)
	}
	w.quiet(time.Minute)
	if made := len(w.made()); made != 1 {
		t.Errorf("crashed at %d: %d instances were launched after all", at, made)
	}
}
