package batch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/batch/instance"
	"github.com/neap-cloud/neap/internal/batch/order"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// How often the dispatcher does what nothing reminds it of, in wall time.
const (
	tick       = 250 * time.Millisecond
	lookEvery  = 500 * time.Millisecond // at machines
	sweepEvery = 20 * time.Second       // over all tasks, in case that a runtime did not tell
	shareEvery = 500 * time.Millisecond // at what other replicas have done
	heldEvery  = 5 * time.Second        // at jobs that other replicas hold back
	wantEvery  = 10 * time.Second       // that a lane's needs are told again
	retryAfter = time.Second
)

// chunk is how many jobs are moved in one transaction.
const chunk = 256

// stopGrace is how long a cancelled task has to end by itself.
const stopGrace = 10 * time.Second

// dispatcher moves jobs along. One goroutine owns it, on every replica: each settles the tasks of its own machine, and the one that leads begins attempts, keeps the
// machines and settles what runs elsewhere. All that it knows is in the store too, so that it can be lost at any line.
type dispatcher struct {
	*Batch
	leading bool
	active  map[string]*run // by task
	lines   map[line]*queue
	holds   map[string]time.Time
	hosts   map[string]*host
	ofLane  map[capacity.Lane][]*host
	others  map[string]elsewhere    // by task: what other replicas have begun and run on
	orders  map[string]*order.Order // by pool
	lanes   map[capacity.Lane]*told
	starts  chan struct{} // so many may be under way
	due     map[string]time.Time
}

// run is an attempt that goes on.
type run struct {
	doc      document
	task     string
	runtime  runtime.Runtime
	line     line
	pool     string // its line's
	host     string
	needs    runtime.Resources
	starting bool // its runtime is being asked to begin it
	why      stop
	machine  *instance.Machine // of a task that is one, once it is known
	stopped  bool              // it was asked to end
	killed   bool              // and made to
	adopted  bool              // it was begun before this dispatcher was
}

// elsewhere is room that a task of another replica takes.
type elsewhere struct {
	host  string
	needs runtime.Resources
}

func newDispatcher(b *Batch) *dispatcher {
	return &dispatcher{
		Batch: b, active: map[string]*run{}, lines: map[line]*queue{}, holds: map[string]time.Time{}, hosts: map[string]*host{},
		ofLane: map[capacity.Lane][]*host{}, others: map[string]elsewhere{},
		orders: map[string]*order.Order{}, lanes: map[capacity.Lane]*told{}, starts: make(chan struct{}, 64), due: map[string]time.Time{},
	}
}

// lead makes this replica the one that begins attempts, until ctx ends.
func (b *Batch) lead(ctx context.Context) error {
	b.desk.lead(true)
	defer b.desk.lead(false)
	select {
	case <-ctx.Done():
	case <-b.ended:
	}
	return nil
}

// Run is the dispatcher of this process; it works until ctx ends, and is called once, beside the workflow engine.
func (b *Batch) Run(ctx context.Context) {
	defer close(b.ended)
	d := newDispatcher(b)
	for _, rt := range b.all() {
		go b.watch(ctx, rt)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.desk.rung:
		case <-timer.C:
		}
		if err := d.turn(ctx); err != nil && ctx.Err() == nil {
			b.c.Log.Warn("jobs cannot be moved along; it is tried again", "error", err)
			d.due["turn"] = time.Now().Add(retryAfter)
		}
		timer.Reset(tick)
	}
}

// all are the runtimes that there are, each once.
func (b *Batch) all() []runtime.Runtime {
	return slices.Concat(b.runtimes(hosted), b.runtimes(remote), b.runtimes(single))
}

// isDue reports whether something is to be done again, and if so, not before every has passed.
func (d *dispatcher) isDue(what string, every time.Duration) bool {
	now := time.Now()
	if now.Before(d.due[what]) {
		return false
	}
	d.due[what] = now.Add(every)
	return true
}

// turn does everything once. What it could not finish because of the store it does again the next time.
func (d *dispatcher) turn(ctx context.Context) error {
	if time.Now().Before(d.due["turn"]) {
		return nil
	}
	if err := d.role(ctx); err != nil {
		return err
	}
	w := d.desk.take()
	for l := range w.lines {
		d.queue(l).more = true
	}
	maps.Copy(d.holds, w.holds)
	d.begun(ctx, w.begun)
	d.endAgain(ctx, w.stops)
	if err := errors.Join(d.settle(ctx, w), d.halt(ctx, w.halts)); err != nil {
		return err
	}
	if d.isDue("share", shareEvery) {
		if err := d.share(ctx); err != nil {
			return err
		}
	}
	d.sweep(ctx)
	if !d.leading { // who leads finds out by itself
		clear(d.lines)
		clear(d.holds)
		return nil
	}
	if err := d.look(ctx); err != nil {
		return err
	}
	if err := errors.Join(d.release(ctx), d.hurry(ctx)); err != nil {
		return err
	}
	if err := d.begin(ctx); err != nil {
		return err
	}
	return d.want(ctx)
}

// role takes over what this replica is to do, when that has changed.
func (d *dispatcher) role(ctx context.Context) error {
	leads := d.desk.leads()
	if leads == d.leading && d.due["first"] != (time.Time{}) {
		return nil
	}
	if !leads && d.leading {
		fresh := newDispatcher(d.Batch)
		fresh.due = map[string]time.Time{}
		*d = *fresh
	}
	if err := d.resume(ctx, leads); err != nil {
		return err
	}
	d.leading, d.due["first"] = leads, time.Now()
	return nil
}

// resume finds the attempts that go on: those of this machine and, for who leads, those that run nowhere in particular; and then also who waits.
func (d *dispatcher) resume(ctx context.Context, leads bool) error {
	for after := ""; ; {
		docs, next, err := jobs.List(ctx, d.c.DB, store.Installation(), store.Query{States: []string{active, ending}, Limit: chunk, After: after})
		if err != nil {
			return err
		}
		for _, doc := range docs {
			if err := d.adopt(ctx, doc, leads); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			break
		}
	}
	if err := d.orphans(ctx); err != nil {
		return err
	}
	if !leads {
		return nil
	}
	return errors.Join(d.tally(ctx), d.heldBack(ctx))
}

// heldBack finds out who is held back, also by other replicas.
func (d *dispatcher) heldBack(ctx context.Context) error {
	if !d.isDue("held", heldEvery) {
		return nil
	}
	for after := ""; ; {
		docs, next, err := jobs.List(ctx, d.c.DB, store.Installation(), store.Query{States: []string{held}, Limit: chunk, After: after})
		if err != nil {
			return err
		}
		for _, doc := range docs {
			d.holds[doc.ID] = doc.Value.Until
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// adopt takes an attempt up that was begun before. Its runtime is asked to begin it again, which does nothing where it was begun already.
func (d *dispatcher) adopt(ctx context.Context, doc document, leads bool) error {
	a := doc.Value.last()
	task := taskID(doc.ID, a.N)
	if d.active[task] != nil {
		return nil
	}
	l, err := lineOf(doc.Parent, doc.Name)
	if err != nil {
		return err
	}
	rt := d.named(a.Runtime)
	if rt == nil {
		d.c.Log.Error("an attempt runs on a runtime that this Neap does not have", "job", doc.ID, "attempt", a.N, "runtime", a.Runtime)
		return nil
	}
	if rt.Info().Local && a.Machine != d.c.Machine {
		d.others[task] = elsewhere{host: a.Host, needs: doc.Value.Resources}
		return nil
	}
	if !rt.Info().Local && !leads {
		return nil
	}
	r := d.note(doc, rt, l)
	d.order(r.pool).Resumed(l.ordered(), r.needs.MilliCPU)
	if r.adopted = true; doc.State == ending {
		go d.observe(ctx, rt, []string{r.task}, true)
		d.end(ctx, r, stop{}, stopGrace)
		return nil
	}
	if err := d.start(ctx, r); err != nil { // it may have been begun before that went wrong
		d.c.Log.Error("an attempt cannot be begun again", "job", doc.ID, "attempt", a.N, "error", err)
		go d.observe(ctx, rt, []string{r.task}, true)
	}
	return nil
}

// note puts an attempt on the books.
func (d *dispatcher) note(doc document, rt runtime.Runtime, l line) *run {
	a := doc.Value.last()
	r := &run{doc: doc, task: taskID(doc.ID, a.N), runtime: rt, line: l, pool: l.pool(), needs: doc.Value.Resources}
	if l.how == hosted {
		r.host = a.Host
	}
	d.active[r.task] = r
	d.owners.Store(r.task, doc.Account)
	return r
}

// leave takes a run off the books.
func (d *dispatcher) leave(r *run) {
	delete(d.active, r.task)
	d.owners.Delete(r.task)
	d.order(r.pool).Ended(r.line.ordered(), r.needs.MilliCPU)
	d.hosts[r.host].take(minus(runtime.Resources{}, r.needs))
}

func (d *dispatcher) order(pool string) *order.Order {
	o := d.orders[pool]
	if o == nil {
		o = &order.Order{}
		if pool == hosted {
			o.Slots = d.c.Room.MilliCPU
		}
		d.orders[pool] = o
	}
	return o
}

func (d *dispatcher) named(name string) runtime.Runtime {
	for _, rt := range d.all() {
		if rt.Info().Name == name {
			return rt
		}
	}
	return nil
}

// taskID names an attempt to its runtime.
func taskID(job string, attempt int) string { return fmt.Sprintf("%s.%d", job, attempt) }

// jobOf reads what taskID wrote.
func jobOf(task string) (job string, attempt int) {
	at := strings.LastIndexByte(task, '.')
	if at < 0 {
		return task, 0
	}
	attempt, err := strconv.Atoi(task[at+1:])
	if err != nil {
		return task, 0
	}
	return task[:at], attempt
}

// share looks at what other replicas have done: who has joined a line, what was ended. Alone on the database there is nobody else, but a look now and then costs little.
func (d *dispatcher) share(ctx context.Context) error {
	if d.c.DB.Driver() != "postgres" && !d.isDue("alone", sweepEvery) {
		return nil
	}
	docs, _, err := jobs.List(ctx, d.c.DB, store.Installation(), store.Query{States: []string{ending}, Limit: chunk})
	if err != nil {
		return err
	}
	var halts []string
	for _, doc := range docs {
		if r := d.active[taskID(doc.ID, doc.Value.last().N)]; r != nil && !r.stopped {
			halts = append(halts, doc.ID)
		}
	}
	if err := d.halt(ctx, halts); err != nil || !d.leading {
		return err
	}
	return errors.Join(d.tally(ctx), d.heldBack(ctx), d.bury(ctx))
}

// tally finds out who waits.
func (d *dispatcher) tally(ctx context.Context) error {
	tallies, err := jobs.Tallies(ctx, d.c.DB, store.Installation(), store.Query{States: []string{waiting}})
	if err != nil {
		return err
	}
	for _, t := range tallies {
		l, err := lineOf(t.Parent, t.Name)
		if err != nil {
			return err
		}
		d.queue(l).more = true
	}
	return nil
}

// halt stops the attempts of jobs that came to their end meanwhile.
func (d *dispatcher) halt(ctx context.Context, ids []string) error {
	for some := range slices.Chunk(ids, chunk) {
		docs, _, err := jobs.List(ctx, d.c.DB, store.Installation(), store.Query{IDs: some})
		if err != nil {
			return err
		}
		for _, doc := range docs {
			a := doc.Value.last()
			if a == nil {
				continue
			}
			r := d.active[taskID(doc.ID, a.N)]
			if r == nil || doc.State != ending {
				continue
			}
			r.doc = doc
			d.end(ctx, r, stop{}, stopGrace)
		}
	}
	return nil
}

// end has a task stopped, and remembers why. A runtime that cannot do that now is asked again, and keeps nobody else from moving along.
func (d *dispatcher) end(ctx context.Context, r *run, why stop, grace time.Duration) {
	if why.outcome != "" {
		r.why = why
	}
	r.stopped = true
	if err := r.runtime.Stop(ctx, r.task, grace); err != nil && ctx.Err() == nil {
		d.c.Log.Warn("a runtime cannot stop a task now; it is asked again", "task", r.task, "runtime", r.runtime.Info().Name, "error", err)
		time.AfterFunc(retryAfter, func() { d.desk.stopAgain(r.task, grace) })
	}
}

// endAgain stops tasks that could not be stopped before.
func (d *dispatcher) endAgain(ctx context.Context, tasks map[string]time.Duration) {
	for task, grace := range tasks {
		if r := d.active[task]; r != nil {
			d.end(ctx, r, stop{}, grace)
		}
	}
}

// begun notes that runtimes have tasks. One whose job was ended meanwhile is ended now.
func (d *dispatcher) begun(ctx context.Context, tasks []string) {
	for _, task := range tasks {
		r := d.active[task]
		if r == nil {
			continue
		}
		if r.starting = false; r.adopted { // what happened to it before is not told by itself
			go d.observe(ctx, r.runtime, []string{task}, true)
		}
		if r.stopped {
			d.end(ctx, r, stop{}, 0)
		}
	}
}

// sweep asks every runtime how its tasks stand, in case that it did not tell.
func (d *dispatcher) sweep(ctx context.Context) {
	if !d.isDue("sweep", sweepEvery) {
		return
	}
	by := map[string][]string{}
	for _, r := range d.active {
		if !r.starting {
			by[r.runtime.Info().Name] = append(by[r.runtime.Info().Name], r.task)
		}
	}
	for name, tasks := range by {
		rt := d.named(name)
		go d.observe(ctx, rt, tasks, true)
	}
}

// settle writes down what became of tasks.
func (d *dispatcher) settle(ctx context.Context, w word) error {
	if err := d.refused(ctx, w.failed); err != nil {
		d.desk.saw(slices.Collect(maps.Values(w.seen)))
		return err
	}
	tasks := slices.Sorted(maps.Keys(w.seen))
	for i := 0; i < len(tasks); i += chunk {
		some := tasks[i:min(i+chunk, len(tasks))]
		if err := d.settleSome(ctx, some, w.seen); err != nil {
			var rest []runtime.Task
			for _, task := range tasks[i:] {
				rest = append(rest, w.seen[task])
			}
			d.desk.saw(rest)
			return err
		}
	}
	return nil
}

func (d *dispatcher) settleSome(ctx context.Context, tasks []string, seen map[string]runtime.Task) error {
	now := d.c.Clock.Now().UTC()
	written := map[*run]document{}
	if err := d.machines(ctx, tasks, seen); err != nil {
		return err
	}
	err := d.c.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		clear(written)
		var lines []store.Record[Transition]
		for _, task := range tasks {
			r := d.active[task]
			if r == nil {
				continue
			}
			doc, told, err := rewrite(ctx, tx, r.doc, func(doc document) (move, bool, error) {
				return judged(doc, sighting{seen[task], r.why, r.machine}, now)
			})
			if err != nil {
				return err
			}
			written[r], lines = doc, append(lines, told...)
		}
		return history.Append(ctx, tx, lines...)
	})
	if err != nil {
		return err
	}
	for _, task := range tasks {
		if r := d.active[task]; r != nil {
			d.settled(ctx, r, written[r])
		}
	}
	return nil
}

// machines finds out which instances tasks have that are one.
func (d *dispatcher) machines(ctx context.Context, tasks []string, seen map[string]runtime.Task) error {
	for _, task := range tasks {
		r := d.active[task]
		if r == nil || r.line.how != single || r.machine != nil || seen[task].Instance == "" {
			continue
		}
		m, known, err := d.c.Instances.MachineOf(ctx, task)
		if err != nil {
			return err
		}
		if known {
			r.machine = &m
		}
	}
	return nil
}

// settled follows up on what was written.
func (d *dispatcher) settled(ctx context.Context, r *run, doc document) {
	r.doc = doc
	a := doc.Value.last()
	if a == nil || a.Outcome == "" || taskID(doc.ID, a.N) != r.task {
		if doc.State == ending && !r.stopped {
			d.desk.halt(doc.ID)
		}
		return
	}
	d.leave(r)
	d.c.Meter.Ended(a.Outcome)
	if err := d.lineUp(doc); err != nil {
		d.c.Log.Error("a job cannot be put back in line", "job", doc.ID, "error", err)
	}
	checkpoint := ""
	if doc.State == done {
		d.c.Output.Book.Wake(doc.ID)
		checkpoint = doc.Value.checkpoint(doc.ID)
	}
	d.forget(ctx, r, checkpoint)
}

// forget lets a runtime drop what it keeps of a task. If that fails it keeps it for some days, and drops it then.
func (d *dispatcher) forget(ctx context.Context, r *run, checkpoint string) {
	if err := r.runtime.Forget(ctx, r.task, checkpoint); err != nil && ctx.Err() == nil {
		d.c.Log.LogAttrs(ctx, slog.LevelWarn, "a runtime cannot forget a task", slog.String("task", r.task), slog.Any("error", err))
	}
}

// checkpoint names a job's checkpoint folder; "" = it has none.
func (j *Job) checkpoint(id string) string {
	if !j.Checkpoint {
		return ""
	}
	return id
}
