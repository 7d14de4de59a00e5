package op

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
)

// exchange is one request on its way through the server. It is the ResponseWriter that the router sees, so that it is found again behind it.
type exchange struct {
	http.ResponseWriter
	server   *Server
	request  *http.Request
	sent     []byte   // the body, once it has been read and is a JSON object
	dialect  *Dialect // whose envelope the answer has; nil = the neutral one
	route    *route   // nil before the router found one
	call     Call
	status   int // 0 = nothing has been answered yet
	fault    *fault.Error
	loopback bool // it comes from this very machine
	overRate bool
	streamed bool // the answer is a stream
	// credential is what the request was admitted with; a stream shows it again.
	credential Credential
	// contentType of the answer
	contentType string
}

// WriteHeader remembers the status for the log and the metrics.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// ServeHTTP answers every request, in the envelope of the dialect it belongs to. A trailing slash is accepted on every route.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	remote, loopback := remoteOf(r)
	x := &exchange{ResponseWriter: w, server: s, request: r, loopback: loopback, contentType: jsonType, call: Call{
		ID: requestID(r.Header.Get("X-Request-Id")), Method: r.Method, Path: r.URL.Path, URL: r.URL.RequestURI(), Remote: remote, At: time.Now().UTC(),
	}}
	w.Header().Set("X-Request-Id", x.call.ID)
	s.metrics.inFlight.Inc()
	defer x.finish(r)
	defer x.recover()
	if s.AnyOrigin(r.URL.Path) {
		x.dialect = s.dialectOf(r.URL.Path)
		if r = acrossOrigins(x, r); r == nil {
			return
		}
	}
	s.router.ServeHTTP(x, s.asRouted(r))
}

// asRouted is the request with the address of its row: each dialect knows the spellings that its clients use.
func (s *Server) asRouted(r *http.Request) *http.Request {
	for _, rewrite := range s.rewrites {
		if rewritten := rewrite(r); rewritten != nil {
			return rewritten
		}
	}
	return withoutTrailingSlash(r)
}

// requestID takes the client's id when it is harmless in a log line, else makes one.
func requestID(given string) string {
	if len(given) == 0 || len(given) > 128 {
		return ident.UUID()
	}
	for i := range len(given) {
		c := given[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return ident.UUID()
		}
	}
	return given
}

func withoutTrailingSlash(r *http.Request) *http.Request {
	if len(r.URL.Path) < 2 || !strings.HasSuffix(r.URL.Path, "/") {
		return r
	}
	trimmed, address := *r, *r.URL
	address.Path, address.RawPath = strings.TrimSuffix(address.Path, "/"), strings.TrimSuffix(address.RawPath, "/")
	trimmed.URL = &address
	return &trimmed
}

// recover turns a panic into an Internal refusal, with its stack in the log.
func (x *exchange) recover() {
	panicked := recover()
	if panicked == nil {
		return
	}
	if panicked == http.ErrAbortHandler {
		panic(panicked)
	}
	x.server.log.Error("a request panicked", "request", x.call.ID, "operation", x.operation(), "panic", panicked, "stack", string(debug.Stack()))
	if x.status == 0 {
		x.refuseSafely(fault.Of(fault.Internal, "", "Something failed inside Neap; the log has the details under this request's id."))
	}
}

// refuseSafely falls back to the neutral envelope when the dialect's own panics.
func (x *exchange) refuseSafely(f *fault.Error) {
	defer func() {
		if recover() != nil && x.status == 0 {
			x.dialect = nil
			x.refuse(f)
		}
	}()
	x.refuse(f)
}

// operation labels log lines and metrics.
func (x *exchange) operation() string {
	if x.route == nil {
		return "none"
	}
	return x.route.operation
}

// path is what a log line may say of the address.
func (x *exchange) path() string {
	if x.dialect != nil && x.dialect.SecretPaths {
		return hidden
	}
	return x.call.Path
}

func (x *exchange) finish(r *http.Request) {
	x.server.metrics.inFlight.Dec()
	took := time.Since(x.call.At)
	x.server.metrics.count(x.operation(), x.status, x.fault, took, x.streamed)
	level := slog.LevelDebug
	switch {
	case r.Context().Err() != nil: // the client went away; whatever failed for that is not our fault
	case x.status >= 500:
		level = slog.LevelError
	case x.fault != nil:
		level = slog.LevelInfo
	}
	if !x.server.log.Enabled(r.Context(), level) {
		return
	}
	attributes := []slog.Attr{
		slog.String("request", x.call.ID), slog.String("operation", x.operation()), slog.String("method", x.call.Method), slog.String("path", x.path()),
		slog.Int("status", x.status), slog.Duration("took", took), slog.String("organisation", x.call.Caller.Organisation),
		slog.String("account", x.call.Account), slog.String("subject", x.call.Caller.Subject),
	}
	if x.fault != nil {
		attributes = append(attributes, slog.String("kind", string(x.fault.Kind)), slog.String("error", x.fault.Error()))
	}
	x.server.log.LogAttrs(r.Context(), level, "request", attributes...)
}

// serve is the huma handler of a route.
func (rt *route) serve(h huma.Context) {
	r, w := humachi.Unwrap(h)
	x := w.(*exchange)
	x.route, x.dialect, x.call.Row = rt, rt.dialect, rt.row
	if choose := rt.dialect.ContentType; choose != nil {
		x.contentType = choose(r)
	}
	ctx := withCall(r.Context(), &x.call)
	out, err := x.perform(ctx, h, r)
	if err != nil {
		x.recordRefusal(ctx, err)
		x.refuse(err)
		return
	}
	if flow, is := out.(flow); is {
		x.stream(ctx, flow)
		return
	}
	x.answer(out)
}

// perform is a request's way: token, rate, account, action, look-up, input, and then the operation with its rules on the object.
func (x *exchange) perform(ctx context.Context, h huma.Context, r *http.Request) (any, error) {
	if err := x.admit(ctx, r); err != nil {
		return nil, err
	}
	from, err := x.query(h, r)
	if err != nil {
		return nil, err
	}
	var root node
	early := x.route.row.Target.Attributes != nil // conditions of policies may ask for what the body says
	if early {
		if from.body, root, err = x.body(r); err != nil {
			return nil, err
		}
	}
	if err := x.resolve(ctx, h, from); err != nil {
		return nil, err
	}
	if x.call.DryRun, err = x.dryRun(h); err != nil {
		return nil, err
	}
	if !early {
		if from.body, root, err = x.body(r); err != nil {
			return nil, err
		}
	}
	if err := x.validate(from.body, root); err != nil {
		return nil, err
	}
	do, err := x.route.row.Do.run(ctx, from)
	if err != nil {
		return nil, err
	}
	return x.act(ctx, do)
}

// admit authenticates and counts the request against the caller's rate, or the remote address's when nobody knows the caller.
func (x *exchange) admit(ctx context.Context, r *http.Request) error {
	key := limitKey{loopback: x.loopback, route: x.route}
	caller, err := x.authenticate(ctx, r)
	if err == nil && !x.route.row.Open {
		x.call.Caller = caller
		key.organisation = caller.Organisation
	} else {
		key.remote = x.call.Remote
	}
	standing := x.server.limiter.take(key, time.Now())
	standing.write(x.Header())
	if x.overRate = standing.over; standing.over {
		x.Header().Set("Retry-After", strconv.Itoa(standing.reset))
		return refuseWith(http.StatusTooManyRequests, fault.Of(fault.Limit, "rate",
			"Too many requests: %d a minute are accepted here; try again in %d s.", standing.limit, standing.reset))
	}
	return err
}

func (x *exchange) authenticate(ctx context.Context, r *http.Request) (Caller, error) {
	find := x.dialect.Credential
	if find == nil {
		find = bearer
	}
	credential, err := find(r)
	if x.route.row.Open {
		if err == nil { // whoever shows nothing readable is nobody; what that means is for the operation to say
			x.call.Credential = credential
		}
		return Caller{}, nil
	}
	if guest := x.dialect.Guest; err != nil && guest != nil && r.Header.Get("Authorization") == "" && guest(r) {
		credential, err = Credential{Guest: true}, nil
	}
	if err != nil {
		return Caller{}, err
	}
	x.credential = credential
	return x.server.authenticator.Authenticate(ctx, credential)
}

func (x *exchange) query(h huma.Context, r *http.Request) (source, error) {
	if r.URL.RawQuery == "" {
		return source{http: h, header: r.Header}, nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return source{}, fault.Of(fault.Invalid, "query", "The query of the address cannot be read: %v.", err)
	}
	return source{http: h, header: r.Header, query: values}, nil
}

// dryRun reads the header on operations that change something. What is neither yes nor no is refused: who asks for a rehearsal must not get the play.
func (x *exchange) dryRun(h huma.Context) (bool, error) {
	asked := h.Header("Neap-Dry-Run")
	if asked == "" || !x.route.row.Mutates {
		return false, nil
	}
	dry, err := strconv.ParseBool(asked)
	if err != nil {
		return false, fault.Field("Neap-Dry-Run", "must be true or false, got %q", asked)
	}
	return dry, nil
}

// body reads the request's document, if the operation takes one.
func (x *exchange) body(r *http.Request) (Document, node, error) {
	if !x.route.takesBody {
		return nil, node{}, nil
	}
	limit := x.server.maxBody
	tooLarge := func() error {
		x.Header().Set("Connection", "close")
		return refuseWith(http.StatusRequestEntityTooLarge, fault.Of(fault.Limit, "body", "The body is too large; at most %d bytes are accepted.", limit))
	}
	if r.ContentLength > limit {
		return nil, node{}, tooLarge()
	}
	var text bytes.Buffer
	if r.ContentLength > 0 {
		text.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := text.ReadFrom(io.LimitReader(r.Body, limit+1)); err != nil {
		return nil, node{}, fault.Of(fault.Invalid, "body", "The body broke off before its end; send it again.").With(err)
	}
	if int64(text.Len()) > limit {
		return nil, node{}, tooLarge()
	}
	content := text.Bytes()
	if r.Header.Get("Content-Encoding") == "" { // what is packed begins and ends as it likes; unpacking it is for the dialect
		content = bytes.TrimSpace(content)
	}
	if gather := x.dialect.Document; gather != nil {
		var err error
		if content, err = gather(r, content); err != nil {
			return nil, node{}, err
		}
	}
	if len(content) == 0 {
		return nil, node{}, nil
	}
	root, err := parseDocument(content, x.server.maxDepth)
	x.sent = content
	return content, root, err
}

// validate holds the document to the schema that the row names.
func (x *exchange) validate(body Document, root node) error {
	rt := x.route
	switch {
	case rt.schema == nil:
		return nil
	case len(body) > 0:
		return fault.All(rt.schema.node(root))
	case !rt.row.BodyOptional:
		return fault.Of(fault.Invalid, "body", "A JSON body is required.")
	}
	return nil
}
