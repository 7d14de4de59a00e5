package identity

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	// coarse is how exactly a token's last use is written down: once an hour, not per request.
	coarse = time.Hour
	// skew is how far the clock of somebody who signs may be from ours, and so for how long a nonce is remembered.
	skew = 5 * time.Minute
)

// Authenticate turns a credential into its caller; fault.Unauthenticated otherwise, with the same words for unknown, revoked, expired and disabled ones. What it
// remembers holds for one revision of the organisation, and that is read anew for every request: a change takes effect on the next one, on every replica.
func (i *Identity) Authenticate(ctx context.Context, c op.Credential) (op.Caller, error) {
	if c.Guest {
		return i.guest(ctx)
	}
	t, err := i.present(ctx, c)
	if err != nil {
		return op.Caller{}, err
	}
	if t.Kind != Bearer && t.Kind != AccessKey {
		return op.Caller{}, unknownToken()
	}
	s, err := i.standingOf(ctx, &t)
	if err != nil {
		return op.Caller{}, err
	}
	if c.Tenant != "" && c.Tenant != s.realm.organisation.Value.Slug() {
		return op.Caller{}, unknownToken()
	}
	if err := i.fresh(ctx, t, c); err != nil {
		return op.Caller{}, err
	}
	return s.caller(t), nil
}

// standingOf is what the token's user may do now. t is read again where something changed since it was remembered.
func (i *Identity) standingOf(ctx context.Context, t *token) (*standing, error) {
	revision, err := organisations.Version(ctx, i.db, store.Installation(), t.Organisation)
	if err != nil {
		return nil, concealed(err)
	}
	if *t, err = i.stillHeld(ctx, *t, revision); err != nil {
		return nil, err
	}
	r, err := i.realm(ctx, t.Organisation, revision)
	if err != nil {
		return nil, concealed(err)
	}
	s, err := i.standing(ctx, r, i.holder(r, *t))
	if err != nil {
		return nil, concealed(err)
	}
	if s.user.Disabled || !t.Expires.IsZero() && !t.Expires.After(today()) {
		return nil, unknownToken()
	}
	return s, nil
}

// concealed says of what is gone only that the token is not valid.
func concealed(err error) error {
	if fault.Is(err, fault.NotFound) {
		return unknownToken()
	}
	return err
}

// present finds the token that a credential shows.
func (i *Identity) present(ctx context.Context, c op.Credential) (token, error) {
	if c.Key != "" && c.Proves != nil {
		return i.prove(ctx, c.Key, c.Proves)
	}
	return i.recognise(ctx, c.Token)
}

// fresh refuses a signed request that is too old, or was seen before.
func (i *Identity) fresh(ctx context.Context, t token, c op.Credential) error {
	if c.Nonce == "" {
		return nil
	}
	if off := today().Sub(c.Signed).Abs(); off > skew {
		return fault.Of(fault.Unauthenticated, "timestamp", "The request's time stamp is %s away from this server's clock; at most %s is accepted.", off.Round(time.Second), skew)
	}
	own, cancel := detached()
	defer cancel()
	_, err := nonces.Insert(own, i.db, store.Doc[struct{}]{Meta: store.Meta{ID: t.ID + "/" + c.Nonce, Account: t.Organisation, Parent: t.ID, At: today()}})
	if fault.Is(err, fault.Exists) {
		return fault.Of(fault.Unauthenticated, "nonce", "This request was received before; sign each one with a nonce of its own.")
	}
	return err
}

// Retention is how long nonces and expired tokens are kept.
func Retention() []store.Rule {
	return []store.Rule{
		{Table: nonces.Table, Wall: true, Keep: 3 * skew},
		{Table: tokens.Table, Wall: true, Keep: expiredStay, States: []string{expiring}},
	}
}

// rememberedToken is a token as it was at a revision of its organisation.
type rememberedToken struct {
	token
	revision int64 // 0 = not known yet
}

// recognise finds the token of a text.
func (i *Identity) recognise(ctx context.Context, text string) (token, error) {
	if err := CheckToken(text); err != nil {
		return token{}, err
	}
	k, err := i.key.load()
	if err != nil {
		return token{}, err
	}
	hash := k.hash(text)
	_, strange, none := i.strangers.get(hash)
	if strange {
		return token{}, unknownToken()
	}
	t, err := i.held(ctx, idOf(text))
	switch {
	case fault.Is(err, fault.Unauthenticated) || err == nil && !t.has(hash):
		i.strangers.put(hash, struct{}{}, none)
		return token{}, unknownToken()
	case err != nil:
		return token{}, err
	}
	return t, nil
}

// held is the token of an id, from memory if it is known.
func (i *Identity) held(ctx context.Context, id string) (token, error) {
	if known, is := i.tokens.get(id); is {
		return known.token, nil
	}
	return i.readToken(ctx, id, 0)
}

// stillHeld reads a token again when the organisation has changed since.
func (i *Identity) stillHeld(ctx context.Context, t token, revision int64) (token, error) {
	if known, is := i.tokens.get(t.ID); is && known.revision == revision && !known.Used.Before(today().Truncate(coarse)) {
		return known.token, nil
	}
	return i.readToken(ctx, t.ID, revision)
}

// readToken reads a valid token, and one that it depends on.
func (i *Identity) readToken(ctx context.Context, id string, revision int64) (token, error) {
	doc, err := tokens.Get(ctx, i.db, store.Installation(), id)
	if err == nil && doc.State == revoked {
		err = unknownToken()
	}
	if err != nil {
		return token{}, concealed(err)
	}
	i.touch(doc)
	t := doc.Value
	t.Used = today().Truncate(coarse)
	i.tokens.put(id, rememberedToken{t, revision})
	return t, nil
}

func (t token) has(hash [hashSize]byte) bool {
	kept, err := hex.DecodeString(t.Hash)
	return err == nil && subtle.ConstantTimeCompare(kept, hash[:]) == 1
}

func unknownToken() error {
	return fault.Of(fault.Unauthenticated, "token", "The token is not valid here: it is unknown, has expired or was revoked.")
}

// detached is a context for writes of identity's own: values of the request's (dry run, its waiting audit entry) must not reach them, nor must its end.
func detached() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), remembered)
}

// touch notes that a token is in use. The request does not depend on it.
func (i *Identity) touch(doc store.Doc[token]) {
	now := today().Truncate(coarse)
	if !doc.Value.Used.Before(now) {
		return
	}
	doc.Value.Used = now
	own, cancel := detached()
	defer cancel()
	if _, err := tokens.Update(own, i.db, doc); err != nil && !fault.Is(err, fault.Conflict) {
		i.log.WarnContext(own, "the last use of a token could not be noted", "token", doc.ID, "error", err)
	}
}
