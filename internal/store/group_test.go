package store

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

var groupTable = Collection[int]{Table: "groups", Noun: "group"}

func openMemory(t *testing.T, hook func(string)) (*DB, *writer) {
	t.Helper()
	db, err := Open(t.Context(), Config{Memory: true, Hook: hook})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, db.engine.(*sqlite).writer
}

// together runs units so that all of them wait while the first runs, and returns their errors.
func together(t *testing.T, db *DB, w *writer, units ...func(context.Context, *Tx) error) []error {
	t.Helper()
	errs := make([]error, len(units))
	var running sync.WaitGroup
	gate := make(chan struct{})
	inside := make(chan struct{})
	var once sync.Once // the first unit may be run again, too
	blocked := make(chan error)
	go func() {
		blocked <- db.Tx(t.Context(), func(context.Context, *Tx) error { once.Do(func() { close(inside) }); <-gate; return nil })
	}()
	<-inside
	for i, unit := range units {
		running.Go(func() { errs[i] = db.Tx(t.Context(), unit) })
	}
	for deadline := time.Now().Add(5 * time.Second); w.waiting.Load() < int32(len(units)); {
		if time.Now().After(deadline) {
			t.Fatal("the units do not queue up")
		}
		runtime.Gosched()
	}
	close(gate)
	running.Wait()
	if err := <-blocked; err != nil {
		t.Error(err)
	}
	return errs
}

func put(id string) func(context.Context, *Tx) error {
	return func(ctx context.Context, tx *Tx) error {
		_, err := groupTable.Insert(ctx, tx, Doc[int]{Meta: Meta{ID: id}})
		return err
	}
}

func countAll(t *testing.T, db *DB) int {
	t.Helper()
	n, err := groupTable.Count(t.Context(), db, Installation(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTransactionsThatWaitShareOneCommit(t *testing.T) {
	var commits atomic.Int32
	db, w := openMemory(t, func(point string) {
		if point == "commit:before" {
			commits.Add(1)
		}
	})
	var units []func(context.Context, *Tx) error
	for i := range 50 {
		units = append(units, put(fmt.Sprint(i)))
	}
	for _, err := range together(t, db, w, units...) {
		if err != nil {
			t.Error(err)
		}
	}
	if n := commits.Load(); n > 5 || countAll(t, db) != 50 {
		t.Errorf("%d commits for 50 transactions, %d rows", n, countAll(t, db))
	}
}

func TestAFailingTransactionTakesNothingFromItsGroup(t *testing.T) {
	db, w := openMemory(t, nil)
	refused := fault.Of(fault.Invalid, "x", "no")
	errs := together(t, db, w, put("a"), func(ctx context.Context, tx *Tx) error {
		if err := put("b")(ctx, tx); err != nil {
			return err
		}
		return refused
	}, put("c"))
	if errs[0] != nil || errs[1] != error(refused) || errs[2] != nil || countAll(t, db) != 2 {
		t.Errorf("%v, %d rows", errs, countAll(t, db))
	}
}

// SQLite ends a whole transaction by itself when the disk is full, for instance; the group's other members must not be told that they were committed.
func TestWhatATransactionFailedAboutCanBeReadAtOnce(t *testing.T) {
	db, _ := openMemory(t, nil)
	for round := range 200 {
		var racing sync.WaitGroup
		id := fmt.Sprint("same-", round)
		for range 8 {
			racing.Go(func() {
				_, err := groupTable.Insert(t.Context(), db, Doc[int]{Meta: Meta{ID: id, Account: "act-1"}})
				if err != nil && !fault.Is(err, fault.Exists) {
					t.Error(err)
				}
				if _, err := groupTable.Get(t.Context(), db, Account("act-1"), id); err != nil {
					t.Errorf("it is said to exist, but: %v", err)
				}
			})
		}
		racing.Wait()
	}
}

func TestTransactionsOfALostGroupAreRunAgain(t *testing.T) {
	db, w := openMemory(t, nil)
	var ended atomic.Bool
	errs := together(t, db, w, put("a"), func(ctx context.Context, tx *Tx) error {
		if err := put("b")(ctx, tx); err != nil || !ended.CompareAndSwap(false, true) {
			return err
		}
		_, err := tx.Exec(ctx, "ROLLBACK")
		return err
	}, put("c"))
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if countAll(t, db) != 3 {
		t.Errorf("%d rows", countAll(t, db))
	}
}

func TestATransactionCannotGoOnAfterAStatementThatFailed(t *testing.T) {
	db, _ := openMemory(t, nil)
	err := db.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO nowhere VALUES (1)"); err == nil {
			t.Error("no such table, and yet no error")
		}
		if err := put("a")(ctx, tx); err == nil {
			t.Error("the transaction goes on")
		}
		return nil
	})
	if err == nil || countAll(t, db) != 0 {
		t.Errorf("%v, %d rows", err, countAll(t, db))
	}
}

func TestACallerThatGivesUpDoesNotLeaveItsGroupUncommitted(t *testing.T) {
	db, w := openMemory(t, nil)
	gate, inside := make(chan struct{}), make(chan struct{})
	first := make(chan error)
	go func() {
		first <- db.Tx(t.Context(), func(ctx context.Context, tx *Tx) error { close(inside); <-gate; return put("a")(ctx, tx) })
	}()
	<-inside
	impatient, cancel := context.WithCancel(t.Context())
	second := make(chan error)
	go func() { second <- db.Tx(impatient, put("b")) }()
	for deadline := time.Now().Add(5 * time.Second); w.waiting.Load() == 0 && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	cancel()
	if err := <-second; err != context.Canceled {
		t.Errorf("got %v", err)
	}
	close(gate)
	select {
	case err := <-first:
		if err != nil || countAll(t, db) != 1 {
			t.Errorf("%v, %d rows", err, countAll(t, db))
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the first transaction was never committed")
	}
}
