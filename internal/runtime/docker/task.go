package docker

import (
	"context"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
)

// task is one task of this runtime. Whoever keeps it is the only one to move it on; Stop only leaves word in its record.
type task struct {
	dir   string
	lines *lines
	// changed holds a token when word was left.
	changed chan struct{}

	mu     sync.Mutex
	record record
	reason string             // why it waits
	drop   context.CancelFunc // of what can be dropped once it is to end: fetching its image
}

func newTask(dir string, r record) *task {
	return &task{dir: dir, lines: &lines{dir: dir}, changed: make(chan struct{}, 1), record: r}
}

func (t *task) now() record {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.record
}

// change alters the record, on disk first.
func (t *task) change(alter func(*record)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := t.record
	alter(&next)
	if err := next.save(t.dir); err != nil {
		return err
	}
	t.record = next
	return nil
}

func (t *task) view() runtime.Task {
	count := t.lines.count()
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.record
	seen := runtime.Task{ID: r.Spec.ID, State: r.State, Started: r.Started, Ended: r.Ended, Exit: r.Exit, Reason: r.Reason, Lines: count, Limits: "docker"}
	if r.State == "" {
		seen.State = runtime.Starting
	}
	if r.over() {
		seen.Lines = r.Lines
	} else {
		seen.Reason = t.reason
	}
	return seen
}

// because says why it waits; "" = it does not.
func (t *task) because(reason string) (isNews bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	isNews = t.reason != reason
	t.reason = reason
	return isNews
}

// askToEnd leaves word that the task is to be gone by a time; a later one than before changes nothing.
func (t *task) askToEnd(by time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := t.record
	if next.over() || !next.EndBy.IsZero() && !by.Before(next.EndBy) {
		return nil
	}
	next.EndBy = by
	if next.Asked.IsZero() {
		next.Asked = time.Now()
	}
	if err := next.save(t.dir); err != nil {
		return err
	}
	t.record = next
	if t.drop != nil {
		t.drop()
	}
	select {
	case t.changed <- struct{}{}:
	default: // word is waiting already
	}
	return nil
}

// droppable gives a context that ends when the task is to end.
func (t *task) droppable(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop = cancel
	if !t.record.EndBy.IsZero() {
		cancel()
	}
	return ctx, cancel
}
