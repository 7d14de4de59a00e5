// Package identity knows who may do what.
//
// It owns organisations, accounts, tokens and the installation's own identity. It must not know any wire format. Start reading at Identity; a request
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
	Log      *slog.Logger
}

// Identity answers from memory where a request waits for it. Safe for concurrent use.
type Identity struct {
	db            *store.DB
	log           *slog.Logger
	announce      func(string) error
	key           *keyring
	tokens        *memory[[hashSize]byte, token]
	strangers     *memory[[hashSize]byte, struct{}] // hashes that are no token; apart, so that a flood of them displaces no token
	organisations *memory[string, membership]
}

// New makes an identity over an open database; it reads nothing yet.
func New(c Config) *Identity {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Announce == nil {
		c.Announce = func(string) error { return nil }
	}
	return &Identity{
		db: c.DB, log: c.Log, announce: c.Announce, key: newKeyring(c.Key, c.KeyFile),
		tokens: newMemory[[hashSize]byte, token](), strangers: newMemory[[hashSize]byte, struct{}](), organisations: newMemory[string, membership](),
	}
}

// Installation is this database's own identity. Generation grows with every start; the cloud's tags carry it, so that an old database is recognised.
type Installation struct {
	ID           string
	Generation   int64   // of the newest start, higher than all before; unlike that of any other start, even of a copy of this database
	Starts       []int64 `json:",omitempty"` // the newest generations, oldest first
	Organisation string  // the one made at the first start; its admin token governs the installation
	KeyMark      string  // tells the server key that tokens are hashed with from another, and nothing else about it
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
		inst = Installation{ID: ident.UUID(), Organisation: organisation.ID, KeyMark: key.mark}
		inst.start()
		if _, err := installations.Insert(ctx, tx, store.Doc[Installation]{Meta: store.Meta{ID: self}, Value: inst}); err != nil {
			return err
		}
		_, err = i.keep(ctx, tx, key, minted, token{Token: Token{Name: adminName}, Organisation: organisation.ID, Admin: true})
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
			_, err = installations.Update(ctx, tx, doc)
			return err
		})
		if !fault.Is(err, fault.Conflict) || fault.As(err).Noun != installations.Noun {
			return inst, err
		}
	}
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
		held, _, err := tokens.List(ctx, tx, store.Installation(), store.Query{Parent: doc.Value.Organisation, States: []string{active}})
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
			doc.Value.KeyMark = key.mark
			if _, err := installations.Update(ctx, tx, doc); err != nil {
				return err
			}
		}
		_, err = i.keep(ctx, tx, key, minted, token{Token: Token{Name: adminName}, Organisation: doc.Value.Organisation, Admin: true})
		return err
	})
	if err != nil {
		return "", err
	}
	return minted.text, nil
}

// today is wall time.
func today() time.Time { return time.Now().UTC() }

var _ op.Authorizer = (*Identity)(nil)
