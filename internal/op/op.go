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
	"net/http"

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
	// Filters marks an operation whose function asks for each object again whether the caller may: a list that leaves out what Call.Sees refuses, an instance that
	// goes by its group. Who may do it to anything may then ask. Without it one has to be allowed to do it to all, or to the object in the path.
	Filters bool
	// Open marks an operation that is itself the way to credentials: it asks for none (what it is shown stands in Call.Credential), and its callers are counted by address.
	Open   bool
	Status int // of a success; 0 = 200
	Do     Do
}

// Target is how the object of a row is found for authorisation.
type Target struct {
	Noun  string // "group"
	Param string // the path parameter that holds its id
	// AccountOf names the account that the object belongs to; fault.NotFound when there is none. Successful answers are cached.
	AccountOf func(ctx context.Context, id string) (account string, err error)
	// IsAccount says that the object is an account itself: whatever account the query names is then beside the point, and the id that policies and the audit know it
	// by is the one that AccountOf gives.
	IsAccount bool
	// Attributes reads what conditions of policies ask for: of the object of this id, or, when id is "", of the body that is to create one. It is asked only
	// when a condition is. nil = the object has none.
	Attributes func(ctx context.Context, account, id string, body Document) (Attributes, error)
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
	// Credential finds what a request says of who sends it; nil = a bearer token. fault.Unauthenticated when it says nothing, or nothing readable.
	Credential func(r *http.Request) (Credential, error)
	// Guest reports whether a request that shows no credential may come from a guest, whose rights are for the authenticator to say; nil = never.
	Guest     func(r *http.Request) bool
	Carrier   Carrier // where Credential looks, for the description
	Challenge string  // of the header WWW-Authenticate of a 401; "" = "Bearer"
	// Rewrite brings the spellings of an address that the dialect's clients use to the one of its rows, before routing. It answers nil for an address that is
	// not the dialect's, and never changes the request it is given. nil = rows are matched as they are.
	Rewrite func(r *http.Request) *http.Request
	// Document makes the JSON document of a request out of its body (without blanks around it, unless it is packed; may be empty) and of wherever else clients put what belongs there;
	// fault.Invalid when it can't be read. nil = the body is the document.
	Document func(r *http.Request, body []byte) ([]byte, error)
	// Answer wraps a success; Refuse wraps a failure. Both give the body, a Verbatim or what becomes JSON; Refuse's status comes from Status, except for HTTP's own refusals
	// (unknown route 404, method 405, body too large 413, rate 429). Refuse may get a call without Row, Caller and Account.
	Answer func(call *Call, out any) any
	Refuse func(call *Call, status int, err *fault.Error) any
	Status map[fault.Kind]int // every kind has one: Mount panics otherwise
	// Exception is the status of a failure that Status is wrong about; 0 = Status is right. nil = there are none.
	Exception func(call *Call, err *fault.Error) int
	// ContentType is that of the answer to a request; nil = application/json.
	ContentType func(r *http.Request) string
	// SecretPaths says that addresses hold credentials in their path: no log line repeats one.
	SecretPaths bool
	// AnyOrigin lets pages from anywhere ask, in browsers: right only where a browser adds nothing to a request by which we would know its user, and where everybody who
	// asks shows all that gives them a right in the address itself. HEAD is then answered as GET is.
	AnyOrigin bool
}

// Verbatim is a body that is written as it stands.
type Verbatim []byte

// Carrier is the part of a request that holds the credential: In "header" or "query", under Name. Zero = a bearer token.
type Carrier struct{ In, Name string }

// Config is what the server needs. Zero PerMinute, MaxBody and MaxDepth mean 6,000, 1 MiB and 64.
type Config struct {
	Dialects      []Dialect
	Authenticator Authenticator
	Auditor       Auditor // nil = no audit, for documents and tests only
	Log           *slog.Logger
	Version       string
	PerMinute     int // rate limit per organisation and route; loopback callers have 1,000,000
	MaxBody       int64
	MaxDepth      int
}
