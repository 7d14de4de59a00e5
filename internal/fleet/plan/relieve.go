package plan

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
		d.relief = append(d.relief, d.dismiss(m, m.reason, d.drainEnd(&m.Instance), d.becauseOf(m)))
	}
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
