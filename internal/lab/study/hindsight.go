package study

import (
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/job"
	"github.com/neap-cloud/neap/internal/lab/optimum"
	"github.com/neap-cloud/neap/internal/money"
)

// hindsight is what the workload would have cost at least.
func (t trial) hindsight() (optimum.Result, error) {
	switch t.load.Kind {
	case lab.Deadline:
		starts, err := job.Starts(t.world, t.load)
		if err != nil {
			return optimum.Result{}, err
		}
		return optimum.Jobs(t.world, t.load, starts)
	case lab.Batch:
		return optimum.Batch(t.world, t.load)
	}
	return optimum.Fleet(t.world, t.load, 0)
}

// frontier is what hindsight makes of a fleet that minds interruptions, from not at all to very much; a price of one is given in hours of the dearest type.
func (t trial) frontier() (all []lab.Outcome, err error) {
	if !isFleet(t.load) {
		return nil, nil
	}
	var dearest money.Price
	for _, p := range t.world.Pools {
		dearest = max(dearest, p.OnDemand)
	}
	for _, minutes := range []money.Amount{0, 3, 15, 60, 240, 960, 3840} {
		best, err := optimum.Fleet(t.world, t.load, minutes*money.Amount(dearest)*60)
		if err != nil {
			return nil, err
		}
		if best.Outcome.SpotHours+best.Outcome.DemandHours > 0 {
			all = append(all, best.Outcome)
		}
	}
	return all, nil
}

// worth says in which sense a bound is one.
func (t trial) worth(r optimum.Result) string {
	text := "a bound from below, which no schedule may reach; " + r.Why + "."
	if r.Exact {
		text = "exact; " + r.Why + "."
	}
	if t.Floor > 0 {
		text += " It keeps no instances on demand."
	}
	return text
}
