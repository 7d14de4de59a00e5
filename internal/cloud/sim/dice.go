package sim

import "math"

// dice is a source of randomness that depends on nothing but its number, so that every replica and every run of the same world sees the
// same. Derive one for each thing with on and at; draw from a copy. The mixing is SplitMix64, which is fixed for ever: changing it changes
// every existing world.
type dice uint64

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// on derives the dice of a named thing (FNV-1a over the name).
func (d dice) on(name string) dice {
	h := uint64(d) ^ 0xcbf29ce484222325
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	return dice(mix(h))
}

// at derives the dice of a numbered thing.
func (d dice) at(number int64) dice { return dice(mix(uint64(d) ^ mix(uint64(number)))) }

// bits draws 64 random bits.
func (d *dice) bits() uint64 {
	*d += 0x9e3779b97f4a7c15
	return mix(uint64(*d))
}

// unit draws from [0, 1).
func (d *dice) unit() float64 { return float64(d.bits()>>11) / (1 << 53) }

// chance is true with probability p.
func (d *dice) chance(p float64) bool { return d.unit() < p }

// between draws evenly from [from, to).
func (d *dice) between(from, to instant) instant {
	return from + instant(d.unit()*float64(to-from))
}

// normal draws from the standard normal distribution.
func (d *dice) normal() float64 {
	radius := math.Sqrt(-2 * math.Log(1-d.unit()))
	return radius * math.Cos(2*math.Pi*d.unit())
}

// exponential draws with the given mean.
func (d *dice) exponential(mean instant) instant {
	return instant(-math.Log(1-d.unit()) * float64(mean))
}

// laplace draws from the symmetric two-sided exponential distribution of the given scale.
func (d *dice) laplace(scale float64) float64 {
	u := d.unit() - 0.5
	return -scale * math.Copysign(math.Log(1-2*math.Abs(u)), u)
}

// poisson draws a count with a small mean.
func (d *dice) poisson(mean float64) int {
	limit, product := math.Exp(-mean), d.unit()
	count := 0
	for product > limit {
		product *= d.unit()
		count++
	}
	return count
}
