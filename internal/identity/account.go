package identity

import (
	"context"
	"crypto/rand"
	"math/big"
	"regexp"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
)

// Organisation is a tenant: whoever has its token has all of its accounts, and no other's.
type Organisation struct {
	ID      string // 12 decimal digits
	Name    string
	Default string // account for requests that name none: the first one made; "" = none yet
}

// Account is one cloud account of an organisation.
type Account struct {
	ID           string // "act-…"
	Organisation string
	Name         string
	Cloud        string // "sim", "aws"
	Provider     string // wire family: "AWS"
	ExternalID   string // the cloud's own account id
}

var (
	organisations = store.Collection[Organisation]{Table: "organisations", Noun: "organisation"}
	// accounts have their organisation as Parent, and themselves as account.
	accounts = store.Collection[Account]{Table: "accounts", Noun: "account"}

	accountForm = regexp.MustCompile(`^act-[0-9a-f]{8}$`)
)

// CreateOrganisation makes a tenant without accounts or tokens.
func (i *Identity) CreateOrganisation(ctx context.Context, tx *store.Tx, name string) (Organisation, error) {
	if err := checkName("organization.name", name); err != nil {
		return Organisation{}, err
	}
	for {
		id, err := rand.Int(rand.Reader, big.NewInt(900_000_000_000))
		if err != nil {
			return Organisation{}, err
		}
		made := Organisation{ID: id.Add(id, big.NewInt(100_000_000_000)).String(), Name: name}
		_, err = organisations.Insert(ctx, tx, store.Doc[Organisation]{Meta: store.Meta{ID: made.ID, Name: name}, Value: made})
		if !fault.Is(err, fault.Exists) {
			return made, err
		}
	}
}

// CreateAccount adds an account to an organisation; the first is its default. An id is made unless one is given (fault.Exists when that is taken).
func (i *Identity) CreateAccount(ctx context.Context, tx *store.Tx, a Account) (Account, error) {
	if err := checkName("account.name", a.Name); err != nil {
		return Account{}, err
	}
	if a.ID != "" && !accountForm.MatchString(a.ID) {
		return Account{}, fault.Field("account.accountId", "An account id is \"act-\" and 8 hex digits, not %.40q.", a.ID)
	}
	owner, err := organisations.Get(ctx, tx, store.Installation(), a.Organisation)
	if err != nil {
		return Account{}, err
	}
	made, err := insertAccount(ctx, tx, a)
	if err != nil {
		return Account{}, err
	}
	tx.AfterCommit(i.organisations.forget)
	if owner.Value.Default != "" {
		return made, nil
	}
	owner.Value.Default = made.ID
	_, err = organisations.Update(ctx, tx, owner)
	return made, err
}

func insertAccount(ctx context.Context, tx *store.Tx, a Account) (Account, error) {
	made := a
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

// membership is what a request needs to know of an organisation.
type membership struct {
	accounts map[string]bool
	standard string // the default account
}

// membership answers from memory within a second of the last look-up.
func (i *Identity) membership(ctx context.Context, organisation string) (membership, error) {
	of, found, epoch := i.organisations.get(organisation)
	if found {
		return of, nil
	}
	doc, err := organisations.Get(ctx, i.db, store.Installation(), organisation)
	if err != nil {
		return membership{}, err
	}
	list, err := i.Accounts(ctx, organisation)
	if err != nil {
		return membership{}, err
	}
	of = membership{accounts: make(map[string]bool, len(list)), standard: doc.Value.Default}
	for _, a := range list {
		of.accounts[a.ID] = true
	}
	i.organisations.put(organisation, of, epoch)
	return of, nil
}
