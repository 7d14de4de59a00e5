// Package model estimates how long a spot pool keeps what is bought in it.
//
// It owns the law of survival, what counts as evidence, and the few parameters of both. It is pure: evidence goes in, laws come out. It must not know money,
// accounts or fleets. docs/market.md tells the reasons and the experiment behind each parameter. Start reading at Law, then Book.
package model

import "math"

// Law is the survival of what runs in a pool. A pool is up or down. How long an up spell lasts has a heavy tail: the longer one has lasted, the longer it goes on.
// So the hazard at a moment is
//
//	hazard = Base + Scarcity ÷ Age
//
// in losses per hour. Base is what the vendor's class says of the pool at rest. Scarcity is how prone it has proven to be (0 = never in trouble), and Age is how
// long it has been up as far as anybody knows, in hours, plus a little (Parameters.Youth), so that a pool that has just come back is not taken to fail at once. After t hours
// a share of (1 + t ÷ Age)^−Scarcity × e^(−Base × t) is left: a Lomax law over an exponential one.
type Law struct {
	Base     float64 // per hour
	Scarcity float64 // without unit
	Age      float64 // hours, above zero
}

// Hazard is the rate of loss now, per hour.
func (l Law) Hazard() float64 {
	if l.Scarcity == 0 {
		return l.Base
	}
	return l.Base + l.Scarcity/l.Age
}

// Survives is the chance of lasting t hours from now.
func (l Law) Survives(t float64) float64 {
	left := math.Exp(-l.Base * t)
	if l.Scarcity > 0 {
		left *= math.Pow(1+t/l.Age, -l.Scarcity)
	}
	return left
}

// Lasts is the expected time until a loss, cut off at t hours.
func (l Law) Lasts(t float64) float64 {
	switch {
	case t <= 0:
		return 0
	case l.Scarcity == 0:
		return exponential(l.Base, t)
	case l.Base*t < flat && math.Abs(1-l.Scarcity) > 1e-6:
		// The Lomax part has a closed form, and over so short a time the exponential part is as good as its value half way.
		lomax := l.Age / (1 - l.Scarcity) * (math.Pow(1+t/l.Age, 1-l.Scarcity) - 1)
		return min(t, lomax*math.Exp(-l.Base*lomax/2))
	}
	// The area under Survives. With u = ln(1 + t ÷ Age) the curve is smooth enough for a rule of few points.
	half := math.Log1p(t/l.Age) / 2
	sum := 0.0
	for _, g := range gauss() {
		for _, u := range [2]float64{half * (1 - g.at), half * (1 + g.at)} {
			sum += g.weight * math.Exp((1-l.Scarcity)*u-l.Base*l.Age*math.Expm1(u))
		}
	}
	return min(t, l.Age*half*sum)
}

// flat is how much of the base's losses may fall into a time for which its curve is taken to be a line.
const flat = 0.02

// gauss are the points and weights of the ten-point Gauss–Legendre rule, which has each of them on both sides.
func gauss() [5]struct{ at, weight float64 } {
	return [5]struct{ at, weight float64 }{
		{0.1488743389816312, 0.2955242247147529}, {0.4333953941292472, 0.2692667193099963}, {0.6794095682990244, 0.2190863625159820},
		{0.8650633666889845, 0.1494513491505806}, {0.9739065285171717, 0.0666713443086881},
	}
}

// exponential is the expected time until a loss at a constant hazard, cut off at t.
func exponential(hazard, t float64) float64 {
	if hazard*t < 1e-9 {
		return t
	}
	return -math.Expm1(-hazard*t) / hazard
}

// Rate is the losses per hour that an instance bought now meets on average, if it is kept for t hours at most: the chance of a loss over the time it lasts.
func (l Law) Rate(t float64) float64 {
	if l.Scarcity == 0 {
		return l.Base
	}
	return (1 - l.Survives(t)) / l.Lasts(t)
}

// month is what the vendors' classes, and the risks shown to people, are about.
const month = 30 * 24.0

// Risk is the chance of a loss within 30 days.
func (l Law) Risk() float64 { return 1 - l.Survives(month) }
