package process_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/runtime/process"
)

// The tests of this file kill: supervisors, Neap, and both.

func script(id, text string) runtime.Spec {
	return runtime.Spec{ID: id, Image: "host", Command: []string{"sh", "-c", text}, Resources: runtime.Resources{MilliCPU: 500, MemoryMiB: 128}}
}

func start(t *testing.T, r *process.Runtime, spec runtime.Spec) {
	t.Helper()
	if err := r.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, r *process.Runtime, id string) (runtime.Task, bool) {
	t.Helper()
	found, err := r.Tasks(t.Context(), []string{id})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		return runtime.Task{}, false
	}
	return found[0], true
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for patience := time.After(time.Minute); !holds(); {
		select {
		case <-tick.C:
		case <-patience:
			t.Fatal(what + ": not within a minute")
		}
	}
}

func until(t *testing.T, r *process.Runtime, id string, at func(runtime.Task) bool) runtime.Task {
	t.Helper()
	var task runtime.Task
	eventually(t, id, func() bool {
		task, _ = find(t, r, id)
		return at(task)
	})
	return task
}

func isOver(task runtime.Task) bool { return task.State == runtime.Ended || task.State == runtime.Lost }

func texts(t *testing.T, r *process.Runtime, id string) []string {
	t.Helper()
	lines, err := r.Output(t.Context(), id, 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, l := range lines {
		all = append(all, l.Text)
	}
	return all
}

// run runs a script to its end.
func run(t *testing.T, r *process.Runtime, spec runtime.Spec) (runtime.Task, []string) {
	t.Helper()
	start(t, r, spec)
	return until(t, r, spec.ID, isOver), texts(t, r, spec.ID)
}

// supervisorOf is the process id of a task's supervisor.
func supervisorOf(t *testing.T, folder, id string) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, "control", "tasks", id, "begun"))
	if err != nil {
		t.Fatal(err)
	}
	var begun struct{ Supervisor int }
	if err := json.Unmarshal(content, &begun); err != nil {
		t.Fatal(err)
	}
	return begun.Supervisor
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func alive(t *testing.T, word string) bool {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if line, err := os.ReadFile(name); err == nil && strings.Contains(strings.ReplaceAll(string(line), "\x00", " "), word) {
			return true
		}
	}
	return false
}

// hiding is a script whose processes hide as well as they can, and the words by which they are found.
func hiding() (text string, words []string) {
	for range 3 {
		words = append(words, fmt.Sprintf("sleep %d", 1_000_000_000+rand.IntN(1_000_000_000)))
	}
	return "trap '' TERM; setsid " + words[0] + " & (setsid sh -c '(" + words[1] + " &)' &); echo there; " + words[2], words
}

func born(t *testing.T, words []string) {
	t.Helper()
	for _, w := range words {
		eventually(t, w+" runs", func() bool { return alive(t, w) })
	}
}

func isLostWithAll(t *testing.T, r *process.Runtime, id string, words []string) {
	t.Helper()
	task := until(t, r, id, isOver)
	for _, w := range words { // at once: Lost is a promise
		if alive(t, w) {
			t.Errorf("%s goes on", w)
		}
	}
	if task.State != runtime.Lost || task.Reason == "" || task.Ended.IsZero() {
		t.Errorf("it is %+v", task)
	}
}

func TestWhenTheSupervisorIsKilledNothingOfTheTaskGoesOn(t *testing.T) {
	for name, grouped := range map[string]bool{"with control groups": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			folder := reachable(t)
			r := open(t, process.Config{Folder: folder})
			if !grouped {
				r.WithoutGroups()
			}
			text, words := hiding()
			start(t, r, script("t", text))
			born(t, words)
			until(t, r, "t", func(task runtime.Task) bool { return task.Lines == 1 })
			kill(t, supervisorOf(t, folder, "t"))
			isLostWithAll(t, r, "t", words)
			if got := texts(t, r, "t"); len(got) != 1 || got[0] != "there" {
				t.Errorf("what it wrote became %q", got)
			}
			start(t, r, script("t", text))
			if task, _ := find(t, r, "t"); task.State != runtime.Lost {
				t.Errorf("a second Start made it %+v", task)
			}
		})
	}
}

func TestWhenNeapAndTheSupervisorAreKilledTheNextNeapEndsTheRest(t *testing.T) {
	folder := reachable(t)
	text, words := hiding()
	neap := another(t, folder, script("t", text))
	born(t, words)
	kill(t, supervisorOf(t, folder, "t")) // its Neap must not see to it
	neap.die(t)
	r := open(t, process.Config{Folder: folder})
	isLostWithAll(t, r, "t", words)
}

func TestATaskOutlivesTheKillingOfNeap(t *testing.T) {
	folder := reachable(t)
	spec := script("t", "i=0; while [ $i -lt 80 ]; do i=$((i+1)); echo $i; sleep 0.02; done; exit 9")
	neap := another(t, folder, spec)
	eventually(t, "it runs", func() bool {
		_, err := os.Stat(filepath.Join(folder, "control", "tasks", "t", "lines"))
		return err == nil
	})
	neap.die(t)
	r := open(t, process.Config{Folder: folder})
	if task, _ := find(t, r, "t"); task.State != runtime.Running {
		t.Errorf("it is %+v", task)
	}
	start(t, r, spec)
	if task := until(t, r, "t", isOver); task.Exit.Code != 9 || task.Lines != 80 {
		t.Errorf("it ended as %+v", task)
	}
	for i, text := range texts(t, r, "t") {
		if text != fmt.Sprint(i+1) {
			t.Fatalf("line %d is %q", i+1, text)
		}
	}
}

// Whenever Neap is killed while it starts tasks: each runs once or never, none hangs, and one that Tasks does not know has never run.
func TestHoweverNeapIsKilledNoTaskRunsTwiceOrHangs(t *testing.T) {
	for round := range 12 {
		folder, ran := reachable(t), filepath.Join(t.TempDir(), "ran")
		var specs []runtime.Spec
		for i := range 40 {
			id := fmt.Sprintf("t%d", i)
			specs = append(specs, script(id, "echo "+id+" >>"+ran+"; sleep 0.05"))
		}
		neap := another(t, folder, specs...)
		<-time.After(time.Duration(rand.IntN(300)) * time.Millisecond)
		neap.die(t)
		r := open(t, process.Config{Folder: folder, User: process.SameUser})
		began := map[string]bool{}
		for _, spec := range specs {
			if _, known := find(t, r, spec.ID); known {
				began[spec.ID] = true
				until(t, r, spec.ID, isOver)
			}
		}
		content, err := os.ReadFile(ran)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		runs := map[string]int{}
		for id := range strings.FieldsSeq(string(content)) {
			runs[id]++
		}
		for _, spec := range specs {
			task, _ := find(t, r, spec.ID)
			if n := runs[spec.ID]; n > 1 || n == 1 && !began[spec.ID] || n == 0 && task.State == runtime.Ended {
				t.Errorf("round %d: %s ran %d times, known %v, %s", round, spec.ID, n, began[spec.ID], task.State)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// neapProcess is another Neap, in a process of its own.
type neapProcess struct{ *exec.Cmd }

// neapArgument makes the test binary one.
const neapArgument = "a-neap-that-dies"

// another starts tasks in a Neap that can be killed.
func another(t *testing.T, folder string, specs ...runtime.Spec) *neapProcess {
	t.Helper()
	order, err := json.Marshal(specs)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(os.Args[0], neapArgument, folder)
	command.Stdin, command.Stderr = strings.NewReader(string(order)), os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the other Neap did not start: %v", err)
	}
	return &neapProcess{command}
}

func (n *neapProcess) die(t *testing.T) {
	t.Helper()
	kill(t, n.Process.Pid)
	_ = n.Wait() // it says that it was killed
}

// beNeap is what another does.
func beNeap(folder string) {
	var specs []runtime.Spec
	content, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = json.Unmarshal(content, &specs)
	}
	c := process.Config{Folder: folder, HostAllowed: true, User: process.SameUser, Log: slog.New(slog.DiscardHandler)}
	r, err2 := process.New(c)
	if err != nil || err2 != nil {
		fmt.Fprintln(os.Stderr, err, err2)
		os.Exit(1)
	}
	fmt.Println("ready")
	for _, spec := range specs {
		if err := r.Start(context.Background(), spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	select {}
}

func TestAFolderBelongsToOneNeap(t *testing.T) {
	folder := reachable(t)
	open(t, process.Config{Folder: folder})
	if _, err := process.New(process.Config{Folder: folder, Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "another Neap") {
		t.Errorf("a second one opens it: %v", err)
	}
}

func TestWhatACrashLeftIsSwept(t *testing.T) {
	folder := reachable(t)
	r := open(t, process.Config{Folder: folder})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	left := []string{"control/records/.new-1", "control/tasks/unknown/head", "work/unknown/work/x", "control/images/.unpacking-1/files/x"}
	for _, name := range left {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A record whose supervisor was never started.
	if err := os.WriteFile(filepath.Join(folder, "control/records/never"), []byte(`{"id":"never","mark":"`+ident.Hex(8)+`","uid":64001}`), 0o600); err != nil {
		t.Fatal(err)
	}
	r = open(t, process.Config{Folder: folder})
	for _, name := range left {
		if _, err := os.Stat(filepath.Join(folder, name)); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if task, known := find(t, r, "never"); !known || task.State != runtime.Lost || !strings.Contains(task.Reason, "never began") {
		t.Errorf("what never began is %+v", task)
	}
}
