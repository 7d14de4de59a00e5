package deadline

import (
	"math"
	"time"
)

// What the rule assumes. The figures were found on the first halves of recorded availability: 20 series of single pools and their 10 combinations by region and by
// measurement, with jobs of 6, 12 and 24 h (the longer the record, the longer), deadlines of 1.1, 1.25, 1.5 and 2 times that, restarts of 6 and 18 minutes, and 40
// beginnings each. What was made small is the mean cost, and what is said of other values is by how much that rises.
const (
	// loose is the part of the time left that the work left may take while waiting is free. At 0.7 0.7 %. At 0.85 it is 0.2 % less, but at 0.9 0.4 % more again, and in
	// one series 5 %: 0.8 keeps away from that edge.
	loose = 0.8

	// doubt is the part of a pool's expected life that a move is judged by: most moves are weighed when a pool has just opened, and its life is the less certain
	// then. At 0.2 0.3 %, at 1 0.2 %.
	doubt = 0.3

	// lifeShape says how light the tail of an up spell is: its hazard is lifeShape ÷ (scale + age). At 1.5 nothing, at 3 0.3 %, at 4 0.9 %.
	lifeShape = 2.0

	// usualLife is the mean up spell of a pool, in hours, before anything was seen, and lifeWeight how many spells that belief is worth. Halving or doubling either
	// changes less than 0.1 %.
	usualLife  = 2.0
	lifeWeight = 3.0

	// longest is how far the rule looks ahead for a mean up spell, in hours: mean lives of half of it and more are all the same.
	longest = 24.0

	// strange is the age, in hours, that a pool has when nobody saw it open. From 1 to 20 nothing changes.
	strange = 5.0
)

// lasts is the expected time until a loss, cut off at most, where the hazard is lifeShape ÷ (reach + t) at a time t from now. All in hours.
func lasts(reach, most float64) float64 {
	if most <= 0 {
		return 0
	}
	return reach / (lifeShape - 1) * (1 - math.Pow(1+most/reach, 1-lifeShape))
}

// survives is the chance that there is no loss for t hours.
func survives(reach, t float64) float64 { return math.Pow(1+t/reach, -lifeShape) }

// scale is the reach of a pool that has just opened: the one at which lasts, up to the longest, is the mean up spell. With a shape of 2 that can be solved.
func (h History) scale() float64 {
	mean := min(longest/2, (h.Open.Hours()+usualLife*lifeWeight)/(float64(h.Losses)+lifeWeight))
	return mean * longest / (longest - mean)
}

// reach of a pool as it is now.
func (p *Pool) reach(scale float64, now time.Time) float64 {
	switch {
	case p.Hazard > 0:
		return lifeShape / p.Hazard
	case p.Since.IsZero():
		return scale + strange
	}
	return scale + max(0, now.Sub(p.Since).Hours())
}
