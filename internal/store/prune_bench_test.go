package store_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// These tell how much longer than otherwise one writer waits while a big table is pruned that it writes to: as ratios of its waits in as long a time without.
// In each case half of a million rows may go; an installation forgets about as many in a day when it has ten thousand groups.

const (
	waitWindow  = 15 * time.Second
	pruneAtOnce = 20_000
)

var bigTable = flag.Int("rows", 1_000_000, "rows of the tables that are pruned in benchmarks")

func BenchmarkWaitForPruning(b *testing.B) {
	now := time.Now()
	places := []func(testing.TB) storetest.Place{storetest.SQLite, storetest.Postgres}
	for n, driver := range []string{"sqlite", "postgres"} {
		b.Run("log/"+driver, func(b *testing.B) {
			db := places[n](b).Open(b)
			if _, err := db.Prune(b.Context(), store.Rule{Table: "events"}, now.Add(-10*week), 1); err != nil { // makes weeks
				b.Fatal(err)
			}
			fillLog(b, db, now.Add(-10*week).Truncate(week))
			pruneUnderAWriter(b, db, store.Rule{Table: "events", Log: true, Keep: 9 * week}, now, appendOne)
		})
		b.Run("documents/"+driver, func(b *testing.B) {
			db := places[n](b).Open(b)
			fillDocuments(b, db, now)
			pruneUnderAWriter(b, db, store.Rule{Table: "groups", States: []string{"settled"}, Keep: 5 * week}, now, insertOne)
		})
	}
	b.Run("logRest/postgres", func(b *testing.B) { // as after the restore of a backup
		db := storetest.Postgres(b).Open(b)
		fillLog(b, db, now.Add(-10*week).Truncate(week))
		pruneUnderAWriter(b, db, store.Rule{Table: "events", Log: true, Keep: 9 * week}, now, appendOne)
	})
}

// fillLog appends half of the rows to the week from from, and half to the next.
func fillLog(b *testing.B, db *store.DB, from time.Time) {
	b.Helper()
	value := boat{Name: strings.Repeat("x", 200)}
	batch := make([]store.Record[boat], 0, 5000)
	for n := range *bigTable {
		at := from.Add(2 * week / time.Duration(*bigTable) * time.Duration(n))
		batch = append(batch, store.Record[boat]{ID: fmt.Sprintf("%s-%07d", at.Format(time.DateOnly), n), Account: "a", Resource: "r", Kind: "k", At: at, Value: value})
		if len(batch) < cap(batch) {
			continue
		}
		err := db.Tx(b.Context(), func(ctx context.Context, tx *store.Tx) error {
			if _, err := entries.Seal(ctx, tx, len(batch)); err != nil {
				return err
			}
			return entries.Append(ctx, tx, batch...)
		})
		if err != nil {
			b.Fatal(err)
		}
		batch = batch[:0]
	}
	if err := db.Tx(b.Context(), func(ctx context.Context, tx *store.Tx) error { _, err := entries.Seal(ctx, tx, *bigTable); return err }); err != nil {
		b.Fatal(err)
	}
}

// fillDocuments inserts documents of which the older half may go.
func fillDocuments(b *testing.B, db *store.DB, now time.Time) {
	b.Helper()
	const atOnce = 5000
	for first := 0; first < *bigTable; first += atOnce {
		err := db.Tx(b.Context(), func(ctx context.Context, tx *store.Tx) error {
			for n := first; n < first+atOnce; n++ {
				d := newCargo(fmt.Sprintf("c-%d", n))
				d.State, d.At, d.Value.Text = "settled", now.Add(-10*week/time.Duration(*bigTable)*time.Duration(*bigTable-n)), d.Value.Text[:200]
				if _, err := cargoes.Insert(ctx, tx, d); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func appendOne(ctx context.Context, db *store.DB, id string) error {
	return entries.Append(ctx, db, entry("a", id, "k", time.Now()))
}

func insertOne(ctx context.Context, db *store.DB, id string) error {
	_, err := cargoes.Insert(ctx, db, newCargo(id))
	return err
}

// pruneUnderAWriter measures a writer without and with pruning beside it.
func pruneUnderAWriter(b *testing.B, db *store.DB, r store.Rule, now time.Time, write func(context.Context, *store.DB, string) error) {
	b.Helper()
	waits := func(name string) []time.Duration {
		var list []time.Duration
		for end := time.Now().Add(waitWindow); time.Now().Before(end); {
			began := time.Now()
			if err := write(b.Context(), db, fmt.Sprint(name, len(list))); err != nil {
				b.Error(err)
			}
			list = append(list, time.Since(began))
		}
		slices.Sort(list)
		return list
	}
	for b.Loop() {
		alone := waits("alone")
		gone, ended := 0, make(chan struct{})
		var took time.Duration
		go func() {
			defer close(ended)
			for began := time.Now(); time.Since(began) < waitWindow; took = time.Since(began) {
				n, err := db.Prune(b.Context(), r, now, pruneAtOnce)
				if err != nil {
					b.Error(err)
				}
				if gone += n; n == 0 {
					return
				}
			}
		}()
		beside := waits("beside")
		<-ended
		if gone == 0 {
			b.Fatal("nothing went")
		}
		for name, share := range map[string]float64{"median": 0.5, "p99": 0.99, "longest": 1} {
			b.ReportMetric(float64(at(beside, share))/float64(at(alone, share)), name+"-ratio")
		}
		b.ReportMetric(float64(at(beside, 1))/float64(time.Millisecond), "longest-ms")
		b.ReportMetric(float64(gone), "rows-gone")
		b.ReportMetric(took.Seconds(), "s-pruning")
		b.ReportMetric(float64(len(beside))/float64(len(alone)), "writes-ratio")
	}
}

func at(sorted []time.Duration, share float64) time.Duration {
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
