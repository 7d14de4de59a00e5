package remote

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/runtime"
)

// mark is a place in an output: so many lines lie before it.
type mark struct {
	before int64
	cursor string
}

// trail is what is known of a task's output: places in it, oldest first, the last of which is the end that was reached. Lines have no numbers at the cloud; they are
// counted from the beginning, and what a restart forgets is counted again. Safe for concurrent use.
type trail struct {
	mu    sync.Mutex
	marks []mark
	read  time.Time // when its end was looked at last
}

const (
	mostMarks   = 1000
	eventsAPage = 1000
	mostEvents  = 10_000 // where lines are only counted
)

// end is the furthest place that is known.
func (t *trail) end() mark {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.marks) == 0 {
		return mark{}
	}
	return t.marks[len(t.marks)-1]
}

// from is the nearest known place that has no line behind number after before it.
func (t *trail) from(after int64) mark {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range slices.Backward(t.marks) {
		if m.before <= after {
			return m
		}
	}
	return mark{}
}

// learn takes note of a place that was reached. Of very many, every other one is enough.
func (t *trail) learn(m mark, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.read = now
	if n := len(t.marks); n > 0 && m.before <= t.marks[n-1].before {
		return
	}
	t.marks = append(t.marks, m)
	if len(t.marks) > mostMarks {
		kept := t.marks[:0]
		for i, m := range t.marks {
			if i%2 == 0 || i == len(t.marks)-1 {
				kept = append(kept, m)
			}
		}
		t.marks = kept
	}
}

func (t *trail) lastRead() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.read
}

// page reads on from a place; the same place again is the end for now. Cursors grow old: then the trail begins anew.
func (r *Runtime) page(ctx context.Context, queues cloud.JobQueues, region, output string, t *trail, from mark, events int) ([]runtime.Line, mark, error) {
	page, next, err := queues.JobOutput(ctx, region, output, from.cursor, events)
	if refusal, is := errors.AsType[*cloud.Refusal](err); is && refusal.Kind == cloud.BadRequest && from.cursor != "" {
		t.mu.Lock()
		t.marks = nil
		t.mu.Unlock()
	}
	if err != nil {
		return nil, from, err
	}
	var lines []runtime.Line
	for _, event := range page {
		for _, line := range linesOf(event) {
			from.before++
			line.N = from.before
			lines = append(lines, line)
		}
	}
	from.cursor = next
	t.learn(from, r.Clock.Now())
	return lines, from, nil
}

// Output is runtime.Runtime's. AWS keeps the two streams as one: all is told as stdout.
func (r *Runtime) Output(ctx context.Context, id string, after int64, limit int) ([]runtime.Line, error) {
	d, is, err := r.read(ctx, id)
	if err != nil || !is || d.State == stateAsked {
		return nil, err
	}
	output := d.Value.Output
	if d.State == statePut {
		if output = r.view(id).job().Output; output == "" {
			if err := r.look(ctx, []doc{d}, every); err != nil {
				return nil, err
			}
			output = r.view(id).job().Output
		}
	}
	if output == "" || limit <= 0 {
		return nil, nil
	}
	queues, _, err := r.queues(ctx, d.Account)
	if err != nil {
		return nil, err
	}
	t := r.view(id).trail
	var lines []runtime.Line
	for at := t.from(after); len(lines) < limit; {
		part, next, err := r.page(ctx, queues, d.Value.Region, output, t, at, int(min(int64(limit-len(lines))+max(0, after-at.before), mostEvents)))
		if err != nil {
			return nil, asked("read what task "+id+" wrote", err)
		}
		for _, line := range part {
			if line.N > after && len(lines) < limit {
				lines = append(lines, line)
			}
		}
		if next.cursor == at.cursor {
			break
		}
		at = next
	}
	return lines, nil
}
