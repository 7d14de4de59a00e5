package plan

import (
	"fmt"
	"slices"
	"time"
)

// retryShort is when a fleet that found nothing to buy asks again although no pool is known to open [ours].
const retryShort = time.Minute

// order is a launch in the making: one market, one reason.
type order struct {
	*option
	next     *option // the best alternative when the first one was bought
	reason   Reason
	replaces []*member
	count    int
	missing  int   // units that were missing when the first one was bought
	worth    Worth // of all moves in it
	moves    int
}

// fill buys what is missing: first each part's on-demand share, which is a floor, then spot, then on demand instead of spot where that is allowed.
func fill(d *draft) {
	if d.missing() > 0 {
		d.fillGap()
	}
	d.keepFloor()
}

func (d *draft) fillGap() {
	d.settleZone()
	// Each purchase may shift what is left over between zones: once more, until nothing changes.
	for before := 0; before != d.missing() && d.missing() > 0; {
		before = d.missing()
		d.fillParts(d.scopes())
	}
	if d.missing() > 0 {
		d.fallShort()
	}
}

// keepFloor replaces failing members of the on-demand floor although spot covers the target: what is too much then leaves by scale-in. Spot is not converted for a
// floor that was only raised.
func (d *draft) keepFloor() {
	for _, m := range slices.Clone(d.losses) {
		if !d.isMissed(m) {
			continue
		}
		best, next := d.shelfOf(OnDemand).pick(want{zone: partOf(d.scopes(), m).zone, units: m.units, room: d.room()})
		if best == nil {
			d.wake(d.shelfOf(OnDemand).opensNext())
			return
		}
		d.losses = slices.DeleteFunc(d.losses, func(l *member) bool { return l == m })
		d.order(best, next, m.reason, m)
	}
}

// isMissed reports whether a failing member leaves the on-demand floor short.
func (d *draft) isMissed(m *member) bool {
	part := partOf(d.scopes(), m)
	return m.fate == goes && m.Lifecycle == OnDemand && m.reason == ReasonUnhealthy && part.have.onDemand < part.onDemand
}

// fillParts fills each part in its own zone, and then what none of them got, anywhere: equal zones matter less than capacity.
func (d *draft) fillParts(parts []scope) {
	floor := 0
	for _, s := range parts {
		d.fillPart(s)
		floor += s.onDemand
	}
	before := d.missing()
	if before <= 0 || len(parts) == 1 {
		return
	}
	d.fillPart(scope{target: d.intent.Capacity.Target, onDemand: floor, have: d.have})
	if bought := before - d.missing(); bought > 0 {
		d.note("%d units could not be had in their own zone; others were used, so the zones are no longer equal.", bought)
	}
}

// fillPart buys what one part of the fleet lacks. An on-demand share that cannot be had is not made up with spot, because it could never be won back.
func (d *draft) fillPart(s scope) {
	missing := min(s.target-s.have.all(), d.missing())
	floor := max(0, min(missing, s.onDemand-s.have.onDemand))
	bought := d.buy(s.zone, floor, d.room(), OnDemand)
	room := d.room()
	if bought < floor {
		room = min(room, missing-floor) // not even the last instance may reach into the floor
	}
	d.buy(s.zone, missing-max(floor, bought), room, Spot)
}

// buy orders instances until the units are covered or nothing is left to buy within the room, and returns how many units it got.
func (d *draft) buy(zone string, units, room int, l Lifecycle) (bought int) {
	for bought < units {
		best, next, reason := d.choose(want{zone: zone, units: units - bought, room: room - bought}, l)
		if best == nil {
			break
		}
		old := d.nextLoss(best)
		if old != nil && reason == ReasonCapacity {
			reason = old.reason
		}
		d.order(best, next, reason, old)
		bought += best.units
	}
	return bought
}

// choose finds where to buy one instance. In place of spot it may be on demand: where that costs no more, where no spot market is available, or where losses make
// spot the dearer one.
func (d *draft) choose(w want, l Lifecycle) (best, next *option, reason Reason) {
	if l == OnDemand {
		best, next = d.shelfOf(OnDemand).pick(w)
		return best, next, ReasonCapacity
	}
	best, next = d.shelfOf(Spot).pick(w)
	mix := d.intent.Mix
	switch {
	case best == nil && mix.FallbackToOD:
		best, next = d.shelfOf(OnDemand).pick(w)
		return best, next, ReasonFallback
	case best == nil:
		return nil, nil, ReasonCapacity
	}
	// Where next to nothing is lost, on demand takes the place only of those who ask for it.
	isLossy := mix.FallbackToOD && best.Hazard > hourly
	if !mix.ConsiderOD && !isLossy {
		return best, next, ReasonCapacity
	}
	other, _ := d.shelfOf(OnDemand).pick(w)
	switch {
	case other == nil:
	case mix.ConsiderOD && other.perUnit <= best.perUnit:
		return other, best, ReasonCapacity
	case isLossy && best.costs.all() > other.costs.all():
		return other, best, ReasonVolatile
	}
	return best, next, ReasonCapacity
}

// order writes down one instance more, in place of old if there is one. Orders that differ in nothing else become one launch.
func (d *draft) order(o, next *option, reason Reason, old *member) *order {
	missing := d.missing()
	d.keep(place{o.Type, o.Zone, o.Lifecycle}, o.units)
	o.take()
	n := slices.IndexFunc(d.orders, func(r *order) bool { return r.option == o && r.reason == reason })
	if n < 0 {
		d.orders = append(d.orders, &order{option: o, next: next, reason: reason, missing: missing})
		n = len(d.orders) - 1
	}
	d.orders[n].count++
	if old != nil {
		d.orders[n].replaces = append(d.orders[n].replaces, old)
	}
	return d.orders[n]
}

// promise adds what one move of the order is worth.
func (o *order) promise(w Worth) {
	o.worth.Saves += w.Saves
	o.worth.Risks += w.Risks
	o.worth.Within = max(o.worth.Within, w.Within)
	o.moves++
}

// nextLoss takes the loss whose place an instance bought here takes best: same lifecycle and zone, same lifecycle, any.
func (d *draft) nextLoss(o *option) *member {
	if len(d.losses) == 0 {
		return nil
	}
	rank := func(m *member) int {
		switch {
		case m.Lifecycle == o.Lifecycle && m.Zone == o.Zone:
			return 2
		case m.Lifecycle == o.Lifecycle:
			return 1
		}
		return 0
	}
	best := 0
	for n, m := range d.losses {
		if rank(m) > rank(d.losses[best]) {
			best = n
		}
	}
	m := d.losses[best]
	d.losses = slices.Delete(d.losses, best, best+1)
	return m
}

// fallShort says what could not be bought, and when to try again.
func (d *draft) fallShort() {
	d.short = d.missing()
	retry := d.now.Add(retryShort)
	open := 0
	for _, s := range []*shelf{d.spot, d.onDemand} {
		if s == nil || !s.used {
			continue
		}
		open += len(s.tiers[0]) + len(s.tiers[1])
		if at := s.opensNext(); !at.IsZero() && at.Before(retry) {
			retry = at
		}
	}
	d.wake(retry)
	because := "no market is open"
	if open > 0 {
		because = "no open market serves the missing part"
	}
	if open > 0 && d.intent.Capacity.Unit == Weight && d.room() < d.largestUnits() {
		because = fmt.Sprintf("every type that is left would exceed the maximum of %d; raise it, or allow smaller types", d.max)
	}
	d.note("%d of %d units could not be bought: %s; the next attempt is at %s.", d.short, d.intent.Capacity.Target, because, clockText(retry))
}

func (d *draft) largestUnits() int {
	largest := 1
	for _, units := range d.units {
		largest = max(largest, units)
	}
	return largest
}

// settleZone narrows an empty fleet that is to stay in one zone to the zone of the best market. One that holds something was narrowed to where that is.
func (d *draft) settleZone() {
	if !d.intent.Mix.RestrictOneAZ || d.home() != "" {
		return
	}
	for _, l := range []Lifecycle{Spot, OnDemand} {
		best, _ := d.shelfOf(l).pick(want{units: d.missing(), room: d.room()})
		if best == nil {
			continue
		}
		d.note("The whole fleet goes to %s, whose %s %s scores best, because it is to stay in one zone.", best.Zone, l, best.Type)
		d.shelfOf(Spot).restrict(best.Zone)
		d.shelfOf(OnDemand).restrict(best.Zone)
		return
	}
}

// home is the zone of a fleet that is to stay in one zone; "" while it is empty, or when it may be anywhere.
func (d *draft) home() string {
	if !d.intent.Mix.RestrictOneAZ {
		return ""
	}
	home, most := "", 0
	for _, z := range d.zones {
		if z.all() > most {
			home, most = z.name, z.all()
		}
	}
	for n := range d.members {
		if home == "" && d.members[n].fate != gone {
			home = d.members[n].Zone
		}
	}
	return home
}

// restrict closes every pool outside the zone.
func (s *shelf) restrict(zone string) {
	elsewhere := func(o *option) bool { return o.Zone != zone }
	for n := range s.tiers {
		s.tiers[n] = slices.DeleteFunc(s.tiers[n], elsewhere)
	}
	for _, o := range s.all {
		if elsewhere(o) {
			o.why, o.openAt = "the fleet is to stay in "+zone, time.Time{}
		}
	}
}
