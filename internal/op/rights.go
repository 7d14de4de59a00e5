package op

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

// Authenticator knows callers and their rights; identity satisfies it.
type Authenticator interface {
	// Authenticate turns a credential into its caller; fault.Unauthenticated otherwise. Called for every request: answer from memory what can be.
	Authenticate(ctx context.Context, c Credential) (Caller, error)
}

// Credential is what a request says of who sends it: a token, or the name of a key and a proof that the sender has its secret.
type Credential struct {
	Token string

	Key    string
	Proves func(secret string) bool // compares in constant time
	Nonce  string                   // of a proof that must not be accepted twice; "" = it may be
	Signed time.Time                // when the sender says the proof was made; zero = the proof does not say
	// Guest marks a request that shows nothing, from where guests are let in; the rest is zero.
	Guest bool
	// Tenant is the organisation that the address names, by its slug; "" = none. A caller of another one is refused.
	Tenant string
}

// Rights are what a caller may do, as they were when the request began.
type Rights interface {
	// Authorize is nil when the caller may do it, fault.Denied otherwise. An account of another organisation, and one in which the caller may do nothing, read
	// like one that does not exist: fault.Denied about the noun "account". Lack of a right is about another noun.
	Authorize(d Deed) error
}

// Deed is what a caller wants to do.
type Deed struct {
	Need    string // "elastigroup:scaleUp"
	Account string // "" = above accounts
	Reads   bool   // changes nothing
	Lists   bool   // asks for what it may see of a list, object by object
	Object  Object
}

// Object is what a deed is done to; zero = what is not made yet, or all there is.
type Object struct {
	ID         string
	Attributes Attributes
}

// Attributes gives the value of an attribute that a condition names ("spot:elastigroup:name"); nil = there are none.
type Attributes func(key string) (value string, is bool)

// Sees reports whether the caller of a list may see one object of it.
func (c *Call) Sees(o Object) bool {
	if c.Caller.Rights == nil {
		return false
	}
	return c.Caller.Rights.Authorize(Deed{Need: c.Row.Need, Account: c.Account, Reads: !c.Row.Mutates, Object: o}) == nil
}

// bearer is the credential of most dialects.
func bearer(r *http.Request) (Credential, error) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !ok || token == "" || !strings.EqualFold(scheme, "Bearer") {
		return Credential{}, fault.Of(fault.Unauthenticated, "token", "Send a token in the header Authorization: Bearer <token>.")
	}
	return Credential{Token: token}, nil
}
