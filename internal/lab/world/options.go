package world

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

// AllRegions stands for every region, for work that does not care where it runs.
const AllRegions = "all"

// Options say which part of a recording becomes a world, and how. The zero value takes everything, as far as it is unambiguous.
type Options struct {
	Region       string        // "" = the only one of the recording; AllRegions = all of them
	Trace        string        // of recorded availability: the name of the measurement; "" = the only one
	Types, Zones []string      // none = all
	From, Until  time.Time     // zero = as long as was recorded
	Notice       time.Duration // 0 = as the provider promises: 2 minutes on AWS, 30 seconds elsewhere
	Boot         time.Duration // 0 = a minute
	Seed         uint64        // of everything that is drawn
	Permute      bool          // a placebo: pools show their class, but their fates are drawn with another pool's
}

// usualBoot is an assumption of ours: images that start within a minute are common, faster ones are rare.
const usualBoot = time.Minute

// noticeOf is what a provider promises its spot instances before their end.
func noticeOf(provider string) time.Duration {
	if provider == "aws" {
		return 2 * time.Minute
	}
	return 30 * time.Second
}

// place is where a series was recorded, and of what.
type place struct{ provider, region, zone, kind string }

func placeOf(provider, region, zone, kind string) place {
	return place{provider, region, cmp.Or(zone, region), kind}
}

func (p place) String() string { return p.kind + " " + p.zone }

func refused(format string, args ...any) error {
	return fault.Of(fault.Invalid, "world", format, args...)
}

// choose gives the numbers of the places that are wanted. A name that none of them has is refused, so that a slip does not pass for an empty market.
func (o Options) choose(recording string, places []place) ([]int, error) {
	region, err := one("region", o.Region, recording, places, func(p place) string { return p.region })
	if err != nil {
		return nil, err
	}
	var chosen []int
	for n, p := range places {
		if region == AllRegions || p.region == region {
			chosen = append(chosen, n)
		}
	}
	for _, filter := range []struct {
		noun  string
		names []string
		of    func(place) string
	}{
		{"type", o.Types, func(p place) string { return p.kind }},
		{"zone", o.Zones, func(p place) string { return p.zone }},
	} {
		if chosen, err = only(filter.noun, filter.names, recording, places, chosen, filter.of); err != nil {
			return nil, err
		}
	}
	if len(chosen) == 0 {
		return nil, refused("%s has none of these types in these zones", recording)
	}
	return chosen, nil
}

// one settles on a name that there may be several of.
func one[T any](noun, wanted, recording string, all []T, of func(T) string) (string, error) {
	names := distinct(all, of)
	switch {
	case wanted == AllRegions && noun == "region" || slices.Contains(names, wanted):
		return wanted, nil
	case wanted != "":
		return "", refused("%s has no %s %q, but %s", recording, noun, wanted, listed(names))
	case len(names) == 1:
		return names[0], nil
	case len(names) == 0:
		return "", refused("%s has no series", recording)
	}
	return "", refused("%s has more than one %s; name one of %s", recording, noun, listed(names))
}

// only keeps those of the chosen that have one of the names.
func only(noun string, names []string, recording string, places []place, chosen []int, of func(place) string) ([]int, error) {
	if len(names) == 0 {
		return chosen, nil
	}
	var kept []int
	seen := map[string]bool{}
	for _, n := range chosen {
		if name := of(places[n]); slices.Contains(names, name) {
			kept, seen[name] = append(kept, n), true
		}
	}
	for _, name := range names {
		if !seen[name] {
			return nil, refused("%s has no %s %q in the region, but %s", recording, noun, name, listed(distinct(chosen, func(n int) string { return of(places[n]) })))
		}
	}
	return kept, nil
}

func distinct[T any](all []T, of func(T) string) []string {
	var names []string
	for _, one := range all {
		names = append(names, of(one))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// listed names a few, and says how many there are.
func listed(names []string) string {
	const most = 12
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// span is the time of a world, given that of its recording.
func (o Options) span(recording string, first, last time.Time) (from, until time.Time, err error) {
	from, until = first, last
	if !o.From.IsZero() {
		from = o.From.UTC()
	}
	if !o.Until.IsZero() {
		until = o.Until.UTC()
	}
	if !from.Before(until) || from.Before(first) || until.After(last) {
		const day = "2006-01-02 15:04"
		return from, until, refused("%s tells of the time from %s to %s, and a world from %s to %s is wanted: it has to begin before it ends, and to lie inside",
			recording, first.Format(day), last.Format(day), from.Format(day), until.Format(day))
	}
	return from, until, nil
}

// leaveOut counts a series that becomes no pool.
func (w *World) leaveOut(why string, p place) {
	n := slices.IndexFunc(w.LeftOut, func(l LeftOut) bool { return l.Why == why })
	if n < 0 {
		n = len(w.LeftOut)
		w.LeftOut = append(w.LeftOut, LeftOut{Why: why, First: p.String()})
	}
	w.LeftOut[n].Series++
}

// finish orders the pools, and refuses a world without any.
func (w *World) finish(o Options) error {
	if len(w.Pools) == 0 {
		var why []string
		for _, l := range w.LeftOut {
			why = append(why, fmt.Sprintf("%d %s (%s)", l.Series, l.Why, l.First))
		}
		return refused("%s leaves no pool: of its series, %s", w.Name, strings.Join(why, "; "))
	}
	slices.SortFunc(w.Pools, func(a, b Pool) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Zone, b.Zone)) })
	w.Boot = cmp.Or(o.Boot, usualBoot)
	w.Notice = cmp.Or(o.Notice, noticeOf(w.Pools[0].Provider))
	if o.Notice == 0 {
		for _, p := range w.Pools {
			w.Notice = min(w.Notice, noticeOf(p.Provider))
		}
	}
	return nil
}
