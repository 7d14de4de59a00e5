package job

import (
	"container/heap"
	"context"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// patience is how much longer than it runs a task of a batch may take: that makes it a job with a deadline [ours].
const patience = 6 * time.Hour

// task is one of a batch.
type task struct {
	job    deadline.Job
	decide decider
}

// worker is an instance that does one task after another until none is left.
type worker struct {
	stay
	fate  world.Fate
	task  task
	began time.Time // of work on the task, or of the restart before it
}

// done is when the worker has done its task, if nothing comes between.
func (w *worker) done() time.Time { return later(w.began, w.works).Add(w.task.job.Left) }

func (w *worker) isLost() bool { return !w.fate.End.IsZero() && w.fate.End.Before(w.done()) }

// end is when the worker is done with its task or lost.
func (w *worker) end() time.Time {
	if w.isLost() {
		return w.fate.End
	}
	return w.done()
}

// crew are the workers, the one that ends first in front.
type crew []*worker

func (c crew) Len() int           { return len(c) }
func (c crew) Less(a, b int) bool { return c[a].end().Before(c[b].end()) }
func (c crew) Swap(a, b int)      { c[a], c[b] = c[b], c[a] }
func (c *crew) Push(w any)        { *c = append(*c, w.(*worker)) }
func (c *crew) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// batch is a batch on its way: tasks arrive evenly and wait in the order of their arrival; as many run at a time as the workload allows.
type batch struct {
	seen   *market
	load   lab.Workload
	draws  *draws
	books  *books
	fresh  func() decider
	queue  []task
	crew   crew
	market deadline.Market
}

// runBatch runs a batch. A worker that has finished takes the next task without a restart, if the policy would start that on spot and the worker is, or on demand and
// the worker is. Tasks arrive as long as the world leaves time for one.
func runBatch(ctx context.Context, seen *market, load lab.Workload, fresh func() decider, seed uint64, b *books) error {
	within := load.Work + patience
	if seen.w.From.Add(within).After(seen.w.Until) {
		return fmt.Errorf("no task of %s, and %s to wait, fits into %s", load.Work, patience, seen.w.Name)
	}
	r := &batch{seen: seen, load: load, draws: &draws{next: seed}, books: b, fresh: fresh}
	arrival := func(n int) time.Time {
		return seen.w.From.Add(time.Duration(n) * time.Hour / time.Duration(load.PerHour)).Truncate(time.Second)
	}
	now, come := seen.w.From, 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.finish(now)
		for ; !arrival(come).After(now) && !arrival(come).Add(within).After(seen.w.Until); come++ {
			r.queue = append(r.queue, r.task(arrival(come)))
		}
		r.place(now)
		next := arrival(come)
		if next.Add(within).After(seen.w.Until) {
			if len(r.queue)+len(r.crew) == 0 {
				return nil
			}
			next = seen.next(now)
		}
		if len(r.queue) > 0 && seen.next(now).Before(next) {
			next = seen.next(now)
		}
		if len(r.crew) > 0 && r.crew[0].end().Before(next) {
			next = r.crew[0].end()
		}
		now = next
	}
}

func (r *batch) task(at time.Time) task {
	return task{decide: r.fresh(), job: deadline.Job{
		Work: r.load.Work, Left: r.load.Work, Began: at, Until: at.Add(r.load.Work + patience),
		Restart: max(r.load.Restart, r.seen.w.Boot), Checkpoint: r.load.Checkpoint,
	}}
}

// finish takes in what is done and what is lost by now.
func (r *batch) finish(now time.Time) {
	for len(r.crew) > 0 && !r.crew[0].end().After(now) {
		w := heap.Pop(&r.crew).(*worker)
		if w.isLost() {
			r.lose(w, now)
			continue
		}
		r.books.done(w.task.job, now)
		if len(r.queue) == 0 {
			r.leave(w, now)
			continue
		}
		r.seen.at(now, &r.market)
		if r.where(now).Kind == w.Kind {
			w.task, w.began, r.queue = r.queue[0], now, r.queue[1:]
			heap.Push(&r.crew, w)
			continue
		}
		r.leave(w, now)
	}
}

// lose puts the task of a lost worker back in front.
func (r *batch) lose(w *worker, now time.Time) {
	r.books.Forced++
	if started := later(w.began, w.works); r.load.Checkpoint && now.After(started) {
		w.task.job.Left -= now.Sub(started)
	}
	r.queue = append([]task{w.task}, r.queue...)
	r.leave(w, now)
}

func (r *batch) leave(w *worker, now time.Time) {
	w.Until = now
	r.books.ended(w.stay)
}

// place launches workers for waiting tasks, oldest first, until the policy would rather wait. A task for which a worker will be free before a new one would have
// started is left to that one.
func (r *batch) place(now time.Time) {
	launches := min(len(r.queue)-r.freeSoon(now), r.load.Most-len(r.crew))
	if launches <= 0 {
		return
	}
	r.seen.at(now, &r.market)
	for range launches {
		where := r.where(now)
		if where.Kind == deadline.Wait {
			return
		}
		t := r.queue[0]
		r.queue = r.queue[1:]
		w := &worker{task: t, began: now, stay: stay{Where: where, Span: world.Span{From: now}, works: now.Add(t.job.Restart)}}
		if where.Kind == deadline.Spot {
			w.fate = r.draws.fate(&r.seen.w.Pools[where.Pool], now)
		}
		heap.Push(&r.crew, w)
	}
}

// where is the place for the first task of the queue. A queue of several rounds makes it so much more urgent, so that the last one is in time.
func (r *batch) where(now time.Time) deadline.Where {
	t := r.queue[0]
	rounds := time.Duration((len(r.queue) - 1) / r.load.Most)
	t.job.Until = t.job.Until.Add(-rounds * (t.job.Work + t.job.Restart))
	return t.decide(t.job, deadline.Where{Kind: deadline.Wait}, r.market, now).Where
}

// freeSoon counts the workers that will have done their task before a new one would have started.
func (r *batch) freeSoon(now time.Time) int {
	count := 0
	for _, w := range r.crew {
		if started := now.Add(w.task.job.Restart); !w.done().After(started) {
			count++
		}
	}
	return count
}
