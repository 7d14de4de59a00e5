package plan

// Two budgets bound how much of a fleet is replaced at one time, so that no false alarm and no price can empty it. A user's MaxMovesPart overrules both.
// Interruptions and missing capacity have none: those losses have happened already.
const (
	recoveryPart  = 50 // percent of active members: unhealthy, or with a rebalance signal [ours]
	voluntaryPart = 10 // percent: moves that only save money, and only while nothing else is under way [ours]
)

// recoveryBudget is how many more members may be replaced for safety now.
func (d *draft) recoveryBudget() int { return d.allowed(recoveryPart) - d.moving }

// voluntaryBudget is how many more members may be moved to save money now.
func (d *draft) voluntaryBudget() int { return d.allowed(voluntaryPart) - d.moving - d.leaving }

func (d *draft) allowed(part int) int {
	if d.intent.MaxMovesPart > 0 {
		part = d.intent.MaxMovesPart
	}
	active := 0
	for n := range d.members {
		if d.members[n].active() {
			active++
		}
	}
	return max(1, active*part/100)
}

// mayMove reports whether members may be moved to save money at all, and notes why not. what names the move.
func (d *draft) mayMove(what string) bool {
	switch {
	case d.short > 0:
		d.note("No %s while %d units are missing.", what, d.short)
	case d.market.Stale:
		d.note("No %s: the prices are too old to justify a move.", what)
	case d.voluntaryBudget() <= 0:
		d.note("No %s now: %d instances are being replaced already.", what, d.moving+d.leaving)
	default:
		return true
	}
	return false
}
