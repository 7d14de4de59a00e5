package job

import (
	"slices"

	"github.com/neap-cloud/neap/internal/lab/trace"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// Worlds are those that recorded availability offers to jobs: every series by itself, and of each measurement the zones of a region together, and all of them. A group
// of one zone, or of the zones of another group, is no world of its own.
func Worlds(a trace.Availability) ([]*world.World, error) {
	var worlds []*world.World
	add := func(name string, o world.Options) error {
		w, err := world.FromAvailability(a, o)
		if err != nil {
			return err
		}
		w.Name = o.Trace + " " + name
		worlds = append(worlds, &w)
		return nil
	}
	var labels []string
	zones := map[string][]string{}   // by label
	regions := map[string][]string{} // by label, one for each zone
	for _, s := range a.Series {
		if zones[s.Trace] == nil {
			labels = append(labels, s.Trace)
		}
		zones[s.Trace], regions[s.Trace] = append(zones[s.Trace], s.Zone), append(regions[s.Trace], s.Region)
		if err := add(s.Zone, world.Options{Trace: s.Trace, Region: s.Region, Zones: []string{s.Zone}}); err != nil {
			return nil, err
		}
	}
	for _, label := range labels {
		for _, region := range slices.Compact(slices.Sorted(slices.Values(regions[label]))) {
			count := 0
			for _, of := range regions[label] {
				if of == region {
					count++
				}
			}
			if count == 1 || count == len(zones[label]) {
				continue
			}
			if err := add(region, world.Options{Trace: label, Region: region}); err != nil {
				return nil, err
			}
		}
		if len(zones[label]) > 1 {
			if err := add("all zones", world.Options{Trace: label, Region: world.AllRegions}); err != nil {
				return nil, err
			}
		}
	}
	return worlds, nil
}
