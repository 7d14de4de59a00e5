package fleet

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/listen"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

// noticesAtOnce are taken in by one transaction.
const noticesAtOnce = 100

// takeAll brings warnings of many places into our rows and wakes the groups, some in each transaction.
func (f *Fleet) takeAll(ctx context.Context, all []listen.Warning) error {
	for some := range slices.Chunk(all, noticesAtOnce) {
		if err := f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return f.takeSome(ctx, tx, some) }); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fleet) takeSome(ctx context.Context, tx *store.Tx, some []listen.Warning) error {
	of := map[string][]listen.Warning{}
	for _, w := range some {
		of[w.Instance] = append(of[w.Instance], w)
	}
	// Instances that are not here are somebody else's, in the same cloud account.
	rows, _, err := members.List(ctx, tx, store.Installation(), store.Query{IDs: slices.Sorted(maps.Keys(of)), States: plan.AliveStates()})
	if err != nil {
		return err
	}
	hurry := map[string]bool{}
	var news []func() error
	for _, d := range rows {
		said := len(news)
		for _, w := range of[d.ID] {
			if w.Account == d.Account && d.Value.warned(w.Notice) {
				news = append(news, func() error { return f.tellNotice(ctx, tx, d, w.Notice) })
			}
		}
		if len(news) > said { // else all are duplicates
			hurry[d.Parent] = true
			news = append(news, func() error { _, err := saveMember(ctx, tx, d); return err })
		}
	}
	if len(news) == 0 {
		return nil
	}
	if err := f.Workflow.Hurry(ctx, tx, loopName, slices.Sorted(maps.Keys(hurry))); err != nil {
		return err
	}
	for _, write := range news {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

// warned notes a notice; false when it says nothing new.
func (i *Instance) warned(n cloud.Notice) bool {
	switch {
	case n.Kind == cloud.Interruption && i.InterruptAt.IsZero():
		i.InterruptAt = n.Deadline
	case n.Kind == cloud.Rebalance && i.RebalanceAt.IsZero() && i.InterruptAt.IsZero():
		i.RebalanceAt = n.IssuedAt
	default:
		return false
	}
	return true
}

// tellNotice tells people, programs and the market of a notice that was news.
func (f *Fleet) tellNotice(ctx context.Context, tx *store.Tx, d store.Doc[Instance], n cloud.Notice) error {
	i, kind, reason := d.Value, "rebalanceSignal", plan.ReasonRebalance
	line := f.line(journal.Info, "The cloud sees an elevated risk for instance %s (%s in %s).", i.ID, i.Type, i.Zone)
	learn := f.Market.Signalled
	if n.Kind == cloud.Interruption {
		learn = f.Market.Lost
		kind, reason = "interruptionNotice", plan.ReasonInterruption
		line = f.line(journal.Warn, "The cloud will interrupt instance %s (%s in %s) at %s.", i.ID, i.Type, i.Zone, n.Deadline.Format(time.TimeOnly))
	}
	if err := learn(ctx, tx, i.Account, i.Market); err != nil {
		return err
	}
	why := &Happening{Reason: string(reason), Because: line.Message, Instances: []Subject{subject(i)}}
	if err := f.Journal.Log(ctx, tx, d.Account, d.Parent, line); err != nil {
		return err
	}
	return f.Journal.Emit(ctx, tx, d.Account, d.Parent, event(line.At, kind, why))
}
