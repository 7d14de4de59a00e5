package deadline

import (
	"math"
	"time"
)

// What the rule assumes. They were set on the first halves of 19 recorded availability series (one type each, 9 zones at most) and of their combinations by
// region, with jobs of 6 to 24 h, deadlines of 1.1, 1.25 and 1.5 times that and restarts of 6 and 18 minutes; the later halves confirm them. Cost changes by less
// than 1 % when any one is halved or doubled, except where said otherwise.
const (
	lifeShape  = 2.0 // how heavy the tail of an up spell is: its hazard is lifeShape ÷ (scale + age). From 1.5 to 3 it is the same; without a tail 0.5 % dearer
	usualLife  = 2.0 // hours that an up spell of a pool lasts on average, before anything was seen …
	lifeWeight = 3.0 // … which counts as so many spells
	fewestUp   = 24  // hours at which a mean is cut off, for pools that are hardly ever lost

	waitScale = 0.1 // hours: a pool that has been shut for a time t opens at a rate of 1 ÷ (waitScale + t)

	usualShare  = 0.6 // part of the time that spot is open, before anything was seen …
	shareWeight = 24  // … which counts as so many hours

	doubt = 0.4  // part of a pool's expected life that a move from on demand is judged by. At 0.2 and at 0.6 half a percent dearer, at 1 in one series 3 %
	lean  = 0.25 // how far the pace leans from even progress (0) to the latest possible (1): at 0.6 1 % dearer, at 1 5 %
	hope  = 1.0  // waiting goes on while the work left is below so many times what spot can be expected to do; at 1.3 2 % dearer in pools that dry up for days
)

// lasts is the expected time until the end of a spell, cut off at `most`, whose hazard is shape ÷ (reach + t) at t from now. All in hours.
func lasts(shape, reach, most float64) float64 {
	switch {
	case most <= 0:
		return 0
	case shape == 1:
		return reach * math.Log1p(most/reach)
	}
	return reach / (shape - 1) * (1 - math.Pow(1+most/reach, 1-shape))
}

// survives is the chance that such a spell lasts t hours more.
func survives(shape, reach, t float64) float64 { return math.Pow(1+t/reach, -shape) }

// life is the mean up spell of a pool, in hours.
func (h History) life() float64 {
	return min(fewestUp/2, (h.PoolHours.Hours()+usualLife*lifeWeight)/(float64(h.Losses)+lifeWeight))
}

// scale makes lasts(lifeShape, scale, fewestUp) the mean up spell: with a shape of 2 that can be solved.
func (h History) scale() float64 {
	mean := h.life()
	return mean * fewestUp / (fewestUp - mean)
}

// reach of a pool at its age.
func (p *Pool) reach(scale float64, now time.Time) float64 {
	if p.Hazard > 0 {
		return lifeShape / p.Hazard
	}
	return scale + p.age(now)
}

// strange is the age in hours of a state whose beginning nobody saw.
const strange = 5

func (p *Pool) age(now time.Time) float64 {
	if p.Since.IsZero() {
		return strange
	}
	return max(0, now.Sub(p.Since).Hours())
}

// rate is the work that an hour of waiting for spot and using it gives in the long run: the part of the time that spot is open, less the restarts.
func (h History) rate(restart float64) float64 {
	const least = 0.05 // of the time that spot is open
	share := (h.Open.Hours() + usualShare*shareWeight) / ((h.Open + h.Shut).Hours() + shareWeight)
	return share * max(least, 1-restart/h.life())
}

// expected is the work that spot can be expected to do within so many hours, when no pool is open: none until one opens, then at the usual rate.
func (m *Market) expected(hours, restart float64, now time.Time) float64 {
	shut := math.Inf(1)
	for n := range m.Pools {
		shut = min(shut, m.Pools[n].age(now))
	}
	if len(m.Pools) == 0 {
		return 0
	}
	return m.History.rate(restart) * (hours - lasts(1, waitScale+shut, hours))
}
