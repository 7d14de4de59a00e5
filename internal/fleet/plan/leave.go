package plan

import (
	"cmp"
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

// interrupt replaces what the cloud has announced to take. A member goes on serving until its replacement does, but it leaves in time to drain before its end.
func interrupt(d *draft) {
	for n := range d.members {
		m := &d.members[n]
		if m.InterruptAt.IsZero() || !m.active() || m.fate == gone {
			continue
		}
		last := d.lastCall(m.Instance)
		switch {
		case m.Phase != Running || !last.After(d.now):
			because := fmt.Sprintf("The cloud takes %s (%s in %s) at %s, %s from now; it drains until %s.",
				m.ID, m.Type, m.Zone, clockText(m.InterruptAt), max(0, m.InterruptAt.Sub(d.now)).Round(time.Second), clockText(d.drainEnd(m.Instance)))
			d.depart(m, ReasonInterruption, because)
		case m.fate == stays:
			d.wake(last)
			d.replace(m, ReasonInterruption)
		default:
			d.wake(last)
			m.reason = ReasonInterruption // whatever it was to be replaced for, this is more pressing
		}
	}
}

// outlive looks again at a one-time instance when the cloud is to have taken it: it has all of its notice for itself.
func outlive(d *draft) {
	for n := range d.members {
		if m := &d.members[n]; m.active() && !m.InterruptAt.IsZero() {
			again := d.now.Add(noticeMargin)
			if m.InterruptAt.After(again) {
				again = m.InterruptAt
			}
			d.wake(again)
		}
	}
}

// lastCall is when an instance with an announced end must begin to drain, replaced or not. Half of the notice is for its replacement to come: an instance that drains takes
// no work, and a gap in the fleet hurts more than a shorter drain.
func (d *draft) lastCall(i *Instance) time.Time {
	drain := d.intent.Drain
	if !i.DrainUntil.IsZero() {
		drain = max(0, i.DrainUntil.Sub(d.now))
	}
	half := max(0, cmp.Or(d.notice, usualNotice)/2-noticeMargin)
	return i.InterruptAt.UTC().Add(-noticeMargin - min(drain, half.Truncate(time.Second)))
}

// depart lets a member go now, before its replacement serves.
func (d *draft) depart(m *member, why Reason, because string) {
	wasGoing := m.fate == goes
	d.urgent = append(d.urgent, d.dismiss(m, why, d.drainEnd(m.Instance), because))
	d.leaving += m.units
	if !wasGoing {
		d.miss(m)
	}
}

// Where the cloud gives less notice than a replacement takes, waiting for each member's own would leave gaps.
const (
	usualNotice = 2 * time.Minute  // AWS's
	shortNotice = 90 * time.Second // of all the others, 30 seconds are usual
)

// evacuate replaces the members of a pool of which the cloud takes one: most losses of a pool come within three minutes of each other. The replacement comes
// first, so nothing is lost if they do not. Where there is notice enough for a replacement everyone waits for his own, because some are spared.
func evacuate(d *draft) {
	if cmp.Or(d.notice, usualNotice) >= shortNotice || d.intent.Choice.Policy != ByModel {
		return
	}
	failing := map[place]bool{}
	for n := range d.members {
		if m := &d.members[n]; m.Lifecycle == Spot && !m.InterruptAt.IsZero() && m.Phase != Terminated {
			failing[m.place()] = true
		}
	}
	for n := range d.members {
		if m := &d.members[n]; m.fate == stays && m.active() && failing[m.place()] {
			d.replace(m, ReasonEvacuation)
		}
	}
}
