// Package op turns rows into operations: an operation is one row, and routing, binding, validation, authorisation, audit, limits, metrics,
// OpenAPI and the command line all read rows.
//
// It owns HTTP. It must not know any dialect, any domain room, or how identities and audits are kept. Start reading at Row and Dialect;
// a request's way through the server is exchange.perform.
package op

import (
	"context"
	"io/fs"
	"log/slog"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// Row is one operation. A row without Need does not build: Mount panics at start, naming it.
type Row struct {
	N       int    // row of the dialect's facts table; 0 = ours, in no table
	ID      string // "elastigroup.aws.scaleUp"; the dialect's name is put before it
	Route   string // "PUT /aws/ec2/group/{groupId}/scale/up"
	Need    string // "elastigroup:scaleUp"
	Title   string // a few words for people
	Section string // groups rows in documents, e.g. "Elastigroup AWS"; "" = the first segment of the path
	Target  Target // the object that is acted on; zero = the account
	Mutates bool
	Kind    string // the dialect's word for what is answered, e.g. "spotinst:aws:ec2:scale"; "" = none
	Body    string // schema of the dialect that the body must satisfy, see Schemas; "" = none
	// BodyOptional lets a request without any body pass although Body names a schema.
	BodyOptional bool
	// NoAccount marks an operation above accounts: the account parameter is ignored and Call.Account stays "".
	NoAccount bool
	Status    int // of a success; 0 = 200
	Do        Do
}

// Target is how the object of a row is found for authorisation.
type Target struct {
	Noun  string // "group"
	Param string // the path parameter that holds its id
	// AccountOf names the account that the object belongs to; fault.NotFound when there is none. Successful answers are cached.
	AccountOf func(ctx context.Context, id string) (account string, err error)
}

// Authorizer knows callers and their rights; identity satisfies it.
type Authorizer interface {
	// Authenticate turns a bearer token into a caller; fault.Unauthenticated otherwise. Called for every request: answer from memory.
	Authenticate(ctx context.Context, token string) (Caller, error)
	// Authorize decides whether the caller may do need in the account ("" = above accounts). fault.Denied when not. An account of another
	// organisation reads like one that does not exist: both are fault.Denied about the noun "account", lack of a right is about another noun.
	Authorize(ctx context.Context, caller Caller, need, account string) error
}

// Auditor keeps what was done; journal satisfies it. Record is called inside the transaction that makes the change (through store.WithPrologue), or on its
// own (tx nil) for refusals and for changes without a transaction.
type Auditor interface {
	Record(ctx context.Context, tx *store.Tx, entry AuditEntry) error
}

// AuditEntry says who asked for what, from where, and how it ended. It never holds a secret.
type AuditEntry struct {
	Request, Organisation, Account, Subject, Name string
	Email                                         string // of the caller, "" when it has none
	Remote                                        string // address of the peer, without its port
	Agent                                         string // what the client calls itself, cut when it is long
	Source                                        string // "CLI", "UI", "API"
	Operation, Need, Method, Path, Object         string
	Outcome                                       string // "done", "refused", "failed", "dryRun"
	Status                                        int    // that was answered
	Message                                       string // of the refusal
	Context                                       string // JSON: the body, url and query of the request, without secrets
}

// Dialect is one wire language.
type Dialect struct {
	Name  string // "spot": prefix of operation ids, name of the OpenAPI document
	Title string
	Rows  []Row
	// Prefixes are the paths ("/aws", "/ocean") under which even unknown routes are refused in this dialect; nil = the first segment of every row.
	Prefixes    []string
	Schemas     fs.FS  // *.json, JSON Schema 2020-12, by file name
	AccountFrom string // name of the query parameter that names the account; "" = none
	// Answer wraps a success; Refuse wraps a failure. Both give the body; Refuse's status comes from Status, except for HTTP's own refusals
	// (unknown route 404, method 405, body too large 413, rate 429). Refuse may get a call without Row, Caller and Account.
	Answer func(call *Call, out any) any
	Refuse func(call *Call, status int, err *fault.Error) any
	Status map[fault.Kind]int // every kind has one: Mount panics otherwise
}

// Config is what the server needs. Zero PerMinute, MaxBody and MaxDepth mean 6,000, 1 MiB and 64.
type Config struct {
	Dialects   []Dialect
	Authorizer Authorizer
	Auditor    Auditor // nil = no audit, for documents and tests only
	Log        *slog.Logger
	Version    string
	PerMinute  int // rate limit per organisation and route; loopback callers have 1,000,000
	MaxBody    int64
	MaxDepth   int
}
