package identity

import (
	"context"
	"crypto/rand"
	"math/big"
	"regexp"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

// Organisation is a tenant: nothing of it is ever visible to another one. The version of its document is the revision of all that identity knows of it: each
// change of its users, groups, policies, accounts and tokens raises it, so that one indexed read tells whether what is remembered still holds.
type Organisation struct {
	ID      string // 12 decimal digits
	Name    string
	Default string // account for requests that name none: the first one made; "" = none yet
	Parent  string `json:",omitempty"` // the organisation that made it, whose administrators may make tokens for its owner; "" = none
	Owner   string `json:",omitempty"` // user who cannot be deleted
	// Everyone is the group that every user is in without being put there; accounts that name no group of their own belong to it.
	Everyone string    `json:",omitempty"`
	Count    int       `json:",omitempty"` // of users and tokens ever made: their numbers, for wire formats that want integers
	Closed   time.Time `json:",omitzero"`  // from then on nothing is changed any more
}

var (
	organisations = store.Collection[Organisation]{Table: "organisations", Noun: "organisation"}
	notInSlug     = regexp.MustCompile(`[^a-z0-9]+`)
)

// Slug is the organisation's name as a host's label writes it, with digits of its id, so that no two have the same: "acme-4711".
func (o Organisation) Slug() string {
	return strings.Trim(notInSlug.ReplaceAllString(strings.ToLower(o.Name+" "+o.ID[len(o.ID)-4:]), "-"), "-")
}

// CreateOrganisation makes a tenant without accounts, users or tokens.
func (i *Identity) CreateOrganisation(ctx context.Context, tx *store.Tx, name string) (Organisation, error) {
	return i.createOrganisation(ctx, tx, Organisation{Name: name})
}

func (i *Identity) createOrganisation(ctx context.Context, tx *store.Tx, made Organisation) (Organisation, error) {
	if err := checkName("organization.name", made.Name); err != nil {
		return Organisation{}, err
	}
	for {
		id, err := rand.Int(rand.Reader, big.NewInt(900_000_000_000))
		if err != nil {
			return Organisation{}, err
		}
		made.ID = id.Add(id, big.NewInt(100_000_000_000)).String()
		_, err = organisations.Insert(ctx, tx, store.Doc[Organisation]{Meta: store.Meta{ID: made.ID, Name: made.Name, Parent: made.Parent}, Value: made})
		if !fault.Is(err, fault.Exists) {
			return made, err
		}
	}
}

// AddOrganisation makes a child of an organisation, with an owner: a robot of the name "owner", for whom administrators of the parent make the first token.
func (i *Identity) AddOrganisation(ctx context.Context, parent, name string) (made Organisation, err error) {
	err = i.govern(ctx, parent, func(ctx context.Context, tx *store.Tx, _ *realm) error {
		if made, err = i.createOrganisation(ctx, tx, Organisation{Name: name, Parent: parent}); err != nil {
			return err
		}
		doc, err := organisations.Get(ctx, tx, store.Installation(), made.ID)
		if err != nil {
			return err
		}
		made, err = i.furnish(ctx, tx, doc)
		op.CallOf(ctx).Object = made.ID // for the audit entry of this very transaction
		return err
	})
	return made, err
}

// furnish gives an organisation what each one has: an owner, and the group of everyone.
func (i *Identity) furnish(ctx context.Context, tx *store.Tx, doc store.Doc[Organisation]) (Organisation, error) {
	o := &doc.Value
	if o.Owner == "" {
		o.Count++
		owner, err := insertUser(ctx, tx, User{Organisation: o.ID, Program: true, Name: ownerName, Role: Admin, Number: o.Count})
		if err != nil {
			return Organisation{}, err
		}
		o.Owner = owner.ID
	}
	if o.Everyone == "" {
		everyone, err := insertGroup(ctx, tx, Group{Organisation: o.ID, Name: everyoneName})
		if err != nil {
			return Organisation{}, err
		}
		o.Everyone = everyone.ID
	}
	doc, err := organisations.Update(ctx, tx, doc)
	return doc.Value, err
}

const (
	ownerName    = "owner"
	everyoneName = "Organization"
)

// Organisation finds an organisation by its id; fault.NotFound when there is none. Authorise first.
func (i *Identity) Organisation(ctx context.Context, id string) (Organisation, error) {
	doc, err := organisations.Get(ctx, i.db, store.Installation(), id)
	return doc.Value, err
}

// CloseOrganisation ends an organisation that is the caller's own or a child of it: its tokens but those of the owner are void, and nothing in it can be changed
// any more. fault.Conflict while something runs in one of its accounts, and for the one that governs the installation; fault.NotFound for anybody else's.
func (i *Identity) CloseOrganisation(ctx context.Context, caller, id string) (closed Organisation, err error) {
	of, err := i.Organisation(ctx, id)
	if err != nil || id != caller && of.Parent != caller {
		return Organisation{}, fault.Missing(organisations.Noun, id)
	}
	inst, err := i.Installation(ctx)
	if err != nil {
		return Organisation{}, err
	}
	if inst.Organisation == id {
		return Organisation{}, fault.Of(fault.Conflict, organisations.Noun, "Organisation %s governs this installation and cannot be deleted.", id)
	}
	err = i.govern(ctx, id, func(ctx context.Context, tx *store.Tx, r *realm) error {
		for _, a := range r.accounts {
			if err := i.vacant(ctx, a.ID); err != nil {
				return err
			}
		}
		held, err := activeTokens(ctx, tx, id)
		if err != nil {
			return err
		}
		for _, t := range held {
			if i.holder(r, t.Value) == r.organisation.Value.Owner {
				continue
			}
			if err := i.revoke(ctx, tx, t); err != nil {
				return err
			}
		}
		r.organisation.Value.Closed = today()
		r.organisation, err = organisations.Update(ctx, tx, r.organisation)
		closed = r.organisation.Value
		return err
	})
	return closed, err
}

// govern runs a change of an organisation: alone, on all that identity knows of it, and so that everybody's next request sees it.
func (i *Identity) govern(ctx context.Context, organisation string, change func(ctx context.Context, tx *store.Tx, r *realm) error) error {
	work := func(ctx context.Context, tx *store.Tx) error {
		if err := organisations.Touch(ctx, tx, store.Installation(), organisation); err != nil {
			return err
		}
		r, err := i.readRealm(ctx, tx, organisation, nil)
		if err != nil {
			return err
		}
		if !r.organisation.Value.Closed.IsZero() {
			return fault.Of(fault.Denied, organisations.Noun, "Organisation %s is closed; nothing in it can be changed.", organisation)
		}
		return change(ctx, tx, r)
	}
	for attempt := 1; ; attempt++ {
		err := i.db.Tx(ctx, work)
		// The last use of a token is noted without waiting for anybody.
		if !fault.Is(err, fault.Conflict) || fault.As(err).Noun != tokens.Noun || fault.As(err).Field != "" || attempt == 3 {
			return err
		}
	}
}

// number is the next of an organisation's integers.
func (r *realm) number(ctx context.Context, tx *store.Tx) (n int, err error) {
	r.organisation.Value.Count++
	r.organisation, err = organisations.Update(ctx, tx, r.organisation)
	return r.organisation.Value.Count, err
}
