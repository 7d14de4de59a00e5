package channel_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/batch/channel"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// owned is an installation with an organisation of two accounts.
type owned struct {
	db           *store.DB
	identity     *identity.Identity
	organisation string
	accounts     [2]string
}

func own(t *testing.T, db *store.DB) owned {
	t.Helper()
	o := owned{db: db, identity: identity.New(identity.Config{DB: db, Key: bytes.Repeat([]byte("k"), 32)})}
	if _, _, _, err := o.identity.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	inst, err := o.identity.Installation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o.organisation = inst.Organisation
	for n, name := range []string{"prod", "test"} {
		made, err := o.identity.AddAccount(t.Context(), identity.Account{Organisation: o.organisation, Name: name, Cloud: "sim", Provider: "AWS"})
		if err != nil {
			t.Fatal(err)
		}
		o.accounts[n] = made.ID
	}
	return o
}

func (o owned) of(t *testing.T, account string) (publish, subscribe string) {
	t.Helper()
	publish, subscribe, err := channel.NewKeys(o.db, o.identity).Of(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	return publish, subscribe
}

func TestAnAccountHasOnePairOfKeysForGood(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		o := own(t, at.Open(t))
		var asked sync.WaitGroup
		var pairs [8][2]string
		for n := range pairs {
			asked.Go(func() { pairs[n][0], pairs[n][1] = o.of(t, o.accounts[0]) })
		}
		asked.Wait()
		form := regexp.MustCompile(`^pub-c-[0-9a-f-]{36} sub-c-[0-9a-f-]{36}$`)
		for _, p := range pairs {
			if p != pairs[0] || !form.MatchString(p[0]+" "+p[1]) {
				t.Errorf("keys %v and %v", p, pairs[0])
			}
		}
		publish, subscribe := o.of(t, o.accounts[1])
		if publish == pairs[0][0] || subscribe == pairs[0][1] {
			t.Error("two accounts share a key")
		}
		keys := channel.NewKeys(o.db, o.identity)
		for range 2 {
			if of, err := keys.Publisher(t.Context(), pairs[0][0], pairs[0][1]); err != nil || of != o.accounts[0] {
				t.Errorf("the pair is %q's, %v", of, err)
			}
			if of, err := keys.Subscriber(t.Context(), subscribe); err != nil || of != o.accounts[1] {
				t.Errorf("the subscribe key is %q's, %v", of, err)
			}
		}
	})
}

func TestKeysThatDoNotFitAreRefused(t *testing.T) {
	o := own(t, storetest.SQLite(t).Open(t))
	publish, subscribe := o.of(t, o.accounts[0])
	other, _ := o.of(t, o.accounts[1])
	keys := channel.NewKeys(o.db, o.identity)
	if _, _, err := keys.Of(t.Context(), "act-ffffffff"); !fault.Is(err, fault.NotFound) {
		t.Errorf("keys of no account: %v", err)
	}
	for _, c := range [][3]string{
		{other, subscribe, "publish key"}, {"", subscribe, "publish key"}, {subscribe, subscribe, "publish key"},
		{publish, publish, "subscribe key"}, {publish, "", "subscribe key"}, {publish, subscribe + " ", "subscribe key"}, {publish, "demo", "subscribe key"},
	} {
		if of, err := keys.Publisher(t.Context(), c[0], c[1]); !fault.Is(err, fault.NotFound) || fault.As(err).Noun != c[2] || of != "" {
			t.Errorf("%q and %q: %q, %v", c[0], c[1], of, err)
		}
	}
}

func TestTheKeysOfARemovedAccountStopWithinSeconds(t *testing.T) {
	o := own(t, storetest.SQLite(t).Open(t))
	account := o.accounts[1]
	publish, subscribe := o.of(t, account)
	keys := channel.NewKeys(o.db, o.identity)
	if _, err := keys.Publisher(t.Context(), publish, subscribe); err != nil {
		t.Fatal(err)
	}
	if err := o.identity.DeleteAccount(t.Context(), o.organisation, account); err != nil {
		t.Fatal(err)
	}
	if _, err := channel.NewKeys(o.db, o.identity).Subscriber(t.Context(), subscribe); !fault.Is(err, fault.NotFound) {
		t.Errorf("after the removal: %v", err)
	}
	keys.Age(6 * time.Second)
	if _, err := keys.Publisher(t.Context(), publish, subscribe); !fault.Is(err, fault.NotFound) {
		t.Errorf("six seconds later, where the key was in use: %v", err)
	}
}

func TestKeysAreNotInTheDatabaseInClear(t *testing.T) {
	at := storetest.SQLite(t)
	db, err := store.Open(t.Context(), at.Config)
	if err != nil {
		t.Fatal(err)
	}
	o := own(t, db)
	publish, subscribe := o.of(t, o.accounts[0])
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(at.Config.Path + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{publish, subscribe} {
			if bytes.Contains(content, []byte(key)) || bytes.Contains(content, []byte(key[len("pub-c-"):])) {
				t.Errorf("%s holds a key", filepath.Base(file))
			}
		}
	}
}
