package op

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/neap-cloud/neap/internal/fault"
)

// Server serves every dialect, its OpenAPI documents under /openapi/, /metrics, and refuses the rest in JSON.
type Server struct {
	router        *chi.Mux
	authenticator Authenticator
	auditor       Auditor
	log           *slog.Logger
	limiter       *limiter
	metrics       *metrics
	owners        *recent[owner, string]
	streams       streams
	prefixes      []prefix
	anyOrigin     []string // the paths among them that pages from anywhere may ask
	rewrites      []func(r *http.Request) *http.Request
	operations    []Operation
	maxBody       int64
	maxDepth      int
}

// route is a row in its place.
type route struct {
	dialect      *Dialect
	row          Row
	operation    string
	method, path string
	takesBody    bool
	schema       *validator // nil = any object
}

// prefix is a path under which unknown routes are refused in a dialect's envelope.
type prefix struct {
	path    string
	dialect *Dialect
}

const rememberedOwners = 100_000

// Mount builds the server. It panics on a row that cannot be right (no Need, no Do, a route or id given twice, a fault kind without status): such
// a program must not start. Its errors are about schema files.
func Mount(c Config) (*Server, error) {
	s := &Server{
		router: chi.NewRouter(), authenticator: c.Authenticator, auditor: c.Auditor, log: c.Log, metrics: newMetrics(),
		limiter: newLimiter(orElse(c.PerMinute, 6000)), owners: newRecent[owner, string](rememberedOwners),
		maxBody: orElse(c.MaxBody, 1<<20), maxDepth: orElse(c.MaxDepth, 64),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.router.NotFound(s.unknownRoute)
	s.router.MethodNotAllowed(s.wrongMethod)
	s.router.Method(http.MethodGet, "/metrics", s.Metrics())
	taken := map[string]string{}
	for i := range c.Dialects {
		if err := s.mountDialect(&c.Dialects[i], c.Version, taken); err != nil {
			return nil, fmt.Errorf("dialect %s: %w", c.Dialects[i].Name, err)
		}
	}
	return s, s.serveBrowser(c.Dialects)
}

func orElse[T comparable](value, standard T) T {
	var zero T
	if value == zero {
		return standard
	}
	return value
}

func (s *Server) mountDialect(d *Dialect, version string, taken map[string]string) error {
	for _, kind := range fault.Kinds() {
		if d.Status[kind] == 0 {
			panic(fmt.Sprintf("op: dialect %s has no status for the fault kind %q", d.Name, kind))
		}
	}
	schemas, err := NewSchemas(d.Schemas)
	if err != nil {
		return err
	}
	adapter := humachi.NewAdapter(s.router)
	description := newDescription(d, version, schemas)
	for _, row := range d.Rows {
		rt, err := newRoute(d, row, schemas)
		if err != nil {
			return err
		}
		for _, name := range []string{rt.method + " " + anonymous(rt.path), rt.operation} {
			if other, twice := taken[name]; twice {
				panic(fmt.Sprintf("op: %s and %s both claim %q", other, rt.operation, name))
			}
			taken[name] = rt.operation
		}
		operation := description.add(rt)
		adapter.Handle(operation, rt.serve)
	}
	if d.Rewrite != nil {
		s.rewrites = append(s.rewrites, d.Rewrite)
	}
	s.serveDescription(d.Name, description)
	s.operations = append(s.operations, Operations(*d)...)
	for _, path := range prefixesOf(d) {
		s.prefixes = append(s.prefixes, prefix{path, d})
		if d.AnyOrigin {
			s.anyOrigin = append(s.anyOrigin, path)
		}
	}
	return nil
}

// newRoute checks a row and finds its schema.
func newRoute(d *Dialect, row Row, schemas *Schemas) (*route, error) {
	rt := &route{dialect: d, row: row, operation: d.Name + "." + row.ID}
	var ok bool
	rt.method, rt.path, ok = strings.Cut(row.Route, " ")
	switch {
	case row.ID == "" || !ok || !strings.HasPrefix(rt.path, "/"):
		panic(fmt.Sprintf("op: row %q needs an ID and a Route of method and path, has %q", rt.operation, row.Route))
	case row.Need == "":
		panic(fmt.Sprintf("op: row %s says no Need", rt.operation))
	case row.Do.run == nil:
		panic(fmt.Sprintf("op: row %s has nothing to do", rt.operation))
	case row.Do.streams && (row.Mutates || row.Status != 0):
		panic(fmt.Sprintf("op: row %s is a stream, which changes nothing and answers 200", rt.operation))
	case row.Target.Param != "" && !strings.Contains(rt.path, "{"+row.Target.Param+"}"):
		panic(fmt.Sprintf("op: row %s has no {%s} in its path %s", rt.operation, row.Target.Param, rt.path))
	}
	for _, in := range row.Do.in {
		rt.takesBody = rt.takesBody || in.place == "body"
		if in.place == "path" && !strings.Contains(rt.path, "{"+in.name+"}") {
			panic(fmt.Sprintf("op: row %s binds {%s}, which is not in its path %s", rt.operation, in.name, rt.path))
		}
	}
	if row.Body == "" {
		return rt, nil
	}
	rt.takesBody = true
	var err error
	rt.schema, err = schemas.named(row.Body)
	return rt, err
}

// anonymous writes a path without the names of its placeholders, which carry no meaning.
func anonymous(path string) string {
	var plain strings.Builder
	inside := false
	for _, c := range path {
		if c == '}' {
			inside = false
		}
		if !inside {
			plain.WriteRune(c)
		}
		if c == '{' {
			inside = true
		}
	}
	return plain.String()
}

func prefixesOf(d *Dialect) []string {
	if d.Prefixes != nil {
		return d.Prefixes
	}
	var prefixes []string
	for _, row := range d.Rows {
		_, path, _ := strings.Cut(row.Route, " /")
		first, _, _ := strings.Cut(path, "/")
		if !strings.Contains(first, "{") {
			prefixes = append(prefixes, "/"+first)
		}
	}
	return prefixes
}

// dialectOf is the dialect whose longest prefix matches, nil for none.
func (s *Server) dialectOf(path string) *Dialect {
	var best prefix
	for _, p := range s.prefixes {
		if isBelow(path, p.path) && (best.dialect == nil || len(p.path) > len(best.path)) {
			best = p
		}
	}
	return best.dialect
}

func isBelow(path, prefix string) bool {
	rest, found := strings.CutPrefix(path, strings.TrimSuffix(prefix, "/"))
	return found && (rest == "" || rest[0] == '/')
}

func (s *Server) unknownRoute(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange)
	x.dialect = s.dialectOf(r.URL.Path)
	at := r.URL.Path
	if x.dialect != nil && x.dialect.SecretPaths {
		at = "this address"
	}
	x.refuse(refuseWith(http.StatusNotFound, fault.Of(fault.NotFound, "route", "There is no operation at %s; /openapi/ lists them all.", at)))
}

func (s *Server) wrongMethod(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange)
	x.dialect = s.dialectOf(r.URL.Path)
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if s.router.Match(chi.NewRouteContext(), method, r.URL.Path) {
			allowed = append(allowed, method)
		}
	}
	x.Header().Set("Allow", strings.Join(allowed, ", "))
	x.refuse(refuseWith(http.StatusMethodNotAllowed, fault.Of(fault.Invalid, "method", "%s is not possible here; use %s.", r.Method, either(allowed))))
}
