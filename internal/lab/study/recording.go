package study

import (
	"fmt"

	"github.com/neap-cloud/neap/internal/lab/report"
	"github.com/neap-cloud/neap/internal/lab/trace"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// Recording is what a world is made of: prices, availability, or both.
type Recording struct {
	Prices       *trace.Prices
	Availability *trace.Availability
	Shipped      bool // all of it comes with the program
}

// Open reads recordings by the names of their files, "" where there is none; see trace.Resolve for folder. Without any it is the recording that comes with the
// program, whose two files are also known by their names.
func Open(prices, availability, folder string) (Recording, error) {
	shippedPrices, shippedAvailability, err := world.Shipped()
	if err != nil {
		return Recording{}, err
	}
	if prices == "" && availability == "" {
		return Recording{&shippedPrices, &shippedAvailability, true}, nil
	}
	r := Recording{Shipped: true}
	if r.Prices, err = one(prices, folder, shippedPrices, world.ShippedPrices, trace.OpenPrices, &r.Shipped); err != nil {
		return Recording{}, err
	}
	r.Availability, err = one(availability, folder, shippedAvailability, world.ShippedAvailability, trace.OpenAvailability, &r.Shipped)
	return r, err
}

// one reads a file, or takes the shipped recording of its name where there is no such file.
func one[T any](name, folder string, shipped T, shippedName string, open func(path string) (T, error), isShipped *bool) (*T, error) {
	if name == "" {
		return nil, nil
	}
	path := trace.Resolve(name, folder)
	found, err := open(path)
	if err != nil && path == shippedName {
		return &shipped, nil
	}
	*isShipped = false
	return &found, err
}

// world is what the recording becomes with a seed.
func (s *Study) world(seed uint64) (*world.World, error) {
	part := s.Part
	part.Seed = seed
	var w world.World
	var err error
	switch r := s.Recording; {
	case r.Availability == nil:
		w, err = world.FromPrices(*r.Prices, part)
	case r.Prices == nil:
		w, err = world.FromAvailability(*r.Availability, part)
	default:
		w, err = world.FromBoth(*r.Prices, *r.Availability, part)
	}
	return &w, err
}

// sources names the files, for the report.
func (r Recording) sources() (all []report.Source) {
	if r.Prices != nil {
		all = append(all, report.Source{Kind: "prices", Name: r.Prices.Name, Digest: r.Prices.Digest, Skipped: skips(r.Prices.Skipped)})
	}
	if r.Availability != nil {
		all = append(all, report.Source{Kind: "availability", Name: r.Availability.Name, Digest: r.Availability.Digest, Skipped: skips(r.Availability.Skipped)})
	}
	return all
}

func skips(list []trace.Skip) []report.Skip {
	all := []report.Skip{}
	for _, s := range list {
		all = append(all, report.Skip(s))
	}
	return all
}

// shown is the world as the report tells of it.
func (r Recording) shown(w *world.World) report.World {
	return report.World{Name: w.Name, From: w.From, Until: w.Until, Notice: w.Notice, Recorded: w.Recorded, Simulated: w.Simulated, Shipped: r.Shipped}
}

// pools are the world's, for the page.
func pools(w *world.World) (all []report.Pool) {
	for _, p := range w.Pools {
		pool := report.Pool{Type: p.Type, Zone: p.Zone, OnDemand: p.OnDemand, Prices: p.Prices}
		if spells, isRecord := p.Fates.(world.Spells); isRecord {
			pool.Downs = report.Downs(spells, world.Span{From: w.From, Until: w.Until})
		}
		all = append(all, pool)
	}
	return all
}

// notes tell what of the world is not as the files have it.
func notes(w *world.World) (all []string) {
	for _, l := range w.LeftOut {
		all = append(all, fmt.Sprintf("Left out: %d series that %s (the first is %s).", l.Series, l.Why, l.First))
	}
	for _, from := range []world.Priced{world.PricedUsual, world.PricedShare} {
		count := 0
		for _, p := range w.Pools {
			if p.Priced == from {
				count++
			}
		}
		if count > 0 {
			all = append(all, fmt.Sprintf("Not recorded: the prices of %d of %d pools; each has %s.", count, len(w.Pools), from))
		}
	}
	least, most := w.Pools[0].VCPUs, 0
	for _, p := range w.Pools {
		least, most = min(least, p.VCPUs), max(most, p.VCPUs)
	}
	if least < most {
		all = append(all, fmt.Sprintf("Every instance counts as one, whatever its size: the types have %d to %d vCPUs.", least, most))
	}
	return all
}
