package compose

import (
	"context"
	"encoding/json"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

// account is an organisation on the wire.
type account struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Slug string `json:"slug"`
}

func fromOrganisation(o identity.Organisation) account {
	return account{ID(o.ID), o.Name, o.Slug()}
}

// user is a user on the wire.
type user struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func fromUser(u identity.User) user { return user{ID(u.ID), u.Name} }

type inAccount struct {
	ID string `path:"id"`
}

// own is the caller's account, if that is the one in the path: there is no other one for anybody.
func (in inAccount) own(ctx context.Context) (organisation string, err error) {
	organisation = op.CallOf(ctx).Caller.Organisation
	if named, is := ourID(in.ID, organisations); !is || named != organisation {
		return "", fault.Missing("account", in.ID)
	}
	return organisation, nil
}

func (d Deps) accounts(ctx context.Context, _ nothing) (collection[account], error) {
	of, err := d.Identity.Organisation(ctx, op.CallOf(ctx).Caller.Organisation)
	return listed("accounts", []account{fromOrganisation(of)}), err
}

func (d Deps) close(ctx context.Context, in inAccount) (account, error) {
	organisation, err := in.own(ctx)
	if err != nil {
		return account{}, err
	}
	op.CallOf(ctx).Object = organisation
	closed, err := d.Identity.CloseOrganisation(ctx, organisation, organisation)
	if err != nil {
		return account{}, err
	}
	return fromOrganisation(closed), nil
}

type newUser struct {
	inAccount
	Body op.Document
}

func (d Deps) createUser(ctx context.Context, in newUser) (user, error) {
	organisation, err := in.own(ctx)
	if err != nil {
		return user{}, err
	}
	var asked struct{ Name, Email, Phone string }
	if err := json.Unmarshal(in.Body, &asked); err != nil {
		return user{}, err
	}
	made, _, err := d.Identity.CreateUser(ctx, identity.NewUser{User: identity.User{Organisation: organisation, Name: asked.Name, Email: asked.Email, Phone: asked.Phone}})
	if err != nil {
		return user{}, err
	}
	return fromUser(made), nil
}

func (d Deps) users(ctx context.Context, in inAccount) (collection[user], error) {
	organisation, err := in.own(ctx)
	if err != nil {
		return collection[user]{}, err
	}
	list, err := d.Identity.Users(ctx, organisation)
	var shown []user
	for _, u := range list {
		if op.CallOf(ctx).Sees(op.Object{ID: u.ID}) {
			shown = append(shown, fromUser(u))
		}
	}
	return listed("users", shown), err
}

type oneUser struct {
	inAccount
	User string `path:"user_id"`
}

func (d Deps) deleteUser(ctx context.Context, in oneUser) (user, error) {
	organisation, err := in.own(ctx)
	if err != nil {
		return user{}, err
	}
	id, is := ourID(in.User, people, programs)
	if !is {
		return user{}, fault.Missing("user", in.User)
	}
	if err := on(ctx, id); err != nil {
		return user{}, err
	}
	gone, err := d.Identity.DeleteUser(ctx, organisation, id)
	if err != nil {
		return user{}, err
	}
	return fromUser(gone), nil
}

func (d Deps) self(ctx context.Context, _ nothing) (user, error) {
	caller := op.CallOf(ctx).Caller
	u, err := d.Identity.User(ctx, caller.Organisation, caller.Subject)
	return fromUser(u), err
}
