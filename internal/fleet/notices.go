package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fleet/call"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	noticeInterval = 250 * time.Millisecond // wall time between two looks for notices …
	noticeEcho     = time.Minute            // … or twice that, when there has been none for so long: then nothing waits once one comes
	noticePatience = time.Second            // a place that takes longer is not waited for
	noticesAtOnce  = 100                    // taken in by one transaction
)

// takeNotices brings the clouds' warnings into our rows and wakes the groups. A place that does not answer is left behind, and is not asked again until it has.
func (f *Fleet) takeNotices(ctx context.Context) error {
	known, err := f.places.Get(ctx)
	if isOdd := f.rounds.Add(1)%2 == 1; err != nil || isOdd && !f.noticed.Has(true, time.Now()) {
		return err
	}
	results := make(chan error, len(known))
	started := 0
	for _, p := range known {
		if _, is := f.asking.LoadOrStore(p, true); is {
			continue
		}
		if f.Workflow.Beside(func(ctx context.Context) { results <- f.takeNoticesOf(ctx, p) }) {
			started++
		} else {
			f.asking.Delete(p)
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

func (f *Fleet) takeNoticesOf(ctx context.Context, p place) error {
	defer f.asking.Delete(p)
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
	if call.Denied(err) != nil { // asked at once, it would be denied at once
		f.Log.Warn("the cloud denies its notices", "place", p.String(), "error", err)
		<-ctx.Done()
		return nil
	}
	if err != nil {
		return fmt.Errorf("notices for %s: %w", p, err)
	}
	if len(notices) == 0 {
		return nil
	}
	f.noticed.Put(true, time.Now())
	if err := f.takeFrom(ctx, p, notifier, notices); err != nil {
		// Not acknowledged either, but it may be long until somebody asks again. To take a notice in twice is harmless.
		return errors.Join(fmt.Errorf("take in notices for %s: %w", p, err), f.spool.Add(p, notices...))
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
	of := map[string][]warning{}
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
			if w.account == d.Account && d.Value.warned(w.Notice) {
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
	if n.Kind == cloud.Interruption {
		kind, reason = "interruptionNotice", plan.ReasonInterruption
		line = f.line(journal.Warn, "The cloud will interrupt instance %s (%s in %s) at %s.", i.ID, i.Type, i.Zone, n.Deadline.Format(time.TimeOnly))
		if err := f.Market.Lost(ctx, tx, i.Account, i.Market); err != nil {
			return err
		}
	}
	why := &Happening{Reason: string(reason), Because: line.Message, Instances: []Subject{subject(i)}}
	if err := f.Journal.Log(ctx, tx, d.Account, d.Parent, line); err != nil {
		return err
	}
	return f.Journal.Emit(ctx, tx, d.Account, d.Parent, event(line.At, kind, why))
}
