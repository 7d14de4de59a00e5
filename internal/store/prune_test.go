package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

const day = 24 * time.Hour

func TestALogKeepsItsNewestRecordAndGoesOnBehindIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		now := time.Now()
		var records []store.Record[thing]
		for n := range 350 {
			records = append(records, store.Record[thing]{ID: fmt.Sprintf("r-%03d", n), Account: "act-1", At: now.Add(-100*day + time.Duration(n)*time.Minute)})
		}
		seal := func() {
			t.Helper()
			if err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { _, err := told.Seal(ctx, tx, 1000); return err }); err != nil {
				t.Fatal(err)
			}
		}
		if err := told.Append(t.Context(), db, records...); err != nil {
			t.Fatal(err)
		}
		rule := store.Rule{Table: "events", Log: true, Keep: 90 * day}
		if n, err := db.Prune(t.Context(), rule, now, 10_000); err != nil || n != 0 {
			t.Errorf("%d unsealed records went, %v", n, err)
		}
		seal()
		if n, err := db.Prune(t.Context(), store.Rule{Table: "events", Log: true}, now, 10_000); err != nil || n != 0 {
			t.Errorf("%d went although they are kept for ever, %v", n, err)
		}
		if n, err := db.Prune(t.Context(), rule, now, 10_000); err != nil || n != 349 {
			t.Errorf("%d of 350 went, %v", n, err)
		}
		if err := told.Append(t.Context(), db, store.Record[thing]{ID: "next", Account: "act-1", At: now}); err != nil {
			t.Fatal(err)
		}
		seal()
		left, err := told.List(t.Context(), db, store.Installation(), store.LogQuery{Sealed: true})
		if err != nil || len(left) != 2 || left[1].Seq != 351 {
			t.Errorf("left: %+v, %v", left, err)
		}
	})
}

func TestDocumentsGoByStateAndAgeAndChildrenWithTheirEndedParents(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		now := time.Now()
		children := store.Collection[thing]{Table: "revisions", Noun: "revision"}
		insert := func(c store.Collection[thing], id, parent, state string, age time.Duration) {
			t.Helper()
			if _, err := c.Insert(t.Context(), db, store.Doc[thing]{Meta: store.Meta{ID: id, Account: "act-1", Parent: parent, State: state, At: now.Add(-age)}}); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 250 {
			insert(things, fmt.Sprintf("old-%03d", n), "", "settled", 40*day)
		}
		insert(things, "young", "", "settled", 20*day)
		insert(things, "open", "", "pending", 40*day)
		insert(things, "gone", "", "deleted", 40*day)
		insert(children, "gone/1", "gone", "", 40*day)
		insert(children, "open/1", "open", "", 40*day)
		count := func(c store.Collection[thing]) int {
			n, err := c.Count(t.Context(), db, store.Installation(), store.Query{})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		prune := func(r store.Rule, limit, want int) {
			t.Helper()
			if n, err := db.Prune(t.Context(), r, now, limit); err != nil || n != want {
				t.Errorf("%+v: %d went, not %d, %v", r, n, want, err)
			}
		}
		settled := store.Rule{Table: "groups", States: []string{"settled"}, Keep: 30 * day}
		prune(settled, 150, 200) // whole transactions
		prune(settled, 10_000, 50)
		prune(store.Rule{Table: "groups", States: []string{"settled"}, Keep: time.Hour, Idle: true}, 10_000, 0) // it was written a moment ago
		prune(store.Rule{Table: "revisions", Of: "groups", OfStates: []string{"deleted"}, Keep: time.Hour}, 10_000, 0)
		prune(store.Rule{Table: "revisions", Of: "groups", OfStates: []string{"deleted"}, Keep: time.Nanosecond}, 10_000, 1)
		insert(children, "open/2", "open", "", 35*day)
		insert(children, "open/3", "open", "", 34*day)
		prune(store.Rule{Table: "revisions", Superseded: true, Keep: 30 * day}, 10_000, 2)
		if g, r := count(things), count(children); g != 3 || r != 1 {
			t.Errorf("%d groups and %d revisions are left", g, r)
		}
	})
}

func TestAFileThatIsPrunedStopsGrowing(t *testing.T) {
	at := storetest.SQLite(t)
	db := at.Open(t)
	now := time.Now()
	var sizes []int64
	for round := range 6 {
		err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			for n := range 1500 {
				d := store.Doc[thing]{Meta: store.Meta{ID: fmt.Sprintf("d-%d-%d", round, n), Account: "act-1", At: now.Add(time.Duration(round) * day)}, Value: thing{Text: fmt.Sprintf("%0400d", n)}}
				if _, err := things.Insert(ctx, tx, d); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Prune(t.Context(), store.Rule{Table: "groups", Keep: day / 2}, now.Add(time.Duration(round)*day), 10_000); err != nil {
			t.Fatal(err)
		}
		var size int64
		if err := store.Rows(t.Context(), db, func(r store.Row) error { return r.Scan(&size) }, "PRAGMA page_count"); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, size)
	}
	if sizes[5] > sizes[2]+sizes[2]/20 {
		t.Errorf("pages after each round: %v", sizes)
	}
}

func TestPruningHoldsNobodyUp(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		now := time.Now()
		err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			for n := range 3000 {
				d := store.Doc[thing]{Meta: store.Meta{ID: fmt.Sprintf("d-%05d", n), Account: "act-1", State: "settled", At: now.Add(-40 * day)}, Value: thing{Text: fmt.Sprintf("%01000d", n)}}
				if _, err := things.Insert(ctx, tx, d); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		stop, stopped := make(chan struct{}), make(chan []time.Duration)
		go func() {
			var waits []time.Duration
			for n := 0; ; n++ {
				select {
				case <-stop:
					stopped <- waits
					return
				default:
				}
				began := time.Now()
				if _, err := things.Insert(context.Background(), db, store.Doc[thing]{Meta: store.Meta{ID: fmt.Sprintf("w-%d", n), Account: "act-1"}}); err != nil {
					t.Error(err)
				}
				waits = append(waits, time.Since(began))
			}
		}()
		began := time.Now()
		n, err := db.Prune(t.Context(), store.Rule{Table: "groups", States: []string{"settled"}, Keep: day}, now, 10_000)
		took := time.Since(began)
		close(stop)
		waits := <-stopped
		if err != nil || n != 3000 {
			t.Errorf("%d went, %v", n, err)
		}
		slices.Sort(waits)
		median, longest := waits[len(waits)/2], waits[len(waits)-1]
		t.Logf("%d rows went in %v; %d writes meanwhile waited %v (median), %v (longest)", n, took, len(waits), median, longest)
		if median > 200*time.Millisecond {
			t.Errorf("%d writes meanwhile, half of them waited longer than %v", len(waits), median)
		}
	})
}
