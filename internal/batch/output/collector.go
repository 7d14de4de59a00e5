package output

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// Collector copies what tasks write from their runtimes into a book. It is safe for concurrent use, and several may fill one book.
//
// An attempt fills at most Limit bytes. What it writes first is kept as it comes; once that fills seven eighths, nothing is taken any more until the attempt has ended, and then
// its last lines.
type Collector struct {
	Book  *Book
	Limit int64 // bytes of an attempt: its text, and 32 for each line; 0 = 10 MiB

	mu    sync.Mutex
	known map[Ref]*progress
}

const (
	usualBytes = 10 << 20
	readLines  = 500    // of a runtime at a time: at most 8 MB
	remembered = 20_000 // attempts; of others the book is asked again
)

// progress is how far an attempt has been copied.
type progress struct {
	users int // who hold it or wait for it; guarded by the collector

	mu   sync.Mutex
	read bool // that mark was read from the book
	mark mark
	full bool // the beginning has all it may have
}

// Collect copies what is new of a task. final says that the task has ended, for the last call; a task is not to be forgotten by its runtime before that has succeeded.
// It does nothing, and costs nothing, for a task without output.
func (c *Collector) Collect(ctx context.Context, rt runtime.Runtime, task runtime.Task, ref Ref, final bool) error {
	if task.Lines == 0 {
		return nil
	}
	p := c.take(ref)
	p.mu.Lock()
	err := c.copy(ctx, rt, task, ref, p, final)
	p.mu.Unlock()
	c.leave(ref, p, final && err == nil)
	return err
}

func (c *Collector) take(ref Ref) *progress {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[Ref]*progress{}
	}
	p := c.known[ref]
	if p == nil {
		c.makeRoom()
		p = &progress{}
		c.known[ref] = p
	}
	p.users++
	return p
}

// makeRoom forgets some attempt that nobody is at. Which one does not matter, because the book knows.
func (c *Collector) makeRoom() {
	if len(c.known) < remembered {
		return
	}
	for ref, p := range c.known {
		if p.users == 0 {
			delete(c.known, ref)
			return
		}
	}
}

func (c *Collector) leave(ref Ref, p *progress, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.users--; p.users == 0 && over {
		delete(c.known, ref)
	}
}

func (c *Collector) copy(ctx context.Context, rt runtime.Runtime, task runtime.Task, ref Ref, p *progress, final bool) (err error) {
	if !p.read {
		if p.mark, err = newest(ctx, c.Book.DB, ref); err != nil {
			return err
		}
		p.read = true
	}
	limit := cmp.Or(c.Limit, usualBytes)
	tail := limit / 8
	for p.mark.last < task.Lines && !p.mark.ended && !p.full {
		lines, err := rt.Output(ctx, task.ID, p.mark.last, readLines)
		if err != nil {
			return err
		}
		fit := fitting(lines, limit-tail-p.mark.bytes)
		p.full = len(fit) < len(lines)
		before := p.mark.last
		if err := c.write(ctx, ref, p, fit, false); err != nil {
			return err
		}
		if p.mark.last == before { // the runtime has no more of it, whatever it said
			break
		}
	}
	if !final || !p.full || p.mark.ended {
		return nil
	}
	lines, err := lastLines(ctx, rt, task, p.mark.last, tail)
	if err != nil {
		return err
	}
	return c.write(ctx, ref, p, lines, true)
}

// fitting are the first lines that together take no more than so much.
func fitting(lines []runtime.Line, room int64) []runtime.Line {
	for i, l := range lines {
		if room -= weight(l); room < 0 {
			return lines[:i]
		}
	}
	return lines
}

func (c *Collector) write(ctx context.Context, ref Ref, p *progress, lines []runtime.Line, end bool) error {
	if len(lines) == 0 {
		return nil
	}
	var m mark
	err := c.Book.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		m, err = c.Book.append(ctx, tx, ref, lines, end)
		return err
	})
	if err == nil {
		p.mark = m
	}
	return err
}

// lastLines reads a task's output from its end, down to the line behind number after, as much as there is room for.
func lastLines(ctx context.Context, rt runtime.Runtime, task runtime.Task, after, room int64) ([]runtime.Line, error) {
	var kept []runtime.Line // newest first
	for until := task.Lines; until > after && room >= lineBytes; {
		from := max(after, until-readLines)
		lines, err := rt.Output(ctx, task.ID, from, readLines)
		if err != nil {
			return nil, err
		}
		for _, l := range slices.Backward(lines) {
			if l.N > until || l.N <= from {
				continue
			}
			if room -= weight(l); room < 0 {
				break
			}
			kept = append(kept, l)
		}
		room -= readLines // so that even where a runtime has lost most lines, the search comes to its end
		until = from
	}
	slices.Reverse(kept)
	return kept, nil
}
