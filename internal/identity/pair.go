package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"math/big"
	"strings"

	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
)

// An access key's name is "neapkey-" and 8 hex digits; its secret is a random text with a prefix and a checksum of its own. The secret signs requests, so that it
// is sealed and not hashed.
const (
	pairPrefix   = "neapkey-"
	secretPrefix = "neapsec_"
)

// keepPair makes and stores an access key; its text is "ACCESS:SECRET".
func (i *Identity) keepPair(ctx context.Context, tx *store.Tx, t token) (m minted, made Token, err error) {
	random := make([]byte, 32)
	rand.Read(random) // never fails
	secret := secretPrefix + base62(new(big.Int).SetBytes(random), secretSize)
	secret += checksum(secret)
	name := ident.Hex(nameSize / 2)
	t.ID, t.Last, t.Created = "tok-"+name, secret[len(secret)-4:], today()
	if t.Sealed, err = i.Seal([]byte(secret), "access key "+t.ID); err != nil {
		return minted{}, Token{}, err
	}
	made, err = insertToken(ctx, tx, t)
	return minted{id: t.ID, text: pairPrefix + name + ":" + secret}, made, err
}

// prove finds the valid access key of a name whose secret the sender proves to have.
func (i *Identity) prove(ctx context.Context, name string, proves func(secret string) bool) (token, error) {
	digits, is := strings.CutPrefix(name, pairPrefix)
	if !is || len(digits) != nameSize {
		return token{}, unknownToken()
	}
	t, err := i.held(ctx, "tok-"+digits)
	if err != nil {
		return token{}, err
	}
	if t.Kind != AccessKey {
		return token{}, unknownToken()
	}
	secret, err := i.Open(t.Sealed, "access key "+t.ID)
	if err != nil {
		return token{}, err
	}
	if !proves(string(secret)) {
		return token{}, unknownToken()
	}
	return t, nil
}

// SameSecret compares two secrets in a time that tells nothing of where they differ.
func SameSecret(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// nonces have their key as Parent.
var nonces = store.Collection[struct{}]{Table: "nonces", Noun: "nonce"}
