package store_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

var entries = store.Log[boat]{Table: "events"}

func entry(account, id, kind string, at time.Time) store.Record[boat] {
	return store.Record[boat]{ID: id, Account: account, Resource: "r-" + account, Kind: kind, At: at, Value: boat{Name: id}}
}

func read(t *testing.T, db *store.DB, sc store.Scope, q store.LogQuery) string {
	t.Helper()
	records, err := entries.List(t.Context(), db, sc, q)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, r := range records {
		if r.Value.Name != r.ID {
			t.Errorf("record %s holds %+v", r.ID, r.Value)
		}
		text += r.ID + " "
	}
	return text
}

func seal(t *testing.T, db *store.DB, limit int) (n int) {
	t.Helper()
	err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		n, err = entries.Seal(ctx, tx, limit)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestALogIsReadByTimeThenOrderOfAppending(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		err := entries.Append(t.Context(), db, entry("a", "z", "info", noon), entry("a", "y", "warn", noon), entry("a", "x", "info", noon.Add(-time.Hour)),
			entry("b", "w", "info", noon.Add(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			sc   store.Scope
			q    store.LogQuery
			want string
		}{
			{store.Account("a"), store.LogQuery{}, "x z y "},
			{store.Account("a"), store.LogQuery{Descending: true}, "y z x "},
			{store.Account("a"), store.LogQuery{Descending: true, Limit: 2}, "y z "},
			{store.Installation(), store.LogQuery{Kinds: []string{"info"}}, "x z w "},
			{store.Installation(), store.LogQuery{Kinds: []string{"info", "warn"}, Resource: "r-a"}, "x z y "},
			{store.Installation(), store.LogQuery{From: noon, To: noon.Add(time.Hour)}, "z y "},
			{store.Account("a"), store.LogQuery{Sealed: true}, ""},
		} {
			if got := read(t, db, c.sc, c.q); got != c.want {
				t.Errorf("%+v: got %q, want %q", c.q, got, c.want)
			}
		}
	})
}

func TestAppendingAKnownIDChangesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		for range 2 {
			if err := entries.Append(t.Context(), db, entry("a", "one", "k", noon)); err != nil {
				t.Fatal(err)
			}
		}
		if err := entries.Append(t.Context(), db, entry("a", "two", "k", noon), entry("b", "one", "other", noon)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, db, store.Installation(), store.LogQuery{}); got != "one two " {
			t.Errorf("got %q", got)
		}
	})
}

func TestSealedRecordsAreNumberedInOrderOfInsertionWithoutGaps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		var many []store.Record[boat]
		for i := range 70 {
			many = append(many, entry("a", fmt.Sprintf("e%02d", i), "k", noon.Add(-time.Duration(i)*time.Minute)))
		}
		if err := entries.Append(t.Context(), db, many...); err != nil {
			t.Fatal(err)
		}
		if a, b, c := seal(t, db, 50), seal(t, db, 50), seal(t, db, 50); a != 50 || b != 20 || c != 0 {
			t.Errorf("sealed %d, %d, %d", a, b, c)
		}
		records, err := entries.List(t.Context(), db, store.Installation(), store.LogQuery{Sealed: true})
		if err != nil || len(records) != 70 {
			t.Fatalf("%d records, %v", len(records), err)
		}
		for i, r := range records {
			if r.Seq != int64(i+1) || r.ID != many[i].ID {
				t.Fatalf("place %d has %s with seq %d", i, r.ID, r.Seq)
			}
		}
		if got := read(t, db, store.Account("a"), store.LogQuery{AfterSeq: 68}); got != "e68 e69 " {
			t.Errorf("after 68 come %q", got)
		}
	})
}

// A reader that goes by seq sees every record once, though writers commit in any order while it reads and the sealer works.
func TestAReaderThatGoesBySeqMissesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		const writers, each = 4, 25
		var writing sync.WaitGroup
		for w := range writers {
			writing.Go(func() {
				for i := range each {
					if err := entries.Append(t.Context(), db, entry("a", fmt.Sprintf("%d-%d", w, i), "k", noon)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		written := make(chan struct{})
		go func() { writing.Wait(); close(written) }()
		var got []string
		var cursor int64
		for over, last := false, false; !last; {
			last = over
			select {
			case <-written:
				over = true
			default:
			}
			seal(t, db, 7)
			records, err := entries.List(t.Context(), db, store.Installation(), store.LogQuery{AfterSeq: cursor, Sealed: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				if r.Seq != cursor+1 {
					t.Fatalf("seq %d follows %d", r.Seq, cursor)
				}
				cursor = r.Seq
				got = append(got, r.ID)
			}
			last = last && len(records) == 0
		}
		slices.Sort(got)
		if n := len(slices.Compact(got)); n != writers*each {
			t.Errorf("%d different records of %d", n, writers*each)
		}
	})
}
