package main

import (
	"math"
	"math/rand/v2"
	"slices"
)

// estimate is a figure with its 95 % interval. Without anything that was drawn or resampled both ends are the figure.
type estimate struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

func exactly(v float64) estimate { return estimate{v, v, v} }

// pick are the pieces of one group that a resample has drawn.
type pick struct {
	of     int
	pieces []int
}

// resamples is how often a bootstrap draws, always with the same numbers.
const resamples = 2000

// bootstrap gives figures of groups of pieces, with intervals by drawing pieces with replacement. When groups were themselves picked out of many that could have been
// taken, they are drawn too; else the groups are all there is, and stay. sizes are the pieces of each group. of has to give as many figures each time.
func bootstrap(sizes []int, drawGroups bool, of func([]pick) []float64) []estimate {
	whole := make([]pick, len(sizes))
	for n, size := range sizes {
		whole[n].of = n
		for piece := range size {
			whole[n].pieces = append(whole[n].pieces, piece)
		}
	}
	middle := of(whole)
	random := rand.New(rand.NewPCG(1, 2))
	drawn := make([][]float64, len(middle))
	for range resamples {
		for n, v := range of(resample(whole, drawGroups, random)) {
			drawn[n] = append(drawn[n], v)
		}
	}
	all := make([]estimate, len(middle))
	for n, values := range drawn {
		slices.Sort(values)
		all[n] = estimate{middle[n], quantile(values, 0.025), quantile(values, 0.975)}
	}
	return all
}

func resample(whole []pick, drawGroups bool, random *rand.Rand) []pick {
	drawn := make([]pick, len(whole))
	for n := range whole {
		from := whole[n]
		if drawGroups {
			from = whole[random.IntN(len(whole))]
		}
		drawn[n] = pick{of: from.of, pieces: make([]int, len(from.pieces))}
		for i := range from.pieces {
			drawn[n].pieces[i] = from.pieces[random.IntN(len(from.pieces))]
		}
	}
	return drawn
}

// quantile of sorted values, in between in a straight line. NaN comes first in the order, and does not count: it stands for what a resample could not tell.
func quantile(sorted []float64, part float64) float64 {
	for len(sorted) > 0 && math.IsNaN(sorted[0]) {
		sorted = sorted[1:]
	}
	if len(sorted) == 0 {
		return 0
	}
	at := part * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

// mean of what a function gives for each pick.
func mean(picks []pick, of func(pick) float64) float64 {
	sum := 0.0
	for _, p := range picks {
		sum += of(p)
	}
	return sum / float64(len(picks))
}
