package main

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/lab/trace"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// The recorded traces, by the names of their files.
const (
	fileAvailability = "skypilot-spot-availability.csv.gz"
	filePrices2021   = "aws-us-east-1-2021-03_05.csv.gz"
	filePrices2015   = "aws-us-east-1-2015-bid-era.csv.gz"
)

// data reads each recording once.
type data struct {
	folder       string // "" = there are only the shipped ones
	prices       map[string]trace.Prices
	availability map[string]trace.Availability
}

func newData(folder string) *data {
	return &data{folder: folder, prices: map[string]trace.Prices{}, availability: map[string]trace.Availability{}}
}

func (d *data) pricesOf(name string) (trace.Prices, error) {
	return once(d.prices, name, d.folder, trace.OpenPrices)
}

func (d *data) availabilityOf(name string) (trace.Availability, error) {
	return once(d.availability, name, d.folder, trace.OpenAvailability)
}

func once[T any](known map[string]T, name, folder string, open func(string) (T, error)) (T, error) {
	if found, is := known[name]; is {
		return found, nil
	}
	found, err := open(trace.Resolve(name, folder))
	if err == nil {
		known[name] = found
	}
	return found, err
}

// source names a file with the beginning of its digest.
func source(name, digest string) string {
	return fmt.Sprintf("`%s` (SHA-256 %s…)", name, digest[:min(12, len(digest))])
}

// market is a world with a short name.
type market struct {
	name  string
	world *world.World
}

// regions are the worlds of recorded availability that have at least two zones of one region.
func regions(a trace.Availability) (all []market, err error) {
	type group struct{ trace, region string }
	zones := map[group]int{}
	var groups []group
	for _, s := range a.Series {
		g := group{s.Trace, s.Region}
		if zones[g]++; zones[g] == 2 {
			groups = append(groups, g)
		}
	}
	for _, g := range groups {
		w, err := world.FromAvailability(a, world.Options{Trace: g.trace, Region: g.region})
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%s, %s: %s in %d zones, %.1f days", g.trace, g.region, w.Pools[0].Type, len(w.Pools), w.Until.Sub(w.From).Hours()/24)
		if twins(&w) {
			name += " (the record says the same of all zones)"
		}
		all = append(all, market{name, &w})
	}
	return all, nil
}

// twins says that all pools tell the very same, so that they are worth no more than one.
func twins(w *world.World) bool {
	return !slices.ContainsFunc(w.Pools, func(p world.Pool) bool { return !reflect.DeepEqual(p.Fates, w.Pools[0].Fates) })
}

// until is the same world, cut off.
func until(w *world.World, at time.Time) *world.World {
	part := *w
	part.Until = at
	return &part
}

// basket is a choice of comparable types.
type basket []string

// baskets of the prices of 2021.
func baskets() []basket {
	return []basket{
		{"m5.xlarge", "m5a.xlarge", "m4.xlarge", "m5d.xlarge"},
		{"c5.large", "c4.large", "c5d.large", "c5n.large"},
		{"r5.2xlarge", "r5a.2xlarge", "r4.2xlarge", "r5d.2xlarge"},
		{"c5.4xlarge", "c5n.4xlarge", "c5d.4xlarge", "m5.4xlarge"},
		{"m5.large", "m5a.large", "m4.large", "t3.large"},
		{"i3.xlarge", "i3en.xlarge", "r5d.xlarge", "r5.xlarge"},
		{"m5.12xlarge", "m5a.12xlarge", "m5d.12xlarge", "r5.12xlarge"},
		{"c5.9xlarge", "c5d.9xlarge", "c5n.9xlarge"},
		{"r5.8xlarge", "r5a.8xlarge", "r4.8xlarge", "m5.8xlarge"},
		{"m5n.xlarge", "m5dn.xlarge", "r5n.xlarge", "m5.xlarge"},
	}
}

// drawn is the world of recorded prices of a basket, with losses from a seed.
func (b basket) drawn(p trace.Prices, s span, seed uint64, permute bool) (*world.World, error) {
	w, err := world.FromPrices(p, world.Options{Types: b, From: s.from, Until: s.until, Seed: seed, Permute: permute})
	if err != nil {
		return nil, err
	}
	return &w, isWide(&w)
}

// isWide makes sure that a world has the three types and three zones that the figures speak of.
func isWide(w *world.World) error {
	var types, zones []string
	for _, p := range w.Pools {
		types, zones = append(types, p.Type), append(zones, p.Zone)
	}
	slices.Sort(types)
	slices.Sort(zones)
	if types, zones = slices.Compact(types), slices.Compact(zones); len(types) < 3 || len(zones) < 3 {
		return fmt.Errorf("%s gives %d types in %d zones; at least three of each are wanted", w.Name, len(types), len(zones))
	}
	return nil
}

// span is a part of a recording.
type span struct{ from, until time.Time }

// halves of a time, for training and for later.
func (s span) halves() [2]span {
	middle := s.from.Add(s.until.Sub(s.from) / 2).Truncate(time.Hour)
	return [2]span{{s.from, middle}, {middle, s.until}}
}

// first days of a time.
func (s span) first(days int) span {
	if end := s.from.AddDate(0, 0, days); end.Before(s.until) {
		s.until = end
	}
	return s
}

// last days of a time.
func (s span) last(days int) span {
	if begin := s.until.AddDate(0, 0, -days); begin.After(s.from) {
		s.from = begin
	}
	return s
}

func (s span) String() string {
	return s.from.Format(time.DateOnly) + " to " + s.until.Format(time.DateOnly)
}

func (s span) days() float64 { return s.until.Sub(s.from).Hours() / 24 }

// months of the prices of 2021: March is for training.
func months() [2]span {
	at := func(m time.Month, d int) time.Time { return time.Date(2021, m, d, 0, 0, 0, 0, time.UTC) }
	return [2]span{{at(time.March, 3), at(time.April, 1)}, {at(time.April, 1), at(time.April, 30)}}
}

// classOf is the interruption class of a type in us-east-1, where the recorded prices are from.
func classOf(kind string) int {
	offer, _ := catalog.AWS().Offer("us-east-1", catalog.Linux, kind)
	return offer.Interruption
}
