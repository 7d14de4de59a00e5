package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	guardEvery  = time.Second     // wall time, as everything here
	probeEvery  = 5 * time.Second // while the store works
	probeWithin = 2 * time.Second // a store that takes longer for one small write is taken for gone
)

// watch looks after notices while the store is away: leases end then, and no periodic work is done. It must not wait for the store itself.
type watch struct {
	f     *Fleet
	known map[place]cloud.Provider // as of the last time the store answered
	asked time.Time
	probe chan probed // nil while none is under way
	away  time.Time   // since when the store is away
}

// probed is what a store answered.
type probed struct {
	known map[place]cloud.Provider
	err   error
}

// Watch keeps notices in the spool whenever the store is away, and hands them over when it is back. Call stop before the store is closed.
func (f *Fleet) Watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		w := &watch{f: f}
		tick := time.NewTicker(guardEvery)
		defer tick.Stop()
		for {
			if err := w.look(ctx); err != nil && ctx.Err() == nil {
				f.Log.Error("watching over notices", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return func() {
		cancel()
		watching.Wait()
	}
}

// look is one round.
func (w *watch) look(ctx context.Context) error {
	now := time.Now()
	if w.probe == nil && (!w.away.IsZero() || now.Sub(w.asked) >= probeEvery) {
		w.asked, w.probe = now, make(chan probed, 1)
		go w.ask(ctx, w.probe)
	}
	if w.probe != nil {
		select {
		case answer := <-w.probe:
			w.probe = nil
			if answer.err == nil {
				return w.isBack(ctx, answer.known)
			}
			return w.isAway(ctx, answer.err)
		case <-ctx.Done():
			return nil
		case <-time.After(min(guardEvery/2, max(0, probeWithin-now.Sub(w.asked)))):
		}
	}
	if w.probe != nil && time.Since(w.asked) > probeWithin {
		return w.isAway(ctx, errors.New("it takes too long"))
	}
	return nil
}

// ask writes something small, and reads where notices are to be looked for.
func (w *watch) ask(ctx context.Context, answer chan<- probed) {
	limited, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	known, err := w.places(limited)
	answer <- probed{known, err}
}

// pulses are written for no other reason than to see whether the store can be written to.
var pulses = store.Collection[pulse]{Table: "settings", Noun: "pulse"}

type pulse struct{}

func (w *watch) places(ctx context.Context) (map[place]cloud.Provider, error) {
	docs, _, err := places.List(ctx, w.f.DB, store.Installation(), store.Query{})
	if err != nil {
		return nil, err
	}
	known := make(map[place]cloud.Provider, len(docs))
	for _, doc := range docs {
		provider, err := w.f.provider(ctx, doc.Value.Account)
		if err != nil {
			continue // that account's own trouble
		}
		known[doc.Value.place] = provider
	}
	return known, w.f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := pulses.Insert(ctx, tx, store.Doc[pulse]{Meta: store.Meta{ID: "pulse"}})
		if fault.Is(err, fault.Exists) {
			err = pulses.Delete(ctx, tx, store.Installation(), "pulse")
		}
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		return err
	})
}

// isAway asks the clouds for notices, and keeps them.
func (w *watch) isAway(ctx context.Context, why error) error {
	if w.away.IsZero() {
		w.away = time.Now()
		w.f.Log.Error("the store is away: notices are kept in the spool, launches wait", "error", why)
	}
	results := make(chan error, len(w.known))
	for p, provider := range w.known {
		go func() {
			limited, cancel := context.WithTimeout(ctx, guardEvery)
			defer cancel()
			results <- w.f.spoolNotices(limited, p, provider)
		}()
	}
	var failed []error
	for range w.known {
		failed = append(failed, <-results)
	}
	return errors.Join(failed...)
}

func (f *Fleet) spoolNotices(ctx context.Context, p place, provider cloud.Provider) error {
	notifier, ok := cloud.As[cloud.Notifier](provider)
	if !ok {
		return nil
	}
	notices, err := notifier.Notices(ctx, p.Region)
	if err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	return f.spool.add(p, notices...)
}

// isBack hands the spool over to the store. Only then are the notices acknowledged.
func (w *watch) isBack(ctx context.Context, known map[place]cloud.Provider) error {
	w.known = known
	if !w.away.IsZero() {
		w.f.Log.Warn("the store is back", "away", time.Since(w.away).Round(time.Second))
		w.away = time.Time{}
	}
	return w.f.unspool(ctx, known)
}

func (f *Fleet) unspool(ctx context.Context, known map[place]cloud.Provider) error {
	kept, err := f.spool.all()
	if err != nil || len(kept) == 0 {
		return err
	}
	message := fmt.Sprintf("%d notices came while the database was away, and were kept on this machine's disk.", len(kept))
	err = f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		return f.Journal.Alert(ctx, tx, "", "", journal.AlertSpooled, message)
	})
	if err != nil {
		return err
	}
	byPlace := map[place][]cloud.Notice{}
	for _, entry := range kept {
		byPlace[entry.place()] = append(byPlace[entry.place()], entry.Notice)
	}
	for p, notices := range byPlace {
		notifier, ok := cloud.As[cloud.Notifier](known[p])
		if !ok {
			return fmt.Errorf("%d spooled notices are for %s, which can't be reached now", len(notices), p)
		}
		if err := f.takeSome(ctx, p, notifier, notices); err != nil {
			return err
		}
	}
	if err := f.spool.drop(len(kept)); err != nil {
		return err
	}
	return f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		return f.Journal.Calm(ctx, tx, "", "", journal.AlertSpooled)
	})
}
