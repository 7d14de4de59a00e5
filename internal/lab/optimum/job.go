package optimum

import (
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// run is one instance of a job.
type run struct {
	market      int
	from, until int64
}

// Job is the least that one deadline job costs which starts at a time. It runs on one instance at a time or on none, is paid for by the second, and every instance
// takes load.Restart before it works. World.Boot plays no part: it is within Restart.
//
// Without checkpoints a run is worth nothing unless it does all the work, and the result is exact. With checkpoints it is a bound on a grid; see raster.
func Job(w *world.World, load lab.Workload, start time.Time) (Result, error) {
	from, length, err := span(w, load, start)
	if err != nil {
		return Result{}, err
	}
	all, isKnown, err := markets(w)
	if err != nil {
		return Result{}, err
	}
	var gaps []string
	if !isKnown {
		gaps = append(gaps, drawnGap)
	}
	work, restart := seconds(load.Work), seconds(load.Restart)
	var cost money.Amount
	var runs []run
	switch grid := gridOf(length, work, restart, len(all)); {
	case !load.Checkpoint:
		cost, runs = single(all, from, from+length, restart+work)
	case grid == 0:
		cost = inCheapest(envelope(all, from, from+length), work)
		gaps = append(gaps, "changes of instance are taken to be free")
	default:
		r := raster{markets: all, from: from, grid: grid, slots: int(length / grid), work: int((work + grid - 1) / grid), pause: int(restart/grid) - 2}
		cost, runs = r.least()
		gaps = append(gaps, fmt.Sprintf("every restart is taken to be %d s shorter", restart-int64(r.pause)*grid))
	}
	result := Result{Outcome: lab.Outcome{
		Policy: lab.PolicyHindsight, Cost: cost, OnDemand: all[0].over(0, restart+work), Jobs: 1, Launches: len(runs), TargetHours: load.Work.Hours(),
	}}
	for _, r := range runs {
		result.Stays = append(result.Stays, Stay{Pool: all[r.market].pool, Launched: moment(w, r.from), Until: moment(w, r.until)})
	}
	result.Outcome.SpotHours, result.Outcome.DemandHours = paid(result.Stays)
	result.judge(gaps)
	return result, nil
}

// Jobs is the sum over jobs that start at these times, without their stays.
func Jobs(w *world.World, load lab.Workload, starts []time.Time) (Result, error) {
	sum := Result{Outcome: lab.Outcome{Policy: lab.PolicyHindsight}, Exact: true, Why: weighed}
	for _, start := range starts {
		one, err := Job(w, load, start)
		if err != nil {
			return Result{}, err
		}
		o := &sum.Outcome
		o.Cost += one.Outcome.Cost
		o.OnDemand += one.Outcome.OnDemand
		o.TargetHours += one.Outcome.TargetHours
		o.SpotHours += one.Outcome.SpotHours
		o.DemandHours += one.Outcome.DemandHours
		o.Launches += one.Outcome.Launches
		o.Jobs++
		if !one.Exact {
			o.Bound, sum.Exact, sum.Why = true, false, one.Why
		}
	}
	return sum, nil
}

// span is when a job starts and how long it may take.
func span(w *world.World, load lab.Workload, start time.Time) (from, length int64, err error) {
	switch {
	case load.Kind != lab.Deadline:
		err = fmt.Errorf("the workload %q is no job: Job takes %s", load, lab.Deadline)
	case start.Before(w.From) || start.Add(load.Within).After(w.Until):
		err = fmt.Errorf("a job from %s to its deadline %s does not lie within the world, which lasts from %s to %s", start, start.Add(load.Within), w.From, w.Until)
	case load.Restart+load.Work > load.Within:
		err = fmt.Errorf("%s of work and one restart of %s can't be done within %s, even on demand", load.Work, load.Restart, load.Within)
	}
	return second(w, start), seconds(load.Within), err
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// single is the cheapest uninterrupted run of a length. Its cost is linear in its start but where a price changes at its start or end, so that only these seconds
// and the ends of the time that it may start in need a look.
func single(all []market, from, until, length int64) (least money.Amount, runs []run) {
	for n := range all {
		m := &all[n]
		for _, u := range m.ups {
			first, last := max(from, u.from), min(until-length, u.end-length, u.until-1)
			if first > last {
				continue
			}
			try := func(at int64) {
				if at < first || at > last {
					return
				}
				if cost := m.over(at, at+length); runs == nil || cost < least {
					least, runs = cost, []run{{n, at, at + length}}
				}
			}
			try(first)
			try(last)
			for _, p := range m.within(first, last+length) {
				try(p.at)
				try(p.at - length)
			}
		}
	}
	return least, runs
}
