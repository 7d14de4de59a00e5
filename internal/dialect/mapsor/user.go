package mapsor

import (
	"context"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

// tokenName tells the token that this API gave to a user from those made elsewhere.
const tokenName = "mapsor"

// given is a token's text, on its only appearance.
type given struct {
	Token   string `json:"token"`
	Message string `json:"message"`
}

func givenOnce(secret string, err error) (given, error) {
	return given{secret, "Keep this token: it is not shown again."}, err
}

type named struct {
	Body op.Document
}

// name is the user's in the body, which the schema was held to.
func (in named) name() (string, error) {
	body, err := membersOf(in.Body)
	return body.text("user"), err
}

type newUser struct {
	named
	Role string `query:"role" enum:"admin,operator,monitor" default:"operator" doc:"Role of the user"`
}

func (d Deps) add(ctx context.Context, in newUser) (given, error) {
	name, err := in.name()
	if err != nil {
		return given{}, err
	}
	_, secret, err := d.Identity.CreateUser(ctx, identity.NewUser{Token: tokenName, User: identity.User{
		Organisation: op.CallOf(ctx).Caller.Organisation, Program: true, Name: name, Role: identity.Role(in.Role),
	}})
	return givenOnce(secret, err)
}

// find is the programmatic user of the name in the body: this API's users are those, whoever made them.
func (d Deps) find(ctx context.Context, in named) (identity.User, error) {
	name, err := in.name()
	if err != nil {
		return identity.User{}, err
	}
	call := op.CallOf(ctx)
	u, err := d.Identity.FindUser(ctx, call.Caller.Organisation, name, func(u identity.User) bool { return u.Program && u.Name == name })
	if err != nil {
		return identity.User{}, err
	}
	if call.Object = u.ID; !call.Sees(op.Object{ID: u.ID}) {
		return identity.User{}, fault.Of(fault.Denied, "action", "You have no right to %s on user %s; a policy of yours says so.", call.Row.Need, name)
	}
	return u, nil
}

func (d Deps) regenerate(ctx context.Context, in named) (given, error) {
	u, err := d.find(ctx, in)
	if err != nil {
		return given{}, err
	}
	secret, _, err := d.Identity.ReplaceTokens(ctx, u.Organisation, identity.NewToken{User: u.ID, Name: tokenName})
	return givenOnce(secret, err)
}

func (d Deps) enable(ctx context.Context, in named) (outcome, error) { return d.turn(ctx, in, false) }

func (d Deps) disable(ctx context.Context, in named) (outcome, error) { return d.turn(ctx, in, true) }

func (d Deps) turn(ctx context.Context, in named, disabled bool) (outcome, error) {
	u, err := d.find(ctx, in)
	if err != nil {
		return outcome{}, err
	}
	_, err = d.Identity.UpdateUser(ctx, u.Organisation, u.ID, func(u *identity.User) error {
		u.Disabled = disabled
		return nil
	})
	return outcome{}, err
}
