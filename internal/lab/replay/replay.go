// Package replay runs a fleet of one workload in a world, through the production planner.
//
// It owns the run of events, the bill, and the measuring of what became of a fleet. Every decision is production's: fleet/plan decides, fleet/offer narrows the
// market, fleet/breaker bounds, and market remembers what the account went through. It must not know files, or what outcomes are used for. Start reading at Run.
package replay

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/market/model"
)

// Setup is one run.
type Setup struct {
	World    *world.World
	Workload lab.Workload // steady or diurnal
	Policy   string       // one of the lab's, but no bound and none that is for jobs
	Rule     plan.Rule    // for PolicyNeap; "" = plan.Balanced
	Floor    int          // instances that stay on demand
	Types    []string     // that may be used; none = all of the world
	Seed     uint64       // of the instances' fates

	Step        time.Duration // how often prices and the target are looked at; 0 = 5 minutes
	From, Until time.Time     // zero = as the world

	Model    model.Parameters                // of the experience; zero = model.Usual()
	Adjust   func(*plan.Intent)              // changes what is asked for; the target is set after it. nil = nothing
	Progress func(done, total time.Duration) // is called now and then; nil = nobody wants to know
	Note     func(at time.Time, text string) // is told what the breaker holds back; nil = the same
}

const (
	usualStep = 5 * time.Minute // [ours]

	// rounds bounds how often one turn plans again after refusals, and stillComing is when it goes on: both as in production.
	rounds      = 8
	stillComing = 15 * time.Second
)

// Run is what the policy makes of the workload. The same setup gives the same outcome. Time short of the target counts from one boot after the start, because
// nobody serves earlier; money counts from the start.
func Run(ctx context.Context, s Setup) (lab.Outcome, error) {
	r, err := newRun(s)
	if err != nil {
		return lab.Outcome{}, err
	}
	if err := r.all(ctx); err != nil {
		return lab.Outcome{}, err
	}
	return r.outcome(), nil
}

// all takes the run from moment to moment: everything that happens at one is taken in, and then planned for.
func (r *run) all(ctx context.Context) error {
	for at := r.From; at.Before(r.Until); at = r.nextMoment() {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.passTo(at)
		isTick := !at.Before(r.tickAt)
		if isTick {
			r.sweep()
		}
		for r.happenings.due(at) {
			r.takeIn(r.happenings.next())
		}
		isDue := !r.wakeAt.IsZero() && !r.wakeAt.After(at)
		if r.changed || isDue {
			r.turn(r.asked())
		}
		if isTick && r.isTimeToRevert() {
			r.revertedAt = at
			r.turn(r.intent)
		}
	}
	r.passTo(r.Until)
	return nil
}

// nextMoment is when something happens, or somebody looks.
func (r *run) nextMoment() time.Time {
	at := r.tickAt
	if next, is := r.happenings.nextAt(); is && next.Before(at) {
		at = next
	}
	if !r.wakeAt.IsZero() && r.wakeAt.Before(at) {
		at = r.wakeAt
	}
	if at.Before(r.now) {
		at = r.now
	}
	return at
}

// sweep looks at the prices and at the target.
func (r *run) sweep() {
	r.tickAt = r.now.Add(r.Step)
	if r.lookAtPrices() {
		r.changed = true
	}
	r.setTarget()
	if !r.now.Before(r.toldAt.Add(market.HeldEvery)) {
		r.tellHeld()
		r.changed = true // pools grow older, and so safer, by time alone
	}
	if r.Progress != nil {
		r.Progress(r.now.Sub(r.From), r.Until.Sub(r.From))
	}
}

// setTarget counts what the workload wants from now on. The fleet is told of a rise ahead of time, as by a schedule, so that it has booted when it counts.
func (r *run) setTarget() {
	r.books.want(r.Workload.Target(r.now), r.now)
	asked := 0
	for ahead := time.Duration(0); ahead < r.World.Boot+r.Step; ahead += r.Step {
		asked = max(asked, r.Workload.Target(r.now.Add(ahead)))
	}
	if asked != r.intent.Capacity.Target {
		r.intent.Capacity.Target, r.changed = asked, true
	}
}

// turn plans and carries out, as production's does: after a refusal once more at once, because the market has changed.
func (r *run) turn(intent plan.Intent) {
	r.changed = false
	for range rounds {
		decision := r.decide(intent)
		refused, ended := r.act(decision)
		r.wakeAt = decision.Next
		if !refused {
			if ended {
				r.wakeBy(r.now.Add(stillComing))
			}
			r.rest(len(decision.Actions) > 0)
			return
		}
	}
	r.wakeBy(r.now.Add(stillComing))
	r.rest(true)
}

func (r *run) wakeBy(at time.Time) {
	if r.wakeAt.IsZero() || r.wakeAt.After(at) {
		r.wakeAt = at
	}
}

// rest keeps a plan that asks to be woken at once, and again, from holding up the time.
func (r *run) rest(acted bool) {
	if r.wakeAt.After(r.now) || r.wakeAt.IsZero() {
		r.turnsNow = 0
		return
	}
	r.turnsNow++
	if !acted || r.turnsNow > rounds {
		r.wakeAt, r.turnsNow = r.now.Add(time.Second), 0
	}
}
