package study

import (
	"context"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/job"
	"github.com/neap-cloud/neap/internal/lab/optimum"
	"github.com/neap-cloud/neap/internal/lab/replay"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// trial is the study in the world of one seed.
type trial struct {
	Study
	load   lab.Workload
	number int // of the seed, from 0
	seed   uint64
	world  *world.World
}

// run gives the outcomes of the policies that were asked for, and hindsight's whether or not it was.
func (t trial) run(ctx context.Context) ([]lab.Outcome, optimum.Result, error) {
	t.tell(0, lab.PolicyHindsight, 0)
	best, err := t.hindsight()
	if err != nil {
		return nil, best, err
	}
	var all []lab.Outcome
	for n, name := range t.Policies {
		if name == lab.PolicyHindsight {
			all = append(all, best.Outcome)
			continue
		}
		o, err := t.policy(ctx, name, func(part float64) { t.tell(n+1, name, part) })
		if err != nil {
			return nil, best, err
		}
		all = append(all, o)
	}
	return all, best, nil
}

// policy runs one.
func (t trial) policy(ctx context.Context, name string, progress func(part float64)) (lab.Outcome, error) {
	progress(0)
	if !isFleet(t.load) {
		return job.Run(ctx, t.world, t.load, name, t.seed)
	}
	return replay.Run(ctx, replay.Setup{
		World: t.world, Workload: t.load, Policy: name, Rule: plan.Rule(t.Rule), Floor: t.Floor, Seed: t.seed, Step: t.Step,
		Progress: func(done, total time.Duration) { progress(float64(done) / float64(total)) },
	})
}

// tell says how far the study is, in units of one run.
func (t trial) tell(run int, what string, part float64) {
	if t.Progress == nil {
		return
	}
	if t.Seeds > 1 {
		what = fmt.Sprintf("%s, seed %d of %d", what, t.number+1, t.Seeds)
	}
	runs := float64(1 + len(t.Policies))
	t.Progress((float64(t.number)*runs+float64(run)+part)/(runs*float64(t.Seeds)), what)
}
