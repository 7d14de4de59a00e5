package trace

import (
	"slices"
	"sort"
	"time"
)

// Filter says which series are wanted. An empty list wants all; a series of a whole region is in no zone.
type Filter struct{ Types, Zones, Regions []string }

func (f Filter) wants(kind, zone, region string) bool {
	in := func(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }
	return in(f.Types, kind) && in(f.Zones, zone) && in(f.Regions, region)
}

// Select keeps the series that the filter wants, and shares their points.
func (p Prices) Select(f Filter) Prices {
	var kept []PriceSeries
	for _, s := range p.Series {
		if f.wants(s.Type, s.Zone, s.Region) {
			kept = append(kept, s)
		}
	}
	p.Series = kept
	return p
}

// Select keeps the series that the filter wants, and shares their points.
func (a Availability) Select(f Filter) Availability {
	var kept []AvailabilitySeries
	for _, s := range a.Series {
		if f.wants(s.Type, s.Zone, s.Region) {
			kept = append(kept, s)
		}
	}
	a.Series = kept
	return a
}

// Cut keeps what happened in [from, until). The price that holds at from becomes the first point, at from; a series without a price before until is left out.
// Digest and Skipped go on telling of the whole file.
func (p Prices) Cut(from, until time.Time) Prices {
	var kept []PriceSeries
	for _, s := range p.Series {
		if s.Points = cut(s.Points, priceTime, from, until); len(s.Points) > 0 {
			kept = append(kept, s)
		}
	}
	p.Series = kept
	return p
}

// Cut keeps what was measured in [from, until). The state that holds at from becomes the first point, at from, and Ends is until at the latest; a series that
// was not measured in that time is left out. Digest and Skipped go on telling of the whole file.
func (a Availability) Cut(from, until time.Time) Availability {
	var kept []AvailabilitySeries
	for _, s := range a.Series {
		if s.Points = cut(s.Points, stateTime, from, until); len(s.Points) == 0 || !s.Ends.After(from) {
			continue
		}
		s.Prices = cut(s.Prices, priceTime, from, until)
		if s.Ends.After(until) {
			s.Ends = until
		}
		kept = append(kept, s)
	}
	a.Series = kept
	return a
}

// cut copies the points in [from, until), after the one that holds at from.
func cut[P any](points []P, at func(*P) *time.Time, from, until time.Time) []P {
	end := sort.Search(len(points), func(n int) bool { return !at(&points[n]).Before(until) })
	if end == 0 || !from.Before(until) {
		return nil
	}
	kept := slices.Clone(points[max(0, holding(points[:end], at, from)):end])
	*at(&kept[0]) = later(*at(&kept[0]), from)
	return kept
}

// holding is the number of the point that holds at t, -1 before the first.
func holding[P any](points []P, at func(*P) *time.Time, t time.Time) int {
	return sort.Search(len(points), func(n int) bool { return at(&points[n]).After(t) }) - 1
}

func priceTime(p *PricePoint) *time.Time { return &p.At }
func stateTime(p *StatePoint) *time.Time { return &p.At }

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// Span is the time from the first price of any series to the last.
func (p Prices) Span() (from, until time.Time) {
	for n, s := range p.Series {
		first, last := s.Points[0].At, s.Points[len(s.Points)-1].At
		from, until = widen(n == 0, from, until, first, last)
	}
	return from, until
}

// Span is the time from the first state of any series to the last end.
func (a Availability) Span() (from, until time.Time) {
	for n, s := range a.Series {
		from, until = widen(n == 0, from, until, s.Points[0].At, s.Ends)
	}
	return from, until
}

func widen(isFirst bool, from, until, first, last time.Time) (time.Time, time.Time) {
	if isFirst || first.Before(from) {
		from = first
	}
	return from, later(until, last)
}

// equal compares moments, not how a time spells its zone.
func (s *PriceSeries) equal(other PriceSeries) bool {
	return s.Provider == other.Provider && s.Region == other.Region && s.Zone == other.Zone && s.Type == other.Type && slices.EqualFunc(s.Points, other.Points, samePrice)
}

func (s *AvailabilitySeries) equal(other AvailabilitySeries) bool {
	return s.Trace == other.Trace && s.Provider == other.Provider && s.Region == other.Region && s.Zone == other.Zone && s.Type == other.Type &&
		s.Nodes == other.Nodes && s.Kept == other.Kept && s.Ends.Equal(other.Ends) &&
		slices.EqualFunc(s.Points, other.Points, func(a, b StatePoint) bool { return a.Up == b.Up && a.At.Equal(b.At) }) &&
		slices.EqualFunc(s.Prices, other.Prices, samePrice)
}

func samePrice(a, b PricePoint) bool { return a.Price == b.Price && a.At.Equal(b.At) }
