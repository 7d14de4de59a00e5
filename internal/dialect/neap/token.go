package neap

import (
	"context"
	"encoding/json"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

// token shows a token without its secret; Secret is there once, in the answer to its creation.
type token struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	User    string     `json:"user"`
	Kind    string     `json:"kind"` // "bearer", "key", "refresh" or "vendor"
	Last    string     `json:"lastCharacters"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
	Used    *time.Time `json:"used,omitempty"` // to the hour
	Secret  string     `json:"secret,omitempty"`
}

func fromToken(t identity.Token) token {
	kind := string(t.Kind)
	if t.Kind == identity.Bearer {
		kind = "bearer"
	}
	return token{ID: t.ID, Name: t.Name, User: t.User, Kind: kind, Last: t.Last, Created: t.Created, Expires: known(t.Expires), Used: known(t.Used)}
}

func known(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

func (d Deps) tokenRows() []op.Row {
	return []op.Row{
		{ID: "tokens.create", Route: "POST /neap/v1/tokens", Need: "neap:createToken", Title: "Create a token", NoAccount: true, Mutates: true, Do: op.Func(d.createToken)},
		{ID: "tokens.list", Route: "GET /neap/v1/tokens", Need: "neap:listTokens", Title: "List tokens", NoAccount: true, Do: op.Func(d.tokens)},
		{ID: "tokens.revoke", Route: "DELETE /neap/v1/tokens/{tokenId}", Need: "neap:revokeToken", Title: "Revoke a token", NoAccount: true, Mutates: true, Do: op.Func(d.revokeToken)},
		{ID: "signIn", Route: "POST /neap/v1/sign-in", Need: "neap:signIn", Title: "Trade an e-mail address and a password for a token", NoAccount: true, Open: true, Mutates: true, Do: op.Func(d.signIn)},
	}
}

// kinds says which kind of token each dialect's clients carry.
func kinds() map[string]identity.Kind {
	return map[string]identity.Kind{
		"": identity.Bearer, "spot": identity.Bearer, "compose": identity.Bearer, "mapsor": identity.Bearer, "launch": identity.Bearer,
		"cmpute": identity.AccessKey, "vendor": identity.Vendor,
	}
}

func (d Deps) createToken(ctx context.Context, in withBody) (token, error) {
	var asked struct {
		Name         string    `json:"name"`
		For          string    `json:"for"`
		User         string    `json:"user"`         // another user's, for administrators
		Organisation string    `json:"organisation"` // a child of the caller's: a token of its owner
		Expires      time.Time `json:"expires"`
	}
	if err := json.Unmarshal(in.Body, &asked); err != nil || asked.Name == "" {
		return token{}, fault.Field("name", "Give the token a name, so that it can be told from others: {\"name\": \"ci\"}. A time in expires is written like 2027-01-31T00:00:00Z.")
	}
	kind, is := kinds()[asked.For]
	if !is {
		return token{}, fault.Field("for", "must be spot, cmpute, compose, mapsor, launch or vendor, not %.40q", asked.For)
	}
	caller := op.CallOf(ctx).Caller
	user := caller.Subject
	if asked.User != "" && asked.User != user || asked.Organisation != "" || kind == identity.Vendor {
		if err := caller.Rights.Authorize(op.Deed{Need: "setup:createToken"}); err != nil {
			return token{}, err
		}
	}
	if asked.User != "" {
		user = asked.User
	}
	organisation := caller.Organisation
	if asked.Organisation != "" && asked.Organisation != organisation {
		child, err := d.Identity.Organisation(ctx, asked.Organisation)
		if err != nil || child.Parent != organisation {
			return token{}, fault.Missing("organisation", asked.Organisation)
		}
		organisation, user = child.ID, child.Owner
	}
	secret, t, err := d.Identity.CreateToken(ctx, organisation, identity.NewToken{User: user, Name: asked.Name, Kind: kind, Expires: asked.Expires})
	out := fromToken(t)
	out.Secret = secret
	return out, err
}

// everybodys reports whether the caller may see and end the tokens of all users.
func everybodys(caller op.Caller, need string, reads bool) bool {
	return caller.Rights.Authorize(op.Deed{Need: need, Reads: reads}) == nil
}

func (d Deps) tokens(ctx context.Context, _ nothing) (page[token], error) {
	caller := op.CallOf(ctx).Caller
	list, err := d.Identity.Tokens(ctx, caller.Organisation)
	all := everybodys(caller, "setup:describeTokens", true)
	items := make([]token, 0, len(list))
	for _, t := range list {
		if all || t.User == caller.Subject {
			items = append(items, fromToken(t))
		}
	}
	return page[token]{Items: items}, err
}

type oneToken struct {
	ID string `path:"tokenId"`
}

func (d Deps) revokeToken(ctx context.Context, in oneToken) (nothing, error) {
	caller := op.CallOf(ctx).Caller
	owner := caller.Subject
	if everybodys(caller, "setup:revokeToken", false) {
		owner = ""
	}
	return nothing{}, d.Identity.RevokeToken(ctx, caller.Organisation, owner, in.ID)
}

func (d Deps) signIn(ctx context.Context, in withBody) (token, error) {
	var given struct {
		Email    string `json:"email"`
		Password string `json:"password"`
	}
	if err := json.Unmarshal(in.Body, &given); err != nil || given.Email == "" || given.Password == "" {
		return token{}, fault.Field("email", "Send an e-mail address and a password: {\"email\": \"ada@example.com\", \"password\": \"…\"}.")
	}
	secret, t, err := d.Identity.SignIn(ctx, given.Email, given.Password)
	out := fromToken(t)
	out.Secret = secret
	return out, err
}
