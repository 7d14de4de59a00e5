package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
	"github.com/neap-cloud/neap/internal/workflow"
	"github.com/neap-cloud/neap/internal/workflow/workflowtest"
)

var dawn = time.Date(2026, 6, 1, 4, 0, 0, 0, time.UTC)

type tally struct{ N int }

var tallies = store.Collection[tally]{Table: "settings", Noun: "tally"}

// turn is a loop's Do.
type turn = func(context.Context, workflow.Turn) (time.Time, error)

func loop(name string, do turn) func(*workflow.Engine) {
	return func(e *workflow.Engine) { e.AddLoop(workflow.Loop{Name: name, Workers: 4, Do: do}) }
}

// next receives with patience.
func next[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(workflowtest.Patience):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

func TestARaisedKeyGetsItsTurnAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		turns := make(chan time.Time, 100)
		e := workflowtest.Start(t, db, nil, loop("l", func(context.Context, workflow.Turn) (time.Time, error) {
			turns <- time.Now()
			return time.Time{}, nil
		}))
		workflowtest.Watch(t, db, e, "l", "k")
		next(t, turns, "turn after Watch")
		quickest := time.Hour
		for range 10 { // other work may run on this machine: the best counts
			workflowtest.Settle(t, e, "l", "k")
			workflowtest.Raise(t, db, e, "l", "k")
			committed := time.Now()
			quickest = min(quickest, next(t, turns, "turn").Sub(committed))
		}
		if quickest > 50*time.Millisecond {
			t.Errorf("the quickest turn came %v after its commit", quickest)
		}
	})
}

// Four raisers count up in the transactions that raise; turns on two replicas copy the count. If a change were swallowed, the copy would stay behind.
func TestNoChangeIsSwallowedAndOneReplicaActsAtATime(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		keys := []string{"a", "b", "c"}
		acting := map[string]*atomic.Int32{"a": {}, "b": {}, "c": {}}
		replica := func() (*store.DB, *workflow.Engine) {
			db := at.Open(t)
			return db, workflowtest.Start(t, db, nil, loop("l", func(ctx context.Context, turn workflow.Turn) (time.Time, error) {
				if n := acting[turn.Key].Add(1); n != 1 {
					t.Errorf("%d turns for %s at once", n, turn.Key)
				}
				defer acting[turn.Key].Add(-1)
				return time.Time{}, copyTally(ctx, db, turn)
			}))
		}
		db1, one := replica()
		db2, two := replica()
		for _, key := range keys {
			for _, id := range []string{key, key + "-copy"} {
				if _, err := tallies.Insert(t.Context(), db1, store.Doc[tally]{Meta: store.Meta{ID: id}}); err != nil {
					t.Fatal(err)
				}
			}
			workflowtest.Watch(t, db1, one, "l", key)
		}
		const rounds = 20
		var raising sync.WaitGroup
		for i := range 4 {
			db, e := db1, one
			if i%2 == 1 {
				db, e = db2, two
			}
			raising.Go(func() {
				for round := range rounds {
					key := keys[(i+round)%len(keys)]
					if err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return countUp(ctx, tx, e, key) }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		raising.Wait()
		sum := 0
		for _, key := range keys {
			workflowtest.Settle(t, one, "l", key)
			original, copied := readTally(t, db1, key), readTally(t, db1, key+"-copy")
			if original != copied {
				t.Errorf("%s: %d changes, %d seen", key, original, copied)
			}
			sum += original
		}
		if sum != 4*rounds {
			t.Errorf("%d changes of %d were committed", sum, 4*rounds)
		}
	})
}

func countUp(ctx context.Context, tx *store.Tx, e *workflow.Engine, key string) error {
	d, err := tallies.Get(ctx, tx, store.Installation(), key)
	if err != nil {
		return err
	}
	d.Value.N++
	if _, err := tallies.Update(ctx, tx, d); err != nil {
		return err
	}
	return e.Raise(ctx, tx, "l", key)
}

func copyTally(ctx context.Context, db *store.DB, turn workflow.Turn) error {
	seen, err := tallies.Get(ctx, db, store.Installation(), turn.Key)
	if err != nil {
		return err
	}
	return db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := turn.Guard(ctx, tx); err != nil {
			return err
		}
		d, err := tallies.Get(ctx, tx, store.Installation(), turn.Key+"-copy")
		if err != nil {
			return err
		}
		d.Value = seen.Value
		_, err = tallies.Update(ctx, tx, d)
		return err
	})
}

func readTally(t *testing.T, db *store.DB, id string) int {
	t.Helper()
	d, err := tallies.Get(t.Context(), db, store.Installation(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d.Value.N
}

func TestASlowOwnerWhoseLeaseWasTakenCannotWrite(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		slowDB, otherDB := at.Open(t), at.Open(t)
		started, taken, refused := make(chan int64, 1), make(chan int64, 1), make(chan error, 1)
		// The slow owner does not even look at its context.
		slow := workflowtest.Start(t, slowDB, nil, loop("l", func(_ context.Context, turn workflow.Turn) (time.Time, error) {
			started <- turn.Epoch
			next(t, taken, "take-over")
			err := slowDB.Tx(context.Background(), func(ctx context.Context, tx *store.Tx) error {
				if err := turn.Guard(ctx, tx); err != nil {
					return err
				}
				_, err := tallies.Insert(ctx, tx, store.Doc[tally]{Meta: store.Meta{ID: "harm"}})
				return err
			})
			refused <- err
			return time.Time{}, err
		}))
		workflowtest.Watch(t, slowDB, slow, "l", "k")
		first := next(t, started, "turn of the slow owner")
		hold := make(chan struct{})
		defer close(hold)
		workflowtest.Start(t, otherDB, nil, loop("l", func(_ context.Context, turn workflow.Turn) (time.Time, error) {
			if turn.Epoch <= first {
				t.Errorf("epoch %d follows %d", turn.Epoch, first)
			}
			taken <- turn.Epoch
			<-hold
			return time.Time{}, nil
		}))
		// The lease is gone, as if the slow owner's process had stood still for long.
		err := otherDB.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE loops SET owner = '', until = 0")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := next(t, refused, "answer to the slow owner"); !errors.Is(err, workflow.ErrLost) {
			t.Errorf("the slow owner's write: %v", err)
		}
		if _, err := tallies.Get(t.Context(), otherDB, store.Installation(), "harm"); !fault.Is(err, fault.NotFound) {
			t.Errorf("harm was done: %v", err)
		}
	})
}

func TestALostLeaseEndsTheTurnsContext(t *testing.T) {
	db := storetest.Memory(t)
	ended := make(chan error, 1)
	var once sync.Once
	e := workflowtest.Start(t, db, nil, loop("l", func(ctx context.Context, _ workflow.Turn) (time.Time, error) {
		once.Do(func() {
			if err := db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Exec(ctx, "UPDATE loops SET owner = 'another', epoch = epoch + 1")
				return err
			}); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			ended <- context.Cause(ctx)
		})
		return time.Time{}, ctx.Err()
	}))
	workflowtest.Watch(t, db, e, "l", "k")
	if cause := next(t, ended, "end of the context"); !errors.Is(cause, workflow.ErrLost) {
		t.Errorf("cause %v", cause)
	}
}

func TestTheKeysOfAReplicaThatVanishedAreTakenOverWithinASecond(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		doomed, err := store.Open(t.Context(), at.Config)
		if err != nil {
			t.Fatal(err)
		}
		const lease = time.Second
		started := make(chan struct{}, 1)
		gone, err := workflow.New(workflow.Config{DB: doomed, Clock: clock.Wall{}, Replica: "gone", Lease: lease})
		if err != nil {
			t.Fatal(err)
		}
		loop("l", func(ctx context.Context, _ workflow.Turn) (time.Time, error) {
			started <- struct{}{}
			<-ctx.Done()
			return time.Time{}, ctx.Err()
		})(gone)
		if err := gone.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		workflowtest.Watch(t, doomed, gone, "l", "k")
		next(t, started, "first turn")
		taken := make(chan time.Time, 1)
		db := at.Open(t)
		heir := workflowtest.Start(t, db, nil, loop("l", func(context.Context, workflow.Turn) (time.Time, error) {
			taken <- time.Now()
			return time.Time{}, nil
		}))
		// Without its database the replica can neither renew nor give back.
		if err := doomed.Close(); err != nil {
			t.Error(err)
		}
		vanished := time.Now()
		if delay := next(t, taken, "heir's turn").Sub(vanished); delay > lease+time.Second {
			t.Errorf("taken over %v after the owner vanished, with leases of %v", delay, lease)
		}
		workflowtest.Settle(t, heir, "l", "k")
		stopping, cancel := context.WithTimeout(context.Background(), workflowtest.Patience)
		defer cancel()
		// Whether it complains depends on whether it has noticed by now that its lease is lost; it has to stop either way.
		if err := gone.Stop(stopping); stopping.Err() != nil {
			t.Errorf("an engine without its database does not stop: %v", err)
		}
	})
}

func TestAFailingOrPanickingTurnIsTakenAgain(t *testing.T) {
	db := storetest.Memory(t)
	failures := make(chan int, 10)
	e := workflowtest.Start(t, db, nil, loop("l", func(_ context.Context, turn workflow.Turn) (time.Time, error) {
		failures <- turn.Failures
		switch turn.Failures {
		case 0:
			return time.Time{}, errors.New("a failure for the test")
		case 1:
			panic("a panic for the test")
		}
		return time.Time{}, nil
	}))
	workflowtest.Watch(t, db, e, "l", "k")
	workflowtest.Settle(t, e, "l", "k")
	workflowtest.Raise(t, db, e, "l", "k")
	// A success forgets the failures: the series begins anew.
	for _, want := range []int{0, 1, 2, 0} {
		if got := next(t, failures, "turn"); got != want {
			t.Errorf("turn after %d failures, want %d", got, want)
		}
	}
}

// comeback says when a key must get a turn, by engine time.
type comeback struct {
	key       string
	from, til time.Duration
}

// patience is how long (wall time) to wait for a turn before the clock goes on.
func (c comeback) patience(elapsed time.Duration) time.Duration {
	if elapsed >= c.til {
		return workflowtest.Patience
	}
	return 50 * time.Millisecond
}

func TestAKeyComesBackWhenItSaidAndAtTheSweep(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		time0 := clock.NewManual(dawn)
		turns := make(chan time.Time, 10)
		again := map[string]time.Duration{"soon": time.Hour, "late": 100 * time.Hour}
		e := workflowtest.Start(t, db, time0, func(e *workflow.Engine) {
			e.AddLoop(workflow.Loop{Name: "l", Sweep: 10 * time.Hour, Do: func(_ context.Context, turn workflow.Turn) (time.Time, error) {
				turns <- time0.Now()
				return time0.Now().Add(again[turn.Key]), nil
			}})
		})
		for _, c := range []comeback{{"soon", time.Hour, time.Hour}, {"late", 9 * time.Hour, 10 * time.Hour}} {
			workflowtest.Watch(t, db, e, "l", c.key)
			next(t, turns, "first turn")
			workflowtest.Settle(t, e, "l", c.key)
			began := time0.Now()
			for {
				time0.Advance(10 * time.Minute)
				if time0.Now().Sub(began) < c.from {
					continue
				}
				select {
				case at := <-turns:
					if wait := at.Sub(began); wait < c.from || wait > c.til {
						t.Errorf("%s came back after %v", c.key, wait)
					}
				case <-time.After(c.patience(time0.Now().Sub(began))):
					if time0.Now().Sub(began) < c.til {
						continue
					}
					t.Fatalf("%s does not come back", c.key)
				}
				break
			}
			err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return e.Forget(ctx, tx, "l", c.key) })
			if err != nil {
				t.Fatal(err)
			}
		}
		time0.Advance(1000 * time.Hour)
		workflowtest.Watch(t, db, e, "l", "other")
		next(t, turns, "turn of another key")
		workflowtest.Settle(t, e, "l", "other")
		if len(turns) != 0 {
			t.Error("a forgotten key got a turn")
		}
	})
}

func TestARaiseThatIsRolledBackOrDryMovesNothing(t *testing.T) {
	db := storetest.Memory(t)
	var turns atomic.Int32
	e := workflowtest.Start(t, db, nil, loop("l", func(context.Context, workflow.Turn) (time.Time, error) {
		turns.Add(1)
		return time.Time{}, nil
	}))
	workflowtest.Watch(t, db, e, "l", "k")
	workflowtest.Settle(t, e, "l", "k")
	workflowtest.Raise(t, db, e, "l", "stranger") // not watched: nothing
	_ = db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return errors.Join(errors.New("no"), e.Raise(ctx, tx, "l", "k"))
	})
	if err := db.Tx(store.WithDryRun(t.Context()), func(ctx context.Context, tx *store.Tx) error { return e.Raise(ctx, tx, "l", "k") }); err != nil {
		t.Error(err)
	}
	workflowtest.Settle(t, e, "l", "k")
	workflowtest.Settle(t, e, "l", "stranger")
	if n := turns.Load(); n != 1 {
		t.Errorf("%d turns", n)
	}
}

func TestSettledWaitsForTheTurnThatSawTheChange(t *testing.T) {
	db := storetest.Memory(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	e := workflowtest.Start(t, db, nil, loop("l", func(context.Context, workflow.Turn) (time.Time, error) {
		entered <- struct{}{}
		<-leave
		return time.Time{}, nil
	}))
	workflowtest.Watch(t, db, e, "l", "k")
	next(t, entered, "first turn")
	workflowtest.Raise(t, db, e, "l", "k") // during the turn, which has not seen it
	settled := make(chan error, 1)
	go func() { settled <- e.Settled(context.Background(), "l", "k") }()
	leave <- struct{}{}
	next(t, entered, "second turn")
	select {
	case <-settled:
		t.Error("settled before the second turn has ended")
	default:
	}
	brief, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := e.Settled(brief, "l", "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	leave <- struct{}{}
	if err := next(t, settled, "end of the wait"); err != nil {
		t.Error(err)
	}
}

func TestStopLetsTheTurnInProgressFinishAndGivesTheKeyBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		first, err := workflow.New(workflow.Config{DB: db, Clock: clock.Wall{}, Replica: "first"})
		if err != nil {
			t.Fatal(err)
		}
		entered, leave := make(chan struct{}), make(chan struct{})
		loop("l", func(ctx context.Context, _ workflow.Turn) (time.Time, error) {
			close(entered)
			<-leave
			return time.Time{}, ctx.Err()
		})(first)
		if err := first.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		workflowtest.Watch(t, db, first, "l", "k")
		next(t, entered, "turn")
		workflowtest.Raise(t, db, first, "l", "k")
		stopped := make(chan error, 1)
		go func() { stopped <- first.Stop(context.Background()) }()
		close(leave)
		if err := next(t, stopped, "end of Stop"); err != nil {
			t.Error(err)
		}
		// The lease was for five seconds; another replica need not wait for its end.
		began := time.Now()
		second := workflowtest.Start(t, db, nil, loop("l", func(context.Context, workflow.Turn) (time.Time, error) { return time.Time{}, nil }))
		workflowtest.Settle(t, second, "l", "k")
		if waited := time.Since(began); waited > 3*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestStopCancelsTurnsWhenItsPatienceEnds(t *testing.T) {
	db := storetest.Memory(t)
	e, err := workflow.New(workflow.Config{DB: db, Clock: clock.Wall{}, Replica: "only", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	entered := make(chan struct{})
	loop("l", func(ctx context.Context, _ workflow.Turn) (time.Time, error) {
		close(entered)
		<-ctx.Done()
		return time.Time{}, ctx.Err()
	})(e)
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	workflowtest.Watch(t, db, e, "l", "k")
	next(t, entered, "turn")
	impatient, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.Stop(impatient); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := e.Start(t.Context()); err == nil {
		t.Error("a stopped engine was started again")
	}
}

// One replica has a single worker, which is busy; the other must hear of the second key.
func TestAnIdleReplicaTakesWhatABusyOneCannot(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		busyDB, idleDB := at.Open(t), at.Open(t)
		entered, leave := make(chan string, 10), make(chan struct{})
		defer close(leave)
		busy := workflowtest.Start(t, busyDB, nil, func(e *workflow.Engine) {
			e.AddLoop(workflow.Loop{Name: "l", Workers: 1, Do: func(_ context.Context, turn workflow.Turn) (time.Time, error) {
				entered <- "busy " + turn.Key
				<-leave
				return time.Time{}, nil
			}})
		})
		workflowtest.Watch(t, busyDB, busy, "l", "0")
		next(t, entered, "turn of the busy replica")
		workflowtest.Start(t, idleDB, nil, loop("l", func(_ context.Context, turn workflow.Turn) (time.Time, error) {
			entered <- "idle " + turn.Key
			return time.Time{}, nil
		}))
		for i := 1; i < 6; i++ {
			workflowtest.Watch(t, busyDB, busy, "l", fmt.Sprint(i))
			if got := next(t, entered, "turn of the idle replica"); got != fmt.Sprint("idle ", i) {
				t.Errorf("got %q", got)
			}
		}
	})
}

func TestManyKeysAreRaisedAtOnceThoughAllAreBusy(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		e := workflowtest.Start(t, db, nil, func(e *workflow.Engine) {
			e.AddLoop(workflow.Loop{Name: "l", Workers: 16, Do: func(context.Context, workflow.Turn) (time.Time, error) {
				return time.Now(), nil // that is, again at once: every key is claimed and finished a hundred times a second
			}})
		})
		keys := watchMany(t, db, e, "l")
		for range 5 {
			if err := e.RaiseAll(t.Context(), "l", append(keys, "nobody")); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range keys {
			workflowtest.Settle(t, e, "l", key)
		}
	})
}

func TestManyKeysAreHurriedInOneTransactionWhileTheyTakeTurns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		e := workflowtest.Start(t, db, nil, func(e *workflow.Engine) {
			e.AddLoop(workflow.Loop{Name: "l", Workers: 16, Do: func(context.Context, workflow.Turn) (time.Time, error) { return time.Time{}, nil }})
		})
		keys := watchMany(t, db, e, "l")
		for range 5 {
			if err := e.RaiseAll(t.Context(), "l", keys); err != nil {
				t.Fatal(err)
			}
			if err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return e.Hurry(ctx, tx, "l", keys) }); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range keys {
			workflowtest.Settle(t, e, "l", key)
		}
	})
}

func watchMany(t *testing.T, db *store.DB, e *workflow.Engine, loop string) (keys []string) {
	t.Helper()
	for n := range 100 {
		keys = append(keys, fmt.Sprintf("k-%03d", n))
		workflowtest.Watch(t, db, e, loop, keys[n])
	}
	return keys
}
