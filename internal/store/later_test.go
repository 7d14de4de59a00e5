package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

func TestWhatIsPutOffIsSeenByWhatFollowsAndCommitted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		later := func(ctx context.Context, tx *store.Tx, id string) error {
			_, err := boats.Insert(ctx, tx.Later(), newBoat("act-1", id))
			return err
		}
		err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			for n, id := range []string{"b-1", "b-2"} {
				if err := later(ctx, tx, id); err != nil {
					return err
				}
				if seen := count(t, tx); seen != n+1 {
					t.Errorf("%d boats after %d", seen, n+1)
				}
			}
			return later(ctx, tx, "b-3")
		})
		if err != nil || count(t, db) != 3 {
			t.Errorf("%v, %d boats", err, count(t, db))
		}
		if err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return later(ctx, tx, "b-4") }); err != nil || count(t, db) != 4 {
			t.Errorf("nothing but later: %v, %d boats", err, count(t, db))
		}
		err = db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			if err := later(ctx, tx, "b-5"); err != nil {
				return err
			}
			return errOops
		})
		if err != errOops || count(t, db) != 4 {
			t.Errorf("failed work: %v, %d boats", err, count(t, db))
		}
	})
}

func TestWhatIsPutOffInVainEndsTheTransaction(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		first, err := boats.Insert(t.Context(), db, newBoat("act-1", "b-1"))
		if err != nil {
			t.Fatal(err)
		}
		stale, gone := first, newBoat("act-1", "b-2")
		stale.Version, gone.Version = 7, 1
		for name, c := range map[string]struct {
			write func(ctx context.Context, tx *store.Tx) error
			kind  fault.Kind
		}{
			"stale": {func(ctx context.Context, tx *store.Tx) error {
				_, err := boats.Update(ctx, tx.Later(), stale)
				return err
			}, fault.Conflict},
			"gone": {func(ctx context.Context, tx *store.Tx) error {
				_, err := boats.Update(ctx, tx.Later(), gone)
				return err
			}, fault.NotFound},
			"taken": {func(ctx context.Context, tx *store.Tx) error {
				_, err := boats.Insert(ctx, tx.Later(), first)
				return err
			}, fault.Exists},
		} {
			for where, work := range map[string]func(ctx context.Context, tx *store.Tx) error{
				"before more": func(ctx context.Context, tx *store.Tx) error {
					// Whoever does not look at what comes of it, or takes it for something else, has not kept anything all the same.
					_ = c.write(ctx, tx)
					_ = add("b-3")(ctx, tx)
					return nil
				},
				"at the end": func(ctx context.Context, tx *store.Tx) error {
					if err := add("b-3")(ctx, tx); err != nil {
						return err
					}
					return c.write(ctx, tx)
				},
				"alone": c.write,
			} {
				for _, ctx := range []context.Context{t.Context(), store.WithDryRun(t.Context())} {
					if err := db.Tx(ctx, work); !fault.Is(err, c.kind) || count(t, db) != 1 {
						t.Errorf("%s %s, dry run %t: %v, %d boats", name, where, store.IsDryRun(ctx), err, count(t, db))
					}
				}
			}
		}
	})
}

func TestEnsureStoresOnceAndMovesTheTimeOn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		noon := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
		ensure := func(account, name string, at time.Time) error {
			d := newBoat(account, "b-1")
			d.Name, d.At = name, at
			return db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return boats.Ensure(ctx, tx, d) })
		}
		for _, c := range []struct{ at, want time.Time }{{noon, noon}, {noon.Add(time.Hour), noon.Add(time.Hour)}, {noon, noon.Add(time.Hour)}} {
			if err := ensure("act-1", c.at.String(), c.at); err != nil {
				t.Fatal(err)
			}
			got, err := boats.Get(t.Context(), db, store.Account("act-1"), "b-1")
			if err != nil || got.Name != noon.String() || !got.At.Equal(c.want) || got.Version != 1 {
				t.Errorf("%v: %q at %v, version %d, %v", c.at, got.Name, got.At, got.Version, err)
			}
		}
		if err := ensure("act-2", "theirs", noon); !fault.Is(err, fault.Exists) {
			t.Errorf("another account's: %v, want exists", err)
		}
	})
}
