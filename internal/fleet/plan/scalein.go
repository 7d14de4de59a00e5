package plan

import (
	"fmt"
	"slices"
)

// volatileRisk is the monthly interruption chance from which a market counts as volatile [ours].
const volatileRisk = 0.20

// scaleIn takes out what is too much, never locked or standby members, never below the target, and never an on-demand instance of the floor.
func scaleIn(d *draft) {
	excess := -d.missing()
	if excess <= 0 {
		return
	}
	serving := d.serving()
	volatile := d.volatilePools()
	skipped := 0
	for d.missing() < 0 {
		v := d.nextVictim(serving, volatile)
		if v == nil {
			skipped = -d.missing()
			break
		}
		if d.serves(v) {
			serving -= v.units
		}
		because := fmt.Sprintf("%d of %d units are too many; %s goes first because %s.", excess, excess+d.intent.Capacity.Target, v.ID, d.victimTrait(v, volatile))
		d.relief = append(d.relief, d.dismiss(v, ReasonScaleIn, d.drainEnd(v.Instance), because))
	}
	if skipped > 0 {
		d.noteSpared(skipped)
	}
}

// nextVictim is the member that can best be done without. A running one goes only while those that serve cover the target without it.
func (d *draft) nextVictim(serving int, volatile map[place]bool) *member {
	parts := d.scopes()
	var victim *member
	for n := range d.members {
		m := &d.members[n]
		if m.fate != stays || m.Standby || d.isLocked(m) || m.units > -d.missing() {
			continue
		}
		if d.serves(m) && serving-m.units < d.intent.Capacity.Target {
			continue
		}
		part := partOf(parts, m)
		if m.Lifecycle == OnDemand && part.have.onDemand-m.units < part.onDemand {
			continue
		}
		if victim == nil || d.before(m, victim, parts, volatile) {
			victim = m
		}
	}
	return victim
}

// before orders victims: fullest zone (when zones are to be equal), unhealthy, volatile market, lifecycle beyond its share, older image, then age.
func (d *draft) before(a, b *member, parts []scope, volatile map[place]bool) bool {
	pa, pb := partOf(parts, a), partOf(parts, b)
	if pa.have.all() != pb.have.all() {
		return pa.have.all() > pb.have.all()
	}
	for _, wanted := range []func(*member) bool{
		func(m *member) bool { return d.isUnhealthy(m) },
		func(m *member) bool { return isVolatile(m, volatile) },
		func(m *member) bool { return isBeyondShare(m, partOf(parts, m)) },
		func(m *member) bool { return m.Image != d.intent.Template.Image },
	} {
		if wanted(a) != wanted(b) {
			return wanted(a)
		}
	}
	if d.intent.NewestFirst {
		return byAge(a, b) > 0
	}
	return byAge(a, b) < 0
}

func partOf(parts []scope, m *member) scope {
	at := slices.IndexFunc(parts, func(s scope) bool { return s.zone == m.Zone })
	return parts[max(0, at)]
}

func (d *draft) isUnhealthy(m *member) bool {
	return d.intent.Health.Source != HealthNone && m.Condition == Unhealthy
}

// isBeyondShare: on demand when there is more of it than its share, else spot.
func isBeyondShare(m *member, part scope) bool {
	return (m.Lifecycle == OnDemand) == (part.have.onDemand > part.onDemand)
}

func isVolatile(m *member, volatile map[place]bool) bool {
	return m.Lifecycle == Spot && (!m.RebalanceAt.IsZero() || volatile[m.place()])
}

// volatilePools are the pools that the fleet holds and that may be lost soon.
func (d *draft) volatilePools() map[place]bool {
	volatile := map[place]bool{}
	for n := range d.market.Pools {
		p := &d.market.Pools[n]
		at := place{p.Type, p.Zone, p.Lifecycle}
		if (p.Risk >= volatileRisk || p.CoolUntil.After(d.now)) && d.held[at] > 0 {
			volatile[at] = true
		}
	}
	return volatile
}

// victimTrait says in a few words what sets a victim apart.
func (d *draft) victimTrait(m *member, volatile map[place]bool) string {
	switch {
	case d.isUnhealthy(m):
		return "it is unhealthy"
	case isVolatile(m, volatile):
		return "its market is volatile"
	case isBeyondShare(m, partOf(d.scopes(), m)) && m.Lifecycle == OnDemand:
		return "more is on demand than wanted"
	case m.Image != d.intent.Template.Image:
		return "its image is an older one"
	case d.intent.NewestFirst:
		return "it is the newest"
	default:
		return "it is the oldest " + string(m.Lifecycle) + " instance that may go"
	}
}

// noteSpared says why there is still too much, and wakes the planner when a lock ends.
func (d *draft) noteSpared(units int) {
	locked := 0
	for n := range d.members {
		if m := &d.members[n]; m.fate == stays && d.isLocked(m) {
			locked++
			d.wake(m.LockedUntil)
		}
	}
	d.note("%d units beyond the target stay for now: %d members are locked, and the others are on standby, on the on-demand floor, or needed until launches serve.", units, locked)
}
