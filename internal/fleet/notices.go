package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/fleet/spool"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	noticeInterval = 300 * time.Millisecond // wall time between two looks for notices
	noticePatience = time.Second            // a place that takes longer is not waited for
	noticesAtOnce  = 100                    // taken in by one transaction
)

// takeNotices brings the clouds' warnings into our rows and wakes the groups. A place that does not answer is left behind, and is not asked again until it has.
func (f *Fleet) takeNotices(ctx context.Context) error {
	known, _, err := places.List(ctx, f.DB, store.Installation(), store.Query{})
	if err != nil {
		return err
	}
	results := make(chan error, len(known))
	started := 0
	for _, doc := range known {
		p := doc.Value.place
		if f.isAsking(p) {
			continue
		}
		if f.Workflow.Beside(func(ctx context.Context) { results <- f.takeNoticesOf(ctx, p) }) {
			started++
		} else {
			f.hasAsked(p)
		}
	}
	var failed []error
	patience := time.NewTimer(noticePatience)
	defer patience.Stop()
	for range started {
		select {
		case err := <-results:
			failed = append(failed, err)
		case <-patience.C:
			return errors.Join(failed...)
		}
	}
	return errors.Join(failed...)
}

func (f *Fleet) isAsking(p place) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	is := f.asking[p]
	f.asking[p] = true
	return is
}

func (f *Fleet) hasAsked(p place) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.asking, p)
}

func (f *Fleet) takeNoticesOf(ctx context.Context, p place) error {
	defer f.hasAsked(p)
	ctx, cancel := context.WithTimeout(budget.With(ctx, budget.Notices), callTimeout)
	defer cancel()
	provider, err := f.provider(ctx, p.Account)
	if err != nil {
		return err
	}
	notifier, ok := cloud.As[cloud.Notifier](provider)
	if !ok {
		return nil
	}
	notices, err := notifier.Notices(ctx, p.Region)
	if err != nil {
		return fmt.Errorf("notices for %s: %w", p, err)
	}
	if len(notices) == 0 {
		return nil
	}
	if err := f.takeFrom(ctx, p, notifier, notices); err != nil {
		// Not acknowledged either, but it may be long until somebody asks again. To take a notice in twice is harmless.
		return errors.Join(fmt.Errorf("take in notices for %s: %w", p, err), f.spool.Add(spool.Place(p), notices...))
	}
	return nil
}

// takeFrom takes in notices of one place, together with what comes from others meanwhile. They are acknowledged only after they have been committed.
func (f *Fleet) takeFrom(ctx context.Context, p place, notifier cloud.Notifier, notices []cloud.Notice) error {
	var ids []string
	var items []warning
	for _, n := range notices {
		ids, items = append(ids, n.ID), append(items, warning{p.Account, n})
	}
	if err := f.intake.Put(ctx, items...); err != nil {
		return err
	}
	return notifier.Acknowledge(ctx, p.Region, ids)
}

// warning is a notice of an account's cloud.
type warning struct {
	account string
	cloud.Notice
}

// takeAll brings warnings of many places into our rows, some in each transaction.
func (f *Fleet) takeAll(ctx context.Context, all []warning) error {
	for some := range slices.Chunk(all, noticesAtOnce) {
		if err := f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return f.takeSome(ctx, tx, some) }); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fleet) takeSome(ctx context.Context, tx *store.Tx, some []warning) error {
	var ids []string
	for _, w := range some {
		ids = append(ids, w.Instance)
	}
	slices.Sort(ids)
	// Instances that are not here are somebody else's, in the same cloud account.
	rows, _, err := members.List(ctx, tx, store.Installation(), store.Query{IDs: slices.Compact(ids), States: aliveStates()})
	if err != nil {
		return err
	}
	raise := map[string]bool{}
	for _, d := range rows {
		changed := false
		for _, w := range some {
			if w.Instance == d.ID && w.account == d.Account {
				took, err := f.takeNotice(ctx, tx, &d, w.Notice)
				if err != nil {
					return err
				}
				changed = changed || took
			}
		}
		if !changed {
			continue // duplicates
		}
		if _, err := saveMember(ctx, tx, d); err != nil {
			return err
		}
		raise[d.Parent] = true
	}
	for group := range raise {
		if err := f.Workflow.Hurry(ctx, tx, loopName, group); err != nil {
			return err
		}
	}
	return nil
}

// takeNotice notes one warning in its instance, and tells of it; false when that is known already.
func (f *Fleet) takeNotice(ctx context.Context, tx *store.Tx, d *store.Doc[Instance], n cloud.Notice) (bool, error) {
	var line journal.Line
	kind, reason := "interruptionNotice", plan.ReasonInterruption
	switch {
	case n.Kind == cloud.Interruption && d.Value.InterruptAt.IsZero():
		d.Value.InterruptAt = n.Deadline
		line = f.line(journal.Warn, "The cloud will interrupt instance %s (%s in %s) at %s.", d.ID, d.Value.Type, d.Value.Zone, n.Deadline.Format(time.TimeOnly))
		if err := f.Market.Lost(ctx, tx, d.Account, d.Value.Market); err != nil {
			return false, err
		}
	case n.Kind == cloud.Rebalance && d.Value.RebalanceAt.IsZero() && d.Value.InterruptAt.IsZero():
		d.Value.RebalanceAt = n.IssuedAt
		kind, reason = "rebalanceSignal", plan.ReasonRebalance
		line = f.line(journal.Info, "The cloud sees an elevated risk for instance %s (%s in %s).", d.ID, d.Value.Type, d.Value.Zone)
	default:
		return false, nil
	}
	if err := f.Journal.Log(ctx, tx, d.Account, d.Parent, line); err != nil {
		return false, err
	}
	why := &Happening{Reason: string(reason), Because: line.Message, Instances: []Subject{subject(d.Value)}}
	return true, f.Journal.Emit(ctx, tx, d.Account, d.Parent, event(line.At, kind, why))
}
