package trace

import (
	"slices"
	"sort"
	"time"
)

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
