package identity

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode"

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

// States of a stored token. A revoked one stays for the audit. One that ends by itself has its end as its time, so that retention finds it.
const (
	active   = "active"
	expiring = "expiring"
	revoked  = "revoked"
)

// expiredStay is how long an expired token is kept.
const expiredStay = 7 * 24 * time.Hour

// valid are the states of tokens that were not revoked.
func valid() []string { return []string{active, expiring} }

const adminName = "admin"

// Token is a token as its owner may see it; the secret is shown only when it is made.
type Token struct {
	ID      string // "tok-…"
	Number  int    // counted in the organisation, for wire formats that want integers; 0 = made by an older release
	Name    string
	User    string // whose it is
	Kind    Kind
	Last    string // the last four characters of the secret text, to tell tokens apart
	Created time.Time
	Expires time.Time `json:",omitzero"` // zero = never
	Used    time.Time // to the hour; zero = never
}

// Kind is what a token is good for.
type Kind string

const (
	// Bearer stands for its user, in every dialect.
	Bearer Kind = ""
	// AccessKey is a pair of a name and a secret that may also sign: the secret is known again.
	AccessKey Kind = "key"
	// Refresh is traded for bearers by the vendor that it was made for, and good for nothing else.
	Refresh Kind = "refresh"
	// Vendor names a program that works for users: its id and secret stand in requests for refresh tokens.
	Vendor Kind = "vendor"
)

// token is a stored Token. Its Parent is the organisation.
type token struct {
	Token
	Organisation string
	Hash         string // keyed, in hex; "" of an access key
	Sealed       []byte `json:",omitempty"` // secret of an access key
	Admin        bool   // made at the first start, or by ResetAdmin
	From         string `json:",omitempty"` // token without which this one is void: the refresh token of a bearer, the vendor of a refresh token
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
	return insertToken(ctx, tx, t)
}

func insertToken(ctx context.Context, tx *store.Tx, t token) (Token, error) {
	meta := store.Meta{ID: t.ID, Parent: t.Organisation, Name: t.Name, State: active, At: t.Created}
	if !t.Expires.IsZero() {
		meta.State, meta.At = expiring, t.Expires
	}
	_, err := tokens.Insert(ctx, tx, store.Doc[token]{Meta: meta, Value: t})
	return t.Token, err
}

// NewToken is a token to be made.
type NewToken struct {
	User    string // "" = the owner of the organisation
	Name    string
	Kind    Kind
	Expires time.Time // zero = never
	from    string
}

// CreateToken makes a token of a user. secret is its text, never to be seen again; of an access key it is "ACCESS:SECRET".
func (i *Identity) CreateToken(ctx context.Context, organisation string, n NewToken) (secret string, made Token, err error) {
	err = i.govern(ctx, organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		secret, made, err = i.createToken(ctx, tx, r, n)
		acted(ctx, made.ID)
		return err
	})
	if err != nil {
		return "", Token{}, err
	}
	return secret, made, nil
}

func (i *Identity) createToken(ctx context.Context, tx *store.Tx, r *realm, n NewToken) (secret string, made Token, err error) {
	if err := checkName("name", n.Name); err != nil {
		return "", Token{}, err
	}
	if !n.Expires.IsZero() && n.Expires.Before(today()) {
		return "", Token{}, fault.Field("expires", "lies in the past: %s", n.Expires.Format(time.RFC3339))
	}
	if n.User == "" {
		n.User = r.organisation.Value.Owner
	}
	if _, err := users.Get(ctx, tx, store.Account(r.organisation.ID), n.User); err != nil {
		return "", Token{}, err
	}
	k, err := i.key.load()
	if err != nil {
		return "", Token{}, err
	}
	number, err := r.number(ctx, tx)
	if err != nil {
		return "", Token{}, err
	}
	t := token{Token: Token{Name: n.Name, User: n.User, Kind: n.Kind, Number: number, Expires: n.Expires}, Organisation: r.organisation.ID, From: n.from}
	for {
		m := mint()
		if n.Kind == AccessKey {
			m, made, err = i.keepPair(ctx, tx, t)
		} else {
			made, err = i.keep(ctx, tx, k, m, t)
		}
		if !fault.Is(err, fault.Exists) {
			return m.text, made, err
		}
	}
}

func activeTokens(ctx context.Context, s store.Session, organisation string) ([]store.Doc[token], error) {
	docs, _, err := tokens.List(ctx, s, store.Installation(), store.Query{Parent: organisation, States: valid()})
	return docs, err
}

// ReplaceTokens makes a token of a user, which is from then on the only one of its kind that the user has: the others are void at once. A disabled user stays nobody.
func (i *Identity) ReplaceTokens(ctx context.Context, organisation string, n NewToken) (secret string, made Token, err error) {
	err = i.govern(ctx, organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		if err := i.revokeAll(ctx, tx, r, n.User, n.Kind); err != nil {
			return err
		}
		secret, made, err = i.createToken(ctx, tx, r, n)
		return err
	})
	if err != nil {
		return "", Token{}, err
	}
	return secret, made, nil
}

// holder is the user whose token it is; tokens of older releases are the owner's.
func (i *Identity) holder(r *realm, t token) string {
	if t.User == "" {
		return r.organisation.Value.Owner
	}
	return t.User
}

// Tokens are an organisation's valid tokens, oldest first.
func (i *Identity) Tokens(ctx context.Context, organisation string) ([]Token, error) {
	if organisation == "" {
		return nil, nil
	}
	of, err := i.Organisation(ctx, organisation)
	if err != nil {
		return nil, err
	}
	docs, err := activeTokens(ctx, i.db, organisation)
	if err != nil {
		return nil, err
	}
	var list []Token
	for _, doc := range docs {
		if t := doc.Value.Token; t.Expires.IsZero() || t.Expires.After(today()) {
			t.User = cmp.Or(t.User, of.Owner)
			list = append(list, t)
		}
	}
	slices.SortStableFunc(list, func(a, b Token) int { return a.Created.Compare(b.Created) })
	return list, nil
}

// RevokeToken ends a token, and those that it was traded for. fault.NotFound when the organisation has no such valid token, or it is another user's while user is
// not ""; fault.Conflict for the last one with which the organisation can be managed.
func (i *Identity) RevokeToken(ctx context.Context, organisation, user, id string) error {
	return i.govern(ctx, organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		docs, err := activeTokens(ctx, tx, organisation)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(docs, func(d store.Doc[token]) bool { return d.ID == id && (user == "" || i.holder(r, d.Value) == user) })
		if at < 0 {
			return fault.Missing(tokens.Noun, id)
		}
		if err := i.checkManaged(ctx, tx, r, docs, id); err != nil {
			return err
		}
		return i.revokeWith(ctx, tx, docs, id)
	})
}

// revokeWith ends a token, and those that it was traded for.
func (i *Identity) revokeWith(ctx context.Context, tx *store.Tx, docs []store.Doc[token], id string) error {
	for _, doc := range docs {
		switch {
		case doc.ID == id:
			if err := i.revoke(ctx, tx, doc); err != nil {
				return err
			}
		case doc.Value.From == id:
			if err := i.revokeWith(ctx, tx, docs, doc.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// revokeAll ends all tokens of a user, or those of the kinds that are given.
func (i *Identity) revokeAll(ctx context.Context, tx *store.Tx, r *realm, user string, kinds ...Kind) error {
	docs, err := activeTokens(ctx, tx, r.organisation.ID)
	if err != nil {
		return err
	}
	for _, doc := range docs {
		if i.holder(r, doc.Value) == user && (len(kinds) == 0 || slices.Contains(kinds, doc.Value.Kind)) {
			if err := i.revoke(ctx, tx, doc); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkManaged keeps one lasting token of an administrator beside the one that is to go.
func (i *Identity) checkManaged(ctx context.Context, tx *store.Tx, r *realm, docs []store.Doc[token], gone string) error {
	list, err := listed(ctx, tx, users, r.organisation.ID)
	if err != nil {
		return err
	}
	manages := func(d store.Doc[token]) bool {
		t := d.Value
		return t.Expires.IsZero() && (t.Kind == Bearer || t.Kind == AccessKey) && t.From == "" &&
			slices.ContainsFunc(list, func(u User) bool { return u.ID == i.holder(r, t) && u.Role == Admin && !u.Disabled })
	}
	was := false
	for _, d := range docs {
		if manages(d) {
			if d.ID != gone {
				return nil
			}
			was = true
		}
	}
	if !was {
		return nil
	}
	return fault.Of(fault.Conflict, "token", "This is the last lasting token of an administrator; make another one before you revoke it.")
}

func (i *Identity) revoke(ctx context.Context, tx *store.Tx, doc store.Doc[token]) error {
	doc.State = revoked
	_, err := tokens.Update(ctx, tx, doc)
	return err
}

// checkName holds names of all nouns here to one rule.
func checkName(field, name string) error {
	return fault.All(nameFaults(field, name, ""))
}

// nameFaults are those of a name, which must hold none of the characters in without.
func nameFaults(field, name, without string) []*fault.Error {
	hasLetter := strings.ContainsFunc(name, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' })
	if !hasLetter || len(name) > 255 {
		return []*fault.Error{fault.Field(field, "A name needs at least one letter a-z and at most 255 bytes; %s does not fit.", fmt.Sprintf("%.40q", name))}
	}
	if strings.ContainsAny(name, without) || strings.ContainsFunc(name, unicode.IsControl) {
		return []*fault.Error{fault.Field(field, "A name holds no control characters and none of %s; %s does not fit.", strings.Join(strings.Split(without, ""), " "), fmt.Sprintf("%.40q", name))}
	}
	return nil
}
