package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// What a voluntary move must be worth [ours].
const (
	minSaving    = 15              // percent that a cheaper spot market must save
	dwellCheaper = time.Hour       // how long an instance stays in a spot market before price alone may move it
	dwellRevert  = 5 * time.Minute // how long a fallback stays on demand: as long as a pool cools at least, so that it is not sent back into a shortage
)

// revert brings back to spot what is on demand beyond its share: after a fallback, or when the share was lowered. Spot beyond its share is never converted.
func revert(d *draft) {
	for _, s := range d.scopes() {
		excess := s.have.onDemand - s.onDemand - max(0, -d.missing()) // what is too much altogether leaves by scale-in, on demand first
		if excess <= 0 {
			continue
		}
		if !d.mayRevert() {
			return
		}
		for _, m := range d.movable(OnDemand, s.zone, dwellRevert, byAge) {
			if m.units > excess || !d.mayMove(m, "revert to spot") {
				break
			}
			if !d.move(m, ReasonRevert, d.instead(m, s.zone), func(o *option) bool { return d.cheaperThanOwn(o, m) }) {
				d.note("%s stays on demand: no open spot market is cheaper.", m.ID)
				d.wake(d.shelfOf(Spot).opensNext())
				break
			}
			excess -= m.units
		}
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
		return d.intent.Choice.Rule != AvailabilityOriented && !d.intent.Mix.IsAllPersisted
	default:
		return true
	}
}

// cheapen moves to a cheaper spot market, where the rule looks at the price and the saving is worth a move.
func cheapen(d *draft) {
	rule := d.intent.Choice.Rule
	if rule != CostOriented && rule != Cheapest || d.intent.Mix.IsAllPersisted || d.missing() < 0 || d.have.spot == 0 {
		return
	}
	paid := d.paid() // per instance, as one takes the place of one
	d.wakeForCheaper(paid)
	byPrice := func(a, b *member) int {
		return cmp.Or(cmp.Compare(paid[b.place()], paid[a.place()]), byAge(a, b))
	}
	for _, m := range d.movable(Spot, "", dwellCheaper, byPrice) {
		w := d.instead(m, "")
		w.least = m.units
		if best, _ := d.shelfOf(Spot).pick(w); best == nil || !saves(best, paid[m.place()]) {
			continue
		}
		if !d.mayMove(m, "move to a cheaper market") {
			return
		}
		d.move(m, ReasonCheaper, w, func(*option) bool { return true })
	}
}

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

// move buys spot in a member's place and sends the member away, if the best market is worth it.
func (d *draft) move(m *member, why Reason, w want, worth func(*option) bool) bool {
	best, next := d.shelfOf(Spot).pick(w)
	if best == nil || !worth(best) {
		return false
	}
	d.send(m, why)
	d.order(best, next, why, m)
	for d.missing() > 0 {
		if best, next = d.shelfOf(Spot).pick(want{zone: w.zone, units: d.missing(), room: d.room()}); best == nil {
			d.fallShort() // the rest of the place is filled by the next plan; until then the member serves
			break
		}
		d.order(best, next, why, nil)
	}
	return true
}

// cheaperThanOwn compares a spot market with what a member costs on demand.
func (d *draft) cheaperThanOwn(o *option, m *member) bool {
	own := o.OnDemand
	units := o.units
	for n := range d.market.Pools {
		if p := &d.market.Pools[n]; p.Type == m.Type && p.OnDemand > 0 {
			own, units = p.OnDemand, m.units
			break
		}
	}
	return o.perUnit > 0 && o.perUnit < int64(own)*1000/int64(units)
}
