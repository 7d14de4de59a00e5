package store_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// monday is the begin of a week long ago, so that opening a database has made nothing near it.
var monday = time.Date(2020, 3, 2, 0, 0, 0, 0, time.UTC)

const week = 7 * day

// parts lists a table's partitions that hold something, with how much: "20200302:2 rest:1".
func parts(t *testing.T, db *store.DB, table string) string {
	t.Helper()
	var found []string
	query := "SELECT replace(tableoid::regclass::text, '" + table + "_', '') || ':' || count(*) FROM " + table + " GROUP BY tableoid ORDER BY 1"
	err := store.Rows(t.Context(), db, func(row store.Row) error {
		var part string
		err := row.Scan(&part)
		found = append(found, part)
		return err
	}, query)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(found, " ")
}

// there reports whether a week's partition exists.
func there(t *testing.T, db *store.DB, table string, from time.Time) (is bool) {
	t.Helper()
	query := "SELECT to_regclass('" + table + "_" + from.Format("20060102") + "') IS NOT NULL"
	if err := store.Rows(t.Context(), db, func(row store.Row) error { return row.Scan(&is) }, query); err != nil {
		t.Fatal(err)
	}
	return is
}

func prune(t *testing.T, db *store.DB, r store.Rule, now time.Time, want int) {
	t.Helper()
	if n, err := db.Prune(t.Context(), r, now, 10_000); err != nil || n != want {
		t.Errorf("at %s %d rows went, not %d: %v", now, n, want, err)
	}
}

func appended(t *testing.T, db *store.DB, id string, at time.Time) {
	t.Helper()
	if err := entries.Append(t.Context(), db, entry("a", id, "k", at)); err != nil {
		t.Fatal(err)
	}
}

func TestAWeekOfALogGoesAsAWholeOnceAllOfItIsPastAndSealed(t *testing.T) {
	db := storetest.Postgres(t).Open(t)
	rule := store.Rule{Table: "events", Log: true, Keep: 2 * week}
	prune(t, db, rule, monday, 0) // makes this week and two more
	appended(t, db, "before", monday.Add(-time.Microsecond))
	appended(t, db, "one", monday)
	appended(t, db, "two", monday.Add(week-time.Microsecond))
	appended(t, db, "three", monday.Add(week))
	if got := parts(t, db, "events"); got != "20200302:2 20200309:1 rest:1" {
		t.Errorf("rows went to %s", got)
	}
	prune(t, db, rule, monday.Add(3*week), 0) // nothing is sealed
	seal(t, db, 10)
	prune(t, db, rule, monday.Add(3*week-time.Microsecond), 1) // the one that no week was made for
	prune(t, db, rule, monday.Add(3*week), 2)
	if there(t, db, "events", monday) || !there(t, db, "events", monday.Add(week)) {
		t.Error("not the first week alone was dropped")
	}
	appended(t, db, "four", monday.Add(4*week))
	seal(t, db, 10)
	prune(t, db, rule, monday.Add(9*week), 1) // of the last two weeks the newer one holds the newest place
	records, err := entries.List(t.Context(), db, store.Installation(), store.LogQuery{Sealed: true})
	if err != nil || len(records) != 1 || records[0].ID != "four" || records[0].Seq != 5 {
		t.Errorf("left: %+v, %v", records, err)
	}
	appended(t, db, "late", monday) // for a week that is gone
	seal(t, db, 10)
	if got := read(t, db, store.Installation(), store.LogQuery{AfterSeq: 4}); got != "four late " {
		t.Errorf("after 4 come %q", got)
	}
}

func TestAShortRetentionDoesNotWaitForTheEndOfTheWeek(t *testing.T) {
	db := storetest.Postgres(t).Open(t)
	rule := store.Rule{Table: "events", Log: true, Keep: day}
	prune(t, db, rule, monday, 0)
	for n := range 4 {
		appended(t, db, fmt.Sprint(n), monday.Add(time.Duration(n)*day))
	}
	seal(t, db, 10)
	prune(t, db, rule, monday.Add(3*day+time.Hour), 3)
	if got := parts(t, db, "events"); got != "20200302:1" {
		t.Errorf("left: %s", got)
	}
}

func TestEveryDateFindsAPlaceAndAnOldOneGoesRowByRow(t *testing.T) {
	db := storetest.Postgres(t).Open(t)
	rule := store.Rule{Table: "events", Log: true, Keep: 2 * week}
	for n, at := range []time.Time{time.UnixMicro(math.MinInt64), time.Unix(0, 0), monday, monday.Add(day), monday.Add(9 * week), monday.AddDate(9000, 0, 0), time.UnixMicro(math.MaxInt64)} {
		appended(t, db, fmt.Sprint(n), at)
	}
	for n := range 250 {
		appended(t, db, fmt.Sprint("more ", n), monday.Add(-time.Duration(n)*time.Hour))
	}
	if got := parts(t, db, "events"); got != "rest:257" {
		t.Errorf("rows went to %s", got)
	}
	seal(t, db, 1000)
	prune(t, db, rule, monday, 2)
	if there(t, db, "events", monday) || !there(t, db, "events", monday.Add(week)) {
		t.Error("a week was made of which rows are elsewhere, or one was not")
	}
	prune(t, db, rule, monday.Add(2*week-time.Hour), 247) // but for the one with the newest place
	prune(t, db, rule, monday.Add(4*week), 4)
	if got := parts(t, db, "events"); got != "rest:4" {
		t.Errorf("left: %s", got)
	}
}

func TestDecisionsGoByTheWeekAndKeepTheirPages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		plans := store.Collection[thing]{Table: "decisions", Noun: "decision"}
		rule := store.Rule{Table: "decisions", Keep: 3 * week}
		now, wanted := monday, ""
		for n := range 30 { // ten weeks
			prune(t, db, store.Rule{Table: "decisions"}, now, 0)
			id := fmt.Sprintf("dec-%02d", n)
			d := store.Doc[thing]{Meta: store.Meta{ID: id, Account: "a", Parent: "g", At: now}}
			if _, err := plans.Insert(t.Context(), db, d); err != nil {
				t.Fatal(err)
			}
			if _, err := plans.Insert(t.Context(), db, d); err == nil {
				t.Error("the same decision is there twice")
			}
			wanted = id + " " + wanted
			now = now.Add(week / 3)
		}
		listed := func() (got string) {
			for after := ""; ; {
				page, next, err := plans.List(t.Context(), db, store.Account("a"), store.Query{Parent: "g", Descending: true, Limit: 4, After: after})
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range page {
					got += d.ID + " "
				}
				if after = next; after == "" {
					return got
				}
			}
		}
		if got := listed(); got != wanted {
			t.Errorf("listed %s", got)
		}
		prune(t, db, rule, now, 21)
		if got := listed(); got != wanted[:9*len("dec-00 ")] {
			t.Errorf("left: %s", got)
		}
		if d, err := plans.Get(t.Context(), db, store.Account("a"), "dec-29"); err != nil || d.ID != "dec-29" {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

// Whoever reads a table for long, as a backup does, keeps it from being changed; writers must not have to wait behind that.
func TestAChangeOfWeeksThatWouldHaveToWaitIsLeftForTheNextTime(t *testing.T) {
	db := storetest.Postgres(t).Open(t)
	rule := store.Rule{Table: "events", Log: true, Keep: 2 * week}
	prune(t, db, rule, monday, 0)
	appended(t, db, "old", monday)
	appended(t, db, "new", monday.Add(week))
	seal(t, db, 10)
	err := db.Tx(t.Context(), func(_ context.Context, tx *store.Tx) error {
		if err := store.Rows(t.Context(), tx, func(store.Row) error { return nil }, "SELECT 1 FROM events"); err != nil {
			return err
		}
		began := time.Now()
		prune(t, db, rule, monday.Add(4*week), 0)
		appended(t, db, "meanwhile", monday.Add(week))
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it waited for the reader: %s", took)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	prune(t, db, rule, monday.Add(4*week), 1)
	if there(t, db, "events", monday) || !there(t, db, "events", monday.Add(6*week)) {
		t.Error("what was left for later is not done")
	}
}

func TestReplicasThatWriteSealAndPruneAtOnceLoseNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		const writers, rounds = 3, 40
		var writing, pruning sync.WaitGroup
		written := make(chan struct{})
		for w := range writers {
			db := at.Open(t)
			writing.Go(func() {
				for n := range rounds {
					appended(t, db, fmt.Sprint(w, "-", n), monday.Add(time.Duration(n)*12*time.Hour))
				}
			})
			pruning.Go(func() {
				for last := false; !last; {
					select {
					case <-written:
						last = true
					default:
					}
					for n := range 4 {
						// Weeks come, and the first one goes once it is sealed, while others are written to.
						if _, err := db.Prune(t.Context(), store.Rule{Table: "events", Log: true, Keep: 2 * week}, monday.Add(time.Duration(n)*week), 1000); err != nil {
							t.Error(err)
						}
					}
					if err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { _, err := entries.Seal(ctx, tx, 7); return err }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		writing.Wait()
		close(written)
		pruning.Wait()
		db := at.Open(t)
		seal(t, db, 1000)
		records, err := entries.List(t.Context(), db, store.Installation(), store.LogQuery{Sealed: true})
		if err != nil || len(records) == 0 {
			t.Fatal(len(records), err)
		}
		if newest := records[len(records)-1].Seq; newest != writers*rounds {
			t.Errorf("%d records were sealed, %d written", newest, writers*rounds)
		}
		kept, before := 0, int64(0)
		for _, r := range records {
			if r.Seq <= before {
				t.Errorf("the number %d follows %d", r.Seq, before)
			}
			before = r.Seq
			if !r.At.Before(monday.Add(week)) {
				kept++
			}
		}
		if want := writers * (rounds - 14); kept != want { // 14 rounds are a week
			t.Errorf("%d records are left that had to be kept, of %d", kept, want)
		}
	})
}
