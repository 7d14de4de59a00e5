package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

const (
	lookEvery   = time.Second     // wall time, as everything here
	probeEvery  = 5 * time.Second // while the store works
	probeWithin = 2 * time.Second // a store that takes longer for one small write is taken for gone
)

// Watch looks after notices while the store is away: leases end then, and no periodic work is done. It never waits for the store itself.
type Watch struct {
	File *File
	Log  *slog.Logger
	// Probe writes something small, and reads where notices are to be looked for.
	Probe func(ctx context.Context) (map[Place]cloud.Provider, error)
	// Back hands the file over to the store. It is called after every probe that succeeds.
	Back func(ctx context.Context, known map[Place]cloud.Provider) error

	known map[Place]cloud.Provider // as of the last time the store answered
	asked time.Time
	probe chan probed // nil while none is under way
	away  time.Time   // since when the store is away
}

// probed is what a store answered.
type probed struct {
	known map[Place]cloud.Provider
	err   error
}

// Start watches until stop is called; call it before the store is closed.
func (w *Watch) Start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			if err := w.look(ctx, &watching); err != nil && ctx.Err() == nil {
				w.Log.Error("watching over notices", "error", err)
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
func (w *Watch) look(ctx context.Context, watching *sync.WaitGroup) error {
	now := time.Now()
	if w.probe == nil && (!w.away.IsZero() || now.Sub(w.asked) >= probeEvery) {
		answer := make(chan probed, 1)
		w.asked, w.probe = now, answer
		watching.Go(func() {
			limited, cancel := context.WithTimeout(ctx, probeWithin)
			defer cancel()
			known, err := w.Probe(limited)
			answer <- probed{known, err}
		})
	}
	if w.probe == nil {
		return nil
	}
	select {
	case answer := <-w.probe:
		w.probe = nil
		if answer.err == nil {
			return w.isBack(ctx, answer.known)
		}
		return w.isAway(ctx, answer.err)
	case <-ctx.Done():
		return nil
	case <-time.After(min(lookEvery/2, max(0, probeWithin-now.Sub(w.asked)))):
	}
	if time.Since(w.asked) > probeWithin {
		return w.isAway(ctx, errors.New("it takes too long"))
	}
	return nil
}

// isAway asks the clouds for notices, and keeps them.
func (w *Watch) isAway(ctx context.Context, why error) error {
	if w.away.IsZero() {
		w.away = time.Now()
		w.Log.Error("the store is away: notices are kept in the spool, launches wait", "error", why)
	}
	results := make(chan error, len(w.known))
	for p, provider := range w.known {
		go func() {
			limited, cancel := context.WithTimeout(ctx, lookEvery)
			defer cancel()
			results <- w.keep(limited, p, provider)
		}()
	}
	var failed []error
	for range w.known {
		failed = append(failed, <-results)
	}
	return errors.Join(failed...)
}

func (w *Watch) keep(ctx context.Context, p Place, provider cloud.Provider) error {
	notifier, ok := cloud.As[cloud.Notifier](provider)
	if !ok {
		return nil
	}
	notices, err := notifier.Notices(ctx, p.Region)
	if err != nil {
		return fmt.Errorf("%s in %s: %w", p.Account, p.Region, err)
	}
	return w.File.Add(p, notices...)
}

// isBack hands the file over. Only then are its notices acknowledged.
func (w *Watch) isBack(ctx context.Context, known map[Place]cloud.Provider) error {
	w.known = known
	if !w.away.IsZero() {
		w.Log.Warn("the store is back", "away", time.Since(w.away).Round(time.Second))
		w.away = time.Time{}
	}
	return w.Back(ctx, known)
}
