package fleet

import (
	"context"
	"slices"

	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fleet/breaker"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/store"
)

// What a group's turns may take of the engine.
const (
	turnsAtOnce     = 128 // of all groups …
	turnsOfOnePlace = 8   // … and of those in one place, so that a region that hangs leaves the others their workers
	looksAtOnce     = 16
)

// urgency is how soon an action's call is made when calls wait for one another.
func urgency(r plan.Reason) budget.Priority {
	switch {
	case breaker.IsVoluntary(r):
		return budget.Saving
	case slices.Contains([]plan.Reason{plan.ReasonInterruption, plan.ReasonRebalance, plan.ReasonUnhealthy, plan.ReasonLost}, r):
		return budget.Healing
	}
	return budget.Scaling
}

// need is how urgent it is to look at a group's instances.
func need(rows []store.Doc[Instance]) budget.Priority {
	if slices.ContainsFunc(rows, func(r store.Doc[Instance]) bool { return r.Value.isInTrouble() }) {
		return budget.Healing
	}
	return budget.Scaling
}

// lane is the place that a group's turns depend on.
func (f *Fleet) lane(ctx context.Context, group string) string {
	doc, err := groups.Get(ctx, f.DB, store.Installation(), group)
	if err != nil {
		return "" // its turn will say what is wrong
	}
	return place{doc.Account, doc.Value.Region}.String()
}
