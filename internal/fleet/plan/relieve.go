package plan

import (
	"fmt"
	"slices"
)

// relieve lets members go whose replacement serves. A member whose own successor serves may go; so may any, as long as the rest covers the target.
func relieve(d *draft) {
	if d.moving == 0 {
		return
	}
	serving := d.serving()
	ready := map[string]int{} // units by id, of members that serve and stay
	for n := range d.members {
		m := &d.members[n]
		if m.fate == goes && m.Phase == Running && m.InterruptAt.IsZero() { // nobody can rely on one that the cloud takes
			serving += m.units
		}
		if m.fate == stays && d.serves(m) {
			ready[m.ID] = m.units
		}
	}
	for n := range d.members {
		m := &d.members[n]
		if m.fate != goes {
			continue
		}
		units := m.units
		if m.Phase != Running || !m.InterruptAt.IsZero() {
			units = 0
		}
		if serving-units < d.intent.Capacity.Target && ready[m.ReplacedBy] < m.units {
			continue
		}
		serving -= units
		d.relief = append(d.relief, d.dismiss(m, m.reason, d.drainEnd(m.Instance), d.becauseOf(m)))
	}
}

// giveUp lets unhealthy members go for which nobody comes: where nothing is missing and nothing is on its way, waiting would only hold up the replacement
// of others.
func giveUp(d *draft) {
	if d.moving == 0 || d.missing() > 0 || d.expects() {
		return
	}
	for n := range d.members {
		m := &d.members[n]
		if m.fate == goes && m.reason == ReasonUnhealthy && m.Phase == Running && !d.serves(m) && !d.isMissed(m) {
			because := fmt.Sprintf("%s is %s since %s, and the fleet is complete without it.", m.ID, m.Condition, clockText(m.ConditionAt))
			d.relief = append(d.relief, d.dismiss(m, m.reason, d.drainEnd(m.Instance), because))
		}
	}
}

// expects reports whether a launch is on its way, or decided.
func (d *draft) expects() bool {
	return len(d.pending) > 0 || len(d.orders) > 0 || slices.ContainsFunc(d.members, func(m member) bool { return m.fate == stays && m.Phase == Launching })
}

// serving is how many units stay and serve.
func (d *draft) serving() int {
	units := 0
	for n := range d.members {
		if m := &d.members[n]; m.fate == stays && d.serves(m) {
			units += m.units
		}
	}
	return units
}
