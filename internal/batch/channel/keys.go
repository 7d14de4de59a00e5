package channel

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	publishPrefix   = "pub-c-"
	subscribePrefix = "sub-c-"
	remembered      = 5 * time.Second // how long an account may be gone before its keys are refused
	mostRemembered  = 10_000
)

// Keys are the capabilities of accounts' channels: whoever has an account's subscribe key reads them, and with the publish key writes to them. Every account has one
// pair, from its first use on. They are random, so that a plain hash is enough to find them by: nobody finds out a key by trying. What is handed out again is sealed.
// Safe for concurrent use.
type Keys struct {
	db    *store.DB
	vault Vault

	mu    sync.Mutex
	known map[string]owner // by subscribe key
}

// Vault seals secrets and knows accounts; identity is one.
type Vault interface {
	Seal(plain []byte, use string) ([]byte, error)
	Open(sealed []byte, use string) ([]byte, error)
	Account(ctx context.Context, id string) (identity.Account, error)
}

// pair is an account's keys as they are kept. It travels sealed.
type pair struct{ Publish, Subscribe string }

// sealedPair is found by the account.
type sealedPair struct{ Sealed []byte }

// listed is found by the hash of the subscribe key.
type listed struct{ Publish string } // hash of the publish key

// owner is whose a subscribe key is.
type owner struct {
	account, publish string
	until            time.Time
}

var (
	pairs  = store.Collection[sealedPair]{Table: "settings", Noun: "pair of keys"}
	owners = store.Collection[listed]{Table: "settings", Noun: "subscribe key"}

	keyForm = regexp.MustCompile(`^(pub|sub)-c-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// NewKeys gives the keys that a database holds.
func NewKeys(db *store.DB, vault Vault) *Keys {
	return &Keys{db: db, vault: vault, known: map[string]owner{}}
}

func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func pairID(account string) string { return "channels:" + account }
func ownerID(key string) string    { return "channels-key:" + hashOf(key) }

// Of are an account's keys. They are made when they are asked for first, which changes nothing that anybody could see; in a dry run they are never valid then.
func (k *Keys) Of(ctx context.Context, account string) (publish, subscribe string, err error) {
	if _, err := k.vault.Account(ctx, account); err != nil {
		return "", "", err
	}
	found, err := k.read(ctx, account)
	if !fault.Is(err, fault.NotFound) {
		return found.Publish, found.Subscribe, err
	}
	made := pair{publishPrefix + ident.UUID(), subscribePrefix + ident.UUID()}
	err = k.keep(ctx, account, made)
	if fault.Is(err, fault.Exists) { // somebody else asked first at the same time
		found, err = k.read(ctx, account)
		return found.Publish, found.Subscribe, err
	}
	return made.Publish, made.Subscribe, err
}

func (k *Keys) read(ctx context.Context, account string) (p pair, err error) {
	doc, err := pairs.Get(ctx, k.db, store.Account(account), pairID(account))
	if err != nil {
		return p, err
	}
	plain, err := k.vault.Open(doc.Value.Sealed, doc.ID)
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(plain, &p)
}

func (k *Keys) keep(ctx context.Context, account string, p pair) error {
	plain, err := json.Marshal(p)
	if err != nil {
		return err
	}
	sealed, err := k.vault.Seal(plain, pairID(account))
	if err != nil {
		return err
	}
	return k.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		const state = "channels" // tells these rows from the other settings
		_, err := pairs.Insert(ctx, tx, store.Doc[sealedPair]{Meta: store.Meta{ID: pairID(account), Account: account, State: state}, Value: sealedPair{sealed}})
		if err != nil {
			return err
		}
		_, err = owners.Insert(ctx, tx, store.Doc[listed]{Meta: store.Meta{ID: ownerID(p.Subscribe), Account: account, State: state}, Value: listed{hashOf(p.Publish)}})
		return err
	})
}

// Subscriber names the account of a subscribe key; fault.NotFound about the noun "subscribe key" when it is nobody's, or its account is gone.
func (k *Keys) Subscriber(ctx context.Context, subscribe string) (account string, err error) {
	found, err := k.owner(ctx, subscribe)
	return found.account, err
}

// Publisher names the account of a pair of keys; fault.NotFound about the noun "publish key" when the two don't belong together.
func (k *Keys) Publisher(ctx context.Context, publish, subscribe string) (account string, err error) {
	found, err := k.owner(ctx, subscribe)
	if err == nil && subtle.ConstantTimeCompare([]byte(hashOf(publish)), []byte(found.publish)) != 1 {
		return "", fault.Of(fault.NotFound, "publish key", "The publish key is not valid, or does not belong to the subscribe key.")
	}
	return found.account, err
}

func (k *Keys) owner(ctx context.Context, subscribe string) (owner, error) {
	unknown := fault.Of(fault.NotFound, owners.Noun, "The subscribe key is not valid.")
	if !keyForm.MatchString(subscribe) {
		return owner{}, unknown
	}
	k.mu.Lock()
	found, is := k.known[subscribe]
	k.mu.Unlock()
	if is && time.Now().Before(found.until) {
		return found, nil
	}
	doc, err := owners.Get(ctx, k.db, store.Installation(), ownerID(subscribe))
	if err == nil {
		_, err = k.vault.Account(ctx, doc.Account)
	}
	if fault.Is(err, fault.NotFound) {
		return owner{}, unknown
	}
	if err != nil {
		return owner{}, err
	}
	found = owner{doc.Account, doc.Value.Publish, time.Now().Add(remembered)}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.known) >= mostRemembered {
		clear(k.known)
	}
	k.known[subscribe] = found
	return found, nil
}
