package world

import (
	"time"

	"github.com/neap-cloud/neap/internal/lab/trace"
)

// probeEvery is how often a prober looks whether a pool would give one instance.
const probeEvery = 10 * time.Minute

// recordName is the measurement that a written world's availability belongs to.
const recordName = "availability/1-node/neap"

// Record writes a world down as an observer could have: every change of price, and the availability that somebody finds who asks each pool for one instance
// every ten minutes. What happens between two probes is not seen.
func Record(w World) (trace.Prices, trace.Availability) {
	prices := trace.Prices{Name: w.Name, Simulated: w.Simulated}
	availability := trace.Availability{Name: w.Name, Simulated: w.Simulated || !w.Recorded}
	for n := range w.Pools {
		p := &w.Pools[n]
		prices.Series = append(prices.Series, trace.PriceSeries{Provider: p.Provider, Region: p.Region, Zone: p.Zone, Type: p.Type, Points: w.points(p)})
		availability.Series = append(availability.Series, trace.AvailabilitySeries{
			Trace: recordName, Provider: p.Provider, Region: p.Region, Zone: p.Zone, Type: p.Type, Nodes: 1, Points: w.probes(p), Ends: w.Until,
		})
	}
	return prices, availability
}

// points are the changes, and the last price once more at the end, which says how far the record goes.
func (w *World) points(p *Pool) []trace.PricePoint {
	var all []trace.PricePoint
	for _, c := range p.Prices {
		if c.At.Before(w.Until) {
			all = append(all, trace.PricePoint{At: c.At, Price: c.Price})
		}
	}
	all = append(all, trace.PricePoint{At: w.Until, Price: all[len(all)-1].Price})
	return all
}

func (w *World) probes(p *Pool) []trace.StatePoint {
	var all []trace.StatePoint
	for t := w.From; t.Before(w.Until); t = t.Add(probeEvery) {
		if up := p.Fates.Room(0, t) > 0; len(all) == 0 || all[len(all)-1].Up != up {
			all = append(all, trace.StatePoint{At: t, Up: up})
		}
	}
	return all
}
