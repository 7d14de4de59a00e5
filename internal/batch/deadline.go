package batch

import (
	"context"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	// decideEvery is how often it is decided anew what a job with a deadline waits for.
	decideEvery = 15 * time.Second
	// restart is what a machine takes from its launch until the job goes on in it.
	restart = 2 * time.Minute
)

// decision is what a job with a deadline is to wait for, and why.
type decision struct {
	where   deadline.Kind
	because string
}

// decided follows a decision: the job waits for nothing yet, for a spot machine, or for one on demand.
func decided(m move, on decision, now time.Time) (move, bool, error) {
	r := &m.doc.Value
	if on.where == deadline.Wait {
		r.Until, r.Reason = now.Add(decideEvery), on.because
		return m, true, nil
	}
	m.queue(on.where)
	r.Until = time.Time{}
	return m, true, m.to(Runnable, now, on.because)
}

// queue puts a job into the line for spot, or for on-demand machines.
func (m *move) queue(where deadline.Kind) {
	r := &m.doc.Value
	r.Lane.Queue = capacity.SpotQueue
	if where == deadline.OnDemand {
		r.Lane.Queue = capacity.OnDemandQueue
	}
	m.doc.Parent = line{Lane: r.Lane, how: hosted, low: r.Priority == Low, timed: true, customer: r.Customer}.parent()
}

// decide weighs the market. It reads the store, so it must not be called inside a transaction.
func (d *dispatcher) decide(ctx context.Context, j *Job, now time.Time) (decision, error) {
	if d.c.Market == nil {
		return decision{deadline.OnDemand, "Nothing is known of any spot market."}, nil
	}
	lane := j.Lane
	lane.Queue = capacity.SpotQueue
	market, err := d.c.Market(ctx, lane, j.Resources)
	if err != nil {
		return decision{}, fmt.Errorf("decide what a job with a deadline runs on: %w", err)
	}
	market.Every = 2 * decideEvery
	made := deadline.Decide(deadline.Job{
		Work: j.Expected, Left: j.left(), Began: j.SubmittedAt, Until: j.Deadline, Restart: restart, Checkpoint: j.Checkpoint,
	}, deadline.Where{Kind: deadline.Wait}, market, now)
	return decision{made.Kind, made.Because}, nil
}

// left is the work that is still to do. What was done is kept by jobs with checkpoints alone.
func (j *Job) left() time.Duration {
	left := j.Expected
	for _, a := range j.Attempts {
		if j.Checkpoint && !a.StartedAt.IsZero() {
			left -= a.EndedAt.Sub(a.StartedAt)
		}
	}
	return max(left, time.Second)
}

// hurry moves jobs to on-demand machines whose deadline does not leave time any more to wait for spot.
func (d *dispatcher) hurry(ctx context.Context) error {
	if !d.isDue("hurry", decideEvery) {
		return nil
	}
	now := d.c.Clock.Now().UTC()
	for l := range d.lines {
		if !l.timed || l.Queue != capacity.SpotQueue {
			continue
		}
		for after := ""; ; {
			docs, next, err := jobs.List(ctx, d.c.DB, store.Installation(), store.Query{Parent: l.parent(), Name: l.customer, States: []string{waiting}, Limit: window, After: after})
			if err != nil {
				return err
			}
			for _, doc := range docs {
				if err := d.hurryOne(ctx, doc, now); err != nil {
					if ctx.Err() != nil {
						return err
					}
					d.c.Log.Warn("it cannot be decided what a job with a deadline runs on; it is tried again", "job", doc.ID, "error", err)
				}
			}
			if after = next; after == "" {
				break
			}
		}
	}
	return nil
}

func (d *dispatcher) hurryOne(ctx context.Context, doc document, now time.Time) error {
	on, err := d.decide(ctx, &doc.Value.Job, now)
	if err != nil || on.where != deadline.OnDemand {
		return err
	}
	from := line{Lane: doc.Value.Lane, how: hosted, low: doc.Value.Priority == Low, timed: true, customer: doc.Value.Customer}
	doc, err = d.change(ctx, doc, func(doc document) (move, bool, error) {
		m := move{doc: clone(doc)}
		if doc.State != waiting {
			return m, false, nil
		}
		m.queue(on.where)
		m.doc.Value.Reason = on.because
		m.note(Transition{At: now, From: Runnable, To: Runnable, Because: on.because})
		return m, true, nil
	})
	if err != nil {
		return err
	}
	d.queue(from).reread()
	return d.lineUp(doc)
}
