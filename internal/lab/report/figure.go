package report

import (
	"math"

	"github.com/neap-cloud/neap/internal/lab"
)

// The figures that others ask for by name.
const (
	figureCost      = "cost"
	figureRatio     = "cost_over_hindsight"
	figurePerHour   = "interruptions_per_1000_hours"
	figureForced    = "forced"
	figureVoluntary = "voluntary"
	figureShort     = "short_capacity_hours"
	figureShare     = "short_share"
	figureServed    = "capacity_hours"
	figureMoves     = "moves"
	figureSaved     = "saved_by_moves"
	figureMissed    = "deadline_misses"
	figureJobs      = "jobs"
	figureOnDemand  = "share_of_on_demand"
	figureDemand    = "on_demand_share"
	figureLaunches  = "launches"
	figureRefusals  = "refusals"
)

// figure is one number that is told of every policy. Money is in dollars, shares are between 0 and 1.
type figure struct {
	name   string // in JSON and CSV
	always bool   // promised as a number: what a bound does not know is 0 then, and listed as unknown
	of     func(o, best lab.Outcome) float64
}

// figures are in the order of JSON and CSV.
func figures() []figure {
	count := func(of func(o lab.Outcome) int) func(o, _ lab.Outcome) float64 {
		return func(o, _ lab.Outcome) float64 { return float64(of(o)) }
	}
	return []figure{
		{figureCost, true, func(o, _ lab.Outcome) float64 { return o.Cost.Dollars() }},
		{figureRatio, true, func(o, best lab.Outcome) float64 { return part(o.Cost.Dollars(), best.Cost.Dollars()) }},
		{"interruptions", true, count(lab.Outcome.Interruptions)},
		{figureMoves, true, func(o, _ lab.Outcome) float64 { return float64(len(o.Moves)) }},
		{figureShort, true, func(o, _ lab.Outcome) float64 { return o.ShortHours }},
		{figureServed, true, func(o, _ lab.Outcome) float64 { return o.CapacityHours }},
		{figureMissed, true, count(func(o lab.Outcome) int { return o.Missed })},
		{figureOnDemand, false, func(o, _ lab.Outcome) float64 { return part(o.Cost.Dollars(), o.OnDemand.Dollars()) }},
		{figureForced, false, count(func(o lab.Outcome) int { return o.Forced })},
		{figureVoluntary, false, count(func(o lab.Outcome) int { return o.Voluntary })},
		{figurePerHour, false, func(o, _ lab.Outcome) float64 { return o.PerThousandHours() }},
		{figureShare, false, func(o, _ lab.Outcome) float64 { return part(o.ShortHours, o.TargetHours) }},
		{figureDemand, false, func(o, _ lab.Outcome) float64 { return o.DemandShare() }},
		{figureSaved, false, func(o, _ lab.Outcome) float64 { return saved(o) }},
		{figureLaunches, false, count(func(o lab.Outcome) int { return o.Launches })},
		{figureRefusals, false, count(func(o lab.Outcome) int { return o.Refusals })},
		{figureJobs, false, count(func(o lab.Outcome) int { return o.Jobs })},
	}
}

// part is NaN, which stands for unknown, when there is no whole.
func part(some, whole float64) float64 {
	if whole == 0 {
		return math.NaN()
	}
	return some / whole
}

// saved is what all moves together brought, in dollars.
func saved(o lab.Outcome) (sum float64) {
	for _, m := range o.Moves {
		sum += m.Saved.Dollars()
	}
	return sum
}

// value of the figure for a policy: over all runs, each held against hindsight's in the same world.
func (f figure) value(p Policy) Value {
	runs := make([]float64, len(p.Runs))
	for i, o := range p.Runs {
		runs[i] = f.of(o, p.best[i])
		if o.Bound && runs[i] == 0 {
			runs[i] = math.NaN()
		}
	}
	return mean(runs)
}

// value of the figure with that name; it has to be one of figures.
func (p Policy) value(name string) Value {
	for _, f := range figures() {
		if f.name == name {
			return f.value(p)
		}
	}
	panic("there is no figure " + name)
}

// Value is a mean over runs, with the interval that holds the true mean with 95 % confidence. With one run all three are that run's. NaN is unknown.
type Value struct{ Mean, Low, High float64 }

func (v Value) isKnown() bool { return !math.IsNaN(v.Mean) }

// half is half the width of the interval.
func (v Value) half() float64 { return (v.High - v.Low) / 2 }

// mean of independent runs, by Student's distribution.
func mean(runs []float64) Value {
	n := float64(len(runs))
	var sum, squares float64
	for _, v := range runs {
		sum += v
	}
	middle := sum / n
	for _, v := range runs {
		squares += (v - middle) * (v - middle)
	}
	if len(runs) == 1 {
		return Value{middle, middle, middle}
	}
	half := student(len(runs)-1) * math.Sqrt(squares/(n-1)/n)
	return Value{middle, middle - half, middle + half}
}

// student is the 97.5th percentile of Student's distribution with so many degrees of freedom.
func student(freedom int) float64 {
	table := []float64{
		12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
		2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
	}
	if freedom <= len(table) {
		return table[freedom-1]
	}
	return 1.96 + 2.5/float64(freedom) // from above, and less than 0.002 too wide
}
