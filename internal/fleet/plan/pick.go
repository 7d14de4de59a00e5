package plan

// want describes one instance to be bought.
type want struct {
	zone  string // "" = any
	units int    // how many are missing; more than these are worth nothing
	room  int    // units that the maximum still allows
	least int    // units that it must have
}

// pick is the best open option and the next best, or nil. Order: preferred zones before others, preferred types (as long as their market holds fewer than
// preferredCap) before others, then by score.
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

// bestOf looks through options in order of their base score, and stops as soon as no later one can win: all that is left to subtract is never negative.
func (s *shelf) bestOf(tier []*option, w want, belongs func(*option) bool) (best, next *option) {
	var bestScore, nextScore int64
	for _, o := range tier {
		if next != nil && o.base < nextScore {
			break
		}
		if !belongs(o) || o.units > w.room || o.units < w.least || w.zone != "" && o.Zone != w.zone {
			continue
		}
		score := s.scoreNow(o, w)
		switch {
		case best == nil || score > bestScore || score == bestScore && o.emptier(best):
			best, bestScore, next, nextScore = o, score, best, bestScore
		case next == nil || score > nextScore:
			next, nextScore = o, score
		}
	}
	return best, next
}

// scoreNow takes off what the fleet holds by now, and the price of units that nobody asked for.
func (s *shelf) scoreNow(o *option, w want) int64 {
	score := o.base + s.weights.spreadTerm(o.held, o.zone.held, s.target)
	if o.units > w.units {
		score -= o.priceTerm * int64(o.units-w.units) / int64(o.units)
	}
	return score
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
