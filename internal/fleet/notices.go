package fleet

import (
	"context"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	noticeInterval = time.Second      // wall time between two looks for notices
	priceInterval  = 30 * time.Second // wall time between two reads of a price feed
)

// takeNotices brings the clouds' warnings into our rows and wakes the groups. A notice is acknowledged only after it has been committed.
func (f *Fleet) takeNotices(ctx context.Context) error {
	return f.each(ctx, func(ctx context.Context, p place, provider cloud.Provider) error {
		notifier, ok := cloud.As[cloud.Notifier](provider)
		if !ok {
			return nil
		}
		notices, err := notifier.Notices(ctx, p.Region)
		if err != nil || len(notices) == 0 {
			return err
		}
		var done []string
		for _, n := range notices {
			if err := f.takeNotice(ctx, p, n); err != nil {
				return err
			}
			done = append(done, n.ID)
		}
		return notifier.Acknowledge(ctx, p.Region, done)
	})
}

func (f *Fleet) takeNotice(ctx context.Context, p place, n cloud.Notice) error {
	return f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		d, err := members.Get(ctx, tx, store.Account(p.Account), n.Instance)
		if fault.Is(err, fault.NotFound) {
			return nil // somebody else's instance in the same cloud account
		}
		if err != nil || !slices.Contains(alive, d.Value.Phase) {
			return err
		}
		var line journal.Line
		kind, reason := "interruptionNotice", plan.ReasonInterruption
		switch {
		case n.Kind == cloud.Interruption && d.Value.InterruptAt.IsZero():
			d.Value.InterruptAt = n.Deadline
			line = f.line(journal.Warn, "The cloud will interrupt instance %s (%s in %s) at %s.", d.ID, d.Value.Type, d.Value.Zone, n.Deadline.Format(time.TimeOnly))
			if err := f.Market.Lost(ctx, tx, d.Account, d.Value.Market); err != nil {
				return err
			}
		case n.Kind == cloud.Rebalance && d.Value.RebalanceAt.IsZero() && d.Value.InterruptAt.IsZero():
			d.Value.RebalanceAt = n.IssuedAt
			kind, reason = "rebalanceSignal", plan.ReasonRebalance
			line = f.line(journal.Info, "The cloud sees an elevated risk for instance %s (%s in %s).", d.ID, d.Value.Type, d.Value.Zone)
		default:
			return nil // a duplicate
		}
		if _, err := saveMember(ctx, tx, d); err != nil {
			return err
		}
		if err := f.Journal.Log(ctx, tx, d.Account, d.Parent, line); err != nil {
			return err
		}
		why := &Happening{Reason: string(reason), Because: line.Message, Instances: []Subject{subject(d.Value)}}
		if err := f.Journal.Emit(ctx, tx, d.Account, d.Parent, event(line.At, kind, why)); err != nil {
			return err
		}
		return f.Workflow.Raise(ctx, tx, loopName, d.Parent)
	})
}

// takePrices reads the price feed of every place.
func (f *Fleet) takePrices(ctx context.Context) error {
	return f.each(ctx, f.readPrices)
}

func (f *Fleet) readPrices(ctx context.Context, p place, provider cloud.Provider) error {
	pricer, ok := cloud.As[cloud.Pricer](provider)
	if !ok {
		return nil
	}
	prices, err := pricer.Prices(ctx, p.Region)
	if err != nil {
		return err
	}
	return f.Market.Observe(ctx, provider.Info().Name, prices)
}

// firstPrices reads the feed of a place that this process has not seen yet, so that even a new region's first purchase goes by current prices.
// Without them the market falls back to older ones, and says so.
func (f *Fleet) firstPrices(ctx context.Context, p place, provider cloud.Provider) {
	f.mu.Lock()
	known := f.priced[p]
	f.priced[p] = true
	f.mu.Unlock()
	if known {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := f.readPrices(ctx, p, provider); err != nil {
		f.Log.Warn("no current prices", "account", p.Account, "region", p.Region, "error", err)
	}
}
