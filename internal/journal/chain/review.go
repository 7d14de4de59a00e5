package chain

import (
	"cmp"
	"fmt"
	"slices"
)

// Review puts together what walks along neighbouring parts of the chain found, and finds out what became of entries that did not fit: whether they were moved,
// changed, or only stand behind one that was.
func Review(signed map[int64]Hash, parts ...*Findings) Findings {
	var all Findings
	var suspects []suspect
	for _, part := range parts {
		all.Entries += part.Entries
		all.Bare += part.Bare
		all.Unlisted += part.Unlisted
		all.Stretches = append(all.Stretches, part.Stretches...)
		suspects = append(suspects, part.suspects...)
		for _, p := range part.Problems {
			all.report(p)
		}
	}
	all.judge(suspects[:min(len(suspects), compared)], signed)
	for _, s := range suspects[min(len(suspects), compared):] {
		all.report(changed(s))
	}
	slices.SortStableFunc(all.Problems, func(a, b Problem) int { return cmp.Compare(a.Seq, b.Seq) })
	return all
}

// judge reports suspects, but for those that are unchanged and only stand behind an entry that has not the hash any more that they were linked to.
func (f *Findings) judge(suspects []suspect, signed map[int64]Hash) {
	homes := make([]int64, len(suspects))
	for n, s := range suspects {
		homes[n] = home(s, suspects)
	}
	for n, s := range suspects {
		before, is := signed[s.entry.Seq-1]
		innocent := is && Link(before, s.digest) == s.stored
		for m, other := range suspects {
			innocent = innocent || homes[m] == s.entry.Seq-1 && Link(other.stored, s.digest) == s.stored ||
				other.entry.Seq == s.entry.Seq-1 && Link(other.computed, s.digest) == s.stored
		}
		switch {
		case innocent:
		case homes[n] != 0:
			f.report(Problem{Kind: Reordered, Seq: s.entry.Seq, ID: s.entry.ID, Message: fmt.Sprintf("The entry stands in the wrong place: it was sealed in the place %d.", homes[n])})
		default:
			f.report(changed(s))
		}
	}
}

// home is the place that an entry was moved from, as far as another suspect stands there now; 0 when it was not moved.
func home(s suspect, suspects []suspect) int64 {
	var digester Digester
	for _, there := range suspects {
		if there.entry.Seq == s.entry.Seq || s.entry.ID == "" {
			continue
		}
		moved := s.entry
		moved.Seq = there.entry.Seq
		digest := digester.Digest(&moved)
		belongs := func(before Hash) bool {
			linked := Link(before, digest)
			return linked == s.stored || linked == there.stored
		}
		if belongs(there.before) || slices.ContainsFunc(suspects, func(other suspect) bool { return belongs(other.stored) }) {
			return there.entry.Seq
		}
	}
	return 0
}
