package app

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	reachedEvery = time.Minute    // wall time between two notes of how far the engine's clock has come
	reachedMost  = 24 * time.Hour // a note that is further ahead of the wall was written by a clock that was wrong: it is forgotten
)

// steadyClocks makes time go forward evenly, whatever happens to the machine's clock, and from where an earlier process had come to.
func (a *App) steadyClocks(ctx context.Context) error {
	if a.config.Clock != nil {
		return nil // tests step it
	}
	rate := a.config.Rate
	if rate == 0 {
		rate = 1
	}
	kept, err := settings.Get(ctx, a.db, store.Installation(), "clock.reached")
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	reached := kept.Value.Origin
	if ahead := reached.Sub(a.clock.Now()); float64(ahead) > float64(reachedMost)*rate {
		a.config.Log.Warn("the engine's clock had come further than the machine's is now; it begins again at the machine's", "reached", reached)
		reached = time.Time{}
	}
	a.nature = clock.NewSteady(a.nature, rate, reached)
	a.clock = clock.NewSteady(a.clock, rate, reached)
	return nil
}

// noteTime writes down how far the engine's clock has come, so that a restart does not take it back.
func (a *App) noteTime(ctx context.Context) error {
	if a.config.Clock != nil {
		return nil
	}
	now := a.clock.Now()
	kept, err := settings.Get(ctx, a.db, store.Installation(), "clock.reached")
	switch {
	case fault.Is(err, fault.NotFound):
		_, err = settings.Insert(ctx, a.db, store.Doc[pace]{Meta: store.Meta{ID: "clock.reached"}, Value: pace{Origin: now}})
	case err == nil && now.After(kept.Value.Origin):
		kept.Value.Origin = now
		_, err = settings.Update(ctx, a.db, kept)
	}
	return err
}
