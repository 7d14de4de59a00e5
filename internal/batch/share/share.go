// Package share divides whole numbers exactly: a price over customers, a machine's cost over the jobs on it.
//
// It owns the rounding and nothing else: the parts always add up to the whole. It must not know what is divided. Start reading at Split.
package share

import (
	"cmp"
	"math/big"
	"slices"
)

// Part is somebody's share of a whole. Weights are not negative; they are big because years of many machines, counted finely, are.
type Part struct {
	Name   string
	Weight *big.Int
}

// Split divides a whole, not negative, by weight: the integer parts first, and what is left one by one to the largest remainders, names ascending among equals. The
// parts add up to the whole exactly, unless all weights are 0: then everybody gets 0.
func Split(whole int64, parts []Part) map[string]int64 {
	total := new(big.Int)
	for _, p := range parts {
		total.Add(total, p.Weight)
	}
	got := make(map[string]int64, len(parts))
	if total.Sign() == 0 {
		for _, p := range parts {
			got[p.Name] = 0
		}
		return got
	}
	type rest struct {
		name      string
		remainder *big.Int
	}
	rests, left := make([]rest, 0, len(parts)), whole
	for _, p := range parts {
		product := new(big.Int).Mul(big.NewInt(whole), p.Weight)
		whole, remainder := product.QuoRem(product, total, new(big.Int))
		got[p.Name] = whole.Int64()
		left -= got[p.Name]
		rests = append(rests, rest{p.Name, remainder})
	}
	slices.SortFunc(rests, func(a, b rest) int { return cmp.Or(b.remainder.Cmp(a.remainder), cmp.Compare(a.name, b.name)) })
	for i := range left {
		got[rests[i].name]++
	}
	return got
}
