package plan

// These budgets bound how much of a fleet is replaced at one time, so that no false alarm and no price can empty it. A user's MaxMovesPart overrules them.
// They are parts of the target, so that a fleet in the middle of a change has the same budget as one at rest; one member may always move.
// Interruptions and missing capacity have none: those losses have happened already.
const (
	recoveryPart = 50 // percent: members that are unhealthy, or have a rebalance signal [ours]
	cheaperPart  = 25 // percent: to a cheaper market, and only while nothing else is under way [ours]
	revertPart   = 0  // no bound: back to spot after a shortage. Replacements serve before anybody leaves, and every minute on demand costs
)

// mayRecover reports whether the budget allows to replace one more member for safety now. Moves that only save money do not stand in its way.
func (d *draft) mayRecover(m *member) bool {
	return d.within(recoveryPart, m, d.moving-d.saving+d.replaced)
}

func (d *draft) within(part int, m *member, busy int) bool {
	if d.intent.MaxMovesPart > 0 {
		part = d.intent.MaxMovesPart
	}
	return part == 0 || busy == 0 || busy+m.units <= d.intent.Capacity.Target*part/100
}

// mayMove reports whether a member may be moved to save money now, and notes why not. what names the move.
func (d *draft) mayMove(m *member, part int, what string) bool {
	switch {
	case d.short > 0:
		d.note("No %s while %d units are missing.", what, d.short)
	case d.market.Stale:
		d.note("No %s: the prices are too old to justify a move.", what)
	case !d.within(part, m, d.moving+d.leaving):
		d.note("No further %s now: %d units are being replaced already.", what, d.moving+d.leaving)
	default:
		return true
	}
	return false
}
