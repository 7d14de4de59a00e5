package batch

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
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
	// forgetEvery is how often it is looked who of the customers is gone, in wall time.
	forgetEvery = time.Second
)

// queue is the front of a line, as far as it was read.
type queue struct {
	line
	pool string     // its line's
	as   order.Line // its line, for the order
	docs []document
	more bool // there may be others behind these
	// head is the first of docs since passed, the time when it found no room for the first time; "" = it has not been tried.
	head   string
	passed time.Time
	asked  bool // whether head can ever have a machine
}

func (d *dispatcher) queue(l line) *queue {
	q := d.lines[l]
	if q == nil {
		q = &queue{line: l, pool: l.pool(), as: l.ordered()}
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
		pools[q.pool] = append(pools[q.pool], q)
	}
	d.forgetCustomers()
	for _, t := range d.lanes {
		t.waits = nil
	}
	rooms, now := d.rooms(pools), d.c.Clock.Now().UTC()
	for pool, queues := range pools {
		c := &choice{
			d: d, order: d.order(pool), room: rooms[pool], now: now,
			next: make([]int, len(queues)), closed: map[capacity.Lane]bool{}, small: map[capacity.Lane]runtime.Resources{},
		}
		if err := c.fill(ctx, queues); err != nil {
			return err
		}
	}
	return nil
}

// forgetCustomers closes the accounts of those who have nothing more to do with the order.
func (d *dispatcher) forgetCustomers() {
	if !d.isDue("customers", forgetEvery) {
		return
	}
	type customer struct {
		pool, name string
		low        bool
	}
	waits := make(map[customer]bool, len(d.lines))
	for _, q := range d.lines {
		waits[customer{q.pool, q.as.Customer, q.as.Low}] = true
	}
	for pool, o := range d.orders {
		o.Forget(func(name string, low bool) bool { return waits[customer{pool, name, low}] })
	}
}

// rooms are what pools have left.
func (d *dispatcher) rooms(pools map[string][]*queue) map[string]*room {
	rooms := make(map[string]*room, len(pools))
	for pool := range pools {
		rooms[pool] = &room{attempts: underWay}
		if pool == hosted {
			rooms[pool] = d.hostedRoom()
		}
	}
	for _, run := range d.active {
		if r := rooms[run.pool]; r != nil {
			r.attempts--
			r.take(run.needs)
		}
	}
	return rooms
}

// hostedRoom is what this machine lends to hosted tasks, as long as none of them runs.
func (d *dispatcher) hostedRoom() *room {
	return &room{of: d.c.Room, left: d.c.Room, attempts: 1 << 30}
}

// room is what a pool has left, in attempts under way and in resources.
type room struct {
	of, left runtime.Resources // a member of of that is zero is not limited
	attempts int
}

// holds reports whether a task finds room.
func (r *room) holds(needs runtime.Resources) bool {
	return r.attempts > 0 && (r.of.MilliCPU == 0 || needs.MilliCPU <= r.left.MilliCPU) &&
		(r.of.MemoryMiB == 0 || needs.MemoryMiB <= r.left.MemoryMiB) && (r.of.GPUs == 0 || needs.GPUs <= r.left.GPUs)
}

// isFull reports whether not even the smallest task finds room.
func (r *room) isFull() bool {
	return !r.holds(runtime.Resources{MilliCPU: 1, MemoryMiB: 1})
}

func (r *room) take(needs runtime.Resources) { r.left = minus(r.left, needs) }

func minus(a, b runtime.Resources) runtime.Resources {
	return runtime.Resources{MilliCPU: a.MilliCPU - b.MilliCPU, MemoryMiB: a.MemoryMiB - b.MemoryMiB, GPUs: a.GPUs - b.GPUs}
}

// choice is one round of giving turns in a pool.
type choice struct {
	d      *dispatcher
	order  *order.Order
	room   *room
	now    time.Time
	round  *order.Round
	next   []int                               // by the place of a queue: which of its jobs is to be tried
	closed map[capacity.Lane]bool              // somebody waits for a machine for so long that nobody goes past
	small  map[capacity.Lane]runtime.Resources // what found no machine last: nothing larger will
	full   bool                                // somebody waits for so long that nobody goes past at all
	picked []*pick
}

// pick is a job that gets its turn.
type pick struct {
	q    *queue
	doc  document
	host *host // nil = the runtime finds one
	rt   runtime.Runtime
	why  string // it can never run; then there is no rt
}

// fill gives as many turns as there is room for, and writes them down.
func (c *choice) fill(ctx context.Context, queues []*queue) error {
	c.round = c.order.Round(c.now)
	for at := range queues {
		c.join(queues, at)
	}
	for len(c.picked) < chunk && !c.full && !c.room.isFull() {
		w, passed, ok := c.round.Next()
		if !ok {
			break
		}
		q := queues[w.Place]
		goesOn, err := c.try(ctx, q, q.docs[c.next[w.Place]], c.next[w.Place] == 0, passed)
		if err != nil {
			return err
		}
		if goesOn {
			c.next[w.Place]++
			c.join(queues, w.Place)
		}
	}
	if len(c.picked) == 0 {
		return nil
	}
	taken := map[string]bool{}
	for _, p := range c.picked {
		taken[p.doc.ID] = true
	}
	for at, q := range queues {
		if c.next[at] == 0 {
			continue
		}
		q.docs = slices.DeleteFunc(q.docs, func(doc document) bool { return taken[doc.ID] })
		q.more = q.more || len(q.docs) == 0
	}
	c.d.desk.ring() // there may be room for more
	return c.write(ctx, queues)
}

// join lets the next job of a queue wait for its turn.
func (c *choice) join(queues []*queue, at int) {
	if q := queues[at]; c.next[at] < len(q.docs) {
		doc := &q.docs[c.next[at]]
		c.round.Join(order.Waiter{Line: q.as, Since: doc.At, CPU: doc.Value.Resources.MilliCPU, Place: at})
	}
}

// try finds room for a job of a queue; goesOn says that those behind it may be tried too.
func (c *choice) try(ctx context.Context, q *queue, doc document, isHead, passed bool) (goesOn bool, err error) {
	needs := doc.Value.Resources
	waits := time.Duration(0)
	if isHead {
		waits = q.waits(doc.ID, c.now)
	}
	p := &pick{q: q, doc: doc}
	if waits > standBack && !q.asked { // before it stops the others: can it ever be?
		q.asked = true
		if p.why, err = c.d.tooLarge(ctx, q, needs); err != nil {
			return false, err
		}
	}
	switch {
	case p.why != "":
		return c.pick(p, passed), nil
	case !c.room.holds(needs):
		c.full = waits > standBack
		return false, nil
	}
	if q.how == hosted {
		if p.host = c.fit(q.Lane, needs); p.host == nil {
			c.d.lane(q.Lane).waits = append(c.d.lane(q.Lane).waits, needs)
			c.closed[q.Lane] = c.closed[q.Lane] || waits > standBack
			c.room.take(needs)
			return true, nil
		}
	}
	if p.rt, p.why, err = c.d.choose(ctx, q.line, specOf(q.line, doc.Value.Submission, taskID(doc.ID, len(doc.Value.Attempts)+1))); err != nil {
		if ctx.Err() != nil {
			return false, err
		}
		c.d.c.Log.Warn("a runtime does not answer; the job waits", "job", doc.ID, "error", err)
		return false, nil // other queues may have a runtime that does
	}
	return c.pick(p, passed), nil
}

// fit finds a machine for a task.
func (c *choice) fit(l capacity.Lane, needs runtime.Resources) *host {
	if small, is := c.small[l]; c.closed[l] || is && covers(needs, small) {
		return nil
	}
	h := c.d.fit(l, needs)
	if h == nil {
		c.small[l] = needs
	}
	return h
}

func covers(a, b runtime.Resources) bool {
	return a.MilliCPU >= b.MilliCPU && a.MemoryMiB >= b.MemoryMiB && a.GPUs >= b.GPUs
}

// pick gives a job its turn.
func (c *choice) pick(p *pick, passed bool) bool {
	p.q.head = ""
	c.picked = append(c.picked, p)
	if p.rt != nil {
		needs := p.doc.Value.Resources
		c.room.take(needs)
		c.room.attempts--
		c.order.Began(p.q.as, needs.MilliCPU, passed)
		p.host.take(needs)
	}
	return true
}

// waits is for how long a job at the head of the queue has been passed over.
func (q *queue) waits(id string, now time.Time) time.Duration {
	if q.head != id {
		q.head, q.passed, q.asked = id, now, false
	}
	return now.Sub(q.passed)
}

// tooLarge says why a job can never have a machine any more, although it could when it was submitted: its queue has changed, or what this machine lends. "" = it can.
func (d *dispatcher) tooLarge(ctx context.Context, q *queue, needs runtime.Resources) (string, error) {
	if q.how != hosted {
		return "", nil
	}
	if !d.hostedRoom().holds(needs) {
		return "It needs more than this machine lends to all jobs together.", nil
	}
	why, err := refusal(d.c.Capacity.Fits(ctx, q.Lane, needs))
	if err != nil && ctx.Err() == nil {
		d.c.Log.Warn("it cannot be told whether a job will ever find a machine", "queue", q.Queue, "region", q.Region, "error", err)
		return "", nil
	}
	return why, err
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
			c.order.Ended(p.q.as, p.doc.Value.Resources.MilliCPU)
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
		a.Group, a.Part = instance.GroupOf(taskID(p.doc.ID, a.N)), whole
	}
	if h := p.host; h != nil {
		a.Host, a.Type, a.Zone, a.Group, a.Part = h.ID, h.Type, h.Zone, h.Group, part(job.Resources, h.Has)
		because = fmt.Sprintf("It takes room on %s (%s %s in %s).", h.ID, h.Lifecycle, h.Type, h.Zone)
	}
	job.Attempts = append(job.Attempts, a)
	return m, m.to(Starting, c.now, because)
}

// part is which part of a machine a task asks for: the mean over what the machine has, so that the parts of tasks that fit on it together never exceed the whole.
func part(needs, has runtime.Resources) int64 {
	var sum, n int64
	for _, r := range [][2]int64{{needs.MilliCPU, has.MilliCPU}, {needs.MemoryMiB, has.MemoryMiB}, {needs.GPUs, has.GPUs}} {
		if r[1] > 0 {
			sum, n = sum+product(whole, min(r[0], r[1]), r[1]), n+1
		}
	}
	if n == 0 {
		return 0
	}
	return sum / n
}

// product is a × b ÷ c, rounded down, for numbers that are not negative, where c is not smaller than one of the others.
func product(a, b, c int64) int64 {
	high, low := bits.Mul64(uint64(a), uint64(b))
	quotient, _ := bits.Div64(high, low, uint64(c))
	return int64(quotient)
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

// refused takes back attempts that their runtime did not take. Those that cannot be written down now are left for later.
func (d *dispatcher) refused(ctx context.Context, failed map[string]error) error {
	var errs []error
	for task, cause := range failed {
		r := d.active[task]
		if r == nil {
			continue
		}
		now := d.c.Clock.Now().UTC()
		doc, err := d.change(ctx, r.doc, func(doc document) (move, bool, error) { return turnedAway(doc, cause, now) })
		if err != nil {
			d.desk.failedToBegin(task, cause)
			errs = append(errs, err)
			continue
		}
		d.settled(ctx, r, doc)
	}
	return errors.Join(errs...)
}
