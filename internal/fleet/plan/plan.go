package plan

import "time"

// pass settles one question of a plan on the draft, and returns early when it does not arise.
type pass func(*draft)

// Plan decides what to do next for one fleet. It is deterministic: the same arguments give the same Decision, byte for byte when encoded.
//
// A plan is a list of passes over one draft. The first ones mark who is on the way out; what stays and what is on its way is then compared with the
// target, so that every loss is made good exactly once, whatever its cause.
func Plan(intent Intent, observed Observed, market Market, now time.Time) Decision {
	d := newDraft(intent, observed, market, now)
	for _, settle := range passes(intent, observed) {
		settle(d)
	}
	return d.decision()
}

// passes are the questions of a plan, in the order in which they are settled.
func passes(intent Intent, observed Observed) []pass {
	switch {
	case observed.Deleting:
		return []pass{finish, windDown}
	case intent.OneTime && (observed.Spent || len(observed.Instances) > 0):
		return []pass{finish, leave, outlive}
	case intent.OneTime:
		return []pass{fill}
	}
	return []pass{
		finish,             // first: a drained instance costs money every second
		leave,              // asked for by the user
		interrupt,          // the cloud takes it, whatever we wish
		evacuate,           // others of the same pool are likely to follow
		heal,               // before rebalance: an unhealthy instance serves nobody
		rebalance,          // may be taken soon
		fill,               // all losses are known now: buy what is missing
		relieve,            // lets go of those whose replacement serves
		scaleIn,            // only now is it known what is too much
		(*draft).keepFloor, // once more: scaleIn may have made room under the maximum
		giveUp,             // after scaleIn: what it takes out is on its way no more
		revert,             // voluntary moves come last, and only when nothing is missing or too much
		cheapen,            // after revert: back on spot saves more
		relieve,            // those among the moved who are not even needed until then
		scaleIn,            // a larger type may have taken the place of a smaller one
	}
}
