package plan

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// The expected cost of a market, in money per unit and hour: less is better. Everything is added up in integers (thousandths of a micro-dollar), so that a plan is
// the same on every machine.
//
//	cost   = price + loss + care + spread
//	price  = what a unit costs per hour now
//	loss   = hazard × overlap × list               what a loss costs in money: for a while old and new are both paid
//	care   = rule.care × list × ln(1 + hazard ÷ calm)   what the rule would pay to be spared losses
//	spread = rule.spread × list × share × (unsure + chance of a loss within the stay)
//
// list is the cheapest list price on demand of a unit in this market, so that all terms speak of the same money. hazard is the losses per hour that an instance bought
// now may expect over its stay. Care grows with the order of magnitude of the hazard, not with the hazard: who would pay 1 % to be lost every two months instead of every
// month pays as much to be lost every two hours instead of every hour, and never more than a few times that for anything. spread is what keeps a fleet
// from standing on one leg: what stands in one pool is lost together. Its share is ⅔ of the share of the target that the fleet holds in this pool and ⅓ of that
// in its zone, counted anew with every instance bought; it weighs more the likelier the pool is lost, and a little for every pool, because nobody knows all.
//
// docs/market.md tells how the figures were found.
const (
	calm   = 1e-4 // losses per hour below which the rules hardly care: one in fourteen months
	unsure = 0.5  // what every pool counts for in the spread

	gapTimes    = 4               // as much weighs the spread where notice is shorter than a replacement takes: what is lost together leaves a gap then
	overlap     = 6 * time.Minute // for which an instance and its replacement are both paid: boot, drain, and the start that is thrown away
	usualStay   = 24 * time.Hour  // how far ahead a fleet looks that wants its instances for good
	lastingCare = 30              // thousandths of list that the wish for a lifetime of 24 h adds to the rule's care
)

// thousand is how many thousandths there are in a micro-dollar.
const thousand = int64(1000)

// weights are what a rule pays, in thousandths of the list price.
type weights struct {
	care, spread int64
	bother       time.Duration // what a voluntary move is worth at least, in hours of list price, beside its overlap
}

// weigh are the weights of a rule [ours].
func weigh(rule Rule, lifetime time.Duration) weights {
	var w weights
	switch rule {
	case CostOriented:
		w = weights{3, 10, 6 * time.Minute}
	case Cheapest:
		w = weights{0, 0, 0}
	case AvailabilityOriented:
		w = weights{60, 60, 2 * time.Hour}
	default: // Balanced, and inside a zone of EqualZones
		w = weights{20, 30, 10 * time.Minute}
	}
	w.care += lastingCare * int64(min(max(lifetime, 0), 24*time.Hour)/time.Minute) / (24 * 60)
	return w
}

// Horizon is how far ahead the intent looks: how long it will want an instance that it buys now.
func (i Intent) Horizon() time.Duration { return max(i.MinLifetime, usualStay) }

// hazard is the losses per hour that an instance bought now may expect. A pool of which only the risk within 30 days is known is as bad at any hour.
func (p *Pool) hazard() float64 {
	if p.Hazard > 0 || p.Risk <= 0 || p.Lifecycle == OnDemand {
		return p.Hazard
	}
	return -math.Log1p(-min(p.Risk, 0.999999)) / (30 * 24)
}

// gravity is the order of magnitude of a hazard.
func gravity(hazard float64) float64 { return math.Log1p(hazard / calm) }

// costs are the terms of an option, in thousandths of a micro-dollar per unit and hour.
type costs struct {
	price, loss, care int64
	shun              int64 // no cost, but what puts an option behind all others
}

// all is the expected cost.
func (c costs) all() int64 { return c.price + c.loss + c.care }

// costsOf is what a pool is expected to cost, before anything is held there.
func (s *shelf) costsOf(o *option) costs {
	c := costs{price: o.perUnit}
	if s.policy != ByModel || o.Lifecycle == OnDemand {
		return c
	}
	hazard := o.hazard()
	c.loss = part(s.list, hazard*overlap.Hours())
	c.care = part(s.list, float64(s.weights.care)/1000*gravity(hazard))
	return c
}

// part is a fraction of an amount, rounded.
func part(of int64, fraction float64) int64 { return int64(math.Round(float64(of) * fraction)) }

// spreadWeight is what a full share of the target costs in a pool.
func (s *shelf) spreadWeight(o *option) int64 {
	if s.policy != ByModel {
		return 0
	}
	return part(s.list, float64(s.weights.spread)/1000*(unsure-math.Expm1(-o.hazard()*s.horizon.Hours())))
}

// spreadTerm is at least 0.
func (s *shelf) spreadTerm(o *option) int64 {
	return o.spreadWeight * int64(2*o.held+o.zone.held) / int64(3*max(1, s.target))
}

// listOf is the cheapest list price of a unit among pools.
func listOf(options []option) (least int64) {
	for n := range options {
		if list := int64(options[n].OnDemand) * thousand / int64(options[n].units); list > 0 && (least == 0 || list < least) {
			least = list
		}
	}
	return least
}

// stay is how many hours an instance here may be expected to stay, within the horizon.
func (s *shelf) stay(o *option) float64 {
	hazard, horizon := o.hazard(), s.horizon.Hours()
	if hazard*horizon < 1e-9 {
		return horizon
	}
	return -math.Expm1(-hazard*horizon) / hazard
}

// sortByDepth brings in what the yardsticks go by beside the price: how deep the pools are. Where the provider does not tell, the risk within 30 days stands for it.
// capacity-optimized takes the deepest; price-capacity-optimized the cheapest of the deeper half.
func (s *shelf) sortByDepth(options []option) {
	if s.policy != ByCapacityOptimized && s.policy != ByPriceCapacityOptimized {
		return
	}
	var open []*option
	for n := range options {
		if options[n].why == "" {
			open = append(open, &options[n])
		}
	}
	slices.SortStableFunc(open, func(a, b *option) int {
		return cmp.Or(cmp.Compare(b.Depth*b.units, a.Depth*a.units), cmp.Compare(a.Risk, b.Risk))
	})
	rank := 0
	for n, o := range open {
		if n > 0 && (o.Depth*o.units != open[n-1].Depth*open[n-1].units || o.Risk != open[n-1].Risk) {
			rank = n
		}
		switch {
		case s.policy == ByCapacityOptimized:
			o.costs.shun = int64(rank) * beyondPrice
		case 2*rank >= len(open):
			o.costs.shun = beyondPrice
		}
	}
}

// beyondPrice is more than a price can make good, and small enough to be added up.
const beyondPrice = int64(1_000_000) * thousand * 1000
