// Package batchtest holds what tests of jobs need in place of machines: a runtime that runs tasks inside of this process, and a capacity that is simply there.
//
// It owns these two, and a checker of what became of jobs. It must not know the room's insides. Start reading at Instant and Fixed.
package batchtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
)

// Instant is a runtime whose tasks run inside of this process. A command says what a task does: nothing (none, or "true"), "exit N", "sleep DURATION", "hold" (until
// Finish or Stop).
// What began and ended is appended to a file before it takes effect, so that a process that was killed leaves the truth behind: what had begun and not ended is lost.
type Instant struct {
	mu       sync.Mutex
	file     *os.File
	tasks    map[string]*runtime.Task
	watchers map[chan []string]bool
	pending  map[chan []string][]string
	Never    string          // an image that is refused
	Gate     <-chan struct{} // no task begins until it is closed; nil = it is open
}

var (
	_ runtime.Runtime = (*Instant)(nil)
	_ runtime.Lister  = (*Instant)(nil)
)

// NewInstant opens a runtime on its file.
func NewInstant(path string) (*Instant, error) {
	r := &Instant{tasks: map[string]*runtime.Task{}, watchers: map[chan []string]bool{}, pending: map[chan []string][]string{}, Never: "never"}
	if err := r.load(path); err != nil {
		return nil, err
	}
	var err error
	r.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return r, err
}

// Close ends the runtime as the end of its process would.
func (r *Instant) Close() error { return r.file.Close() }

// Entry is a line of an Instant's file.
type Entry struct {
	What string // "begin", "end" or "forget"
	Task string
	Code int // of "end"
}

// Entries reads an Instant's file. A line that a kill has cut short is left out.
func Entries(path string, take func(Entry)) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewReader(file)
	for {
		text, err := lines.ReadString('\n')
		if err != nil {
			return nil // the end, or a line without its end
		}
		fields := strings.Fields(text)
		if len(fields) != 3 {
			continue // cut short by a kill, and gone on with by the next process
		}
		code, err := strconv.Atoi(fields[2])
		if err != nil {
			return fmt.Errorf("line %q: %w", text, err)
		}
		take(Entry{fields[0], fields[1], code})
	}
}

func (r *Instant) load(path string) error {
	now := time.Now()
	err := Entries(path, func(e Entry) {
		switch e.What {
		case "begin":
			r.tasks[e.Task] = &runtime.Task{ID: e.Task, State: runtime.Running, Started: now}
		case "end":
			r.tasks[e.Task] = &runtime.Task{ID: e.Task, State: runtime.Ended, Started: now, Ended: now, Exit: exit(e.Code)}
		case "forget":
			delete(r.tasks, e.Task)
		}
	})
	for _, t := range r.tasks {
		if t.State == runtime.Running {
			t.State, t.Ended, t.Reason = runtime.Lost, now, "Its process was killed."
		}
	}
	return err
}

const stopped = -1

func exit(code int) runtime.Exit {
	if code == stopped {
		return runtime.Exit{Code: 143, Signal: "TERM", Stopped: true}
	}
	return runtime.Exit{Code: code}
}

func (r *Instant) write(what, id string, code int) error {
	_, err := fmt.Fprintf(r.file, "%s %s %d\n", what, id, code)
	return err
}

// Info is runtime.Runtime's.
func (r *Instant) Info() runtime.Info {
	return runtime.Info{Name: "instant", Local: true, Checkpoints: true}
}

// Check refuses one image.
func (r *Instant) Check(_ context.Context, spec runtime.Spec) error {
	if spec.Image == r.Never {
		return &runtime.Refusal{Kind: runtime.Never, Message: "There is no such image here."}
	}
	return nil
}

// Start is runtime.Runtime's. A task that holds still ends by Finish or Stop alone.
func (r *Instant) Start(_ context.Context, spec runtime.Spec) error {
	if gate := r.Gate; gate != nil {
		<-gate
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tasks[spec.ID] != nil {
		return nil
	}
	if err := r.write("begin", spec.ID, 0); err != nil {
		return err
	}
	now := time.Now()
	r.tasks[spec.ID] = &runtime.Task{ID: spec.ID, State: runtime.Running, Started: now, Limits: "none"}
	return r.run(spec.ID, strings.Join(spec.Command, " "))
}

// run does what the command of a task says.
func (r *Instant) run(id, command string) error {
	what, operand, _ := strings.Cut(command, " ")
	switch what {
	case "hold":
		r.tell(id)
		return nil
	case "sleep":
		d, err := time.ParseDuration(operand)
		if err != nil {
			return r.end(id, 2)
		}
		r.tell(id)
		time.AfterFunc(d, func() {
			if _, err := r.Finish(id, 0); err != nil {
				r.failed(err)
			}
		})
		return nil
	case "exit":
		code, err := strconv.Atoi(operand)
		if err != nil {
			code = 2
		}
		return r.end(id, code)
	}
	return r.end(id, 0)
}

// failed ends the process: what it did could not be written down, so nothing of it may be believed.
func (r *Instant) failed(err error) { panic(fmt.Errorf("write down the end of a task: %w", err)) }

func (r *Instant) end(id string, code int) error {
	if err := r.write("end", id, code); err != nil {
		return err
	}
	t := r.tasks[id]
	t.State, t.Ended, t.Exit = runtime.Ended, time.Now(), exit(code)
	r.tell(id)
	return nil
}

// Finish ends a task that holds still; false when there is none.
func (r *Instant) Finish(id string, code int) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.tasks[id]; t == nil || t.State != runtime.Running {
		return false, nil
	}
	return true, r.end(id, code)
}

// Running are the tasks that have begun and not ended.
func (r *Instant) Running() (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, t := range r.tasks {
		if t.State == runtime.Running {
			ids = append(ids, id)
		}
	}
	return ids
}

// Known is runtime.Lister's.
func (r *Instant) Known(context.Context) (ids []string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.tasks {
		ids = append(ids, id)
	}
	return ids, nil
}

// Tasks is runtime.Runtime's.
func (r *Instant) Tasks(_ context.Context, ids []string) (tasks []runtime.Task, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if t := r.tasks[id]; t != nil {
			tasks = append(tasks, *t)
		}
	}
	return tasks, nil
}

// tell leaves word for every watcher.
func (r *Instant) tell(id string) {
	for w := range r.watchers {
		r.pending[w] = append(r.pending[w], id)
		select {
		case w <- nil:
		default:
		}
	}
}

// Watch is runtime.Runtime's.
func (r *Instant) Watch(ctx context.Context) <-chan []string {
	rung, out := make(chan []string, 1), make(chan []string)
	r.mu.Lock()
	r.watchers[rung] = true
	r.mu.Unlock()
	go func() {
		defer close(out)
		for {
			select {
			case <-ctx.Done():
				r.mu.Lock()
				delete(r.watchers, rung)
				delete(r.pending, rung)
				r.mu.Unlock()
				return
			case <-rung:
			}
			r.mu.Lock()
			ids := r.pending[rung]
			r.pending[rung] = nil
			r.mu.Unlock()
			select {
			case out <- ids:
			case <-ctx.Done():
			}
		}
	}()
	return out
}

// Stop is runtime.Runtime's.
func (r *Instant) Stop(_ context.Context, id string, _ time.Duration) error {
	_, err := r.Finish(id, stopped)
	return err
}

// Output is none.
func (r *Instant) Output(context.Context, string, int64, int) ([]runtime.Line, error) {
	return nil, nil
}

// Forget is runtime.Runtime's.
func (r *Instant) Forget(_ context.Context, id, _ string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tasks[id]
	if t == nil || t.State == runtime.Running {
		return nil
	}
	delete(r.tasks, id)
	return r.write("forget", id, 0)
}
