package world

import (
	"cmp"
	"time"

	"github.com/neap-cloud/neap/internal/lab/trace"
)

// FromAvailability makes a world of recorded availability, with the prices that it tells or else the usual ones.
func FromAvailability(a trace.Availability, o Options) (World, error) {
	return FromBoth(trace.Prices{}, a, o)
}

// FromBoth makes a world of recorded availability and of prices recorded elsewhere. Pools are those whose availability was recorded. Their prices are those
// recorded beside it, where these begin in time; else those of the other recording, where it covers the world's time; else the usual price all the time.
func FromBoth(p trace.Prices, a trace.Availability, o Options) (World, error) {
	label, err := one("trace", o.Trace, a.Name, a.Series, func(s trace.AvailabilitySeries) string { return s.Trace })
	if err != nil {
		return World{}, err
	}
	var series []trace.AvailabilitySeries
	var places []place
	for _, s := range a.Series {
		if s.Trace == label {
			series, places = append(series, s), append(places, placeOf(s.Provider, s.Region, s.Zone, s.Type))
		}
	}
	chosen, err := o.choose(a.Name, places)
	if err != nil {
		return World{}, err
	}
	var first, last time.Time
	for _, n := range chosen {
		if begins := series[n].Points[0].At; begins.After(first) {
			first = begins
		}
		if ends := series[n].Ends; last.IsZero() || ends.Before(last) {
			last = ends
		}
	}
	w := World{Name: a.Name + " " + label, Recorded: true, Simulated: a.Simulated}
	if w.From, w.Until, err = o.span(a.Name, first, last); err != nil {
		return World{}, err
	}
	elsewhere := w.covering(p)
	seen := map[place]bool{}
	for _, n := range chosen {
		f, from, ok := known(places[n].region, places[n].kind)
		switch {
		case !ok:
			w.leaveOut(leftUnknown, places[n])
			continue
		case seen[places[n]]:
			w.leaveOut(leftRepeated, places[n])
			continue
		}
		seen[places[n]] = true
		pool := f.pool(places[n])
		pool.Prices, pool.Priced = []Change{{At: w.From, Price: f.usual}}, from
		if beside := series[n].Prices; w.beginsInTime(beside) {
			pool.Prices, pool.Priced = w.changes(beside), PricedBeside
		} else if other, covered := elsewhere.of(places[n]); covered {
			pool.Prices, pool.Priced = w.changes(other), PricedRecorded
			w.Simulated = w.Simulated || p.Simulated
		}
		pool.Fates = spells(series[n], cmp.Or(o.Notice, noticeOf(series[n].Provider)))
		w.Pools = append(w.Pools, pool)
	}
	return w, w.finish(o)
}

// atlas are prices by place.
type atlas map[place][]trace.PricePoint

// covering are the series that cover the world's time.
func (w *World) covering(p trace.Prices) atlas {
	found := atlas{}
	for _, s := range p.Series {
		if w.uncovered(s) == "" {
			found[placeOf(s.Provider, s.Region, s.Zone, s.Type)] = s.Points
		}
	}
	return found
}

// of are the prices of a zone, or else those of its whole region.
func (a atlas) of(p place) ([]trace.PricePoint, bool) {
	points, found := a[p]
	if !found {
		p.zone = p.region
		points, found = a[p]
	}
	return points, found
}

// spells are the times at which the series was up.
func spells(s trace.AvailabilitySeries, notice time.Duration) Spells {
	all := Spells{Notice: notice, Ends: s.Ends}
	for n, p := range s.Points {
		until := s.Ends
		if n+1 < len(s.Points) {
			until = s.Points[n+1].At
		}
		if p.Up && p.At.Before(until) {
			all.Ups = append(all.Ups, Span{p.At, until})
		}
	}
	return all
}
