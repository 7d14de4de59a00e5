package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/crypto/argon2"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// Passwords are kept as argon2id hashes with the parameters that OWASP recommends first: 19 MiB, two passes, one lane. The text names them, so that they can be
// raised without making older hashes worthless.
const (
	passes     = 2
	memorySize = 19 << 10 // KiB
	lanes      = 1
	saltSize   = 16
	sumSize    = 32
)

// hashing waits for its turn: a hash takes 19 MiB, so that few may be made at a time.
func (i *Identity) hashing(ctx context.Context) (done func(), err error) {
	select {
	case i.hashes <- struct{}{}:
		return func() { <-i.hashes }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hashPassword refuses a weak password and hashes another; "" stays "".
func (i *Identity) hashPassword(ctx context.Context, password string) (string, error) {
	if password == "" {
		return "", nil
	}
	if weak(password) {
		return "", fault.Field("password", "needs at least 8 characters, among them a digit, an upper-case and a lower-case letter, and a special character")
	}
	done, err := i.hashing(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails
	sum := argon2.IDKey([]byte(password), salt, passes, memorySize, lanes, sumSize)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memorySize, passes, lanes, text64(salt), text64(sum)), nil
}

func text64(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

// weak is the rule of the Spot API.
func weak(password string) bool {
	var digit, upper, lower, special bool
	for _, r := range password {
		switch {
		case unicode.IsDigit(r):
			digit = true
		case unicode.IsUpper(r):
			upper = true
		case unicode.IsLower(r):
			lower = true
		default:
			special = true
		}
	}
	return len([]rune(password)) < 8 || len(password) > 1024 || !digit || !upper || !lower || !special
}

// isPassword compares in constant time. A hash that cannot be read fits nothing.
func isPassword(hash, password string) bool {
	var version, memory, time, threads int
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &time, &threads); err != nil || version != argon2.Version {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false
	}
	kept, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(kept) == 0 || memory <= 0 || memory > 1<<20 || time <= 0 || time > 100 || threads <= 0 || threads > 255 {
		return false
	}
	sum := argon2.IDKey([]byte(password), salt, uint32(time), uint32(memory), uint8(threads), uint32(len(kept)))
	return subtle.ConstantTimeCompare(sum, kept) == 1
}

// SignIn trades a person's e-mail address and password for a token that lasts a day. fault.Unauthenticated, in the same words and after the same work, whatever
// of it is wrong. The address may be known in several organisations; the password tells which is meant.
func (i *Identity) SignIn(ctx context.Context, email, password string) (secret string, made Token, err error) {
	docs, err := i.byEmail(ctx, email)
	if err != nil {
		return "", Token{}, err
	}
	done, err := i.hashing(ctx)
	if err != nil {
		return "", Token{}, err
	}
	defer done()
	var found *User
	for _, u := range docs {
		if isPassword(u.Password, password) && !u.Disabled {
			found = &u
		}
	}
	if len(docs) == 0 {
		isPassword(nobodysHash, password)
	}
	if found == nil {
		return "", Token{}, fault.Of(fault.Unauthenticated, "password", "The e-mail address and the password don't belong together, or the user is disabled.")
	}
	// Nobody was the caller until now; the audit tells whose sign-in it is.
	op.CallOf(ctx).Caller = op.Caller{Organisation: found.Organisation, Subject: found.ID, Name: found.Name, Email: found.Email}
	return i.CreateToken(ctx, found.Organisation, NewToken{User: found.ID, Name: "sign-in", Expires: today().Add(signInLasts)})
}

// nobodysHash is compared with where there is no user, so that the time tells nothing.
const nobodysHash = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
