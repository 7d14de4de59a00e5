package physics

import "math"

// Dice is a source of randomness that depends on nothing but its number, so that every replica and every run of the same world sees the
// same. The dice of a world are its seed. Derive one for each thing with On and At; draw from a copy. The mixing is SplitMix64, which is fixed for ever:
// changing it changes every existing world.
type Dice uint64

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// On derives the dice of a named thing (FNV-1a over the name).
func (d Dice) On(name string) Dice {
	h := uint64(d) ^ 0xcbf29ce484222325
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	return Dice(mix(h))
}

// At derives the dice of a numbered thing.
func (d Dice) At(number int64) Dice { return Dice(mix(uint64(d) ^ mix(uint64(number)))) }

// Bits draws 64 random bits.
func (d *Dice) Bits() uint64 {
	*d += 0x9e3779b97f4a7c15
	return mix(uint64(*d))
}

// Unit draws from [0, 1).
func (d *Dice) Unit() float64 { return float64(d.Bits()>>11) / (1 << 53) }

// Chance is true with probability p.
func (d *Dice) Chance(p float64) bool { return d.Unit() < p }

// Between draws evenly from [from, to).
func (d *Dice) Between(from, to Instant) Instant {
	return from + Instant(d.Unit()*float64(to-from))
}

// normal draws from the standard normal distribution.
func (d *Dice) normal() float64 {
	radius := math.Sqrt(-2 * math.Log(1-d.Unit()))
	return radius * math.Cos(2*math.Pi*d.Unit())
}

// exponential draws with the given mean.
func (d *Dice) exponential(mean Instant) Instant {
	return Instant(-math.Log(1-d.Unit()) * float64(mean))
}

// laplace draws from the symmetric two-sided exponential distribution of the given scale.
func (d *Dice) laplace(scale float64) float64 {
	u := d.Unit() - 0.5
	return -scale * math.Copysign(math.Log(1-2*math.Abs(u)), u)
}

// poisson draws a count with a small mean.
func (d *Dice) poisson(mean float64) int {
	limit, product := math.Exp(-mean), d.Unit()
	count := 0
	for product > limit {
		product *= d.Unit()
		count++
	}
	return count
}
