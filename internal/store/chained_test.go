package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

var chained = store.Log[boat]{Table: "audit"}

func sealHashed(t *testing.T, db *store.DB, limit int) (newest store.Raw) {
	t.Helper()
	err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if err := chained.Lock(ctx, tx); err != nil {
			return err
		}
		last, err := chained.Newest(ctx, tx, 1<<62, false)
		if err != nil {
			return err
		}
		_, newest, err = chained.SealHashed(ctx, tx, last.Seq, limit, func(r *store.Raw) string { return fmt.Sprint(r.Seq, "-", r.ID) })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return newest
}

// lies is what lies in a chained log, as it stands there.
func lies(t *testing.T, db *store.DB) string {
	t.Helper()
	var found []string
	err := chained.Raw(t.Context(), db, 0, 1<<62, 1000, func(r *store.Raw) error {
		found = append(found, fmt.Sprint(r.Seq, "=", r.Hash))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(found, " ")
}

func chain(t *testing.T, db *store.DB, id string, at time.Time) {
	t.Helper()
	if err := chained.Append(t.Context(), db, entry("a", id, "k", at)); err != nil {
		t.Fatal(err)
	}
}

func TestRecordsOfAChainedLogAreReadLetterByLetterWithTheirHashes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		chain(t, db, "plain", noon)
		if err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { _, err := chained.Seal(ctx, tx, 10); return err }); err != nil {
			t.Fatal(err)
		}
		chain(t, db, "one", noon)
		chain(t, db, "two", noon.Add(-time.Hour))
		if newest := sealHashed(t, db, 1); newest.ID != "one" {
			t.Errorf("%+v", newest)
		}
		sealHashed(t, db, 10)
		chain(t, db, "waits", noon)
		if got := lies(t, db); got != "1= 2=2-one 3=3-two" {
			t.Errorf("there is %s", got)
		}
		newest, err := chained.Newest(t.Context(), db, 2, true)
		if err != nil || newest != (store.Raw{Seq: 2, ID: "one", Account: "a", Resource: "r-a", Kind: "k", At: noon.UnixMicro(), Doc: newest.Doc, Hash: "2-one"}) || !strings.Contains(newest.Doc, `"one"`) {
			t.Errorf("%+v, %v", newest, err)
		}
		if none, err := chained.Newest(t.Context(), db, 1, true); err != nil || none.Seq != 0 {
			t.Errorf("%+v, %v", none, err)
		}
		sealed, err := chained.Sealed(t.Context(), db, 2, 9)
		if waiting, err := chained.Unsealed(t.Context(), db); err != nil || waiting != 1 || sealed != 2 {
			t.Errorf("%d sealed, %d waiting, %v", sealed, waiting, err)
		}
		if err != nil {
			t.Error(err)
		}
	})
}

// forgetting prunes the log and tells what its owner was told.
func forgetting(t *testing.T, db *store.DB, keep time.Duration, now time.Time) string {
	t.Helper()
	var told []string
	rule := store.Rule{Table: "audit", Log: true, Keep: keep, Chained: func(ctx context.Context, db *store.DB, last int64) (func(context.Context, *store.Tx) error, error) {
		newest, err := chained.Newest(ctx, db, last, true)
		return func(context.Context, *store.Tx) error {
			told = append(told, fmt.Sprint(last, ":", newest.Hash))
			return nil
		}, err
	}}
	if _, err := db.Prune(t.Context(), rule, now, 10_000); err != nil {
		t.Fatal(err)
	}
	return strings.Join(told, " ")
}

func TestAChainedLogGoesFromTheOldestOnAndLeavesNoGap(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		now := monday.Add(100 * day)
		for n, age := range []time.Duration{50 * day, 20 * day, 40 * day, 40 * day, 0} {
			chain(t, db, fmt.Sprint(n), now.Add(-age))
		}
		sealHashed(t, db, 10)
		if got := forgetting(t, db, 30*day, now); got != "1:1-0" {
			t.Errorf("told of %s", got)
		}
		if got := lies(t, db); got != "2=2-1 3=3-2 4=4-3 5=5-4" {
			t.Errorf("left: %s", got)
		}
		if got := forgetting(t, db, 30*day, now.Add(15*day)); got != "4:4-3" || lies(t, db) != "5=5-4" {
			t.Errorf("told of %s, left: %s", got, lies(t, db))
		}
		if got := forgetting(t, db, day, now.Add(90*day)); got != "" {
			t.Errorf("the newest went: %s", got)
		}
	})
}

func TestAWeekOfAChainedLogTakesOlderRecordsOfTheNextWeekAlongAndWaitsForYoungerOnes(t *testing.T) {
	db := storetest.Postgres(t).Open(t)
	const keep = 2 * week
	for n := range 3 {
		forgetting(t, db, keep, monday.Add(time.Duration(n)*week)) // makes weeks
	}
	end := monday.Add(week)
	chain(t, db, "first", monday)
	chain(t, db, "straggler", end.Add(time.Second))
	chain(t, db, "last", end.Add(-time.Second))
	chain(t, db, "next", end.Add(day))
	chain(t, db, "newest", end.Add(8*day))
	sealHashed(t, db, 10)
	if got := forgetting(t, db, keep, end.Add(keep)); got != "" || !there(t, db, "audit", monday) {
		t.Errorf("an older record has to stay, and the week went: %s", got)
	}
	if got := forgetting(t, db, keep, end.Add(keep+time.Minute)); got != "3:3-last" || there(t, db, "audit", monday) {
		t.Errorf("told of %s", got)
	}
	if got := lies(t, db); got != "4=4-next 5=5-newest" {
		t.Errorf("left: %s", got)
	}
	chain(t, db, "long ago", monday.Add(-1000*day)) // a clock that was wrong
	chain(t, db, "now", end.Add(9*day))
	sealHashed(t, db, 10)
	if got := forgetting(t, db, keep, end.Add(keep+2*time.Minute)); got != "" {
		t.Errorf("a younger one's date drew older ones along: %s", got)
	}
}

func TestWhenTheOwnerCannotSignNothingIsForgotten(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		for n := range 3 {
			chain(t, db, fmt.Sprint(n), monday)
		}
		sealHashed(t, db, 10)
		rule := store.Rule{Table: "audit", Log: true, Keep: day, Chained: func(context.Context, *store.DB, int64) (func(context.Context, *store.Tx) error, error) {
			return func(context.Context, *store.Tx) error { return errOops }, nil
		}}
		if n, err := db.Prune(t.Context(), rule, time.Now(), 1000); err != errOops || n != 0 || lies(t, db) != "1=1-0 2=2-1 3=3-2" {
			t.Errorf("%d went, %v, left: %s", n, err, lies(t, db))
		}
	})
}

func TestAReleaseThatKnowsNoHashesSealsBesideOneThatDoes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		for round := range 3 {
			chain(t, db, fmt.Sprint("h", round), noon)
			sealHashed(t, db, 10)
			chain(t, db, fmt.Sprint("p", round), noon)
			if err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { _, err := chained.Seal(ctx, tx, 10); return err }); err != nil {
				t.Fatal(err)
			}
		}
		if got := lies(t, db); got != "1=1-h0 2= 3=3-h1 4= 5=5-h2 6=" {
			t.Errorf("there is %s", got)
		}
	})
}
