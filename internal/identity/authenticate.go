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

// coarse is how exactly a token's last use is written down: once an hour, not per request.
const coarse = time.Hour

// Authenticate turns a bearer token into its caller; fault.Unauthenticated otherwise, with the same words for unknown and revoked tokens. It answers from memory
// within a second of the last look-up.
func (i *Identity) Authenticate(ctx context.Context, text string) (op.Caller, error) {
	if err := CheckToken(text); err != nil {
		return op.Caller{}, err
	}
	k, err := i.key.load()
	if err != nil {
		return op.Caller{}, err
	}
	t, err := i.recognise(ctx, k.hash(text), idOf(text))
	if err != nil {
		return op.Caller{}, err
	}
	of, err := i.membership(ctx, t.Organisation)
	if err != nil {
		return op.Caller{}, err
	}
	return op.Caller{Organisation: t.Organisation, Subject: t.ID, Name: t.Name, Default: of.standard}, nil
}

// recognise finds the valid token of this hash.
func (i *Identity) recognise(ctx context.Context, hash [hashSize]byte, id string) (token, error) {
	t, found, epoch := i.tokens.get(hash)
	if found {
		return t, nil
	}
	_, strange, none := i.strangers.get(hash)
	if strange {
		return token{}, unknownToken()
	}
	doc, err := tokens.Get(ctx, i.db, store.Installation(), id)
	switch {
	case fault.Is(err, fault.NotFound) || err == nil && !valid(doc, hash):
		i.strangers.put(hash, struct{}{}, none)
		return token{}, unknownToken()
	case err != nil:
		return token{}, err
	}
	i.touch(ctx, doc)
	i.tokens.put(hash, doc.Value, epoch)
	return doc.Value, nil
}

func valid(doc store.Doc[token], hash [hashSize]byte) bool {
	kept, err := hex.DecodeString(doc.Value.Hash)
	return err == nil && subtle.ConstantTimeCompare(kept, hash[:]) == 1 && doc.State == active
}

func unknownToken() error {
	return fault.Of(fault.Unauthenticated, "token", "The token is not valid here: it is unknown or was revoked.")
}

// touch notes that a token is in use. The request does not depend on it.
func (i *Identity) touch(ctx context.Context, doc store.Doc[token]) {
	now := today().Truncate(coarse)
	if !doc.Value.Used.Before(now) {
		return
	}
	doc.Value.Used = now
	// Values of the request's context (dry run, its waiting audit entry) must not reach this write, nor must its end.
	own, cancel := context.WithTimeout(context.Background(), remembered)
	defer cancel()
	if _, err := tokens.Update(own, i.db, doc); err != nil && !fault.Is(err, fault.Conflict) {
		i.log.WarnContext(ctx, "the last use of a token could not be noted", "token", doc.ID, "error", err)
	}
}

// Authorize decides whether the caller may do need in an account ("" = the organisation itself). Every token has its organisation's full rights for now.
// An account of another organisation reads like one that does not exist: fault.Denied for both.
func (i *Identity) Authorize(ctx context.Context, caller op.Caller, need, account string) error {
	if caller.Organisation == "" || need == "" {
		return fault.Of(fault.Denied, "operation", "You have no right to do this.")
	}
	of, err := i.membership(ctx, caller.Organisation)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err != nil || account != "" && !of.accounts[account] {
		return fault.Of(fault.Denied, "account", "You have no right to do this in account %q; check the account's id.", account)
	}
	return nil
}
