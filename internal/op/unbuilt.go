// Package op turns rows into operations: an operation is one row, and routing, binding, validation, authorisation, audit, limits, metrics,
// OpenAPI and the command line all read rows.
//
// It owns HTTP. It must not know any dialect, any domain room, or how identities and audits are kept. Start reading at Row and Dialect.
package op

import (
	"context"
	"encoding/json"
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
	Target  Target // the object that is acted on; zero = the account
	Mutates bool
	Kind    string // the dialect's word for what is answered, e.g. "spotinst:aws:ec2:scale"; "" = none
	Body    string // name of a schema of the dialect that the body must satisfy; "" = the input struct alone decides
	Do      Do
}

// Target is how the object of a row is found for authorisation.
type Target struct {
	Noun  string // "group"
	Param string // the path parameter that holds its id
	// AccountOf names the account that the object belongs to; fault.NotFound when there is none. It must be cheap: op caches its answers.
	AccountOf func(ctx context.Context, id string) (account string, err error)
}

// Do is a bound function; Func makes one.
type Do struct{}

// Func binds a typed function. In's fields are bound by tag: `path:"groupId"`, `query:"adjustment"`, and one field Body of type Document for the
// request's document (op has validated it when the row names a schema, and it is empty when the request had none).
// A query field may have huma's validation tags (enum, minimum, maximum, required, doc); values of the wrong type are refused with their name.
// The caller is in ctx: CallOf.
func Func[In, Out any](f func(ctx context.Context, in In) (Out, error)) Do { panic("unbuilt") }

// Document is a JSON object as the client sent it. Reading twice the same key is refused at decoding, as are depth and size beyond the limits.
type Document json.RawMessage

// Call is what op knows of the request in progress.
type Call struct {
	ID       string // request id, also in the answer and in every log line
	Row      Row
	Method   string
	Path     string
	Caller   Caller
	Account  string // the account that the request is about, resolved and authorised; "" for operations above accounts
	DryRun   bool   // nothing may change; store transactions are rolled back by themselves
	Decision string // set by the domain during a dry run: id of the stored plan, sent as header Neap-Decision
}

// CallOf is the call in progress; a zero call outside of one.
func CallOf(ctx context.Context) *Call { panic("unbuilt") }

// Caller is who asks.
type Caller struct {
	Organisation string
	Subject      string // user or token id, for the audit
	Name         string
	Default      string // account used when the request names none
}

// Authorizer knows callers and their rights; identity satisfies it.
type Authorizer interface {
	// Authenticate turns a bearer token into a caller; fault.Unauthenticated otherwise. Called for every request: answer from memory.
	Authenticate(ctx context.Context, token string) (Caller, error)
	// Authorize decides whether the caller may do need in the account. fault.Denied when not; an account of another organisation reads like one that does not exist.
	Authorize(ctx context.Context, caller Caller, need, account string) error
}

// Auditor keeps what was done; journal satisfies it. Record is called inside the transaction that makes the change (through store.WithPrologue), or on its
// own (tx nil) for refusals and for changes without a transaction.
type Auditor interface {
	Record(ctx context.Context, tx *store.Tx, entry AuditEntry) error
}

// AuditEntry says who asked for what and how it ended. It never holds a body or a secret.
type AuditEntry struct {
	Request, Organisation, Account, Subject, Name string
	Operation, Need, Method, Path, Object         string
	Outcome                                       string // "done", "refused", "failed", "dryRun"
	Message                                       string // of the refusal
}

// Dialect is one wire language.
type Dialect struct {
	Name        string // "spot": prefix of operation ids, name of the OpenAPI document
	Title       string
	Rows        []Row
	Schemas     fs.FS  // *.json, JSON Schema 2020-12, by file name
	AccountFrom string // name of the query parameter that names the account; "" = none
	// Answer wraps a success; Refuse wraps a failure. Both give the body; Refuse's status comes from Status.
	Answer func(call *Call, out any) any
	Refuse func(call *Call, status int, err *fault.Error) any
	Status map[fault.Kind]int // every kind has one: Mount panics otherwise
}

// Config is what the server needs.
type Config struct {
	Dialects   []Dialect
	Authorizer Authorizer
	Auditor    Auditor
	Log        *slog.Logger
	Version    string
	PerMinute  int // rate limit per organisation and route; loopback callers have 1,000,000
	MaxBody    int64
	MaxDepth   int
}

// Server serves every dialect, its OpenAPI documents under /openapi/, /metrics, and refuses the rest in JSON.
type Server struct{}

func Mount(c Config) (*Server, error) { panic("unbuilt") }

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("unbuilt") }

// MergePatch applies an RFC 7396 merge patch to a document: null removes, arrays replace, objects merge. Key order of the target is kept.
func MergePatch(target, patch []byte) ([]byte, error) { panic("unbuilt") }
