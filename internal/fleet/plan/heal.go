package plan

import (
	"fmt"
	"slices"
	"time"
)

// heal replaces members that fail their health check: the replacement first, then the drain. Only what the cloud said after an instance's time was over
// counts against it: a Neap that was busy, or away, has no news of it, not bad news.
func heal(d *draft) {
	if d.intent.Health.Source == HealthNone {
		return
	}
	for n := range d.members {
		m := &d.members[n]
		if !m.active() || m.fate != stays || m.Standby {
			continue
		}
		due, failing := d.unhealthyFrom(m.Instance)
		switch {
		case !failing, slices.Contains(d.unseen, m.ID):
		case due.After(d.seen):
			if due.Before(d.now) {
				due = d.now // nobody has looked since: look at once
			}
			d.wake(due)
		case !d.intent.Health.Heal:
			d.note("%s is unhealthy, and healing is off: it is only reported.", m.ID)
		case !d.mayRecover(m):
			d.note("%s is unhealthy and waits: %d units are being replaced already.", m.ID, d.moving)
		default:
			d.replace(m, ReasonUnhealthy)
		}
	}
}

// unhealthyFrom is when an instance that keeps failing is to be replaced. Until it was healthy once it has its grace, and then no more patience; afterwards
// the time it may be unhealthy counts from the change.
func (d *draft) unhealthyFrom(i *Instance) (due time.Time, failing bool) {
	switch {
	case i.Condition == Healthy:
		return time.Time{}, false
	case !i.WasHealthy:
		// The cloud's clock may be behind ours: grace is never counted from before we knew the instance.
		since := i.LaunchedAt
		if i.KnownAt.After(since) {
			since = i.KnownAt
		}
		return since.Add(d.intent.Health.Grace), true
	default:
		return i.ConditionAt.Add(d.intent.Health.UnhealthyFor), i.Condition == Unhealthy
	}
}

// serves reports whether a member does its work as far as anybody can tell. One that was healthy and of which nothing is known has the benefit of the doubt.
func (d *draft) serves(m *member) bool {
	switch {
	case m.Phase != Running:
		return false
	case d.intent.Health.Source == HealthNone || m.Standby:
		return true
	default:
		return m.Condition == Healthy || m.WasHealthy && m.Condition != Unhealthy
	}
}

// rebalance replaces members that the cloud is likely to take soon: the replacement first, then the drain. Under availabilityOriented only a real
// interruption counts.
func rebalance(d *draft) {
	for n := range d.members {
		m := &d.members[n]
		if m.RebalanceAt.IsZero() || m.Lifecycle != Spot || !m.active() || m.fate != stays {
			continue
		}
		switch {
		case d.intent.Choice.Policy != ByModel: // yardsticks wait for the interruption
		case d.intent.Choice.Rule == AvailabilityOriented:
			d.note("%s has a rebalance signal of %s; availabilityOriented waits for a real interruption.", m.ID, clockText(m.RebalanceAt))
		case !d.mayRecover(m):
			d.note("%s has a rebalance signal and waits: %d units are being replaced already.", m.ID, d.moving)
		default:
			d.replace(m, ReasonRebalance)
		}
	}
}

// becauseOf says why a member makes room, for the moment when it does.
func (d *draft) becauseOf(m *member) string {
	switch m.reason {
	case ReasonUnhealthy:
		return fmt.Sprintf("%s is %s since %s, and its replacement serves.", m.ID, m.Condition, clockText(m.ConditionAt))
	case ReasonInterruption:
		return fmt.Sprintf("The cloud takes %s (%s in %s) at %s, and its replacement serves.", m.ID, m.Type, m.Zone, clockText(m.InterruptAt))
	case ReasonRebalance:
		return fmt.Sprintf("%s has had a rebalance signal since %s, and its replacement serves.", m.ID, clockText(m.RebalanceAt))
	case ReasonEvacuation:
		return fmt.Sprintf("The cloud takes others of %s in %s, and the replacement of %s serves.", m.Type, m.Zone, m.ID)
	default:
		return fmt.Sprintf("%s leaves because %s, and its replacement serves.", m.ID, m.reason.phrase())
	}
}
