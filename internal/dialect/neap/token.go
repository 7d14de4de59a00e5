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
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Last    string    `json:"lastCharacters"`
	Created time.Time `json:"created"`
	Secret  string    `json:"secret,omitempty"`
}

func fromToken(t identity.Token) token {
	return token{ID: t.ID, Name: t.Name, Last: t.Last, Created: t.Created}
}

type createToken struct {
	Body op.Document
}

func (d Deps) createToken(ctx context.Context, in createToken) (token, error) {
	var asked struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(in.Body, &asked); err != nil || asked.Name == "" {
		return token{}, fault.Field("name", "Give the token a name, so that it can be told from others: {\"name\": \"ci\"}.")
	}
	secret, t, err := d.Identity.CreateToken(ctx, op.CallOf(ctx).Caller.Organisation, asked.Name)
	out := fromToken(t)
	out.Secret = secret
	return out, err
}

func (d Deps) tokens(ctx context.Context, _ nothing) (page[token], error) {
	list, err := d.Identity.Tokens(ctx, op.CallOf(ctx).Caller.Organisation)
	items := make([]token, 0, len(list))
	for _, t := range list {
		items = append(items, fromToken(t))
	}
	return page[token]{Items: items}, err
}

type oneToken struct {
	ID string `path:"tokenId"`
}

func (d Deps) revokeToken(ctx context.Context, in oneToken) (nothing, error) {
	return nothing{}, d.Identity.RevokeToken(ctx, op.CallOf(ctx).Caller.Organisation, in.ID)
}
