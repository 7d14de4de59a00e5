package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	callTimeout    = 10 * time.Second // one region that hangs must not hold up the others for longer
)

// remember adds a place to look for notices and prices.
func (f *Fleet) remember(p place) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.places[p] = true
}

// learn finds the places of every group, other replicas' included.
func (f *Fleet) learn(ctx context.Context) error {
	docs, _, err := groups.List(ctx, f.DB, store.Installation(), store.Query{States: []string{active, deleting}})
	for _, d := range docs {
		f.remember(place{d.Account, d.Value.Region})
	}
	return err
}

// each runs work for every place side by side, each under its own time limit, and joins what failed.
func (f *Fleet) each(ctx context.Context, work func(context.Context, place, cloud.Provider) error) error {
	f.mu.Lock()
	places := slices.Collect(maps.Keys(f.places))
	f.mu.Unlock()
	results := make(chan error, len(places))
	for _, p := range places {
		go func() {
			limited, cancel := context.WithTimeout(ctx, callTimeout)
			defer cancel()
			provider, err := f.provider(limited, p.account)
			if err == nil {
				err = work(limited, p, provider)
			}
			if err != nil {
				err = fmt.Errorf("%s in %s: %w", p.account, p.region, err)
			}
			results <- err
		}()
	}
	var failed []error
	for range places {
		failed = append(failed, <-results)
	}
	return errors.Join(failed...)
}

// takeNotices brings the clouds' warnings into our rows and wakes the groups. A notice is acknowledged only after it has been committed.
func (f *Fleet) takeNotices(ctx context.Context) error {
	return f.each(ctx, func(ctx context.Context, p place, provider cloud.Provider) error {
		notifier, ok := cloud.As[cloud.Notifier](provider)
		if !ok {
			return nil
		}
		notices, err := notifier.Notices(ctx, p.region)
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
		return notifier.Acknowledge(ctx, p.region, done)
	})
}

func (f *Fleet) takeNotice(ctx context.Context, p place, n cloud.Notice) error {
	return f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		d, err := members.Get(ctx, tx, store.Account(p.account), n.Instance)
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
	if err := f.learn(ctx); err != nil {
		return err
	}
	return f.each(ctx, f.readPrices)
}

func (f *Fleet) readPrices(ctx context.Context, p place, provider cloud.Provider) error {
	pricer, ok := cloud.As[cloud.Pricer](provider)
	if !ok {
		return nil
	}
	prices, err := pricer.Prices(ctx, p.region)
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
		f.Log.Warn("no current prices", "account", p.account, "region", p.region, "error", err)
	}
}
