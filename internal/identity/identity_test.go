package identity

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

// tested is an identity that was started on a database of its own.
type tested struct {
	*Identity
	organisation string
}

func database(t testing.TB) *store.DB {
	t.Helper()
	return storetest.Open(t, store.Config{Memory: true})
}

func started(t testing.TB) (i tested, admin string) {
	t.Helper()
	identity := New(Config{DB: database(t), Key: testKey})
	inst, admin, first, err := identity.Start(t.Context())
	must(t, err)
	if !first || admin == "" {
		t.Fatalf("the first start gives first %v, token %q", first, admin)
	}
	return tested{Identity: identity, organisation: inst.Organisation}, admin
}

func (i tested) tx(t testing.TB, work func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	must(t, i.db.Tx(t.Context(), work))
}

func (i tested) token(t testing.TB, name string) (secret string, made Token) {
	t.Helper()
	secret, made, err := i.CreateToken(t.Context(), i.organisation, NewToken{Name: name})
	must(t, err)
	return secret, made
}

func (i tested) account(t testing.TB, organisation, name string) (made Account) {
	t.Helper()
	i.tx(t, func(ctx context.Context, tx *store.Tx) (err error) {
		made, err = i.CreateAccount(ctx, tx, Account{Organisation: organisation, Name: name, Cloud: "sim", Provider: "AWS"})
		return err
	})
	return made
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func check[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestOnlyTheFirstStartGivesAnAdminToken(t *testing.T) {
	db := database(t)
	one, admin, first, err := New(Config{DB: db, Key: testKey}).Start(t.Context())
	must(t, err)
	check(t, "first", first, true)
	check(t, "knows its generation", one.Knows(one.Generation), true)
	later := New(Config{DB: db, Key: testKey})
	two, again, first, err := later.Start(t.Context())
	must(t, err)
	check(t, "first of the second start", first, false)
	check(t, "token of the second start", again, "")
	check(t, "a later generation", two.Generation > one.Generation && two.Knows(one.Generation) && !one.Knows(two.Generation), true)
	check(t, "id of the second start", two.ID, one.ID)
	caller, err := later.Authenticate(t.Context(), bearer(admin))
	must(t, err)
	check(t, "organisation of the admin", caller.Organisation, one.Organisation)
}

func TestReplicasThatStartTogetherShareOneInstallation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) { replicasThatStartTogetherShare(t, at.Open(t)) })
}

func replicasThatStartTogetherShare(t *testing.T, db *store.DB) {
	const replicas = 8
	var mu sync.Mutex
	var all sync.WaitGroup
	firsts, generations, ids := 0, map[int64]bool{}, map[string]bool{}
	for range replicas {
		all.Go(func() {
			inst, _, first, err := New(Config{DB: db, Key: testKey}).Start(context.Background())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if first {
				firsts++
			}
			generations[inst.Generation], ids[inst.ID] = true, true
		})
	}
	all.Wait()
	check(t, "first starts", firsts, 1)
	check(t, "generations", len(generations), replicas)
	check(t, "installations", len(ids), 1)
}

func TestTheAdminTokenIsAnnouncedBeforeItIsValid(t *testing.T) {
	db := database(t)
	refused := errors.New("disk full")
	_, _, _, err := New(Config{DB: db, Key: testKey, Announce: func(string) error { return refused }}).Start(t.Context())
	if !errors.Is(err, refused) {
		t.Fatalf("a start whose token could not be written down gives %v", err)
	}
	var announced string
	_, admin, first, err := New(Config{DB: db, Key: testKey, Announce: func(a string) error { announced = a; return nil }}).Start(t.Context())
	must(t, err)
	check(t, "first after a failed start", first, true)
	check(t, "announced", announced, admin)
}

func TestADatabaseIsNotStartedWithAnotherServerKey(t *testing.T) {
	db := database(t)
	_, _, _, err := New(Config{DB: db, Key: testKey}).Start(t.Context())
	must(t, err)
	stranger := New(Config{DB: db, Key: []byte("ffffffffffffffffffffffffffffffff")})
	_, _, _, err = stranger.Start(t.Context())
	if fault.As(err).Noun != "server key" {
		t.Fatalf("another key gives %v", err)
	}
	admin, err := stranger.ResetAdmin(t.Context())
	must(t, err)
	_, _, _, err = stranger.Start(t.Context())
	must(t, err)
	_, err = stranger.Authenticate(t.Context(), bearer(admin))
	must(t, err)
}

func TestALostKeyFileIsNotReplacedInSilence(t *testing.T) {
	db := database(t)
	_, _, _, err := New(Config{DB: db, KeyFile: filepath.Join(t.TempDir(), "key")}).Start(t.Context())
	must(t, err)
	_, _, _, err = New(Config{DB: db, KeyFile: filepath.Join(t.TempDir(), "key")}).Start(t.Context())
	check(t, "kind of a start without the key file", fault.KindOf(err), fault.Unavailable)
}

func TestResettingTheAdminVoidsTheOldTokenAndNoOther(t *testing.T) {
	i, old := started(t)
	other, _ := i.token(t, "ci")
	_, err := i.Authenticate(t.Context(), bearer(old))
	must(t, err)
	admin, err := i.ResetAdmin(t.Context())
	must(t, err)
	_, err = i.Authenticate(t.Context(), bearer(old))
	check(t, "the old token", fault.KindOf(err), fault.Unauthenticated)
	for _, text := range []string{admin, other} {
		caller, err := i.Authenticate(t.Context(), bearer(text))
		must(t, err)
		check(t, "organisation", caller.Organisation, i.organisation)
	}
}
