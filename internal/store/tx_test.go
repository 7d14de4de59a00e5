package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

var errOops = errors.New("oops")

func count(t *testing.T, s store.Session) int {
	t.Helper()
	n, err := boats.Count(context.WithoutCancel(t.Context()), s, store.Installation(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// add inserts one boat; for use as a unit of work.
func add(id string) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error {
		_, err := boats.Insert(ctx, tx, newBoat("act-1", id))
		return err
	}
}

func TestATransactionIsAllOrNothingAndSeesItself(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			if err := add("b-1")(ctx, tx); err != nil {
				return err
			}
			if inside, outside := count(t, tx), count(t, db); inside != 1 || outside != 0 {
				t.Errorf("inside %d, outside %d", inside, outside)
			}
			return errOops
		})
		if err != errOops || count(t, db) != 0 {
			t.Errorf("%v, %d boats", err, count(t, db))
		}
		if err := db.Tx(t.Context(), add("b-1")); err != nil || count(t, db) != 1 {
			t.Errorf("%v, %d boats", err, count(t, db))
		}
	})
}

func TestADryRunKeepsNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		dry := store.WithDryRun(t.Context())
		prologues := 0
		dry, done := store.WithPrologue(dry, func(context.Context, *store.Tx) error { prologues++; return nil })
		err := db.Tx(dry, func(ctx context.Context, tx *store.Tx) error {
			tx.AfterCommit(func() { t.Error("AfterCommit ran") })
			if !store.IsDryRun(ctx) {
				t.Error("the mark is lost inside")
			}
			return add("b-1")(ctx, tx)
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := boats.Insert(dry, db, newBoat("act-1", "b-2")); err != nil {
			t.Fatal(err)
		}
		if err := db.Tx(dry, func(context.Context, *store.Tx) error { return errOops }); err != errOops {
			t.Error(err)
		}
		if count(t, db) != 0 || prologues != 0 || done() || store.IsDryRun(t.Context()) {
			t.Errorf("%d boats, %d prologues", count(t, db), prologues)
		}
	})
}

func TestAfterCommitRunsOnlyAfterACommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		visible := -1
		_ = db.Tx(t.Context(), func(_ context.Context, tx *store.Tx) error {
			tx.AfterCommit(func() { t.Error("ran for a transaction that was rolled back") })
			return errOops
		})
		err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			// It may use the database, even with the context of the transaction that has ended.
			tx.AfterCommit(func() { visible = count(t, db); _, _ = boats.Insert(ctx, db, newBoat("act-1", "b-2")) })
			return add("b-1")(ctx, tx)
		})
		if err != nil || visible != 1 || count(t, db) != 2 {
			t.Errorf("%v, saw %d, has %d", err, visible, count(t, db))
		}
	})
}

func TestAPrologueJoinsTheFirstTransactionThatCommits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		var fail error = errOops
		ctx, done := store.WithPrologue(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			if fail != nil {
				return fail
			}
			return add(fmt.Sprintf("audit-%d", count(t, tx)))(ctx, tx)
		})
		if err := db.Tx(ctx, func(context.Context, *store.Tx) error { return fault.Of(fault.Invalid, "x", "no") }); err == nil {
			t.Error("the work's error is lost")
		}
		if err := db.Tx(ctx, add("b-1")); err != errOops || count(t, db) != 0 || done() {
			t.Errorf("a failing prologue must undo the change: %v, %d boats", err, count(t, db))
		}
		fail = nil
		if _, err := boats.Insert(ctx, db, newBoat("act-1", "b-1")); err != nil || !done() {
			t.Errorf("single statements are transactions too: %v, %v", err, done())
		}
		if err := db.Tx(ctx, add("b-2")); err != nil {
			t.Error(err)
		}
		docs, _, err := boats.List(ctx, db, store.Installation(), store.Query{})
		if err != nil || ids(docs) != "b-1 audit-1 b-2 " {
			t.Errorf("got %q, %v", ids(docs), err)
		}
	})
}

func TestATransactionInsideAnotherIsRefusedInsteadOfWaitingForItself(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		err := db.Tx(t.Context(), func(ctx context.Context, _ *store.Tx) error { return db.Tx(ctx, add("b-1")) })
		wantKind(t, err, fault.Internal)
		err = db.Tx(t.Context(), func(ctx context.Context, _ *store.Tx) error {
			_, err := boats.Insert(ctx, db, newBoat("act-1", "b-1"))
			return err
		})
		wantKind(t, err, fault.Internal)
	})
}

func TestAPanicRollsBackAndReachesTheCaller(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		func() {
			defer func() {
				if cause := recover(); cause != "boom" {
					t.Errorf("recovered %v", cause)
				}
			}()
			_ = db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				if err := add("b-1")(ctx, tx); err != nil {
					t.Error(err)
				}
				panic("boom")
			})
		}()
		if err := db.Tx(t.Context(), add("b-2")); err != nil || count(t, db) != 1 {
			t.Errorf("%v, %d boats", err, count(t, db))
		}
	})
}

func TestAnEndedContextStopsATransaction(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			if err := add("b-1")(ctx, tx); err != nil {
				return err
			}
			cancel()
			return add("b-2")(ctx, tx)
		})
		if !errors.Is(err, context.Canceled) || count(t, db) != 0 {
			t.Errorf("%v, %d boats", err, count(t, db))
		}
		if err := db.Tx(ctx, add("b-1")); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, err := boats.Get(ctx, db, store.Installation(), "b-1"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// What a transaction read is still true when it commits what it made of it.
func TestNoUpdateIsLostAmongConcurrentTransactions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		first, second := at.Open(t), at.Open(t) // two replicas
		insert(t, first, newBoat("act-1", "b-1"))
		const workers, rounds = 4, 10
		var working sync.WaitGroup
		for w := range workers {
			db := first
			if w%2 == 1 {
				db = second
			}
			working.Go(func() {
				for range rounds {
					err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
						d, err := boats.Get(ctx, tx, store.Account("act-1"), "b-1")
						if err != nil {
							return err
						}
						d.Value.Name += "x"
						_, err = boats.Update(ctx, tx, d)
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		working.Wait()
		d, err := boats.Get(t.Context(), first, store.Account("act-1"), "b-1")
		if want := 1 + workers*rounds; err != nil || d.Version != int64(want) || len(d.Value.Name) != len("b-1")+workers*rounds {
			t.Errorf("version %d after %d updates: %q, %v", d.Version, want-1, d.Value.Name, err)
		}
	})
}

func TestTheHookIsCalledAroundEveryCommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		var before, after atomic.Int32
		at.Config.Hook = func(point string) {
			switch point {
			case "commit:before":
				before.Add(1)
			case "commit:after":
				after.Add(1)
			default:
				t.Errorf("point %q", point)
			}
		}
		db := at.Open(t)
		for i := range 3 {
			if err := db.Tx(t.Context(), add(fmt.Sprint("b-", i))); err != nil {
				t.Fatal(err)
			}
		}
		_ = db.Tx(t.Context(), func(context.Context, *store.Tx) error { return errOops })
		if before.Load() != 3 || after.Load() != 3 {
			t.Errorf("%d before, %d after", before.Load(), after.Load())
		}
	})
}

func TestTheDatabaseTellsItsTimeAndThatItIsThere(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		if err := db.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		one, err := db.Now(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			two, err := db.Now(ctx, tx)
			if !two.After(one) {
				t.Errorf("%v is not after %v", two, one)
			}
			return err
		})
		if err != nil || db.Driver() != at.Driver || db.SQL() == nil || (db.Pool() == nil) != (at.Driver == "sqlite") {
			t.Errorf("%v, driver %q", err, db.Driver())
		}
	})
}

func TestAClosedDatabaseAnswersInsteadOfWaiting(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db, err := store.Open(t.Context(), at.Config)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := db.Tx(t.Context(), add("b-1")); err == nil {
			t.Error("a transaction on a closed database")
		}
		if _, err := boats.Get(t.Context(), db, store.Installation(), "b-1"); err == nil {
			t.Error("a read from a closed database")
		}
		if err := db.Ping(t.Context()); err == nil {
			t.Error("a closed database answers Ping")
		}
	})
}
