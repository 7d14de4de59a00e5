package identity

import "slices"

// rememberedStarts bounds Installation.Starts: what is older than all of them is taken for known.
const rememberedStarts = 1_000

// start begins a new generation. It carries the time, so that a restored or copied database never arrives at a generation that the original has had.
func (i *Installation) start() {
	i.Generation = max(i.Generation+1, today().UnixMilli())
	i.Starts = append(i.Starts, i.Generation)
	if surplus := len(i.Starts) - rememberedStarts; surplus > 0 {
		i.Starts = slices.Delete(i.Starts, 0, surplus)
	}
}

// Knows reports whether a generation is one of this database's own past. One that is not belongs to a copy that lived on: to the original of a restored
// backup, or to a second installation on a copied folder.
func (i Installation) Knows(generation int64) bool {
	if len(i.Starts) == 0 { // written by a release that counted starts
		return generation <= i.Generation
	}
	return generation < i.Starts[0] || slices.Contains(i.Starts, generation)
}
