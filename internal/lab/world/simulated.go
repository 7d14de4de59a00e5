package world

import (
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// usualSpan is the time of a simulated world unless told otherwise: thirty days from a Thursday on.
func usualSpan() (from, until time.Time) {
	from = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	return from, from.AddDate(0, 0, 30)
}

// Simulated makes a world without any recording: types and zones of one region of AWS's catalogue, us-east-1 unless told otherwise, with prices and fates as the
// simulated cloud draws them.
func Simulated(o Options) (World, error) {
	w := World{Name: "simulated", Simulated: true}
	w.From, w.Until = usualSpan()
	if !o.From.IsZero() {
		w.From, w.Until = o.From.UTC(), o.From.UTC().AddDate(0, 0, 30)
	}
	if !o.Until.IsZero() {
		w.Until = o.Until.UTC()
	}
	if !w.From.Before(w.Until) {
		return World{}, refused("a simulated world from %s to %s has to begin before it ends", w.From, w.Until)
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	const source = "the catalogue"
	var places []place
	for _, region := range catalog.AWS().Regions() {
		for _, offer := range catalog.AWS().Offers(region, catalog.Linux) {
			for _, zone := range offer.Zones {
				if offer.Spot > 0 {
					places = append(places, place{"aws", region, zone, offer.Type.Name})
				}
			}
		}
	}
	chosen, err := o.choose(source, places)
	if err != nil {
		return World{}, err
	}
	for _, n := range chosen {
		f, _, _ := known(places[n].region, places[n].kind)
		pool := f.pool(places[n])
		pool.Prices, pool.Priced = w.tape(&pool, o.Seed), PricedDrawn
		w.Pools = append(w.Pools, pool)
	}
	if err := w.finish(o); err != nil {
		return World{}, err
	}
	w.drawFates(o.Seed, o.Permute)
	return w, nil
}

// tape draws the prices of a pool.
func (w *World) tape(p *Pool, seed uint64) []Change {
	tape := physics.TapeOf(physics.Dice(seed), p.Region, p.Zone, p.Type)
	from := physics.At(w.From)
	var all []Change
	for _, at := range slices.Concat([]physics.Instant{from}, tape.Changes(from, physics.At(w.Until))) {
		price := physics.Priced(p.Usual, p.OnDemand, tape.Factor(tape.Changed(at)))
		if last := len(all) - 1; last < 0 || all[last].Price != price {
			all = append(all, Change{At: at.Time(), Price: price})
		}
	}
	return all
}
