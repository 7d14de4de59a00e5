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

// end is when the worker is done with its task or lost.
func (w *worker) end() time.Time {
	done := later(w.began, w.works).Add(w.task.job.Left)
	if w.isLost(done) {
		return later(w.began, w.fate.End)
	}
	return done
}

func (w *worker) isLost(done time.Time) bool { return !w.fate.End.IsZero() && w.fate.End.Before(done) }

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

// runBatch runs a batch. A worker that has finished takes the next task without a restart, if the policy would have it run where the worker is. Tasks arrive as
// long as the world leaves time for one.
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
		done := later(w.began, w.works).Add(w.task.job.Left)
		if w.isLost(done) {
			r.lose(w, now)
			continue
		}
		r.books.done(w.task.job, now)
		if len(r.queue) == 0 {
			r.leave(w, now)
			continue
		}
		r.seen.at(now, &r.market)
		if next := r.queue[0]; next.decide(next.job, w.Where, r.market, now).Where == w.Where {
			r.queue = r.queue[1:]
			w.task, w.began = next, now
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

// place launches workers for waiting tasks, oldest first, until the policy would rather wait.
func (r *batch) place(now time.Time) {
	if len(r.queue) > 0 {
		r.seen.at(now, &r.market)
	}
	for len(r.queue) > 0 && len(r.crew) < r.load.Most {
		t := r.queue[0]
		where := t.decide(t.job, deadline.Where{Kind: deadline.Wait}, r.market, now).Where
		if where.Kind == deadline.Wait {
			return
		}
		r.queue = r.queue[1:]
		w := &worker{task: t, began: now, stay: stay{Where: where, Span: world.Span{From: now}, works: now.Add(t.job.Restart)}}
		if where.Kind == deadline.Spot {
			w.fate = r.draws.fate(&r.seen.w.Pools[where.Pool], now)
		}
		heap.Push(&r.crew, w)
	}
}
