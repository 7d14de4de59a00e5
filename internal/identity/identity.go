// Package identity knows who may do what.
//
// It owns organisations, accounts, users, groups, policies, tokens, credentials of clouds and the installation's own identity. It must not know any wire format. Start reading at Identity; a request
// goes through authenticate.go. All of it lives on wall time.
package identity

import (
	"context"
	"log/slog"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

// Config is what identity needs. Exactly one of Key and KeyFile is set; replicas share it. It never enters the database.
type Config struct {
	DB      *store.DB
	Key     []byte // the server key itself, at least 32 bytes: for tests
	KeyFile string // where the server key is kept; made at the first start, readable by its owner only
	// Announce is told a new admin token before it becomes valid, so that a crash cannot swallow it; it may be told one that never does. nil = nobody is.
	Announce func(admin string) error
	// Occupied says what still runs in an account ("3 groups"), "" when nothing does; an occupied account is not deleted. nil = none ever is.
	Occupied func(ctx context.Context, account string) (what string, err error)
	// Needs lists what operations need, so that policies with others can be warned of; nil = nobody is warned.
	Needs func() []string
	// Clouds checks credentials with the clouds that they are for.
	Clouds Clouds
	// Cloud is that of accounts that are made: "sim", or "" where their credentials will tell.
	Cloud string
	Log   *slog.Logger
}

// Identity knows who may do what. Safe for concurrent use.
type Identity struct {
	db        *store.DB
	log       *slog.Logger
	announce  func(string) error
	occupied  func(context.Context, string) (string, error)
	needs     func() []string
	clouds    Clouds
	cloud     string
	key       *keyring
	standard  map[string]*heldPolicy
	tokens    *shelf[string, rememberedToken]   // by id
	strangers *memory[[hashSize]byte, struct{}] // hashes that are no token
	reality   *memory[struct{}, bool]           // whether any account is in a real cloud
	realms    *shelf[string, *realm]
	standings *shelf[string, *standing] // by user
	hashes    chan struct{}
}

// hashesAtOnce bounds the memory that hashing passwords takes.
const hashesAtOnce = 2

// New makes an identity over an open database; it reads nothing yet.
func New(c Config) *Identity {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Announce == nil {
		c.Announce = func(string) error { return nil }
	}
	return &Identity{
		db: c.DB, log: c.Log, announce: c.Announce, occupied: c.Occupied, needs: c.Needs, clouds: c.Clouds, cloud: c.Cloud,
		key: newKeyring(c.DB, c.Key, c.KeyFile), standard: standardPolicies(),
		tokens: newShelf[string, rememberedToken](), strangers: newMemory[[hashSize]byte, struct{}](),
		reality: newMemory[struct{}, bool](), realms: newShelf[string, *realm](), standings: newShelf[string, *standing](), hashes: make(chan struct{}, hashesAtOnce),
	}
}

// Installation is this database's own identity. Generation grows with every start; the cloud's tags carry it, so that an old database is recognised.
type Installation struct {
	ID           string
	Generation   int64   // of the newest start, higher than all before; unlike that of any other start, even of a copy of this database
	Starts       []int64 `json:",omitempty"` // the newest generations, oldest first
	Organisation string  // the one made at the first start; its admin token governs the installation
	KeyMark      string  // tells the server key from another, and nothing else about it
	Wrapped      []byte  `json:",omitempty"` // the secret that all keys are derived from, under the server key; nil = it is the server key, which was never changed
	// Restored is when the backup was taken that this database came from; zero once a person has accepted it. Until then nothing may be touched.
	Restored time.Time `json:",omitzero"`
}

var installations = store.Collection[Installation]{Table: "installation", Noun: "installation"}

// self is the id of the only installation in a database.
const self = "self"

// Start counts this start and returns the installation. first is true on the very first start; then admin is the admin token, never to be seen again.
// It fails when the server key is not the one that this database's tokens were made with.
func (i *Identity) Start(ctx context.Context) (inst Installation, admin string, first bool, err error) {
	_, err = installations.Get(ctx, i.db, store.Installation(), self)
	switch {
	case err == nil:
		inst, err = i.restart(ctx)
		return inst, "", false, err
	case fault.Is(err, fault.NotFound):
		inst, admin, err = i.begin(ctx)
		if fault.Is(err, fault.Exists) { // another replica began first
			inst, err = i.restart(ctx)
			return inst, "", false, err
		}
		return inst, admin, err == nil, err
	}
	return Installation{}, "", false, err
}

// begin makes the installation, its organisation and its admin token.
func (i *Identity) begin(ctx context.Context) (inst Installation, admin string, err error) {
	key, err := i.key.make()
	if err != nil {
		return Installation{}, "", err
	}
	minted := mint()
	if err := i.announce(minted.text); err != nil {
		return Installation{}, "", err
	}
	err = i.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		organisation, err := i.CreateOrganisation(ctx, tx, "Neap")
		if err != nil {
			return err
		}
		doc, err := organisations.Get(ctx, tx, store.Installation(), organisation.ID)
		if err != nil {
			return err
		}
		if organisation, err = i.furnish(ctx, tx, doc); err != nil {
			return err
		}
		inst = Installation{ID: ident.UUID(), Organisation: organisation.ID, KeyMark: key.mark}
		inst.start()
		if _, err := installations.Insert(ctx, tx, store.Doc[Installation]{Meta: store.Meta{ID: self}, Value: inst}); err != nil {
			return err
		}
		_, err = i.keep(ctx, tx, key, minted, token{Token: Token{Name: adminName, User: organisation.Owner}, Organisation: organisation.ID, Admin: true})
		return err
	})
	return inst, minted.text, err
}

// restart counts one more start. Replicas that start together each get a generation of their own.
func (i *Identity) restart(ctx context.Context) (Installation, error) {
	key, err := i.key.load()
	if err != nil {
		return Installation{}, err
	}
	var inst Installation
	for {
		err = i.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			doc, err := installations.Get(ctx, tx, store.Installation(), self)
			if err != nil {
				return err
			}
			if doc.Value.KeyMark != key.mark {
				return fault.Of(fault.Conflict, "server key", "The server key is not the one that this database's tokens were made with. "+
					"Give Neap the key file that belongs to the database, or reset the admin token to go on with the new key; every older token is void then.")
			}
			doc.Value.start()
			inst = doc.Value
			if _, err = installations.Update(ctx, tx, doc); err != nil {
				return err
			}
			return i.furnishOld(ctx, tx, inst.Organisation)
		})
		if !fault.Is(err, fault.Conflict) || fault.As(err).Noun != installations.Noun {
			return inst, err
		}
	}
}

// furnishOld gives the organisation of an older release what each one has now.
func (i *Identity) furnishOld(ctx context.Context, tx *store.Tx, organisation string) error {
	doc, err := organisations.Get(ctx, tx, store.Installation(), organisation)
	if err != nil || doc.Value.Owner != "" && doc.Value.Everyone != "" {
		return err
	}
	_, err = i.furnish(ctx, tx, doc)
	return err
}

// ResetAdmin replaces the admin token, for when it is lost: every older admin token is void at once, here, and elsewhere within a second. With a new server key
// it makes that key the database's own.
func (i *Identity) ResetAdmin(ctx context.Context) (admin string, err error) {
	key, err := i.key.make()
	if err != nil {
		return "", err
	}
	minted := mint()
	if err := i.announce(minted.text); err != nil {
		return "", err
	}
	err = i.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		doc, err := installations.Get(ctx, tx, store.Installation(), self)
		if err != nil {
			return err
		}
		if err := organisations.Touch(ctx, tx, store.Installation(), doc.Value.Organisation); err != nil {
			return err
		}
		of, err := organisations.Get(ctx, tx, store.Installation(), doc.Value.Organisation)
		if err != nil {
			return err
		}
		held, err := activeTokens(ctx, tx, of.ID)
		if err != nil {
			return err
		}
		for _, t := range held {
			if t.Value.Admin {
				if err := i.revoke(ctx, tx, t); err != nil {
					return err
				}
			}
		}
		if doc.Value.KeyMark != key.mark {
			doc.Value.KeyMark, doc.Value.Wrapped = key.mark, nil
			if _, err := installations.Update(ctx, tx, doc); err != nil {
				return err
			}
		}
		_, err = i.keep(ctx, tx, key, minted, token{Token: Token{Name: adminName, User: of.Value.Owner}, Organisation: of.ID, Admin: true})
		return err
	})
	if err != nil {
		return "", err
	}
	return minted.text, nil
}

// today is wall time.
func today() time.Time { return time.Now().UTC() }

var _ op.Authenticator = (*Identity)(nil)
