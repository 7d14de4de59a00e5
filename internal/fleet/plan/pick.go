package plan

// want describes one instance to be bought.
type want struct {
	zone  string // "" = any
	units int    // how many are missing; more than these are worth nothing
	room  int    // units that the maximum still allows
	least int    // units that it must have
}

// pick is the best open option and the next best, or nil. Order: preferred zones before others, preferred types (as long as their market holds fewer than
// preferredCap) before others, then by expected cost.
func (s *shelf) pick(w want) (best, next *option) {
	s.used = true
	for _, tier := range s.tiers {
		if len(tier) == 0 {
			continue
		}
		levels := []func(*option) bool{
			func(o *option) bool { return o.preferred && o.count < preferredCap },
			func(o *option) bool { return !o.preferred },
			func(o *option) bool { return o.preferred },
		}
		if !s.preferred {
			levels = levels[1:2]
		}
		for _, belongs := range levels {
			if best, next = s.bestOf(tier, w, belongs); best != nil {
				return best, next
			}
		}
	}
	return nil, nil
}

// bestOf looks through options in order of their base cost, and stops as soon as no later one can win: all that is left to add is never negative.
func (s *shelf) bestOf(tier []*option, w want, belongs func(*option) bool) (best, next *option) {
	var bestCost, nextCost int64
	for _, o := range tier {
		if next != nil && o.base > nextCost {
			break
		}
		if !belongs(o) || o.units > w.room || o.units < w.least || w.zone != "" && o.Zone != w.zone {
			continue
		}
		cost := s.costNow(o, w)
		switch {
		case best == nil || cost < bestCost || cost == bestCost && o.emptier(best):
			best, bestCost, next, nextCost = o, cost, best, bestCost
		case next == nil || cost < nextCost:
			next, nextCost = o, cost
		}
	}
	return best, next
}

// costNow adds what the fleet holds by now, and the price of units that nobody asked for.
func (s *shelf) costNow(o *option, w want) int64 {
	cost := o.base + s.spreadTerm(o)
	if w.units > 0 && o.units > w.units {
		cost += o.perUnit * int64(o.units-w.units) / int64(w.units)
	}
	return cost
}

// emptier breaks ties, so that equal markets share evenly even where the rule looks at the price alone.
func (o *option) emptier(than *option) bool {
	if o.held != than.held {
		return o.held < than.held
	}
	return o.zone.held < than.zone.held
}

// take counts one instance into an option.
func (o *option) take() {
	o.chosen++
	o.count++
	o.held += o.units
	o.zone.held += o.units
}
