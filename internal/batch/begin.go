package batch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/batch/instance"
	"github.com/neap-cloud/neap/internal/batch/order"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	// window is how many jobs of a line are read ahead, and windows how many of all lines together.
	window, windows = 128, 4096
	// underWay is how many jobs of one of a cloud's own queues, or instances, are under way at once.
	underWay = 1000
	// standBack is how long a job waits for room that it never finds before nobody smaller goes past it any more.
	standBack = 2 * time.Minute
)

// queue is the front of a line, as far as it was read.
type queue struct {
	line
	docs []document
	more bool // there may be others behind these
	// head is the first of docs since passed, the time when it found no room for the first time; "" = it has not been tried.
	head   string
	passed time.Time
}

func (d *dispatcher) queue(l line) *queue {
	q := d.lines[l]
	if q == nil {
		q = &queue{line: l}
		d.lines[l] = q
	}
	return q
}

// reread has the front of the line read again: somebody has come who goes before.
func (q *queue) reread() { q.docs, q.more = nil, true }

// fill reads the front of a line.
func (d *dispatcher) fill(ctx context.Context, q *queue) error {
	if len(q.docs) > 0 || !q.more {
		return nil
	}
	limit := max(1, min(window, windows/len(d.lines)))
	docs, next, err := jobs.List(ctx, d.c.DB, store.Installation(), store.Query{Parent: q.parent(), Name: q.customer, States: []string{waiting}, Limit: limit})
	if err != nil {
		return err
	}
	q.docs, q.more = docs, next != ""
	return nil
}

// begin gives jobs their turns, as long as there is room.
func (d *dispatcher) begin(ctx context.Context) error {
	pools := map[string][]*queue{}
	for l, q := range d.lines {
		if err := d.fill(ctx, q); err != nil {
			return err
		}
		if len(q.docs) == 0 {
			delete(d.lines, l)
			continue
		}
		pools[l.pool()] = append(pools[l.pool()], q)
	}
	for _, t := range d.lanes {
		t.waits = nil
	}
	for pool, queues := range pools {
		c := &choice{
			d: d, order: d.order(pool), room: d.room(pool), now: d.c.Clock.Now().UTC(),
			next: map[*queue]int{}, shut: map[*queue]bool{}, closed: map[capacity.Lane]bool{},
		}
		if err := c.fill(ctx, queues); err != nil {
			return err
		}
	}
	return nil
}

// room is what a pool has left, in resources or in attempts under way.
func (d *dispatcher) room(pool string) room {
	r := room{left: d.c.Room, attempts: underWay}
	if pool == hosted {
		r.attempts = 1 << 30
	}
	for _, run := range d.active {
		if run.line.pool() != pool {
			continue
		}
		r.attempts--
		if pool == hosted {
			r.take(d.c.Room, run.needs)
		}
	}
	return r
}

type room struct {
	left     runtime.Resources
	attempts int
}

// holds reports whether a task finds room. What is not limited at all holds everything.
func (r *room) holds(of, needs runtime.Resources) bool {
	return r.attempts > 0 && (of.MilliCPU == 0 || needs.MilliCPU <= r.left.MilliCPU) &&
		(of.MemoryMiB == 0 || needs.MemoryMiB <= r.left.MemoryMiB) && (of.GPUs == 0 || needs.GPUs <= r.left.GPUs)
}

func (r *room) take(of, needs runtime.Resources) {
	r.left = minus(r.left, needs)
}

func minus(a, b runtime.Resources) runtime.Resources {
	return runtime.Resources{MilliCPU: a.MilliCPU - b.MilliCPU, MemoryMiB: a.MemoryMiB - b.MemoryMiB, GPUs: a.GPUs - b.GPUs}
}

// choice is one round of giving turns in a pool.
type choice struct {
	d      *dispatcher
	order  *order.Order
	room   room
	now    time.Time
	next   map[*queue]int         // by queue: which of its jobs is to be tried
	shut   map[*queue]bool        // nobody else of these in this round
	closed map[capacity.Lane]bool // somebody waits for a machine for so long that nobody goes past
	full   bool                   // somebody waits for so long that nobody goes past at all
	picked []*pick
}

// pick is a job that gets its turn.
type pick struct {
	q    *queue
	doc  document
	host *host // nil = the runtime finds one
	run  *run  // once it is written down
	rt   runtime.Runtime
	why  string // it can never run; then there is no rt
}

// fill gives as many turns as there is room for, and writes them down.
func (c *choice) fill(ctx context.Context, queues []*queue) error {
	for len(c.picked) < chunk && !c.full {
		q, passed := c.turn(queues)
		if q == nil {
			break
		}
		if err := c.try(ctx, q, passed); err != nil {
			return err
		}
	}
	if len(c.picked) == 0 {
		return nil
	}
	taken := map[string]bool{}
	for _, p := range c.picked {
		taken[p.doc.ID] = true
	}
	for _, q := range queues {
		q.docs = slices.DeleteFunc(q.docs, func(doc document) bool { return taken[doc.ID] })
		q.more = q.more || len(q.docs) == 0
	}
	c.d.desk.ring() // there may be room for more
	return c.write(ctx, queues)
}

// turn is the queue whose turn it is; passed says that an old LOW job waits.
func (c *choice) turn(queues []*queue) (q *queue, passed bool) {
	var waiters []order.Waiter
	var of []*queue
	for _, q := range queues {
		if c.shut[q] || c.next[q] >= len(q.docs) {
			continue
		}
		doc := q.docs[c.next[q]]
		w := order.Waiter{Line: q.ordered(), Since: doc.At, CPU: doc.Value.Resources.MilliCPU}
		passed = passed || w.Low && c.now.Sub(w.Since) > order.Patience
		waiters, of = append(waiters, w), append(of, q)
	}
	at := c.order.Next(waiters, c.now)
	if at < 0 {
		return nil, passed
	}
	return of[at], passed
}

// try finds room for the next job of a queue.
func (c *choice) try(ctx context.Context, q *queue, passed bool) error {
	doc := q.docs[c.next[q]]
	needs := doc.Value.Resources
	waits := c.waits(q, doc.ID)
	if !c.room.holds(c.d.c.Room, needs) {
		c.shut[q], c.full = true, waits > standBack
		return nil
	}
	p := &pick{q: q, doc: doc}
	if q.how == hosted {
		if !c.closed[q.Lane] {
			p.host = c.d.fit(q.Lane, needs)
		}
		if p.host == nil {
			c.d.lane(q.Lane).waits = append(c.d.lane(q.Lane).waits, needs)
			c.closed[q.Lane] = c.closed[q.Lane] || waits > standBack
			c.room.take(c.d.c.Room, needs)
			c.next[q]++
			return nil
		}
	}
	var err error
	if p.rt, p.why, err = c.d.choose(ctx, q.line, specOf(q.line, doc.Value.Submission, taskID(doc.ID, len(doc.Value.Attempts)+1))); err != nil {
		if ctx.Err() != nil {
			return err
		}
		c.d.c.Log.Warn("a runtime does not answer; the job waits", "job", doc.ID, "error", err)
		c.shut[q] = true // others may have a runtime that does
		return nil
	}
	q.head = ""
	c.next[q]++
	c.picked = append(c.picked, p)
	if p.rt != nil {
		c.room.take(c.d.c.Room, needs)
		c.room.attempts--
		c.order.Began(q.ordered(), needs.MilliCPU, passed)
		p.host.take(needs)
	}
	return nil
}

// waits is for how long the head of a queue has been passed over.
func (c *choice) waits(q *queue, id string) time.Duration {
	if c.next[q] > 0 {
		return 0
	}
	if q.head != id {
		q.head, q.passed = id, c.now
	}
	return c.now.Sub(q.passed)
}

// write makes attempts of what was picked. A job that somebody cancelled in the meantime is left out.
func (c *choice) write(ctx context.Context, queues []*queue) error {
	written := map[*pick]document{}
	err := c.d.c.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		clear(written)
		var lines []store.Record[Transition]
		for _, p := range c.picked {
			m, err := c.attempt(p)
			if err != nil {
				return err
			}
			stored, err := jobs.Update(ctx, tx, m.doc)
			if fault.Is(err, fault.Conflict) {
				continue
			}
			if err != nil {
				return err
			}
			written[p], lines = stored, append(lines, m.lines...)
		}
		return history.Append(ctx, tx, lines...)
	})
	for _, p := range c.picked {
		doc, is := written[p]
		if p.rt == nil {
			continue
		}
		if err != nil || !is {
			c.order.Ended(p.q.ordered(), p.doc.Value.Resources.MilliCPU)
			p.host.take(minus(runtime.Resources{}, p.doc.Value.Resources))
			continue
		}
		r := c.d.note(doc, p.rt, p.q.line)
		if len(doc.Value.Attempts) == 1 {
			c.d.c.Meter.Began(c.now.Sub(doc.Value.SubmittedAt))
		}
		if err := c.d.start(ctx, r); err != nil {
			c.d.desk.failedToBegin(r.task, err)
		}
	}
	if err != nil {
		for _, q := range queues {
			q.reread()
		}
	}
	return err
}

// attempt is a job on its way to its next attempt, or to its end where it can never run.
func (c *choice) attempt(p *pick) (move, error) {
	m := move{doc: clone(p.doc)}
	job := &m.doc.Value.Job
	if p.rt == nil {
		return m, m.to(Failed, c.now, p.why)
	}
	a := Attempt{N: len(job.Attempts) + 1, Runtime: p.rt.Info().Name, At: c.now}
	if p.rt.Info().Local {
		a.Machine = c.d.c.Machine
	}
	because := ""
	if p.q.how == single { // it is known before there is an instance: whatever that costs is the job's, even if nobody saw it run
		a.Group, a.Share = instance.GroupOf(taskID(p.doc.ID, a.N)), 1
	}
	if h := p.host; h != nil {
		a.Host, a.Type, a.Zone, a.Group, a.Share = h.ID, h.Type, h.Zone, h.Group, part(job.Resources, h.Has)
		because = fmt.Sprintf("It takes room on %s (%s %s in %s).", h.ID, h.Lifecycle, h.Type, h.Zone)
	}
	job.Attempts = append(job.Attempts, a)
	return m, m.to(Starting, c.now, because)
}

// part is which part of a machine a task asks for: the mean over what the machine has, so that the parts of tasks that fit on it together never exceed the whole.
func part(needs, has runtime.Resources) float64 {
	sum, n := 0.0, 0
	for _, r := range [][2]int64{{needs.MilliCPU, has.MilliCPU}, {needs.MemoryMiB, has.MemoryMiB}, {needs.GPUs, has.GPUs}} {
		if r[1] > 0 {
			sum, n = sum+float64(r[0])/float64(r[1]), n+1
		}
	}
	if n == 0 {
		return 0
	}
	return min(sum/float64(n), 1)
}

// start has a runtime begin a task, beside everything else. It goes on asking until the runtime has an answer.
func (d *dispatcher) start(ctx context.Context, r *run) error {
	spec, err := d.spec(r)
	if err != nil {
		return err
	}
	r.starting = true
	rt := r.runtime
	go func() {
		d.starts <- struct{}{}
		defer func() { <-d.starts }()
		for ctx.Err() == nil {
			err := rt.Start(ctx, spec)
			if err == nil {
				d.desk.began(spec.ID)
				return
			}
			if why, _ := refusal(err); why != "" {
				d.desk.failedToBegin(spec.ID, err)
				return
			}
			d.c.Log.Warn("a runtime cannot begin a task now; it is asked again", "task", spec.ID, "runtime", rt.Info().Name, "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(retryAfter):
			}
		}
	}()
	return nil
}

// spec is what the runtime of an attempt is asked to begin.
func (d *dispatcher) spec(r *run) (runtime.Spec, error) {
	s, err := d.opened(r.doc)
	if err != nil {
		return runtime.Spec{}, err
	}
	spec := specOf(r.line, s, r.task)
	spec.Place.Host = r.host
	spec.Checkpoint = r.doc.Value.checkpoint(r.doc.ID)
	return spec, nil
}

// refused takes back attempts that their runtime did not take.
func (d *dispatcher) refused(ctx context.Context, failed map[string]error) error {
	for task, cause := range failed {
		r := d.active[task]
		if r == nil {
			continue
		}
		now := d.c.Clock.Now().UTC()
		doc, err := d.change(ctx, r.doc, func(doc document) (move, bool, error) { return turnedAway(doc, cause, now) })
		if err != nil {
			d.desk.failedToBegin(task, cause)
			return err
		}
		d.settled(ctx, r, doc)
	}
	return nil
}
