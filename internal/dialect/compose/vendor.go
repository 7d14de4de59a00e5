package compose

import (
	"context"
	"encoding/json"
	"time"

	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

// trade is what a vendor gets.
type trade struct {
	Refresh string    `json:"refresh_token,omitempty"`
	Token   string    `json:"token"`
	Expires time.Time `json:"expires_at"`
}

func fromTrade(t identity.Trade, err error) (trade, error) {
	return trade{t.Refresh, t.Bearer, t.Expires}, err
}

type vendorBody struct {
	Body op.Document
}

// member is a text in the body. What is missing, or is no text, is a wrong credential like any other: what answers it must not tell the difference.
func (in vendorBody) member(name string) (text string) {
	var members map[string]json.RawMessage
	if len(in.Body) == 0 || json.Unmarshal(in.Body, &members) != nil || json.Unmarshal(members[name], &text) != nil {
		return ""
	}
	return text
}

func (d Deps) createRefreshToken(ctx context.Context, in vendorBody) (trade, error) {
	return fromTrade(d.Identity.TradeToken(ctx, op.CallOf(ctx).Credential, in.member("client_id"), in.member("client_secret")))
}

func (d Deps) createAccessToken(ctx context.Context, in vendorBody) (trade, error) {
	return fromTrade(d.Identity.RefreshToken(ctx, in.member("refresh_token"), in.member("client_id"), in.member("client_secret")))
}
