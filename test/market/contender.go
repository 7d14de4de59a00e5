package main

import (
	"context"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/optimum"
	"github.com/neap-cloud/neap/internal/lab/replay"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/market/model"
	"github.com/neap-cloud/neap/internal/money"
)

// contender is one way to run a fleet.
type contender struct {
	label    string
	policy   string
	rule     plan.Rule
	lifetime time.Duration    // that instances are to last
	returns  bool             // to spot, whatever the rule says of that
	model    model.Parameters // zero = as the engine has them
	minutes  money.Amount     // of list price that an interruption is worth to hindsight
}

// fleet is the workload of every comparison.
func fleet() lab.Workload { return lab.Workload{Kind: lab.Steady, Least: 20, Most: 20} }

// rules of our own policy, from the cheapest on.
func rules() []plan.Rule {
	return []plan.Rule{plan.Cheapest, plan.CostOriented, plan.Balanced, plan.AvailabilityOriented}
}

func ours(rule plan.Rule) contender {
	return contender{label: "neap " + string(rule), policy: lab.PolicyNeap, rule: rule}
}

func lasting(rule plan.Rule, hours int) contender {
	c := ours(rule)
	c.label, c.lifetime = fmt.Sprintf("%s, to last %d h", c.label, hours), time.Duration(hours)*time.Hour
	return c
}

// returning goes back to spot always, as a group may ask for under a rule that would not.
func returning(rule plan.Rule, hours int) contender {
	c := ours(rule)
	c.label += ", back to spot always"
	if hours > 0 {
		c.label, c.lifetime = fmt.Sprintf("%s, to last %d h", c.label, hours), time.Duration(hours)*time.Hour
	}
	c.returns = true
	return c
}

func yardstick(policy string) contender { return contender{label: policy, policy: policy} }

// base is the yardstick that others are compared with.
func base() contender { return yardstick(lab.PolicyPriceCapacityOptimized) }

// yardsticks are the policies of others, base first, and what bounds them.
func yardsticks() []contender {
	return []contender{
		base(), yardstick(lab.PolicyCapacityOptimized), yardstick(lab.PolicyLowestPrice), yardstick(lab.PolicyAutoSpotting), yardstick(lab.PolicyOnDemand), hindsight(0),
	}
}

// hindsight sees the future, and thinks an interruption worth so many minutes of list price.
func hindsight(minutes int) contender {
	label := lab.PolicyHindsight
	if minutes > 0 {
		label = fmt.Sprintf("hindsight, %d min", minutes)
	}
	return contender{label: label, policy: lab.PolicyHindsight, minutes: money.Amount(minutes)}
}

// field are all that run against each other.
func field() (all []contender) {
	for _, r := range rules() {
		all = append(all, ours(r))
	}
	return append(all, yardsticks()...)
}

// run lets it have the world.
func (c contender) run(ctx context.Context, w *world.World, seed uint64) (lab.Outcome, error) {
	if c.policy == lab.PolicyHindsight {
		best, err := optimum.Fleet(w, fleet(), c.minutes*money.Amount(cheapestList(w))*60)
		return best.Outcome, err
	}
	s := replay.Setup{World: w, Workload: fleet(), Policy: c.policy, Rule: c.rule, Seed: seed, Model: c.model}
	s.Adjust = func(in *plan.Intent) {
		in.MinLifetime = c.lifetime
		if c.returns {
			in.Replacement.Revert = plan.RevertAlways
		}
	}
	return replay.Run(ctx, s)
}

// cheapestList is the lowest price on demand.
func cheapestList(w *world.World) (least money.Price) {
	for _, p := range w.Pools {
		if least == 0 || p.OnDemand < least {
			least = p.OnDemand
		}
	}
	return least
}

// tally are the figures of an outcome that add up over time.
type tally struct {
	cost, fair, best  float64 // the bill; the bill with missing hours bought on demand; hindsight's bill
	onDemand          float64 // what the target costs on demand
	short, target     float64 // hours
	spot, demand      float64 // hours
	forced, voluntary float64
}

func tallyOf(o lab.Outcome, list money.Price) tally {
	return tally{
		cost: o.Cost.Dollars(), fair: o.Cost.Dollars() + o.ShortHours*list.Dollars(), onDemand: o.OnDemand.Dollars(),
		short: o.ShortHours, target: o.TargetHours, spot: o.SpotHours, demand: o.DemandHours, forced: float64(o.Forced), voluntary: float64(o.Voluntary),
	}
}

func (t tally) plus(o tally, times float64) tally {
	return tally{
		t.cost + times*o.cost, t.fair + times*o.fair, t.best + times*o.best, t.onDemand + times*o.onDemand, t.short + times*o.short, t.target + times*o.target,
		t.spot + times*o.spot, t.demand + times*o.demand, t.forced + times*o.forced, t.voluntary + times*o.voluntary,
	}
}

func (t tally) rate() float64 { return 1000 * (t.forced + t.voluntary) / (t.spot + t.demand) }
