package listen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fleet/call"
	"github.com/neap-cloud/neap/internal/fleet/spool"
)

const (
	noticeInterval = 250 * time.Millisecond // wall time between two looks for notices …
	noticeEcho     = time.Minute            // … or twice that, when there has been none for so long: then nothing waits once one comes
	noticePatience = time.Second            // a place that takes longer is not waited for
)

// takeNotices has the clouds' warnings kept. A place that does not answer is left behind, and is not asked again until it has.
func (e *Ear) takeNotices(ctx context.Context) error {
	known, err := e.places.Get(ctx)
	if isOdd := e.rounds.Add(1)%2 == 1; err != nil || isOdd && !e.noticed.Has(true, time.Now()) {
		return err
	}
	results := make(chan error, len(known))
	started := 0
	for _, p := range known {
		if _, is := e.asking.LoadOrStore(p, true); is {
			continue
		}
		if e.Workflow.Beside(func(ctx context.Context) { results <- e.takeNoticesOf(ctx, p) }) {
			started++
		} else {
			e.asking.Delete(p)
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

func (e *Ear) takeNoticesOf(ctx context.Context, p spool.Place) error {
	defer e.asking.Delete(p)
	ctx, cancel := context.WithTimeout(budget.With(ctx, budget.Notices), CallTimeout)
	defer cancel()
	provider, err := e.Provider(ctx, p.Account)
	if err != nil {
		return err
	}
	notifier, ok := cloud.As[cloud.Notifier](provider)
	if !ok {
		return nil
	}
	notices, err := notifier.Notices(ctx, p.Region)
	if call.Denied(err) != nil { // asked at once, it would be denied at once
		e.Log.Warn("the cloud denies its notices", "place", p.String(), "error", err)
		<-ctx.Done()
		return nil
	}
	if err != nil {
		return fmt.Errorf("notices for %s: %w", p, err)
	}
	if len(notices) == 0 {
		return nil
	}
	e.noticed.Put(true, time.Now())
	if err := e.takeFrom(ctx, p, notifier, notices); err != nil {
		// Not acknowledged either, but it may be long until somebody asks again. To take a notice in twice is harmless.
		return errors.Join(fmt.Errorf("take in notices for %s: %w", p, err), e.spool.Add(p, notices...))
	}
	return nil
}

// takeFrom takes in notices of one place, together with what comes from others meanwhile. They are acknowledged only after they have been committed.
func (e *Ear) takeFrom(ctx context.Context, p spool.Place, notifier cloud.Notifier, notices []cloud.Notice) error {
	var ids []string
	var items []Warning
	for _, n := range notices {
		ids, items = append(ids, n.ID), append(items, Warning{p.Account, n})
	}
	if err := e.intake.Put(ctx, items...); err != nil {
		return err
	}
	return notifier.Acknowledge(ctx, p.Region, ids)
}

// Warning is a notice of an account's cloud.
type Warning struct {
	Account string
	cloud.Notice
}
