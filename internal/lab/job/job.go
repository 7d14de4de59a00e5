// Package job runs work that ends in a world: jobs with a deadline, one instance each, and elastic batches of tasks.
//
// It owns the run of such work, its bill, and the published policies that the production rule is measured against. Where a job of PolicyNeap runs is decided by
// fleet/plan/deadline alone. It must not know files or how outcomes are shown. Start reading at Run.
package job

import (
	"context"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// look is how often the market is looked at, beside every moment at which something is lost: the published measurements of availability asked every ten minutes.
const look = 5 * time.Minute

// fewestStarts is how many jobs a run has at least, if the world is long enough for one.
const fewestStarts = 20

// Run is what a policy makes of a workload of deadline jobs or of an elastic batch. The same arguments give the same outcome.
//
// Deadline jobs begin one after another, each when the time of the one before is over; where that gives fewer than 20, they begin at 20 moments spread evenly over
// the world. Each is alone in it: they share no instances and take no capacity from each other. Every policy sees the pools every five minutes and at every
// loss, and knows of them what was seen since the world began.
func Run(ctx context.Context, w *world.World, load lab.Workload, policy string, seed uint64) (lab.Outcome, error) {
	fresh, err := deciders(policy)
	if err != nil {
		return lab.Outcome{}, err
	}
	seen, err := watch(w)
	if err != nil {
		return lab.Outcome{}, err
	}
	b := &books{w: w, demand: seen.demand, Outcome: lab.Outcome{Policy: policy}}
	switch load.Kind {
	case lab.Deadline:
		err = runJobs(ctx, seen, load, fresh, seed, b)
	case lab.Batch:
		err = runBatch(ctx, seen, load, fresh, seed, b)
	default:
		err = fmt.Errorf("%s is no work that ends: deadline jobs and batches are", load)
	}
	if err != nil {
		return lab.Outcome{}, err
	}
	b.sample()
	return b.Outcome, nil
}

// Policies are those that Run knows, the production rule first.
func Policies() []string {
	return []string{lab.PolicyNeap, lab.PolicyUniformProgress, lab.PolicyLowestPrice, lab.PolicyOnDemand}
}

// decider says where one job runs. It may remember what it said of the same job before.
type decider func(deadline.Job, deadline.Where, deadline.Market, time.Time) deadline.Decision

// deciders gives each job its own decider.
func deciders(policy string) (func() decider, error) {
	switch policy {
	case lab.PolicyNeap:
		return func() decider { return deadline.Decide }, nil
	case lab.PolicyUniformProgress:
		return func() decider { return new(uniform).decide }, nil
	case lab.PolicyLowestPrice:
		return func() decider { return greedy }, nil
	case lab.PolicyOnDemand:
		return func() decider { return always }, nil
	}
	return nil, fmt.Errorf("%q is no policy for jobs: %v are", policy, Policies())
}

// Starts are the moments at which the deadline jobs of a run begin.
func Starts(w *world.World, load lab.Workload) ([]time.Time, error) {
	room := w.Until.Sub(w.From) - load.Within
	if room < 0 {
		return nil, fmt.Errorf("no job of %s fits into the %s of %s", load.Within, w.Until.Sub(w.From), w.Name)
	}
	gap := load.Within
	if room/gap+1 < fewestStarts {
		gap = max(look, (room / (fewestStarts - 1)).Truncate(look))
	}
	var list []time.Time
	for at := w.From; !at.Add(load.Within).After(w.Until); at = at.Add(gap) {
		list = append(list, at)
	}
	return list, nil
}

func runJobs(ctx context.Context, seen *market, load lab.Workload, fresh func() decider, seed uint64, b *books) error {
	begin, err := Starts(seen.w, load)
	if err != nil {
		return err
	}
	fates := &draws{next: seed}
	for _, at := range begin {
		if err := ctx.Err(); err != nil {
			return err
		}
		r := newRun(seen, load, fresh(), fates, b)
		r.job.Began, r.job.Until = at, at.Add(load.Within)
		r.all()
	}
	return nil
}
