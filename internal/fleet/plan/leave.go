package plan

import (
	"fmt"
	"time"
)

// leave takes out what the user detached. Locks do not hold it up: the user named the instance.
func leave(d *draft) {
	for n := range d.members {
		m := &d.members[n]
		if !m.IsLeaving || !m.active() {
			continue
		}
		because := fmt.Sprintf("%s was detached by its owner, and its place is to be filled.", m.ID)
		if m.SkipReplace {
			because = fmt.Sprintf("%s was detached by its owner, and the target was lowered for it.", m.ID)
		}
		d.depart(m, ReasonDetach, because)
	}
}

// interrupt takes out what the cloud has announced to take, at once: waiting for the replacement would waste the notice.
func interrupt(d *draft) {
	for n := range d.members {
		m := &d.members[n]
		if m.InterruptAt.IsZero() || !m.active() || m.fate == gone {
			continue
		}
		because := fmt.Sprintf("The cloud takes %s (%s in %s) at %s, %s from now; it drains until %s.",
			m.ID, m.Type, m.Zone, clockText(m.InterruptAt), max(0, m.InterruptAt.Sub(d.now)).Round(time.Second), clockText(d.drainEnd(&m.Instance)))
		d.depart(m, ReasonInterruption, because)
	}
}

// depart lets a member go now, before its replacement serves.
func (d *draft) depart(m *member, why Reason, because string) {
	wasGoing := m.fate == goes
	d.urgent = append(d.urgent, d.dismiss(m, why, d.drainEnd(&m.Instance), because))
	d.leaving += m.units
	if !wasGoing {
		d.miss(m)
	}
}
