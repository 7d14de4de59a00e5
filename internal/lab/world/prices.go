package world

import (
	"time"

	"github.com/neap-cloud/neap/internal/lab/trace"
)

// Why series are left out.
const (
	leftUnknown  = "are of a type that no catalogue here lists in the region"
	leftLate     = "begin more than a day after the world"
	leftEarly    = "end more than a week before the world"
	leftRepeated = "measure a pool that another series measures"
)

const (
	lateMost  = 24 * time.Hour     // how long before a series' first price that price may be taken to have held
	earlyMost = 7 * 24 * time.Hour // how long after a series' last price that price may be taken to hold
)

// FromPrices makes a world of recorded prices. Losses were not recorded with them: the fates are drawn. A series has to cover the world's time, because some
// recordings stop in the middle; the last price of a whole region holds on.
func FromPrices(p trace.Prices, o Options) (World, error) {
	places := make([]place, len(p.Series))
	for n, s := range p.Series {
		places[n] = placeOf(s.Provider, s.Region, s.Zone, s.Type)
	}
	chosen, err := o.choose(p.Name, places)
	if err != nil {
		return World{}, err
	}
	var wanted trace.Prices
	for _, n := range chosen {
		wanted.Series = append(wanted.Series, p.Series[n])
	}
	first, last := wanted.Span()
	w := World{Name: p.Name, Simulated: p.Simulated}
	if w.From, w.Until, err = o.span(p.Name, first, last); err != nil {
		return World{}, err
	}
	for _, n := range chosen {
		f, _, ok := known(places[n].region, places[n].kind)
		why := w.uncovered(p.Series[n])
		if !ok {
			why = leftUnknown
		}
		if why != "" {
			w.leaveOut(why, places[n])
			continue
		}
		pool := f.pool(places[n])
		pool.Prices, pool.Priced = w.changes(p.Series[n].Points), PricedRecorded
		w.Pools = append(w.Pools, pool)
	}
	if err := w.finish(o); err != nil {
		return World{}, err
	}
	w.drawFates(o.Seed, o.Permute)
	return w, nil
}

// uncovered is why a series of prices can't serve the world, "" if it can.
func (w *World) uncovered(s trace.PriceSeries) string {
	switch {
	case !w.beginsInTime(s.Points):
		return leftLate
	case s.Zone != "" && s.Points[len(s.Points)-1].At.Before(w.Until.Add(-earlyMost)):
		return leftEarly
	}
	return ""
}

func (w *World) beginsInTime(points []trace.PricePoint) bool {
	return len(points) > 0 && !points[0].At.After(w.From.Add(lateMost))
}

// changes are the prices of the world's time, those that change nothing left out.
func (w *World) changes(points []trace.PricePoint) []Change {
	var all []Change
	for _, p := range points {
		last := len(all) - 1
		switch {
		case last < 0 || !p.At.After(w.From): // the latest before the beginning holds at it
			all = append(all[:0], Change{At: w.From, Price: p.Price})
		case p.At.Before(w.Until) && p.Price != all[last].Price:
			all = append(all, Change{At: p.At, Price: p.Price})
		}
	}
	return all
}
