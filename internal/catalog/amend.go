package catalog

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Sold is a type that a region really sells, as the cloud itself tells it. Family and Generation need not be filled in: the name tells them.
type Sold struct {
	Type
	Zones []string // "us-east-1a"
	Spot  bool
}

// Copy is a catalogue of its own with the same facts: amending one leaves the other as it is.
func (c *Cloud) Copy() *Cloud { return hold(c.now.Load()) }

func hold(f *facts) *Cloud {
	c := &Cloud{}
	c.now.Store(f)
	return c
}

// Edition grows with every amendment: what was made from an older edition is to be made anew.
func (c *Cloud) Edition() int { return c.now.Load().edition }

// Amend replaces what is known to be sold in a region by what is. Types and zones that were unknown become known, without prices; a known type keeps its facts and list prices.
// One that is not sold stays listed, in no zone, so that what was written down with it can still be read. Nothing sold at all is not believed. Those who read
// meanwhile see the facts before or after, never a mixture.
func (c *Cloud) Amend(region string, sold []Sold) {
	if len(sold) == 0 {
		return
	}
	for {
		before := c.now.Load()
		if c.now.CompareAndSwap(before, before.with(region, sold)) {
			return
		}
	}
}

func (f *facts) with(region string, sold []Sold) *facts {
	base := f.base
	if base == nil {
		base = f
	}
	next := &facts{
		edition: f.edition + 1, base: base, sources: f.sources, vendors: f.vendors, regions: f.regions,
		zones: maps.Clone(f.zones), types: maps.Clone(f.types), offers: maps.Clone(f.offers),
	}
	if !slices.Contains(next.regions, region) {
		next.regions = slices.Sorted(slices.Values(append(slices.Clone(next.regions), region)))
	}
	known := map[string]bool{}
	for _, product := range Products() {
		for _, offer := range base.sold(region, product) {
			known[offer.Type.Name] = true
		}
	}
	zones := slices.Clone(base.zones[region])
	byName := make(map[string]Sold, len(sold))
	for _, s := range sold {
		s.Zones = slices.Compact(slices.Sorted(slices.Values(s.Zones)))
		s.Type = next.learn(s.Type)
		byName[s.Name] = s
		zones = append(zones, s.Zones...)
	}
	slices.Sort(zones)
	next.zones[region] = slices.Compact(zones)
	for _, product := range Products() {
		next.offers[shelf{region, product}] = sync.OnceValue(func() []Offer {
			return amended(base.sold(region, product), byName, known, product)
		})
	}
	return next
}

// learn makes a type known, unless it is: what was embedded was looked up with more care.
func (f *facts) learn(t Type) Type {
	if known, ok := f.types[t.Name]; ok {
		return known
	}
	t.Family, _, _ = strings.Cut(t.Name, ".")
	t.Generation = generation(t.Family)
	f.types[t.Name] = t
	return t
}

func (f *facts) sold(region, product string) []Offer {
	if offers, ok := f.offers[shelf{region, product}]; ok {
		return offers()
	}
	return nil
}

// amended are the offers for a product: the embedded ones where they are sold, and the types that the embedded ones lack for every product.
func amended(embedded []Offer, sold map[string]Sold, known map[string]bool, product string) []Offer {
	list := slices.Clone(embedded)
	for n := range list {
		s, is := sold[list[n].Type.Name]
		list[n].Zones = s.Zones
		if is && !s.Spot {
			list[n].Spot = 0
		}
	}
	for name, s := range sold {
		if !known[name] && (product != Windows || s.Arch == "x86_64") {
			list = append(list, Offer{Type: s.Type, Zones: s.Zones, Interruption: -1})
		}
	}
	slices.SortFunc(list, func(a, b Offer) int { return strings.Compare(a.Type.Name, b.Type.Name) })
	return list
}
