package workflow

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/store"
)

const (
	firstBackOff   = 200 * time.Millisecond
	longestBackOff = 30 * time.Second
	// soonest keeps a turn that always wants to come back at once from taking all of the machine.
	soonest = 10 * time.Millisecond
	// headStart is longer than a turn takes, and short enough that what is not urgent gets its turn all the same.
	headStart = time.Minute

	raisedAtOnce = 200 // keys in one statement
)

// Loop is a kind of "make it so" work over many keys. Register before Start.
type Loop struct {
	Name  string
	Sweep time.Duration // every key gets a turn at least this often (engine time), as a safety net; 0 = never
	// Do takes one turn for a key: exactly one replica at a time. again is when (engine time) to come back though nothing changes; zero = at the sweep.
	// An error or panic is logged and retried with back-off (wall time). The turn must call Guard first in every transaction that it writes in. ctx ends when the lease is lost.
	Do func(ctx context.Context, turn Turn) (again time.Time, err error)
	// Workers is how many keys this replica works on at once; at least 1.
	Workers int
	// Lane names what a key's turns may have to wait for, "" when it can't say; it is asked once for a key. At most PerLane keys of a lane are worked on at once,
	// so that a lane that hangs leaves workers for the others. nil = no lanes.
	Lane    func(ctx context.Context, key string) string
	PerLane int
}

// Turn is the right to act for one key.
type Turn struct {
	Key      string
	Epoch    int64
	Failures int // of the turns right before this one
	loop     string
	rows     rows
}

// Guard fails with ErrLost when another replica has taken the key over; call it first in every transaction of the turn.
func (t Turn) Guard(ctx context.Context, tx *store.Tx) error {
	return t.rows.guard(ctx, tx, t.loop, t.Key, t.Epoch)
}

// AddLoop registers a loop; before Start, and under a name of its own.
func (e *Engine) AddLoop(l Loop) {
	if _, known := e.loops[l.Name]; known || l.Name == "" || l.Do == nil {
		panic(fmt.Sprintf("workflow: loop %q has no name or work, or was added before", l.Name))
	}
	l.Workers = max(l.Workers, 1)
	r := &runner{e: e, loop: l, poke: make(chan struct{}, 1), rearm: make(chan struct{}, 1), busy: map[string]*inProgress{}, queue: newQueue(), lanes: newLanes(l)}
	e.loops[l.Name] = r
	e.order = append(e.order, r)
}

// Watch makes key a subject of the loop, in tx, and raises it.
func (e *Engine) Watch(ctx context.Context, tx *store.Tx, loop, key string) error {
	now := e.c.Clock.Now()
	if err := e.rows.watch(ctx, tx, loop, key, now); err != nil {
		return err
	}
	tx.AfterCommit(func() { e.handOff(loop, key, now) })
	return nil
}

// Forget ends that. A turn in progress loses its lease.
func (e *Engine) Forget(ctx context.Context, tx *store.Tx, loop, key string) error {
	tx.AfterCommit(func() {
		e.settled.strike()
		if r, known := e.loops[loop]; known {
			r.lanes.forget(key)
		}
	})
	return e.rows.forget(ctx, tx, loop, key)
}

// Raise says that something about key changed, in tx: a turn that begins after the commit will follow. A key that is not watched is left alone.
func (e *Engine) Raise(ctx context.Context, tx *store.Tx, loop, key string) error {
	now := e.c.Clock.Now()
	if err := e.rows.raise(ctx, tx, loop, key, now); err != nil {
		return err
	}
	tx.AfterCommit(func() { e.handOff(loop, key, now) })
	return nil
}

// Hurry is a Raise of keys that go before others: where keys have to wait for their turns, they count as having waited for headStart already. Call it before
// anything else is written in tx: on PostgreSQL tx is refused, and run again, when one of them is claimed, raised or finished between its first read and this; who
// comes later waits.
func (e *Engine) Hurry(ctx context.Context, tx *store.Tx, loop string, keys []string) error {
	since := e.c.Clock.Now().Add(-headStart)
	query, args, err := e.rows.raiseAll(loop, keys, since)
	if err != nil {
		return err
	}
	if _, err = tx.Exec(ctx, query, args...); err != nil {
		return err
	}
	tx.AfterCommit(func() {
		for _, key := range keys {
			e.handOff(loop, key, since)
		}
	})
	return nil
}

// RaiseAll raises many keys, some in each statement; on PostgreSQL that waits for whoever is at them, and is not refused.
func (e *Engine) RaiseAll(ctx context.Context, loop string, keys []string) error {
	now := e.c.Clock.Now()
	for some := range slices.Chunk(keys, raisedAtOnce) {
		query, args, err := e.rows.raiseAll(loop, some, now)
		if err != nil {
			return err
		}
		if _, err := e.c.DB.Alone(ctx, func(store.Row) error { return nil }, query+" RETURNING loops.key", args...); err != nil {
			return err
		}
		for _, key := range some {
			e.handOff(loop, key, now)
		}
	}
	return nil
}

// Settled waits until the loop has seen every change raised for key before this call, or ctx ends. A key that is not watched is settled.
func (e *Engine) Settled(ctx context.Context, loop, key string) error {
	target := int64(-1)
	ticker := time.NewTicker(scanEvery / 2) // for turns on other replicas
	defer ticker.Stop()
	for {
		rung := e.settled.listen()
		wanted, done, found, err := e.rows.state(ctx, loop, key)
		if err != nil || !found {
			return err
		}
		if target < 0 {
			target = wanted
		}
		if done >= target {
			return nil
		}
		select {
		case <-rung:
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// handOff gives a raised key to a worker of this replica, or calls the others.
func (e *Engine) handOff(loop, key string, since time.Time) {
	r, known := e.loops[loop]
	if !known || r.offer(key, since) || e.c.Alone {
		return
	}
	e.mu.Lock()
	courier := e.courier
	e.mu.Unlock()
	courier.send(loop)
}

// look is another replica's call: it has more to do than workers.
func (e *Engine) look(loop string) {
	if r, known := e.loops[loop]; known {
		r.rouse()
	}
}

// turns claims key and takes turns until nothing newer is wanted.
func (r *runner) turns(key string) {
	e := r.e
	asked := time.Now()
	got, taken, err := e.rows.claim(e.turns, r.loop.Name, key, e.c.Clock.Now())
	if err != nil {
		e.c.Log.Error("cannot take a key", "loop", r.loop.Name, "key", key, "error", err)
	}
	if !taken {
		return
	}
	turn := Turn{Key: key, Epoch: got.epoch, Failures: got.failures, loop: r.loop.Name, rows: e.rows}
	ctx, release := e.keep(e.turns, turn, asked)
	defer release()
	for seen, held := got.wanted, true; held; {
		again, err := r.once(ctx, turn)
		if err != nil {
			r.failed(ctx, turn, err)
			return
		}
		now := e.c.Clock.Now()
		due := r.due(key, again, now)
		seen, held, err = e.rows.finish(context.WithoutCancel(ctx), r.loop.Name, key, turn.Epoch, seen, due, e.halted())
		if err != nil {
			// The lease runs out by itself, and another turn follows.
			e.c.Log.Error("cannot give a key back", "loop", r.loop.Name, "key", key, "error", err)
			return
		}
		turn.Failures = 0
		r.expect(due)
		e.settled.strike()
	}
}

// once takes one turn; a panic becomes an error.
func (r *runner) once(ctx context.Context, turn Turn) (again time.Time, err error) {
	defer recovered(&err)
	return r.loop.Do(ctx, turn)
}

// recovered, deferred, turns a panic into an error that names its place.
func recovered(err *error) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
	}
}

// failed gives the key back until the back-off has passed.
func (r *runner) failed(ctx context.Context, turn Turn, err error) {
	e := r.e
	if errors.Is(err, ErrLost) || errors.Is(context.Cause(ctx), ErrLost) {
		e.c.Log.Info("lost a key to another replica", "loop", r.loop.Name, "key", turn.Key, "epoch", turn.Epoch)
		return
	}
	wait := backOff(turn.Failures)
	if ctx.Err() != nil {
		wait = 0 // stopped from outside: no fault of the turn
	} else {
		e.c.Log.Warn("turn failed", "loop", r.loop.Name, "key", turn.Key, "failures", turn.Failures+1, "retryIn", wait, "error", err)
	}
	if err := e.rows.fail(context.WithoutCancel(ctx), r.loop.Name, turn.Key, turn.Epoch, wait, e.c.Clock.Now()); err != nil {
		e.c.Log.Error("cannot give a key back", "loop", r.loop.Name, "key", turn.Key, "error", err)
	}
}

// due is when the key comes back though nothing changes: at again, or earlier at the sweep. Sweeps are spread, so that not all keys come at once.
func (r *runner) due(key string, again, now time.Time) time.Time {
	if !again.IsZero() && again.Before(now.Add(soonest)) {
		again = now.Add(soonest)
	}
	if r.loop.Sweep <= 0 {
		return again
	}
	hash := fnv.New32a()
	hash.Write([]byte(key)) // never fails
	sweep := now.Add(r.loop.Sweep - r.loop.Sweep/10*time.Duration(hash.Sum32()%100)/100)
	if again.IsZero() || sweep.Before(again) {
		return sweep
	}
	return again
}

// expect makes dispatch wake at due.
func (r *runner) expect(due time.Time) {
	r.mu.Lock()
	earlier := !due.IsZero() && (r.next.IsZero() || due.Before(r.next))
	if earlier {
		r.next = due
	}
	r.mu.Unlock()
	if earlier {
		strike(r.rearm)
	}
}

// backOff doubles from a fifth of a second to half a minute, and varies, so that many failing keys do not come back together.
func backOff(failures int) time.Duration {
	longest := min(firstBackOff<<min(failures, 10), longestBackOff)
	return longest/2 + rand.N(longest/2)
}

// keep renews the turn's lease, taken after good, until release. The returned context ends with ErrLost as its cause when the lease is lost or could not be renewed in time.
func (e *Engine) keep(ctx context.Context, turn Turn, good time.Time) (kept context.Context, release func()) {
	kept, lose := context.WithCancelCause(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() {
		ticker := time.NewTicker(e.c.Lease / 3)
		defer ticker.Stop()
		for {
			select {
			case <-kept.Done():
				return
			case <-ticker.C:
			}
			asked := time.Now()
			limited, cancel := context.WithDeadline(kept, good.Add(e.c.Lease))
			held, err := turn.rows.renew(limited, turn.loop, turn.Key, turn.Epoch)
			cancel()
			switch {
			case err == nil && held:
				good = asked
			case err == nil, time.Since(good) >= e.c.Lease:
				lose(ErrLost)
				return
			}
		}
	})
	return kept, func() { lose(context.Canceled); keeper.Wait() }
}
