package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// claim makes the data folder ours, so that two processes never work on one folder. Closing the file gives it back.
func claim(folder string) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the data folder's lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fault.Of(fault.Conflict, "data", "Another Neap is using %s: stop it first, or give this one a folder of its own with --data.", folder).With(err)
	}
	return lock, nil
}

// pace is the engine clock's anchor, kept so that its time never jumps back over a restart.
type pace struct {
	Began  time.Time `json:"began"`
	Origin time.Time `json:"origin"`
	Rate   float64   `json:"rate"`
}

var settings = store.Collection[pace]{Table: "settings", Noun: "setting"}

// engineClock is the wall, unless the engine runs, or once ran, faster.
func engineClock(ctx context.Context, db *store.DB, rate float64) (clock.Clock, error) {
	if rate == 0 {
		rate = 1
	}
	now := time.Now().UTC()
	kept, err := settings.Get(ctx, db, store.Installation(), "clock")
	switch {
	case fault.Is(err, fault.NotFound) && rate == 1:
		return clock.Wall{}, nil
	case fault.Is(err, fault.NotFound):
		kept = store.Doc[pace]{Meta: store.Meta{ID: "clock"}, Value: pace{Began: now, Origin: now, Rate: rate}}
		_, err = settings.Insert(ctx, db, kept)
		if fault.Is(err, fault.Exists) { // another replica began first: there is one time
			return engineClock(ctx, db, rate)
		}
	case err == nil && kept.Value.Rate != rate:
		reached := clock.Scaled(kept.Value).Now()
		kept.Value = pace{Began: now, Origin: reached, Rate: rate}
		_, err = settings.Update(ctx, db, kept)
		if fault.Is(err, fault.Conflict) {
			return engineClock(ctx, db, rate)
		}
	}
	return clock.Scaled(kept.Value), err
}
