package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// What a voluntary move must be worth [ours].
const (
	minSaving    = 5               // percent that a cheaper spot market must save
	dwellCheaper = time.Hour       // how long an instance stays in a spot market before price alone may move it
	dwellRevert  = 2 * time.Minute // how long a fallback stays on demand: as long as a pool cools at least, so that it is not sent back into a shortage
)

// revert brings back to spot what is on demand beyond its share: after a fallback, or when the share was lowered. Spot beyond its share is never converted.
func revert(d *draft) {
	for _, s := range d.scopes() {
		if d.missing() < 0 {
			return // what is too much leaves first, on demand before spot
		}
		excess := s.have.onDemand - s.onDemand
		if excess <= 0 {
			continue
		}
		if !d.mayRevert() {
			return
		}
		for _, m := range d.movable(OnDemand, s.zone, dwellRevert, byAge) {
			if m.units > excess || !d.mayMove(m, revertPart, "revert to spot") {
				break
			}
			w, paid := d.instead(m, s.zone), d.ownPrice(m)
			best, next := d.shelfOf(Spot).pick(w)
			if best == nil || !d.isWorth(best, m, paid) || !d.fits(best, m) {
				d.note("%s stays on demand: no open spot market is worth the move.", m.ID)
				d.wake(d.shelfOf(Spot).opensNext())
				d.wakeWhenSafer()
				break
			}
			d.move(m, ReasonRevert, w, best, next, paid)
			if excess -= m.units; d.missing() < 0 {
				break // what is too much now leaves first
			}
		}
	}
}

// wakeWhenSafer asks for a plan while pools that were in trouble grow safer.
func (d *draft) wakeWhenSafer() {
	if slices.ContainsFunc(d.shelfOf(Spot).all, func(o *option) bool { return o.why == "" && o.Hazard > hourly }) {
		d.wake(d.now.Add(dwellRevert))
	}
}

// mayRevert reads the fleet's consent, and asks to be woken when a window opens.
func (d *draft) mayRevert() bool {
	r := d.intent.Replacement
	switch r.Revert {
	case RevertNever:
		return false
	case RevertWindow:
		for _, w := range r.RevertWindows {
			if w.Contains(d.now) {
				return true
			}
		}
		for _, w := range r.RevertWindows {
			d.wake(w.Next(d.now))
		}
		d.note("On-demand instances go back to spot only in the fleet's time windows.")
		return false
	case RevertByRule:
		isPatient := d.intent.Choice.Policy == ByModel && d.intent.Choice.Rule == AvailabilityOriented
		return !isPatient && !d.intent.Mix.IsAllPersisted
	default:
		return true
	}
}

// cheapen moves to a cheaper market, where the rule looks at the price and the saving is worth a move. Whatever the rule, nobody stays in a spot market that costs more than on
// demand.
func cheapen(d *draft) {
	rule, overpriced := d.intent.Choice.Rule, d.overpriced()
	looksAtPrice := rule == CostOriented || rule == Cheapest
	if !looksAtPrice && len(overpriced) == 0 || d.intent.Mix.IsAllPersisted || d.missing() < 0 || d.have.spot == 0 {
		return
	}
	paid := d.paid() // per instance, as one takes the place of one
	d.wakeForCheaper(paid)
	byPrice := func(a, b *member) int {
		return cmp.Or(cmp.Compare(paid[b.place()], paid[a.place()]), byAge(a, b))
	}
	for _, m := range d.movable(Spot, "", dwellCheaper, byPrice) {
		if !looksAtPrice && !overpriced[m.place()] {
			continue
		}
		w := d.instead(m, "")
		w.least = m.units
		best, next := d.shelfOf(Spot).pick(w)
		if overpriced[m.place()] && d.intent.Mix.FallbackToOD {
			best, next = cheaper(best, next, d.shelfOf(OnDemand), w)
		}
		if best == nil || !saves(best, paid[m.place()]) || d.gain(best, paid[m.place()]) <= d.moveCost(best) {
			continue
		}
		if !d.mayMove(m, cheaperPart, "move to a cheaper market") {
			return
		}
		d.move(m, ReasonCheaper, w, best, next, paid[m.place()])
	}
}

// overpriced are the spot pools of the fleet that cost more than on demand: none, as a rule. Yardsticks put up with them.
func (d *draft) overpriced() (list map[place]bool) {
	if d.intent.Choice.Policy != ByModel {
		return nil
	}
	for n := range d.market.Pools {
		p := &d.market.Pools[n]
		if at := (place{p.Type, p.Zone, Spot}); p.Lifecycle == Spot && p.OnDemand > 0 && p.Price > p.OnDemand && d.held[at] > 0 {
			if list == nil {
				list = map[place]bool{}
			}
			list[at] = true
		}
	}
	return list
}

// cheaper is the better of an option and what else there is.
func cheaper(best, next *option, instead *shelf, w want) (*option, *option) {
	other, _ := instead.pick(w)
	if other == nil || best != nil && best.costs.all() <= other.costs.all() {
		return best, next
	}
	return other, best
}

// gain is what it saves to pay for this option instead, over the time that an instance may be expected to stay there, losses and care included; for all its units, in thousandths of a
// micro-dollar.
func (d *draft) gain(o *option, paid money.Price) int64 {
	return part(int64(paid)*thousand-o.costs.all()*int64(o.units), d.shelfOf(o.Lifecycle).stay(o))
}

// moveCost is what it costs to move an instance: old and new are both paid for a while, and it is a bother.
func (d *draft) moveCost(o *option) int64 {
	s := d.shelfOf(o.Lifecycle)
	return part(s.list*int64(o.units), (overlap + s.weights.bother).Hours())
}

// worth is what a move promises in money alone, and what it may lose. Should prices turn, the fleet moves on once the difference is minSaving, so that is all that a wrong guess can
// cost per hour, beside the overlap before and after.
func (d *draft) worth(o *option, paid money.Price) Worth {
	s := d.shelfOf(o.Lifecycle)
	stay := s.stay(o)
	twice := part(int64(paid)+int64(o.OnDemand), overlap.Hours())
	return Worth{
		Saves:  money.Amount(part(int64(paid-o.Price), stay)-twice) * ticks,
		Risks:  money.Amount(twice+part(int64(paid)*minSaving/100, stay)) * ticks,
		Within: time.Duration(stay * float64(time.Hour)).Round(time.Second),
	}
}

// ticks are the money.Amount of a micro-dollar.
const ticks = money.Dollar / 1_000_000

// saves reports whether an instance here is cheaper by minSaving at least. A price that nobody knows is never beaten. Each move makes the fleet cheaper as a
// whole, so moves come to an end.
func saves(o *option, paid money.Price) bool {
	return paid > 0 && o.Price > 0 && o.Price*100 <= paid*(100-minSaving)
}

// paid is what an instance costs per hour now in each spot pool that the fleet holds.
func (d *draft) paid() map[place]money.Price {
	paid := make(map[place]money.Price, len(d.held))
	for _, o := range d.shelfOf(Spot).all {
		p := place{o.Type, o.Zone, Spot}
		if d.held[p] > 0 {
			paid[p] = o.Price
		}
	}
	return paid
}

// wakeForCheaper asks for a plan when a closed pool opens that would be worth a move.
func (d *draft) wakeForCheaper(paid map[place]money.Price) {
	var dearest money.Price
	for _, price := range paid {
		dearest = max(dearest, price)
	}
	for _, o := range d.shelfOf(Spot).all {
		if !o.openAt.IsZero() && saves(o, dearest) {
			d.wake(o.openAt)
		}
	}
}

// movable are the members that a voluntary move may touch, in the order given: they serve, nobody holds them, and they have stayed long enough.
func (d *draft) movable(l Lifecycle, zone string, dwell time.Duration, order func(a, b *member) int) []*member {
	var list []*member
	for n := range d.members {
		m := &d.members[n]
		switch {
		case m.fate != stays || m.Lifecycle != l || m.Standby || zone != "" && m.Zone != zone || !d.serves(m):
		case d.isLocked(m):
			d.wake(m.LockedUntil)
		case m.LaunchedAt.Add(dwell).After(d.now):
			d.wake(m.LaunchedAt.Add(dwell))
		default:
			list = append(list, m)
		}
	}
	slices.SortStableFunc(list, order)
	return list
}

func byAge(a, b *member) int {
	return cmp.Or(a.LaunchedAt.Compare(b.LaunchedAt), cmp.Compare(a.ID, b.ID))
}

// instead is the wish for something in a member's place.
func (d *draft) instead(m *member, zone string) want {
	return want{zone: zone, units: m.units, room: d.room() + m.units}
}

// move buys in a member's place, for which so much is paid now, and sends the member away.
func (d *draft) move(m *member, why Reason, w want, best, next *option, paid money.Price) {
	worth := d.worth(best, paid)
	d.send(m, why)
	d.order(best, next, why, m).promise(worth)
	for d.missing() > 0 {
		if best, next = d.shelfOf(best.Lifecycle).pick(want{zone: w.zone, units: d.missing(), room: d.room()}); best == nil {
			d.fallShort() // the rest of the place is filled by the next plan; until then the member serves
			break
		}
		d.order(best, next, why, nil)
	}
}

// fits reports whether as many instances as fill a member's place stay below the maximum.
func (d *draft) fits(o *option, m *member) bool {
	rest := m.units % o.units
	return o.units >= m.units || rest == 0 || o.units-rest <= d.room()
}

// isWorth reports whether a spot market is cheaper per unit than what a member costs now, and for the model also whether that makes up for the move.
func (d *draft) isWorth(o *option, m *member, paid money.Price) bool {
	if o.perUnit <= 0 || o.perUnit*int64(m.units) >= int64(paid)*thousand {
		return false
	}
	if d.intent.Choice.Policy != ByModel {
		return true
	}
	return d.gain(o, money.Price(int64(paid)*int64(o.units)/int64(m.units))) > d.moveCost(o)
}

// ownPrice is what a member on demand costs.
func (d *draft) ownPrice(m *member) money.Price {
	for n := range d.market.Pools {
		if p := &d.market.Pools[n]; p.Type == m.Type && p.OnDemand > 0 {
			return p.OnDemand
		}
	}
	return money.Price(d.shelfOf(Spot).list * int64(m.units) / thousand) // its type is sold no more
}
