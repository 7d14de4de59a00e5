package job

import (
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// draws number the instances, so that each has a fate of its own.
type draws struct{ next uint64 }

// fate of the next instance. It lives for a second at least, so that time passes.
func (d *draws) fate(p *world.Pool, at time.Time) world.Fate {
	d.next++
	f := p.Fates.Fate(d.next, at)
	if !f.End.IsZero() {
		f.End = later(f.End, at.Add(time.Second))
	}
	return f
}

// run is one job on its way.
type run struct {
	seen   *market
	decide decider
	draws  *draws
	books  *books

	job    deadline.Job
	at     deadline.Where
	since  time.Time // launch of the instance
	works  time.Time // when it does
	fate   world.Fate
	market deadline.Market
}

func newRun(seen *market, load lab.Workload, decide decider, d *draws, b *books) *run {
	return &run{seen: seen, decide: decide, draws: d, books: b, at: deadline.Where{Kind: deadline.Wait}, job: deadline.Job{
		Work: load.Work, Left: load.Work, Restart: max(load.Restart, seen.w.Boot), Checkpoint: load.Checkpoint,
	}}
}

// all takes the job from its beginning to the end of its work.
func (r *run) all() {
	now := r.job.Began
	for r.job.Left > 0 {
		r.seen.at(now, &r.market)
		r.enter(r.decide(r.job, r.at, r.market, now).Where, now)
		until := r.until(now)
		r.work(now, until)
		now = until
		if r.at.Kind == deadline.Spot && r.job.Left > 0 && r.fate.End.Equal(now) {
			r.books.Forced++
			r.leave(now)
		}
	}
	r.job.Unsaved = 0
	r.leave(now)
	r.books.done(r.job, now)
}

// enter changes place, if a decision says so.
func (r *run) enter(where deadline.Where, now time.Time) {
	if where == r.at {
		return
	}
	if r.at.Kind != deadline.Wait {
		r.books.Voluntary++
		r.leave(now)
	}
	r.at, r.fate = where, world.Fate{}
	if where.Kind == deadline.Wait {
		return
	}
	r.since, r.works = now, now.Add(r.job.Restart)
	if where.Kind == deadline.Spot {
		r.fate = r.draws.fate(&r.seen.w.Pools[where.Pool], now)
	}
}

// until is when something happens next.
func (r *run) until(now time.Time) time.Time {
	next := r.seen.next(now)
	if r.at.Kind == deadline.Wait {
		return next
	}
	if done := later(now, r.works).Add(r.job.Left); done.Before(next) {
		next = done
	}
	if end := r.fate.End; !end.IsZero() && end.Before(next) {
		next = end
	}
	return next
}

// work does what an instance does between two moments.
func (r *run) work(from, until time.Time) {
	if from = later(from, r.works); r.at.Kind == deadline.Wait || !until.After(from) {
		return
	}
	r.job.Left -= until.Sub(from)
	if !r.job.Checkpoint {
		r.job.Unsaved += until.Sub(from)
	}
}

// leave ends the instance, and undoes what was not saved.
func (r *run) leave(now time.Time) {
	if r.at.Kind != deadline.Wait {
		r.books.ended(stay{Where: r.at, Span: world.Span{From: r.since, Until: now}, works: r.works})
	}
	r.at = deadline.Where{Kind: deadline.Wait}
	r.job.Left, r.job.Unsaved = r.job.Left+r.job.Unsaved, 0
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
