package identity

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

// Account is one cloud account of an organisation.
type Account struct {
	ID           string // "act-…"
	Organisation string
	Name         string
	Cloud        string // "sim", "aws"
	Provider     string // wire family: "AWS"
	ExternalID   string // the cloud's own account id
	// Teams are the groups that it belongs to; none = the one of everyone. Users whose role says so have rights in the accounts of their teams.
	Teams    []string  `json:",omitempty"`
	Region   string    `json:",omitempty"` // where its users begin
	Reserved float64   `json:",omitempty"` // percentage of reserved instances that may be used up before spot
	Created  time.Time `json:",omitzero"`
	// Settings are what clients keep with an account and Neap does not act on.
	Settings map[string]json.RawMessage `json:",omitempty"`
}

var (
	// accounts have their organisation as Parent, and themselves as account.
	accounts = store.Collection[Account]{Table: "accounts", Noun: "account"}

	accountForm = regexp.MustCompile(`^act-[0-9a-f]{8}$`)
)

// AddAccount adds an account to an organisation; the first is its default. Unless it says otherwise it is in the cloud of accounts that are made.
func (i *Identity) AddAccount(ctx context.Context, a Account) (made Account, err error) {
	a.Cloud = cmp.Or(a.Cloud, i.cloud)
	err = i.govern(ctx, a.Organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		a.Cloud = cmp.Or(a.Cloud, i.cloud)
		if err := r.checkAccount(a); err != nil {
			return err
		}
		made, err = i.CreateAccount(ctx, tx, a)
		acted(ctx, made.ID)
		return err
	})
	return made, err
}

// CreateAccount is AddAccount within a transaction. An id is made unless one is given (fault.Exists when that is taken).
func (i *Identity) CreateAccount(ctx context.Context, tx *store.Tx, a Account) (Account, error) {
	if err := checkName("account.name", a.Name); err != nil {
		return Account{}, err
	}
	if a.ID != "" && !accountForm.MatchString(a.ID) {
		return Account{}, fault.Field("account.accountId", "An account id is \"act-\" and 8 hex digits, not %.40q.", a.ID)
	}
	if err := organisations.Touch(ctx, tx, store.Installation(), a.Organisation); err != nil {
		return Account{}, err
	}
	owner, err := organisations.Get(ctx, tx, store.Installation(), a.Organisation)
	if err != nil {
		return Account{}, err
	}
	made, err := insertAccount(ctx, tx, a)
	if err != nil || owner.Value.Default != "" {
		return made, err
	}
	owner.Value.Default = made.ID
	_, err = organisations.Update(ctx, tx, owner)
	return made, err
}

func insertAccount(ctx context.Context, tx *store.Tx, a Account) (Account, error) {
	made := a
	made.Created = today()
	for {
		if a.ID == "" {
			made.ID = ident.New("act")
		}
		_, err := accounts.Insert(ctx, tx, store.Doc[Account]{
			Meta: store.Meta{ID: made.ID, Account: made.ID, Parent: made.Organisation, Name: made.Name}, Value: made,
		})
		if a.ID != "" || !fault.Is(err, fault.Exists) {
			return made, err
		}
	}
}

// FirstAccount makes an organisation's first account, or finds it when it has one: of replicas that start together, one makes it.
func (i *Identity) FirstAccount(ctx context.Context, tx *store.Tx, a Account) (first Account, made bool, err error) {
	owner, err := organisations.Get(ctx, tx, store.Installation(), a.Organisation)
	if err != nil {
		return Account{}, false, err
	}
	if owner.Value.Default == "" {
		first, err = i.CreateAccount(ctx, tx, a)
		return first, err == nil, err
	}
	doc, err := accounts.Get(ctx, tx, store.Account(owner.Value.Default), owner.Value.Default)
	return doc.Value, false, err
}

// Account finds an account by id, whosever it is: authorise first. fault.NotFound when there is none.
func (i *Identity) Account(ctx context.Context, id string) (Account, error) {
	doc, err := accounts.Get(ctx, i.db, store.Account(id), id)
	return doc.Value, err
}

// Accounts are an organisation's accounts, oldest first.
func (i *Identity) Accounts(ctx context.Context, organisation string) ([]Account, error) {
	if organisation == "" {
		return nil, nil
	}
	docs, _, err := accounts.List(ctx, i.db, store.Installation(), store.Query{Parent: organisation})
	if err != nil {
		return nil, err
	}
	list := make([]Account, len(docs))
	for n, doc := range docs {
		list[n] = doc.Value
	}
	return list, nil
}

// UpdateAccount changes an account; change is given it as it is, and may be called again.
func (i *Identity) UpdateAccount(ctx context.Context, organisation, id string, change func(a *Account) error) (changed Account, err error) {
	err = i.govern(ctx, organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		changed, err = i.changeAccount(ctx, tx, r, id, change)
		return err
	})
	if err == nil && len(changed.Settings) > 0 {
		i.log.WarnContext(ctx, "settings of an account are kept, and nothing acts on them yet", "account", id, "settings", slices.Sorted(maps.Keys(changed.Settings)))
	}
	return changed, err
}

func (i *Identity) changeAccount(ctx context.Context, tx *store.Tx, r *realm, id string, change func(a *Account) error) (Account, error) {
	doc, err := accounts.Get(ctx, tx, store.Account(id), id)
	if err != nil || doc.Value.Organisation != r.organisation.ID {
		return Account{}, fault.Missing(accounts.Noun, id)
	}
	if err := change(&doc.Value); err != nil {
		return Account{}, err
	}
	doc.Value.ID, doc.Value.Organisation = doc.ID, r.organisation.ID
	if err := r.checkAccount(doc.Value); err != nil {
		return Account{}, err
	}
	doc.Name = doc.Value.Name
	doc, err = accounts.Update(ctx, tx, doc)
	return doc.Value, err
}

// checkAccount holds an account to the rules.
func (r *realm) checkAccount(a Account) error {
	if err := checkName("account.name", a.Name); err != nil {
		return err
	}
	for _, other := range r.accounts {
		if other.ID != a.ID && other.Name == a.Name {
			return existing("account.name", "There is an account %q already; choose another name.", a.Name)
		}
	}
	for _, id := range a.Teams {
		if _, known := r.group(id); !known {
			return fault.Field("teams", "there is no team %.40q", id)
		}
	}
	if a.Reserved < 0 || a.Reserved > 100 {
		return fault.Field("maxRIPercentageToUse", "must be between 0 and 100, not %g", a.Reserved)
	}
	return nil
}

// DeleteAccount ends an account with its credentials and whatever maps to it. fault.Conflict for the organisation's default one, and while something runs in it.
func (i *Identity) DeleteAccount(ctx context.Context, organisation, id string) error {
	return i.govern(ctx, organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		if _, own := r.account(id); !own {
			return fault.Missing(accounts.Noun, id)
		}
		if id == r.organisation.Value.Default {
			return fault.Of(fault.Conflict, "default account", "Account %s is the organisation's default account and cannot be deleted.", id)
		}
		if err := i.vacant(ctx, id); err != nil {
			return err
		}
		err := i.unmap(ctx, tx, r, id, func(m Mapping) (Mapping, bool) {
			were := len(m.Accounts)
			m.Accounts = without(m.Accounts, id)
			return m, len(m.Accounts) > 0 || were == 0
		})
		if err != nil {
			return err
		}
		if err := credentials.Delete(ctx, tx, store.Account(id), id); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		return accounts.Delete(ctx, tx, store.Account(id), id)
	})
}

// vacant is fault.Conflict while something runs in an account.
func (i *Identity) vacant(ctx context.Context, account string) error {
	if i.occupied == nil {
		return nil
	}
	what, err := i.occupied(ctx, account)
	if err == nil && what != "" {
		err = fault.Of(fault.Conflict, accounts.Noun, "Account %s still has %s; delete that first.", account, what)
	}
	return err
}

// Visible are the accounts of an organisation in which somebody may do anything at all, oldest first.
func (i *Identity) Visible(ctx context.Context, caller op.Caller) ([]Account, error) {
	list, err := i.Accounts(ctx, caller.Organisation)
	return slices.DeleteFunc(list, func(a Account) bool {
		if caller.Rights == nil {
			return true
		}
		err := caller.Rights.Authorize(op.Deed{Need: "setup:describeAccount", Account: a.ID, Reads: true, Object: op.Object{ID: a.ID}})
		return err != nil && fault.As(err).Noun == accounts.Noun // without this right one may have others there
	}), err
}
