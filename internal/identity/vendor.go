package identity

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

const (
	// bearerLasts is how long a bearer that a refresh token was traded for is good.
	bearerLasts = time.Hour
	// signInLasts is how long one is signed in.
	signInLasts = 24 * time.Hour
	// leastRefusal is how long every refusal to a vendor takes at least, so that its time does not tell what was wrong.
	leastRefusal = 50 * time.Millisecond
)

// Trade is what a vendor gets.
type Trade struct {
	Refresh string // secret; "" = the one that was traded
	Bearer  string // secret
	Expires time.Time
}

// TradeToken gives a vendor a refresh token of the user whose personal token the credential is, and a first bearer. Whatever is wrong (with the token, the
// vendor's id or its secret) is the same fault.NotFound, after the same time. A vendor works for users of its own organisation. The user becomes the caller of an
// operation that has none.
func (i *Identity) TradeToken(ctx context.Context, personal op.Credential, vendor, secret string) (t Trade, err error) {
	err = i.discreetly(ctx, func() error {
		held, tokenErr := i.present(ctx, personal)
		s, standErr := i.standingOf(ctx, &held)
		v, vendorErr := i.vendor(ctx, vendor, secret)
		if tokenErr != nil || standErr != nil || vendorErr != nil || held.Kind != Bearer || held.Organisation != v.Organisation {
			return worse(tokenErr, standErr, vendorErr)
		}
		op.CallOf(ctx).Caller = s.caller(held) // the trade is the user's, and so is its audit entry
		var made Token
		if t.Refresh, made, err = i.CreateToken(ctx, held.Organisation, NewToken{User: held.User, Name: "refresh token of " + v.Name, Kind: Refresh, from: v.ID}); err != nil {
			return err
		}
		return i.bear(ctx, held.Organisation, made, &t)
	})
	return t, err
}

// RefreshToken gives a vendor a bearer for a refresh token of its own, under the same rule.
func (i *Identity) RefreshToken(ctx context.Context, refresh, vendor, secret string) (t Trade, err error) {
	err = i.discreetly(ctx, func() error {
		held, tokenErr := i.recognise(ctx, refresh)
		s, standErr := i.standingOf(ctx, &held)
		v, vendorErr := i.vendor(ctx, vendor, secret)
		if tokenErr != nil || standErr != nil || vendorErr != nil || held.Kind != Refresh || held.From != v.ID {
			return worse(tokenErr, standErr, vendorErr)
		}
		op.CallOf(ctx).Caller = s.caller(held)
		return i.bear(ctx, held.Organisation, held.Token, &t)
	})
	return t, err
}

func (i *Identity) bear(ctx context.Context, organisation string, refresh Token, t *Trade) (err error) {
	t.Expires = today().Add(bearerLasts).Truncate(time.Second)
	t.Bearer, _, err = i.CreateToken(ctx, organisation, NewToken{User: refresh.User, Name: "bearer of " + refresh.ID, Expires: t.Expires, from: refresh.ID})
	return err
}

// vendor finds the valid vendor of an id and a secret.
func (i *Identity) vendor(ctx context.Context, id, secret string) (token, error) {
	v, err := i.recognise(ctx, secret)
	if err != nil {
		return token{}, err
	}
	if v.Kind != Vendor || !SameSecret(v.ID, id) {
		return token{}, unknownToken()
	}
	_, err = i.standingOf(ctx, &v)
	return v, err
}

// worse is a failure of the store among the faults of a credential; nil = there is none.
func worse(errs ...error) error {
	for _, err := range errs {
		if err != nil && !fault.Is(err, fault.Unauthenticated) {
			return err
		}
	}
	return unknownToken()
}

// discreetly makes every refusal of a credential the same one, in words and in time.
func (i *Identity) discreetly(ctx context.Context, work func() error) error {
	least := time.NewTimer(leastRefusal)
	defer least.Stop()
	err := work()
	if !fault.Is(err, fault.Unauthenticated) {
		return err
	}
	select {
	case <-least.C:
	case <-ctx.Done():
	}
	return fault.Of(fault.NotFound, "credential", "There is nothing for these credentials.")
}
