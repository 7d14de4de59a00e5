package identity

import (
	"testing"

	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

func TestADatabaseKnowsItsOwnStartsAndNoneOfACopys(t *testing.T) {
	i := Installation{Generation: 500, Starts: []int64{100, 300, 500}}
	for generation, known := range map[int64]bool{0: true, 50: true, 100: true, 300: true, 500: true, 200: false, 400: false, 501: false} {
		if i.Knows(generation) != known {
			t.Errorf("generation %d: known %v", generation, !known)
		}
	}
	i.start()
	if i.Generation <= 500 || !i.Knows(i.Generation) || !i.Knows(300) {
		t.Errorf("after another start: %+v", i)
	}
	if (Installation{Generation: 7}).Knows(8) || !(Installation{Generation: 7}).Knows(7) {
		t.Error("a database of a release that counted its starts is not judged by their number")
	}
}

func TestOnlyTheNewestStartsAreRememberedAndOlderOnesAreTakenForKnown(t *testing.T) {
	var i Installation
	i.start()
	first := i.Generation
	for range rememberedStarts + 5 {
		i.start()
	}
	if len(i.Starts) != rememberedStarts || !i.Knows(first) || !i.Knows(i.Generation) {
		t.Errorf("%d starts are remembered", len(i.Starts))
	}
}

func TestADatabaseOfAnOlderReleaseIsFurnishedAtTheNextStart(t *testing.T) {
	i, admin := started(t)
	of, err := organisations.Get(t.Context(), i.db, store.Installation(), i.organisation)
	must(t, err)
	must(t, users.Delete(t.Context(), i.db, store.Account(i.organisation), of.Value.Owner))
	must(t, groups.Delete(t.Context(), i.db, store.Account(i.organisation), of.Value.Everyone))
	of.Value.Owner, of.Value.Everyone = "", ""
	_, err = organisations.Update(t.Context(), i.db, of)
	must(t, err)
	held, err := activeTokens(t.Context(), i.db, i.organisation)
	must(t, err)
	held[0].Value.User = ""
	_, err = tokens.Update(t.Context(), i.db, held[0])
	must(t, err)

	next := New(Config{DB: i.db, Key: testKey})
	for range 2 {
		_, _, _, err = next.Start(t.Context())
		must(t, err)
	}
	caller, err := next.Authenticate(t.Context(), bearer(admin))
	must(t, err)
	must(t, caller.Rights.Authorize(op.Deed{Need: "setup:createUser"}))
	list, err := next.Users(t.Context(), i.organisation)
	must(t, err)
	check(t, "users", len(list), 1)
}
