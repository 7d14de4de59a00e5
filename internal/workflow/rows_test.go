package workflow

import (
	"context"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// holder is a replica's view of the key: what it claimed, and what it believes to hold.
type holder struct {
	rows rows
	c    claimed
	held bool
}

// Whatever two replicas do in whatever order, with leases that run out at any moment: one holds the key at a time, epochs only grow, a stale holder
// changes nothing, and in the end everything raised has been seen.
func TestLeasesHoldInAnyOrderOfEvents(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		ctx := context.Background()
		rapid.Check(t, func(t *rapid.T) {
			key, raised, seen := ident.UUID(), int64(1), int64(0)
			var epoch int64
			var owner *holder
			both := []*holder{}
			for _, name := range []string{"a", "b"} {
				both = append(both, &holder{rows: newRows(Config{DB: db, Clock: clock.Wall{}, Replica: name, Lease: time.Hour})})
			}
			do := func(work func(context.Context, *store.Tx) error) {
				if err := db.Tx(ctx, work); err != nil {
					t.Fatal(err)
				}
			}
			do(func(ctx context.Context, tx *store.Tx) error {
				return both[0].rows.watch(ctx, tx, "l", key, time.Now())
			})
			claim := func(t *rapid.T, h *holder) {
				c, taken, err := h.rows.claim(ctx, "l", key, time.Now())
				if want := owner == nil && raised > seen; err != nil || taken != want {
					t.Fatalf("claimed %v, %v; want %v", taken, err, want)
				}
				if taken {
					if c.epoch <= epoch || c.wanted != raised {
						t.Fatalf("epoch %d after %d, wanted %d of %d", c.epoch, epoch, c.wanted, raised)
					}
					h.c, h.held, owner, epoch = c, true, h, c.epoch
				}
			}
			finish := func(t *rapid.T, h *holder) {
				wanted, kept, err := h.rows.finish(ctx, "l", key, h.c.epoch, h.c.wanted, time.Time{}, false)
				if err != nil {
					t.Fatal(err)
				}
				if h != owner {
					if kept {
						t.Fatal("a stale holder kept the lease")
					}
					h.held = false
					return
				}
				if seen = h.c.wanted; kept != (raised > seen) {
					t.Fatalf("seen %d of %d, and kept is %v", seen, raised, kept)
				}
				if h.c.wanted = wanted; !kept {
					h.held, owner = false, nil
				}
			}
			pick := rapid.SampledFrom(both)
			t.Repeat(map[string]func(*rapid.T){
				"raise": func(t *rapid.T) {
					raised++
					do(func(ctx context.Context, tx *store.Tx) error {
						return both[0].rows.raise(ctx, tx, "l", key, time.Now())
					})
				},
				"claim": func(t *rapid.T) { claim(t, pick.Draw(t, "replica")) },
				"finish": func(t *rapid.T) {
					if h := pick.Draw(t, "replica"); h.held {
						finish(t, h)
					}
				},
				"run out": func(t *rapid.T) {
					owner = nil
					// What a take-over does to the row, at once: the old holder is not told.
					do(func(ctx context.Context, tx *store.Tx) error {
						_, err := tx.Exec(ctx, "UPDATE loops SET until = 0, owner = '' WHERE key = ?", key)
						return err
					})
				},
				"renew": func(t *rapid.T) {
					h := pick.Draw(t, "replica")
					kept, err := h.rows.renew(ctx, "l", key, h.c.epoch)
					if err != nil || kept != (h == owner) {
						t.Fatalf("renewed %v, %v", kept, err)
					}
				},
				"guard": func(t *rapid.T) {
					h := pick.Draw(t, "replica")
					err := db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return h.rows.guard(ctx, tx, "l", key, h.c.epoch) })
					if (err == nil) != (h == owner) {
						t.Fatalf("guarded: %v", err)
					}
				},
			})
			for raised > seen {
				if owner == nil {
					claim(t, both[0])
				}
				finish(t, owner)
			}
			do(func(ctx context.Context, tx *store.Tx) error { return both[0].rows.forget(ctx, tx, "l", key) })
		})
	})
}

func TestBackOffGrowsToHalfAMinute(t *testing.T) {
	for failures := range 100 {
		wait, least := backOff(failures), firstBackOff/2
		if wait < least || wait > longestBackOff {
			t.Errorf("%v after %d failures", wait, failures)
		}
	}
	if first := backOff(0); first > firstBackOff {
		t.Errorf("the first retry waits %v", first)
	}
	if late := backOff(60); late < longestBackOff/2 {
		t.Errorf("a late retry waits only %v", late)
	}
}

func TestWhatHasWaitedLongestComesFirstAndWhatIsUrgentBeforeIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db, now := at.Open(t), time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
		r := newRows(Config{DB: db, Clock: clock.Wall{}, Replica: "a", Lease: time.Hour})
		raise := func(key string, since time.Duration) {
			if err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return r.raise(ctx, tx, "l", key, now.Add(since)) }); err != nil {
				t.Fatal(err)
			}
		}
		turn := func(key string, due time.Duration) {
			c, taken, err := r.claim(t.Context(), "l", key, now)
			if err != nil || !taken {
				t.Fatal(taken, err)
			}
			if _, _, err := r.finish(t.Context(), "l", key, c.epoch, c.wanted, now.Add(due), false); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range []string{"late", "due", "again", "urgent", "later", "idle"} {
			if err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return r.watch(ctx, tx, "l", key, now) }); err != nil {
				t.Fatal(err)
			}
			if key == "due" {
				turn(key, -8*time.Second)
			} else {
				turn(key, time.Hour)
			}
		}
		raise("later", -5*time.Second)
		raise("again", -9*time.Second)
		raise("again", 0) // waits since its first raise
		raise("late", -7*time.Second)
		raise("urgent", -headStart)
		needing := func(limit int) string {
			list, err := r.needing(t.Context(), "l", now, limit)
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, w := range list {
				keys = append(keys, w.key)
			}
			return strings.Join(keys, " ")
		}
		if got, want := needing(10), "urgent again due late later"; got != want {
			t.Errorf("%s, not %s", got, want)
		}
		if got, want := needing(2), "urgent again"; got != want {
			t.Errorf("%s, not %s", got, want)
		}
		c, _, err := r.claim(t.Context(), "l", "due", now)
		if err == nil {
			err = r.fail(t.Context(), "l", "due", c.epoch, -time.Second, now)
		}
		if got, want := needing(10), "urgent again late later due"; got != want || err != nil {
			t.Errorf("after a turn that failed: %s, not %s: %v", got, want, err)
		}
	})
}
