package protocol

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

const (
	exactUpTo = 18 // pairs: all 262,144 ways in which the orders could have been drawn
	draws     = 20_000
)

// flip is the two-sided sign-flip test. Had the policies no effect at all, each pair's difference could as well have had the other sign, for the order was drawn
// by lot: p is the share of all draws whose mean is at least as far from zero as the one that was seen. It supposes nothing about distributions, nor about groups
// being independent of each other. With many pairs the draws are a sample, from the protocol's seed.
func flip(differences []float64, seed uint64) (p float64, exact bool) {
	sum, size := 0.0, 0.0
	for _, d := range differences {
		sum += d
		size += math.Abs(d)
	}
	seen := math.Abs(sum) - 1e-6*size // what rounding may hide: costs are whole ticks
	n := len(differences)
	if n <= exactUpTo {
		// One sign changes from each draw to the next, by a Gray code. The last one stays: turning all signs around changes nothing.
		reached := 0
		signs := make([]bool, n)
		for draw := range uint64(1) << max(n-1, 0) {
			if draw > 0 {
				at := bits.TrailingZeros64(draw)
				if signs[at] = !signs[at]; signs[at] {
					sum -= 2 * differences[at]
				} else {
					sum += 2 * differences[at]
				}
			}
			if math.Abs(sum) >= seen {
				reached++
			}
		}
		return float64(reached) / math.Ldexp(1, max(n-1, 0)), true
	}
	random := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	reached := 1 // the draw that was made
	for range draws {
		sum := 0.0
		var coins uint64
		for n, d := range differences {
			if n%64 == 0 {
				coins = random.Uint64()
			}
			if coins>>(n%64)&1 == 1 {
				d = -d
			}
			sum += d
		}
		if math.Abs(sum) >= seen {
			reached++
		}
	}
	return float64(reached) / (draws + 1), false
}
