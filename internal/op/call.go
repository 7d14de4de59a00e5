package op

import (
	"context"
	"time"
)

// Call is what op knows of the request in progress.
type Call struct {
	ID       string // request id, also in the answer and in every log line
	Row      Row
	Method   string
	Path     string // as the client wrote it, without the query
	URL      string // path and query, for envelopes that repeat it
	Remote   string // address of the peer, without its port
	At       time.Time
	Caller   Caller // of an Open operation nobody, unless its function sets it, for the audit
	Account  string // the account that the request is about, resolved and authorised; "" for operations above accounts
	Object   string // id of the object acted on; known from the path, or set by the function of a create row inside its transaction, for the audit
	DryRun   bool   // nothing may change; store transactions are rolled back by themselves
	Decision string // set by the domain during a dry run: id of the stored plan, sent as header Neap-Decision
	// Credential is what an Open operation was shown, unchecked; zero when that was nothing readable, and for all other operations.
	Credential Credential
}

// Caller is who asks.
type Caller struct {
	Organisation string
	Subject      string // id of the user, for the audit
	Name         string
	Email        string // "" = has none
	Token        string // id of the token or key that the request came with
	Default      string // account used when the request names none
	Rights       Rights
}

type callKey struct{}

// CallOf is the call in progress; a zero call outside of one.
func CallOf(ctx context.Context) *Call {
	if call, ok := ctx.Value(callKey{}).(*Call); ok {
		return call
	}
	return &Call{}
}

func withCall(ctx context.Context, call *Call) context.Context {
	return context.WithValue(ctx, callKey{}, call)
}
