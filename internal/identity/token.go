package identity

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
)

// A token's text is "neap_", 8 hex digits that name it, "_", 32 random bytes as 43 base-62 digits, and a CRC-32 of all before as 6 base-62 digits. The checksum
// is no secret: it tells a mistyped or cut-off token, and lets scanners for leaked secrets be sure of their find.
const (
	tokenPrefix  = "neap_"
	nameSize     = 8
	secretSize   = 43
	checksumSize = 6
	secretStart  = len(tokenPrefix) + nameSize + 1
	tokenSize    = secretStart + secretSize + checksumSize
)

// States of a stored token. A revoked one stays for the audit.
const (
	active  = "active"
	revoked = "revoked"
)

const adminName = "admin"

// Token is a token as its owner may see it; the secret is shown only when it is made.
type Token struct {
	ID      string // "tok-…"
	Name    string
	Last    string // the last four characters of the secret text, to tell tokens apart
	Created time.Time
	Used    time.Time // to the hour; zero = never
}

// token is a stored Token. Its Parent is the organisation.
type token struct {
	Token
	Organisation string
	Hash         string // keyed, in hex
	Admin        bool   // made at the first start, or by ResetAdmin
}

var tokens = store.Collection[token]{Table: "tokens", Noun: "token"}

// minted is a new token's text with its id.
type minted struct{ id, text string }

func mint() minted {
	secret := make([]byte, 32)
	// crypto/rand.Read never fails.
	rand.Read(secret)
	name := ident.Hex(nameSize / 2)
	text := tokenPrefix + name + "_" + base62(new(big.Int).SetBytes(secret), secretSize)
	return minted{id: "tok-" + name, text: text + checksum(text)}
}

func checksum(text string) string {
	return base62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(text)))), checksumSize)
}

func base62(value *big.Int, digits int) string {
	text := value.Text(62)
	return strings.Repeat("0", digits-len(text)) + text
}

// CheckToken tells a mistyped or cut-off token from a complete one, without any look-up: fault.Unauthenticated with a sentence that says so.
func CheckToken(text string) error {
	switch {
	case text == "":
		return fault.Of(fault.Unauthenticated, "token", "The request has no token; send one in the header \"Authorization: Bearer …\".")
	case len(text) != tokenSize || !strings.HasPrefix(text, tokenPrefix):
		return fault.Of(fault.Unauthenticated, "token", "This is not a token of Neap: those begin with %q and have %d characters.", tokenPrefix, tokenSize)
	case !sumsUp(text):
		return fault.Of(fault.Unauthenticated, "token", "The token is mistyped: its checksum is wrong. Copy it again.")
	}
	return nil
}

// sumsUp is checksum without allocating, for the way of every request.
func sumsUp(text string) bool {
	var buffer [tokenSize]byte
	copy(buffer[:], text)
	sum := crc32.ChecksumIEEE(buffer[:tokenSize-checksumSize])
	const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for i := tokenSize - 1; i >= tokenSize-checksumSize; i-- {
		if buffer[i] != digits[sum%62] {
			return false
		}
		sum /= 62
	}
	return sum == 0
}

// idOf is the id of a complete token's text.
func idOf(text string) string { return "tok-" + text[len(tokenPrefix):secretStart-1] }

// keep stores a token that was minted.
func (i *Identity) keep(ctx context.Context, tx *store.Tx, k *key, m minted, t token) (Token, error) {
	sum := k.hash(m.text)
	t.ID, t.Last, t.Created, t.Hash = m.id, m.text[tokenSize-4:], today(), hex.EncodeToString(sum[:])
	_, err := tokens.Insert(ctx, tx, store.Doc[token]{
		Meta:  store.Meta{ID: t.ID, Parent: t.Organisation, Name: t.Name, State: active, At: t.Created},
		Value: t,
	})
	return t.Token, err
}

// CreateToken makes a token with the rights of the organisation's admin. secret is its text, never to be seen again.
func (i *Identity) CreateToken(ctx context.Context, organisation, name string) (secret string, made Token, err error) {
	err = i.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		secret, made, err = i.createToken(ctx, tx, organisation, name)
		return err
	})
	if err != nil {
		return "", Token{}, err
	}
	return secret, made, nil
}

func (i *Identity) createToken(ctx context.Context, tx *store.Tx, organisation, name string) (secret string, made Token, err error) {
	if err := checkName("name", name); err != nil {
		return "", Token{}, err
	}
	if _, err := organisations.Get(ctx, tx, store.Installation(), organisation); err != nil {
		return "", Token{}, err
	}
	k, err := i.key.load()
	if err != nil {
		return "", Token{}, err
	}
	for {
		m := mint()
		made, err = i.keep(ctx, tx, k, m, token{Token: Token{Name: name}, Organisation: organisation})
		if !fault.Is(err, fault.Exists) {
			return m.text, made, err
		}
	}
}

// Tokens are an organisation's valid tokens, oldest first.
func (i *Identity) Tokens(ctx context.Context, organisation string) ([]Token, error) {
	docs, _, err := tokens.List(ctx, i.db, store.Installation(), store.Query{Parent: organisation, States: []string{active}})
	if err != nil || organisation == "" {
		return nil, err
	}
	list := make([]Token, len(docs))
	for n, doc := range docs {
		list[n] = doc.Value.Token
	}
	return list, nil
}

// RevokeToken ends a token: at once in this process, within a second in others. fault.NotFound when the organisation has no such valid token; fault.Conflict
// for its last one, which would lock everybody out.
func (i *Identity) RevokeToken(ctx context.Context, organisation, id string) error {
	return i.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return i.revokeToken(ctx, tx, organisation, id) })
}

func (i *Identity) revokeToken(ctx context.Context, tx *store.Tx, organisation, id string) error {
	docs, _, err := tokens.List(ctx, tx, store.Installation(), store.Query{Parent: organisation, States: []string{active}})
	if err != nil {
		return err
	}
	at := slices.IndexFunc(docs, func(d store.Doc[token]) bool { return d.ID == id })
	switch {
	case at < 0 || organisation == "":
		return fault.Missing(tokens.Noun, id)
	case len(docs) == 1:
		return fault.Of(fault.Conflict, "token", "This is the organisation's last token; make another one before you revoke it.")
	}
	return i.revoke(ctx, tx, docs[at])
}

func (i *Identity) revoke(ctx context.Context, tx *store.Tx, doc store.Doc[token]) error {
	doc.State = revoked
	if _, err := tokens.Update(ctx, tx, doc); err != nil {
		return err
	}
	tx.AfterCommit(i.tokens.forget)
	return nil
}

// checkName holds names of all nouns here to one rule.
func checkName(field, name string) error {
	hasLetter := strings.ContainsFunc(name, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' })
	if !hasLetter || len(name) > 255 {
		return fault.Field(field, "A name needs at least one letter a-z and at most 255 bytes; %s does not fit.", fmt.Sprintf("%.40q", name))
	}
	return nil
}
