package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

type boat struct {
	Name string          `json:"name"`
	Log  json.RawMessage `json:"log,omitempty"`
}

// The tests borrow a table; what it is meant for does not matter to the store.
var boats = store.Collection[boat]{Table: "groups", Noun: "boat"}

func newBoat(account, id string) store.Doc[boat] {
	return store.Doc[boat]{Meta: store.Meta{ID: id, Account: account, Name: "Name of " + id}, Value: boat{Name: id}}
}

func insert(t *testing.T, s store.Session, d store.Doc[boat]) store.Doc[boat] {
	t.Helper()
	d, err := boats.Insert(t.Context(), s, d)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != kind {
		t.Fatalf("got %q (%v), want %q", got, err, kind)
	}
}

func TestADocumentIsReadAsItWasInserted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		d := newBoat("act-1", "b-1")
		d.Parent, d.State, d.At = "fleet", "afloat", time.Date(2026, 3, 4, 5, 6, 7, 89, time.FixedZone("", 3600))
		in := insert(t, db, d)
		out, err := boats.Get(t.Context(), db, store.Account("act-1"), "b-1")
		if err != nil {
			t.Fatal(err)
		}
		if in.Meta != out.Meta {
			t.Errorf("insert returned %+v, get %+v", in.Meta, out.Meta)
		}
		if out.Version != 1 || out.Parent != "fleet" || out.State != "afloat" || !out.At.Equal(d.At.Truncate(time.Microsecond)) || out.Created.IsZero() || out.Value.Name != "b-1" {
			t.Errorf("got %+v", out)
		}
	})
}

func TestAtIsTheCreationWhenItIsNotGiven(t *testing.T) {
	d := insert(t, storetest.Memory(t), newBoat("act-1", "b-1"))
	if !d.At.Equal(d.Created) || time.Since(d.At) > time.Minute {
		t.Errorf("at %v, created %v", d.At, d.Created)
	}
}

func TestAnEmbeddedDocumentKeepsItsOrderAndNumbers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		const sent = `{"z":1,"a":{"c":12345678901234567890.000100,"b":[1e400,-0.0,"<&>"]},"z2":null,"ü":"\u0000"}`
		d := newBoat("act-1", "b-1")
		d.Value.Log = json.RawMessage(sent)
		insert(t, db, d)
		out, err := boats.Get(t.Context(), db, store.Account("act-1"), "b-1")
		if err != nil {
			t.Fatal(err)
		}
		if string(out.Value.Log) != sent {
			t.Errorf("got  %s\nwant %s", out.Value.Log, sent)
		}
	})
}

func TestATakenIDIsRefusedAndTheTransactionGoesOn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		insert(t, db, newBoat("act-1", "b-1"))
		err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := boats.Insert(ctx, tx, newBoat("act-2", "b-1"))
			wantKind(t, err, fault.Exists)
			if noun := fault.As(err).Noun; noun != "boat" {
				t.Errorf("the fault is about a %q", noun)
			}
			_, err = boats.Insert(ctx, tx, newBoat("act-2", "b-2"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := boats.Count(t.Context(), db, store.Installation(), store.Query{}); err != nil || n != 2 {
			t.Errorf("%d boats, %v", n, err)
		}
	})
}

func TestAnotherAccountsDocumentReadsLikeAMissingOne(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		ctx := t.Context()
		theirs := insert(t, db, newBoat("act-1", "b-1"))
		stranger := store.Account("act-2")

		_, hidden := boats.Get(ctx, db, stranger, "b-1")
		wantKind(t, hidden, fault.NotFound)
		_, missing := boats.Get(ctx, db, stranger, "b-0")
		wantKind(t, missing, fault.NotFound)
		_, hidden = boats.Version(ctx, db, stranger, "b-1")
		wantKind(t, hidden, fault.NotFound)
		wantKind(t, boats.Delete(ctx, db, stranger, "b-1"), fault.NotFound)
		stolen := theirs
		stolen.Account = "act-2"
		_, err := boats.Update(ctx, db, stolen)
		wantKind(t, err, fault.NotFound)
		docs, _, err := boats.List(ctx, db, stranger, store.Query{IDs: []string{"b-1"}})
		if err != nil || len(docs) != 0 {
			t.Errorf("listed %v, %v", docs, err)
		}
		if n, err := boats.Count(ctx, db, stranger, store.Query{}); err != nil || n != 0 {
			t.Errorf("counted %d, %v", n, err)
		}
		if kept, err := boats.Get(ctx, db, store.Installation(), "b-1"); err != nil || kept.Version != 1 {
			t.Errorf("the owner's document became %+v, %v", kept, err)
		}
	})
}

func TestAnUpdateOfAnOldVersionIsAConflict(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		ctx := t.Context()
		old := insert(t, db, newBoat("act-1", "b-1"))
		next := old
		next.State, next.Value.Name = "sunk", "renamed"
		next, err := boats.Update(ctx, db, next)
		if err != nil || next.Version != 2 || next.Created != old.Created || next.Updated.Before(old.Updated) {
			t.Fatalf("got %+v, %v", next, err)
		}
		_, err = boats.Update(ctx, db, old)
		wantKind(t, err, fault.Conflict)
		stored, err := boats.Get(ctx, db, store.Account("act-1"), "b-1")
		if err != nil || stored.Meta != next.Meta || stored.Value.Name != "renamed" {
			t.Errorf("stored %+v, %v; returned %+v", stored, err, next)
		}
		if err := boats.Delete(ctx, db, store.Account("act-1"), "b-1"); err != nil {
			t.Fatal(err)
		}
		_, err = boats.Update(ctx, db, next)
		wantKind(t, err, fault.NotFound)
	})
}

func TestTouchingRaisesTheVersionAndLetsOneGoOnAtATime(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		ctx := t.Context()
		old := insert(t, db, newBoat("act-1", "b-1"))
		const hands = 8
		var wait sync.WaitGroup
		for range hands { // each counts on what the one before wrote
			wait.Go(func() {
				err := db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
					if err := boats.Touch(ctx, tx, store.Account("act-1"), "b-1"); err != nil {
						return err
					}
					d, err := boats.Get(ctx, tx, store.Account("act-1"), "b-1")
					if err != nil {
						return err
					}
					d.Value.Name += "+"
					_, err = boats.Update(ctx, tx, d)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		d, err := boats.Get(ctx, db, store.Account("act-1"), "b-1")
		if err != nil || d.Version != old.Version+2*hands || d.Value.Name != "b-1"+strings.Repeat("+", hands) {
			t.Errorf("%+v, %v", d, err)
		}
		wantKind(t, db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			return boats.Touch(ctx, tx, store.Account("act-2"), "b-1")
		}), fault.NotFound)
	})
}

// Any sequence of operations agrees with a map that checks versions.
func TestTheStoreBehavesLikeAMapWithVersions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		ctx := t.Context()
		rapid.Check(t, func(t *rapid.T) {
			account := ident.UUID() // every case has an account of its own
			model := map[string]store.Doc[boat]{}
			seen := map[string][]store.Doc[boat]{} // every version since the insert
			ids := rapid.SampledFrom([]string{account + "a", account + "b", account + "c"})
			t.Repeat(map[string]func(*rapid.T){
				"insert": func(t *rapid.T) {
					id := ids.Draw(t, "id")
					d, err := boats.Insert(ctx, db, newBoat(account, id))
					if _, taken := model[id]; taken {
						expect(t, err, fault.Exists)
						return
					}
					expect(t, err, "")
					model[id], seen[id] = d, []store.Doc[boat]{d}
				},
				"update": func(t *rapid.T) {
					id := ids.Draw(t, "id")
					if len(seen[id]) == 0 {
						t.Skip("nothing to update")
					}
					d := rapid.SampledFrom(seen[id]).Draw(t, "version")
					d.Value.Name = rapid.String().Draw(t, "name")
					current, there := model[id]
					updated, err := boats.Update(ctx, db, d)
					switch {
					case !there:
						expect(t, err, fault.NotFound)
					case current.Version != d.Version:
						expect(t, err, fault.Conflict)
					default:
						expect(t, err, "")
						model[id], seen[id] = updated, append(seen[id], updated)
					}
				},
				"delete": func(t *rapid.T) {
					id := ids.Draw(t, "id")
					err := boats.Delete(ctx, db, store.Account(account), id)
					if _, there := model[id]; !there {
						expect(t, err, fault.NotFound)
						return
					}
					expect(t, err, "")
					delete(model, id)
				},
				"": func(t *rapid.T) {
					docs, _, err := boats.List(ctx, db, store.Account(account), store.Query{})
					expect(t, err, "")
					if len(docs) != len(model) {
						t.Fatalf("%d stored, %d expected", len(docs), len(model))
					}
					for _, d := range docs {
						if want := model[d.ID]; d.Meta != want.Meta || d.Value.Name != want.Value.Name {
							t.Fatalf("stored %+v, expected %+v", d, want)
						}
						version, err := boats.Version(ctx, db, store.Account(account), d.ID)
						if expect(t, err, ""); version != d.Version {
							t.Fatalf("version %d of %+v", version, d)
						}
					}
				},
			})
		})
	})
}

func expect(t *rapid.T, err error, kind fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != kind {
		t.Fatalf("got %q (%v), want %q", got, err, kind)
	}
}

func ids(docs []store.Doc[boat]) string {
	text := ""
	for _, d := range docs {
		text += fmt.Sprint(d.ID, " ")
	}
	return text
}
