package plan

import (
	"cmp"
	"slices"
)

// scope is a part of the fleet with a target and a spot/on-demand split of its own: the whole fleet, or one zone of it under EqualZones.
type scope struct {
	zone     string // "" = the whole fleet
	target   int    // units
	onDemand int    // units of it that are to be on demand
	have     count
}

// onDemandOf is how many of n units are to be on demand. A count given by the user wins over the percentage; the spot share is rounded as the mix says.
func (m Mix) onDemandOf(n int) int {
	if m.OnDemandCount >= 0 {
		return min(n, m.OnDemandCount)
	}
	spot := n * m.SpotPercent
	if m.RoundSpotUp {
		spot += 99
	}
	return n - spot/100
}

// scopes are the parts of the fleet, emptiest first. Under EqualZones each zone gets an even part of the target and is split on its own.
func (d *draft) scopes() []scope {
	target := d.intent.Capacity.Target
	if d.intent.Choice.Rule != EqualZones || len(d.zones) == 0 {
		return []scope{{target: target, onDemand: d.intent.Mix.onDemandOf(target), have: d.have}}
	}
	list := make([]scope, len(d.zones))
	for n, zone := range d.zones {
		list[n] = scope{zone: zone.name, have: zone.count}
	}
	// What holds most keeps the remainder, and among equals what holds more on demand: so a remainder moves nobody.
	slices.SortStableFunc(list, func(a, b scope) int {
		return cmp.Or(b.have.all()-a.have.all(), b.have.onDemand-a.have.onDemand)
	})
	for n := range list {
		list[n].target = evenPart(target, len(list), n)
		list[n].onDemand = d.intent.Mix.onDemandOf(list[n].target)
	}
	if d.intent.Mix.OnDemandCount >= 0 {
		deal(list, d.intent.Mix.onDemandOf(target))
	}
	// Stable, and by count only: of equally empty zones the one named first by the user comes first.
	slices.SortStableFunc(list, func(a, b scope) int { return a.have.all() - b.have.all() })
	return list
}

// deal spreads a fixed number of on-demand units evenly over the zones, beginning where most of them are, then where most is missing: a floor that could
// not be bought stays where it is wanted.
func deal(list []scope, units int) {
	slices.SortStableFunc(list, func(a, b scope) int {
		return cmp.Or(b.have.onDemand-a.have.onDemand, (b.target-b.have.all())-(a.target-a.have.all()))
	})
	for n := range list {
		list[n].onDemand = 0
	}
	for units > 0 {
		for n := range list {
			if units > 0 && list[n].onDemand < list[n].target {
				list[n].onDemand++
				units--
			}
		}
	}
}

// evenPart is the nth of k nearly equal parts of total; the first ones are larger.
func evenPart(total, k, n int) int {
	part := total / k
	if n < total%k {
		part++
	}
	return part
}
