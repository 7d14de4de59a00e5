package deadline

import (
	"math"
	"time"
)

// What the rule assumes. The figures were found on the first halves of 17 recorded availability series of single pools and of their combinations by region, with jobs of
// 6 to 24 h, deadlines of 1.1 to 2 times that, and restarts of 6 and 18 minutes; the mean cost over Uniform Progress is what was made small. In the second halves
// the same figures are within 0.2 % of the best.
const (
	// loose is the part of the time left that the work left may take while waiting is free. At 0.7 the mean is 0.3 % higher, at 0.85 0.3 % lower; at 0.9 single
	// series are 5 % dearer.
	loose = 0.8

	// doubt is the part of a pool's expected life that a move is judged by: pools that have just opened live shorter than their age says. At 0.3 0.4 % dearer; from
	// 0.5 on single series are 1 to 2 % dearer.
	doubt = 0.4

	// idle is the part of an hour of slack that spot will fill with work: what the time of a start is worth. At 0 and at twice 0.3 % dearer.
	idle = 0.5

	// lifeShape says how heavy the tail of an up spell is: its hazard is lifeShape ÷ (scale + age). At 1.5 and at 3 0.3 % dearer.
	lifeShape = 2.0

	// usualLife is the mean up spell of a pool, in hours, before anything was seen of it, and lifeWeight how many spells that belief is worth. Halving or doubling
	// either changes 0.1 %.
	usualLife  = 2.0
	lifeWeight = 3.0

	// longest is where a mean up spell is cut off, in hours: the length of a pool that is hardly ever lost doesn't matter.
	longest = 24.0

	// strange is the age, in hours, of a pool that was open when it was first seen.
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
