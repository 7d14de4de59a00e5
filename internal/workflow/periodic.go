package workflow

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/store"
)

// Periodic is work that one replica at a time does every so often, under a lease. The lease is kept between runs, so an idle system writes little;
// when its holder vanishes, another replica goes on within the lease's time. ctx ends when the lease is lost.
type Periodic struct {
	Name  string
	Every time.Duration // wall time
	Do    func(ctx context.Context) error
}

// AddPeriodic registers periodic work; before Start. Its first run comes at once.
func (e *Engine) AddPeriodic(p Periodic) {
	if p.Name == "" || p.Every <= 0 || p.Do == nil {
		panic(fmt.Sprintf("workflow: periodic %q has no name, interval or work", p.Name))
	}
	e.periodics = append(e.periodics, p)
}

// tenure is this replica's time as the holder of one periodic's lease.
type tenure struct {
	end  context.CancelCauseFunc
	good time.Time // when it was last taken or renewed
}

// keepPeriodics takes and renews the leases, and runs the work of those it holds. After a halt it waits for the runs in progress.
func (e *Engine) keepPeriodics() {
	held := map[string]*tenure{}
	var working sync.WaitGroup
	renew := time.NewTicker(e.c.Lease / 3)
	defer renew.Stop()
	look := time.NewTicker(2 * scanEvery)
	defer look.Stop()
	halt, ended := e.halt, make(chan struct{})
	e.elect(held, &working)
	for {
		select {
		case <-halt:
			halt = nil
			go func() { working.Wait(); close(ended) }()
		case <-ended:
			if err := e.rows.free(context.WithoutCancel(e.turns)); err != nil {
				e.c.Log.Error("cannot give periodic work back", "error", err)
			}
			return
		case <-renew.C:
			e.elect(held, &working)
		case <-look.C:
			if missing := len(e.periodics) - len(held); missing > 0 && !e.halted() {
				if free, err := e.rows.takeable(e.turns, missing); err == nil && free {
					e.elect(held, &working)
				}
			}
		}
	}
}

// elect brings held in line with the leases that the database grants.
func (e *Engine) elect(held map[string]*tenure, working *sync.WaitGroup) {
	asked := time.Now()
	ctx, cancel := context.WithTimeout(e.turns, e.c.Lease/6)
	defer cancel()
	var granted map[string]bool
	err := e.c.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		granted = map[string]bool{}
		for _, p := range e.periodics {
			ours, err := e.rows.hold(ctx, tx, p.Name)
			if err != nil {
				return err
			}
			granted[p.Name] = ours
		}
		return nil
	})
	if err != nil {
		e.c.Log.Warn("cannot renew the leases of periodic work", "error", err)
	}
	for _, p := range e.periodics {
		t, ours := held[p.Name]
		switch {
		case err == nil && granted[p.Name] && ours:
			t.good = asked
		case err == nil && granted[p.Name] && !e.halted():
			ctx, end := context.WithCancelCause(e.turns)
			held[p.Name] = &tenure{end: end, good: asked}
			working.Go(func() { e.repeat(ctx, p) })
		// The next attempt could fail too, and by then the lease may be another's.
		case ours && (err == nil || time.Since(t.good) > e.c.Lease/2):
			t.end(ErrLost)
			delete(held, p.Name)
		}
	}
}

// repeat runs p until ctx ends. A run in progress at a graceful stop is finished.
func (e *Engine) repeat(ctx context.Context, p Periodic) {
	ticker := time.NewTicker(p.Every)
	defer ticker.Stop()
	for {
		if err := e.runPeriodic(ctx, p); err != nil && ctx.Err() == nil {
			e.c.Log.Warn("periodic work failed", "name", p.Name, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-e.halt:
			return
		case <-ticker.C:
		}
	}
}

func (e *Engine) runPeriodic(ctx context.Context, p Periodic) (err error) {
	defer recovered(&err)
	return p.Do(ctx)
}
