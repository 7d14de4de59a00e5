package plan

import "fmt"

// finish terminates what has drained long enough.
func finish(d *draft) {
	for n := range d.members {
		m := &d.members[n]
		if m.Phase != Draining {
			continue
		}
		due := d.beforeNotice(m.Instance, m.DrainUntil.UTC())
		if due.After(d.now) {
			d.wake(due)
			continue
		}
		reason := m.reason
		if reason == "" {
			reason = ReasonReplaced
		}
		d.ends = append(d.ends, Action{
			Verb: TerminateVerb, Instance: m.ID, Reason: reason,
			Because: fmt.Sprintf("%s has drained until %s; it left because %s.", m.ID, clockText(due), reason.phrase()),
		})
	}
}

// windDown empties a fleet that is being deleted. Locks do not hold it up: the owner asked for the end of all.
func windDown(d *draft) {
	for n := range d.members {
		m := &d.members[n]
		if !m.active() {
			continue
		}
		d.urgent = append(d.urgent, d.dismiss(m, ReasonDelete, d.drainEnd(m.Instance), fmt.Sprintf("%s leaves because the fleet is being deleted.", m.ID)))
	}
	if len(d.pending) > 0 {
		d.note("%d launches are not settled yet; what they started is wound down next.", len(d.pending))
	}
}
