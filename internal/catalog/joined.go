package catalog

import (
	"maps"
	"slices"
)

// Joined is a catalogue of all that the given ones know now; amending it leaves them as they are, and the other way round. Their regions and types must have
// different names, as those of different clouds do: of the same name, the first one's counts. PricesFrom and Sources name all of them.
func Joined(clouds ...*Cloud) *Cloud {
	all := &facts{
		sources: map[string]Source{}, vendors: map[string]string{}, zones: map[string][]string{}, types: map[string]Type{}, offers: map[shelf]func() []Offer{},
	}
	for n := len(clouds) - 1; n >= 0; n-- {
		one := clouds[n].now.Load()
		all.edition += one.edition
		all.regions = append(all.regions, one.regions...)
		maps.Copy(all.vendors, one.vendors)
		maps.Copy(all.zones, one.zones)
		maps.Copy(all.types, one.types)
		maps.Copy(all.offers, one.offers)
		for table, source := range one.sources {
			all.sources[table] = source.and(all.sources[table])
		}
	}
	slices.Sort(all.regions)
	all.regions = slices.Compact(all.regions)
	return hold(all)
}

// and is both sources, known to hold for the older day.
func (s Source) and(other Source) Source {
	if other == (Source{}) {
		return s
	}
	return Source{Name: s.Name + "; " + other.Name, AsOf: min(s.AsOf, other.AsOf)}
}
