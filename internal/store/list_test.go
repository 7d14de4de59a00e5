package store_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func TestAQueryNarrowsByEveryFieldItGives(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		for i, state := range []string{"afloat", "sunk", "afloat", "docked"} {
			d := newBoat("act-1", fmt.Sprintf("b-%d", i))
			d.State, d.At, d.Parent = state, noon.Add(time.Duration(i)*time.Hour), fmt.Sprintf("fleet-%d", i/2)
			insert(t, db, d)
		}
		insert(t, db, newBoat("act-2", "other"))
		for _, c := range []struct {
			q    store.Query
			want string
		}{
			{store.Query{}, "b-0 b-1 b-2 b-3 "},
			{store.Query{Descending: true}, "b-3 b-2 b-1 b-0 "},
			{store.Query{IDs: []string{"b-2", "b-0", "other"}}, "b-0 b-2 "},
			{store.Query{IDs: []string{}}, ""},
			{store.Query{Parents: []string{}}, ""},
			{store.Query{Parents: []string{"fleet-1", "fleet-9"}}, "b-2 b-3 "},
			{store.Query{Parents: []string{"fleet-1", "fleet-0"}, States: []string{"afloat"}}, "b-0 b-2 "},
			{store.Query{Parent: "fleet-1"}, "b-2 b-3 "},
			{store.Query{Name: "Name of b-3"}, "b-3 "},
			{store.Query{States: []string{"sunk"}}, "b-1 "},
			{store.Query{States: []string{"sunk", "docked"}}, "b-1 b-3 "},
			{store.Query{States: []string{"it's ? $1 \\ \" odd"}}, ""},
			{store.Query{Since: noon.Add(time.Hour)}, "b-1 b-2 b-3 "},
			{store.Query{Until: noon.Add(time.Hour)}, "b-0 "},
			{store.Query{Since: noon.Add(time.Nanosecond), Until: noon.Add(time.Hour + time.Nanosecond)}, "b-1 "},
			{store.Query{States: []string{"afloat"}, Parent: "fleet-0"}, "b-0 "},
			{store.Query{Limit: 2}, "b-0 b-1 "},
		} {
			docs, _, err := boats.List(t.Context(), db, store.Account("act-1"), c.q)
			if err != nil || ids(docs) != c.want {
				t.Errorf("%+v: got %q, %v; want %q", c.q, ids(docs), err, c.want)
			}
			c.q.Limit = 0
			docs, _, _ = boats.List(t.Context(), db, store.Account("act-1"), c.q)
			if n, err := boats.Count(t.Context(), db, store.Account("act-1"), c.q); err != nil || n != len(docs) {
				t.Errorf("%+v: counted %d, %v; listed %d", c.q, n, err, len(docs))
			}
		}
	})
}

func TestTalliesCountWhatAQuerySelectsByParentAndName(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		for i, name := range []string{"b", "a", "b", "b", "a"} {
			d := newBoat("act-1", fmt.Sprintf("b-%d", i))
			d.State, d.At, d.Parent, d.Name = []string{"afloat", "sunk"}[i/4], noon.Add(time.Duration(i)*time.Hour), "fleet-"+fmt.Sprint(i/3), name
			insert(t, db, d)
		}
		insert(t, db, newBoat("act-2", "other"))
		got, err := boats.Tallies(t.Context(), db, store.Account("act-1"), store.Query{States: []string{"afloat"}})
		want := []store.Tally{{"fleet-0", "a", 1, noon.Add(time.Hour)}, {"fleet-0", "b", 2, noon}, {"fleet-1", "b", 1, noon.Add(3 * time.Hour)}}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	})
}

func TestAStampDiffersWithEveryChangeOfWhatItIsOf(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		afloat := store.Query{States: []string{"afloat"}}
		stamp := func() string {
			t.Helper()
			text, err := boats.Stamp(t.Context(), db, store.Account("act-1"), afloat)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		update := func(d store.Doc[boat], state string) store.Doc[boat] {
			t.Helper()
			d.State = state
			d, err := boats.Update(t.Context(), db, d)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		var boat store.Doc[boat]
		before := stamp()
		for _, step := range []struct {
			name    string
			do      func()
			differs bool
		}{
			{"one comes", func() { boat = newBoat("act-1", "b-1"); boat.State = "afloat"; boat = insert(t, db, boat) }, true},
			{"nothing happens", func() {}, false},
			{"one of another account comes", func() { other := newBoat("act-2", "b-2"); other.State = "afloat"; insert(t, db, other) }, false},
			{"it changes", func() { boat = update(boat, "afloat") }, true},
			{"it is one of them no more", func() { boat = update(boat, "sunk") }, true},
			{"it changes elsewhere", func() { boat = update(boat, "docked") }, false},
			{"it is back", func() { boat = update(boat, "afloat") }, true},
		} {
			step.do()
			if after := stamp(); (after != before) != step.differs {
				t.Errorf("%s: %q and then %q", step.name, before, after)
			} else {
				before = after
			}
		}
	})
}

func TestACursorThatIsNotOursIsRefused(t *testing.T) {
	db := storetest.Memory(t)
	for _, cursor := range []string{"x", "!!", "bm9wZQ", "MTIz"} {
		_, _, err := boats.List(t.Context(), db, store.Installation(), store.Query{After: cursor, Limit: 1})
		wantKind(t, err, fault.Invalid)
	}
}

// Pages of any size, in either direction, are the whole list in order, with nothing twice and nothing left out, even where many documents share a time.
func TestPagesAddUpToTheWholeList(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		ctx := t.Context()
		rapid.Check(t, func(t *rapid.T) {
			account := ident.UUID() // every case has an account of its own
			var want []string
			times := map[string]int{}
			for i := range rapid.IntRange(0, 12).Draw(t, "documents") {
				hour := rapid.IntRange(0, 3).Draw(t, "hour")
				d := newBoat(account, fmt.Sprintf("%s-%02d", account, i))
				d.At = noon.Add(time.Duration(hour) * time.Hour)
				if _, err := boats.Insert(ctx, db, d); err != nil {
					t.Fatal(err)
				}
				want, times[d.ID] = append(want, d.ID), hour
			}
			slices.SortFunc(want, func(a, b string) int { return cmp.Or(cmp.Compare(times[a], times[b]), cmp.Compare(a, b)) })
			q := store.Query{Limit: rapid.IntRange(1, 5).Draw(t, "limit"), Descending: rapid.Bool().Draw(t, "descending")}
			if q.Descending {
				slices.Reverse(want)
			}
			var got []string
			for {
				docs, next, err := boats.List(ctx, db, store.Account(account), q)
				if err != nil {
					t.Fatal(err)
				}
				if len(docs) > q.Limit || (next != "" && len(docs) < q.Limit) {
					t.Fatalf("a page of %d at limit %d, next %q", len(docs), q.Limit, next)
				}
				for _, d := range docs {
					got = append(got, d.ID)
				}
				if q.After = next; next == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("got %v, want %v", got, want)
			}
		})
	})
}
