// Package runtimetest is the runtime contract as a test that every runtime passes.
//
// It owns what callers may rely on, in executable form. It must not know any particular runtime: a harness says which image has a shell and how this process "dies".
// Start reading at Run.
package runtimetest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/runtime"
)

// Harness is one runtime without tasks, and what the suite needs to work with it.
type Harness struct {
	Runtime runtime.Runtime
	Image   string                       // what tasks run in; it has a POSIX shell with the usual tools, setsid among them
	Shell   func(script string) []string // the command that runs a script in it; nil = sh -c
	// Reopen says that this process died and a new one came: it ends Runtime without a farewell and gives its successor. nil where that makes no sense.
	Reopen func(t *testing.T) runtime.Runtime
	// Alive counts the running processes whose command line has a word; nil = those of this machine.
	Alive func(word string) (int, error)
	// LimitsMemory says that a task that takes more memory than it asked for is ended.
	LimitsMemory bool
	// Flood is how many lines of 100 bytes are more than the runtime keeps of a task; 0 = it can't be flooded.
	Flood int
	// Many is how many tasks are run at once; 0 = 200.
	Many int
	// Timeout is the shortest that a task may have; 0 = one second.
	Timeout time.Duration
	// Patience is how long anything may take to come about; 0 = one minute.
	Patience time.Duration
}

type testCase struct {
	name string
	run  func(*suite)
	when func(Harness) bool
}

func always(Harness) bool         { return true }
func reopens(h Harness) bool      { return h.Reopen != nil }
func limitsMemory(h Harness) bool { return h.LimitsMemory }
func floods(h Harness) bool       { return h.Flood > 0 }
func checkpoints(h Harness) bool  { return h.Runtime.Info().Checkpoints }

func cases() []testCase {
	return []testCase{
		{"a task ends with its command's exit code", (*suite).exitCodes, always},
		{"a task that a signal ends tells which", (*suite).signals, always},
		{"an unknown command ends with code 127 and a sentence", (*suite).unknownCommand, always},
		{"a nonsensical id is refused for good", (*suite).refusesIDs, always},
		{"a cancelled call fails and begins nothing", (*suite).honoursContext, always},
		{"output comes in order, numbered, with times and streams", (*suite).output, always},
		{"output is read in pages from any line on", (*suite).pages, always},
		{"a long line is cut, and nothing of it gets lost", (*suite).longLines, always},
		{"output is valid UTF-8 whatever was written", (*suite).invalidText, always},
		{"a last line without a line end counts, and so do empty lines", (*suite).unfinishedLines, always},
		{"of a flood the beginning and the end are kept, and what is missing is told", (*suite).flood, floods},
		{"env reaches the task and stands in no argument list", (*suite).env, always},
		{"a task has a working directory of its own", (*suite).workingDirectory, always},
		{"a timeout ends the whole tree", (*suite).timeout, always},
		{"Stop asks with TERM first", (*suite).stopAsks, always},
		{"Stop ends the whole tree after the grace, whatever it ignores and wherever it hides", (*suite).stopForces, always},
		{"Stop without grace ends at once", (*suite).stopAtOnce, always},
		{"what a task leaves behind ends with it", (*suite).leftBehind, always},
		{"Stop of a task that has ended, or was never begun, is no error", (*suite).stopsInVain, always},
		{"a task that is started twice runs once", (*suite).startsOnce, always},
		{"a task that is started by many at once runs once", (*suite).startsOnceAtOnce, always},
		{"Tasks leaves out what it does not know", (*suite).unknownTasks, always},
		{"Watch tells of the beginning, of output and of the end", (*suite).watch, always},
		{"Watch ends with its context", (*suite).watchEnds, always},
		{"Forget drops what has ended and nothing else", (*suite).forgets, always},
		{"a checkpoint folder outlives its task until it is forgotten", (*suite).checkpoints, checkpoints},
		{"a task beyond its memory is ended and says so", (*suite).memory, limitsMemory},
		{"a successor finds a running task: its output goes on, its exit code is known", (*suite).reattaches, reopens},
		{"a successor finds what ended meanwhile, and starts nothing again", (*suite).remembers, reopens},
		{"a successor stops what its predecessor started", (*suite).stopsInherited, reopens},
		{"many short tasks at once all come to their end", (*suite).many, always},
	}
}

// Run holds a runtime to the contract. fresh makes one for each case; cases run beside each other. A case for what the harness does not claim is not run at all.
func Run(t *testing.T, fresh func(t *testing.T) Harness) {
	claims := fresh(t)
	for _, c := range cases() {
		if c.when(claims) {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(newSuite(t, fresh(t)))
			})
		}
	}
}

// suite is one case at work.
type suite struct {
	*testing.T
	Harness
	mark string // in the names of this case's tasks
	made int
}

func newSuite(t *testing.T, h Harness) *suite {
	if h.Shell == nil {
		h.Shell = func(script string) []string { return []string{"sh", "-c", script} }
	}
	if h.Alive == nil {
		h.Alive = aliveHere
	}
	if h.Many == 0 {
		h.Many = 200
	}
	if h.Timeout == 0 {
		h.Timeout = time.Second
	}
	if h.Patience == 0 {
		h.Patience = time.Minute
	}
	return &suite{T: t, Harness: h, mark: ident.Hex(6)}
}

// script is a task that runs a shell script.
func (s *suite) script(lines ...string) runtime.Spec {
	s.made++
	return runtime.Spec{
		ID: fmt.Sprintf("task-%s.%d", s.mark, s.made), Image: s.Image, Command: s.Shell(strings.Join(lines, "\n")),
		Resources: runtime.Resources{MilliCPU: 500, MemoryMiB: 128}, Labels: map[string]string{"neap.job": s.mark},
	}
}

// sleeper is a command that sleeps for years, and by which its process is found.
func sleeper() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1e9))
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("sleep %d", 1e9+n.Int64())
}

func (s *suite) start(spec runtime.Spec) string {
	s.Helper()
	if err := s.Runtime.Check(s.Context(), spec); err != nil {
		s.Fatalf("Check: %v", err)
	}
	if err := s.Runtime.Start(s.Context(), spec); err != nil {
		s.Fatalf("Start: %v", err)
	}
	return spec.ID
}

func (s *suite) stop(id string, grace time.Duration) {
	s.Helper()
	if err := s.Runtime.Stop(s.Context(), id, grace); err != nil {
		s.Fatalf("Stop: %v", err)
	}
}

// find gives a task, and whether the runtime knows it.
func (s *suite) find(id string) (runtime.Task, bool) {
	s.Helper()
	found, err := s.Runtime.Tasks(s.Context(), []string{id})
	if err != nil {
		s.Fatalf("Tasks: %v", err)
	}
	if len(found) > 1 || len(found) == 1 && found[0].ID != id {
		s.Fatalf("asked for %s, got %+v", id, found)
	}
	if len(found) == 0 {
		return runtime.Task{}, false
	}
	return found[0], true
}

// eventually waits until something holds; it does not rely on Watch, which has cases of its own.
func (s *suite) eventually(what string, holds func() bool) {
	s.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for patience := time.After(s.Patience); !holds(); {
		select {
		case <-tick.C:
		case <-patience:
			s.Fatalf("%s: not within %v", what, s.Patience)
		}
	}
}

// eventuallyIs waits for a task that has come to a point.
func (s *suite) eventuallyIs(id, what string, at func(runtime.Task) bool) runtime.Task {
	s.Helper()
	var task runtime.Task
	s.eventually(id+" "+what, func() bool {
		found, ok := s.find(id)
		if !ok {
			s.Fatalf("%s is not known, although it was begun", id)
		}
		task = found
		return at(found)
	})
	return task
}

// ended waits for a task's end and looks at what must hold of every one.
func (s *suite) ended(id string) runtime.Task {
	s.Helper()
	task := s.eventuallyIs(id, "ends", func(t runtime.Task) bool { return t.State == runtime.Ended || t.State == runtime.Lost })
	if task.State == runtime.Lost {
		s.Fatalf("%s is lost: %s", id, task.Reason)
	}
	if task.Ended.IsZero() || task.Ended.Before(task.Started) {
		s.Errorf("%s began at %v and ended at %v", id, task.Started, task.Ended)
	}
	return task
}

// saying waits until a task has written a number of lines.
func (s *suite) saying(id string, lines int64) runtime.Task {
	s.Helper()
	return s.eventuallyIs(id, fmt.Sprintf("writes %d lines", lines), func(t runtime.Task) bool { return t.Lines >= lines })
}

// run starts a task and waits for its end.
func (s *suite) run(spec runtime.Spec) (runtime.Task, []runtime.Line) {
	s.Helper()
	task := s.ended(s.start(spec))
	return task, s.outputOf(spec.ID)
}

// outputOf reads all that is kept of a task's output, and looks at what must hold of every line.
func (s *suite) outputOf(id string) []runtime.Line {
	s.Helper()
	var all []runtime.Line
	for last := int64(0); ; {
		page, err := s.Runtime.Output(s.Context(), id, last, 1000)
		if err != nil {
			s.Fatalf("Output: %v", err)
		}
		if len(page) == 0 {
			return all
		}
		for _, l := range page {
			if l.N != last+1+l.Dropped || l.Dropped < 0 {
				s.Fatalf("line %d comes after line %d and says that %d were dropped", l.N, last, l.Dropped)
			}
			if l.Stream != "stdout" && l.Stream != "stderr" || !utf8.ValidString(l.Text) || len(l.Text) > longestLine || strings.Contains(l.Text, "\n") {
				s.Fatalf("line %d is no line of text on %q: %d bytes", l.N, l.Stream, len(l.Text))
			}
			last = l.N
		}
		all = append(all, page...)
	}
}

const longestLine = 16 << 10

// texts are the lines of one stream, "" = of both.
func texts(lines []runtime.Line, stream string) []string {
	var all []string
	for _, l := range lines {
		if stream == "" || l.Stream == stream {
			all = append(all, l.Text)
		}
	}
	return all
}

func (s *suite) wrote(lines []runtime.Line, stream string, want ...string) {
	s.Helper()
	if got := texts(lines, stream); !slices.Equal(got, want) {
		s.Errorf("wrote %q, want %q", got, want)
	}
}

// exited compares how a task ended, but for the sentence.
func (s *suite) exited(task runtime.Task, want runtime.Exit) {
	s.Helper()
	got := task.Exit
	got.Reason = want.Reason
	if task.State != runtime.Ended || got != want {
		s.Errorf("%s is %s with %+v, want %+v", task.ID, task.State, task.Exit, want)
	}
}

func (s *suite) refusedForGood(what string, err error) {
	s.Helper()
	var refusal *runtime.Refusal
	if !errors.As(err, &refusal) || refusal.Kind != runtime.Never || refusal.Message == "" {
		s.Errorf("%s: %v, want a refusal for good", what, err)
	}
}

// gone waits until no process has any of the words in its command line.
func (s *suite) gone(words ...string) {
	s.Helper()
	for _, word := range words {
		s.eventually("no process has "+word, func() bool { return s.alive(word) == 0 })
	}
}

func (s *suite) alive(word string) int {
	s.Helper()
	n, err := s.Alive(word)
	if err != nil {
		s.Fatalf("looking for processes: %v", err)
	}
	return n
}

// aliveHere looks at the command lines of this machine's processes.
func aliveHere(word string) (int, error) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	n := 0
	for _, name := range lines {
		line, err := os.ReadFile(name)
		if err != nil {
			continue // it has just ended
		}
		if strings.Contains(strings.ReplaceAll(string(line), "\x00", " "), word) {
			n++
		}
	}
	return n, nil
}
