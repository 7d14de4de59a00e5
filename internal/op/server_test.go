package op

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// The test dialect "zoo": animals in accounts of two organisations. Animals are kept in memory unless a test gives a database.

const (
	keeperToken  = "keeper-token"  // organisation north: may do everything
	visitorToken = "visitor-token" // organisation north: may only look
	rivalToken   = "rival-token"   // organisation south
	founderToken = "founder-token" // organisation east, which has no account yet
)

// guard is a small working Authenticator.
type guard struct{}

func (guard) Authenticate(_ context.Context, c Credential) (Caller, error) {
	switch c.Token {
	case keeperToken:
		return Caller{Organisation: "north", Subject: "u-keeper", Name: "Keeper", Default: "act-n1", Rights: rights{"north", false}}, nil
	case visitorToken:
		return Caller{Organisation: "north", Subject: "u-visitor", Name: "Visitor", Default: "act-n1", Rights: rights{"north", true}}, nil
	case rivalToken:
		return Caller{Organisation: "south", Subject: "u-rival", Name: "Rival", Default: "act-s1", Rights: rights{"south", false}}, nil
	case founderToken:
		return Caller{Organisation: "east", Subject: "u-founder", Name: "Founder", Rights: rights{"east", false}}, nil
	}
	return Caller{}, fault.Of(fault.Unauthenticated, "token", "This token is not valid.")
}

// rights are those in all accounts of an organisation.
type rights struct {
	organisation string
	lookOnly     bool
}

func (r rights) Authorize(d Deed) error {
	if d.Account != "" && !strings.HasPrefix(d.Account, "act-"+r.organisation[:1]) {
		return fault.Of(fault.Denied, "account", "You have no account %q.", d.Account)
	}
	if r.lookOnly && !d.Reads {
		return fault.Of(fault.Denied, "action", "You may not do %s.", d.Need)
	}
	if d.Object.Attributes != nil && d.Need == "zoo:name" {
		if name, _ := d.Object.Attributes("name"); name == "forbidden" {
			return fault.Of(fault.Denied, "action", "You may not use this name.")
		}
	}
	return nil
}

// book is an Auditor that keeps entries, and says whether they came with a transaction.
type book struct {
	mu      sync.Mutex
	entries []AuditEntry
	inTx    []bool
	fail    error
}

func (b *book) Record(_ context.Context, tx *store.Tx, entry AuditEntry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	b.entries, b.inTx = append(b.entries, entry), append(b.inTx, tx != nil)
	return nil
}

func (b *book) last() AuditEntry {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.entries) == 0 {
		return AuditEntry{}
	}
	return b.entries[len(b.entries)-1]
}

type zoo struct {
	mu      sync.Mutex
	homes   map[string]string // animal → account
	lookups int
	fed     int
	db      *store.DB
	last    Call

	committed func() // nil = nobody asks
}

func (z *zoo) accountOf(_ context.Context, id string) (string, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.lookups++
	if id == "ani-broken" {
		return "", fault.Of(fault.Unavailable, "store", "The store does not answer.")
	}
	home, ok := z.homes[id]
	if !ok {
		return "", fault.Missing("animal", id)
	}
	return home, nil
}

type animal struct {
	ID      string `json:"id"`
	Account string `json:"account,omitempty"`
}

type byID struct {
	ID string `path:"animalId"`
}

func (z *zoo) read(ctx context.Context, in byID) (animal, error) {
	call := CallOf(ctx)
	z.last = *call
	if in.ID == "ani-panics" {
		panic("the animal is loose")
	}
	return animal{ID: in.ID, Account: call.Account}, nil
}

type creation struct {
	Body  Document
	Times int `query:"times" minimum:"1" maximum:"3"`
}

func (z *zoo) create(ctx context.Context, in creation) (animal, error) {
	call := CallOf(ctx)
	call.Object = "ani-new"
	z.last = *call
	if z.db != nil {
		err := z.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			z.fed++
			if z.committed != nil {
				tx.AfterCommit(z.committed)
			}
			return nil
		})
		if err != nil {
			return animal{}, err
		}
	}
	if call.DryRun {
		call.Decision = "dec-1"
	}
	return animal{ID: "ani-new", Account: call.Account}, nil
}

type feeding struct {
	ID     string    `path:"animalId"`
	Key    *string   `header:"Idempotency-Key" minLength:"1" maxLength:"9" pattern:"^[ -~]*$" doc:"The same feeding again"`
	Meals  int       `header:"X-Meals" default:"1"`
	Amount *float64  `query:"amount" required:"true" minimum:"0" maximum:"50"`
	Food   string    `query:"food" enum:"hay,fish" default:"hay"`
	At     []int     `query:"at"`
	Wet    bool      `query:"wet"`
	Until  timestamp `query:"until"`
}

// timestamp shows that a type can read itself.
type timestamp string

func (t *timestamp) UnmarshalText(text []byte) error {
	if !strings.Contains(string(text), "-") {
		return fmt.Errorf("a date has dashes")
	}
	*t = timestamp(text)
	return nil
}

func (z *zoo) feed(_ context.Context, in feeding) (map[string]any, error) {
	return map[string]any{"amount": *in.Amount, "food": in.Food, "at": in.At, "wet": in.Wet, "until": in.Until, "key": in.Key, "meals": in.Meals}, nil
}

type empty struct{}

func says(words string) Do {
	return Func(func(context.Context, empty) (string, error) { return words, nil })
}

func (z *zoo) rows() []Row {
	target := Target{Noun: "animal", Param: "animalId", AccountOf: z.accountOf}
	return []Row{
		{N: 1, ID: "animal.create", Route: "POST /zoo/animal", Need: "zoo:createAnimal", Title: "Create an animal", Mutates: true, Body: "animal", Do: Func(z.create)},
		{N: 2, ID: "animal.list", Route: "GET /zoo/animal", Need: "zoo:describeAnimals", Do: Func(func(ctx context.Context, _ empty) (string, error) { return CallOf(ctx).Account, nil })},
		{N: 3, ID: "animal.read", Route: "GET /zoo/animal/{animalId}", Need: "zoo:describeAnimal", Target: target, Do: Func(z.read)},
		{N: 4, ID: "animal.update", Route: "PUT /zoo/animal/{animalId}", Need: "zoo:updateAnimal", Target: target, Mutates: true, Do: Func(z.patch)},
		{N: 5, ID: "animal.feed", Route: "PUT /zoo/animal/{animalId}/feed", Need: "zoo:feedAnimal", Target: target, Do: Func(z.feed)},
		{N: 6, ID: "animal.newest", Route: "GET /zoo/animal/newest", Need: "zoo:describeAnimal", Do: says("newest")},
		{N: 7, ID: "ticket.list", Route: "GET /zoo/ticket", Need: "zoo:describeTickets", NoAccount: true, Do: Func(func(ctx context.Context, _ empty) (string, error) { return "above:" + CallOf(ctx).Account, nil })},
		{N: 8, ID: "animal.free", Route: "DELETE /zoo/animal/{animalId}", Need: "zoo:deleteAnimal", Target: target, Mutates: true, Body: "animal#/$defs/farewell", BodyOptional: true, Status: 202, Do: Func(z.free)},
	}
}

type change struct {
	ID   string `path:"animalId"`
	Body Document
}

func (z *zoo) patch(_ context.Context, in change) (Document, error) { return in.Body, nil }

func (z *zoo) free(_ context.Context, in change) (string, error) {
	if in.ID == "ani-stuck" {
		return "", fault.Of(fault.Conflict, "animal", "The animal is asleep.")
	}
	return "free " + string(in.Body), nil
}

const animalSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object", "required": ["animal"],
  "properties": {"animal": {"$ref": "#/$defs/animal"}},
  "$defs": {
    "animal": {"type": "object", "required": ["name"], "properties": {
      "name": {"type": "string", "minLength": 1},
      "legs": {"type": "integer", "minimum": 0, "maximum": 8},
      "diet": {"type": "array", "items": {"enum": ["hay", "fish"]}},
      "cage": {"$ref": "common.json#/$defs/cage"},
      "size": {"anyOf": [{"type": "integer"}, {"type": "object", "required": ["metres"], "properties": {"metres": {"type": "number"}}}]},
      "notes": {"type": "object"},
      "password": {"type": "string", "pattern": "^[a-z]+$"},
      "env": {"type": "object", "additionalProperties": {"anyOf": [{"type": "string", "pattern": "^[a-z]*$"}, {"type": "boolean"}]}}
    }},
    "farewell": {"type": "object", "properties": {"words": {"type": "string"}}}
  }
}`

const commonSchema = `{"$defs": {"cage": {"type": "object", "properties": {"number": {"type": "integer"}, "door": {"enum": ["OPEN", "SHUT"]}}}}}`

func zooSchemas() fstest.MapFS {
	return fstest.MapFS{"animal.json": {Data: []byte(animalSchema)}, "common.json": {Data: []byte(commonSchema)}}
}

func statuses() map[fault.Kind]int {
	return map[fault.Kind]int{
		fault.Invalid: 400, fault.Unauthenticated: 401, fault.Denied: 403, fault.NotFound: 404, fault.Conflict: 409,
		fault.Exists: 409, fault.Limit: 400, fault.Unavailable: 503, fault.Internal: 500,
	}
}

func (z *zoo) dialect() Dialect {
	return Dialect{
		Name: "zoo", Title: "The zoo", Rows: z.rows(), Schemas: zooSchemas(), AccountFrom: "accountId", Status: statuses(),
		Answer: func(call *Call, out any) any { return map[string]any{"zoo": out, "id": call.ID} },
		Refuse: func(call *Call, status int, err *fault.Error) any {
			type one struct{ Noun, Field, Message string }
			faults := []one{{err.Noun, err.Field, err.Message}}
			for _, other := range err.Others {
				faults = append(faults, one{other.Noun, other.Field, other.Message})
			}
			return map[string]any{"zooError": faults, "status": status, "id": call.ID}
		},
	}
}

// shop is a second dialect on the same port.
func shop() Dialect {
	return Dialect{
		Name: "shop", Title: "The shop", Status: statuses(), Prefixes: []string{"/zoo/shop", "/till"},
		Rows:   []Row{{ID: "item.list", Route: "GET /zoo/shop/item", Need: "shop:describeItems", Do: says("items")}},
		Answer: func(_ *Call, out any) any { return map[string]any{"shop": out} },
		Refuse: func(_ *Call, _ int, err *fault.Error) any { return map[string]any{"shopError": err.Message} },
	}
}

// house is a mounted test server with what a test looks at afterwards.
type house struct {
	*Server
	zoo  *zoo
	book *book
	logs *strings.Builder
}

func open(t testing.TB, adjust ...func(*Config)) *house {
	t.Helper()
	z := &zoo{homes: map[string]string{
		"ani-1": "act-n1", "ani-2": "act-n2", "ani-s": "act-s1", "ani-panics": "act-n1", "ani-stuck": "act-n1",
	}}
	h := &house{zoo: z, book: &book{}, logs: &strings.Builder{}}
	c := Config{
		Dialects: []Dialect{z.dialect(), shop()}, Authenticator: guard{}, Auditor: h.book, Version: "test", MaxBody: 4096, MaxDepth: 8,
		Log: slog.New(slog.NewJSONHandler(h.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range adjust {
		f(&c)
	}
	server, err := Mount(c)
	if err != nil {
		t.Fatal(err)
	}
	h.Server = server
	return h
}

// ask sends "METHOD /path" as the keeper from another machine; header lines follow as "Name: value", a body after "body:".
func (h *house) ask(request string, extras ...string) *httptest.ResponseRecorder {
	method, path, _ := strings.Cut(request, " ")
	body := ""
	headers := map[string]string{"Authorization": "Bearer " + keeperToken}
	for _, extra := range extras {
		name, value, _ := strings.Cut(extra, ":")
		if name == "body" {
			body = value
			continue
		}
		headers[name] = strings.TrimSpace(value)
	}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func as(token string) string { return "Authorization: Bearer " + token }

// scenario is one request and what must come back.
type scenario struct {
	name    string
	request string
	extras  []string
	status  int
	want    []string // parts of the body
	wantNot []string
}

func play(t *testing.T, scenarios []scenario) {
	t.Helper()
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			w := open(t).ask(s.request, s.extras...)
			if w.Code != s.status {
				t.Errorf("status %d, want %d; body %s", w.Code, s.status, w.Body)
			}
			if w.Header().Get("Content-Type") != "application/json" || !json.Valid(w.Body.Bytes()) {
				t.Errorf("the answer is not JSON: %s", w.Body)
			}
			for _, part := range s.want {
				if !strings.Contains(w.Body.String(), part) {
					t.Errorf("the body lacks %s: %s", part, w.Body)
				}
			}
			for _, part := range s.wantNot {
				if strings.Contains(w.Body.String(), part) {
					t.Errorf("the body has %s: %s", part, w.Body)
				}
			}
		})
	}
}

func TestRequestsFindTheirRowAndTheirEnvelope(t *testing.T) {
	play(t, []scenario{
		{name: "a row answers in its dialect's envelope", request: "GET /zoo/animal/ani-1", status: 200, want: []string{`{"id":"`, `"zoo":{"id":"ani-1","account":"act-n1"}`}},
		{name: "a static segment goes before a placeholder", request: "GET /zoo/animal/newest", status: 200, want: []string{`"zoo":"newest"`}},
		{name: "a method that the static path lacks falls to the placeholder", request: "PUT /zoo/animal/newest", status: 404, want: []string{"newest"}},
		{name: "a trailing slash is accepted", request: "GET /zoo/animal/ani-1/", status: 200, want: []string{`"id":"ani-1"`}},
		{name: "a trailing slash is accepted before a query", request: "GET /zoo/animal/?accountId=act-n2", status: 200, want: []string{`"zoo":"act-n2"`}},
		{name: "an escaped placeholder is read", request: "GET /zoo/animal/ani%2D1", status: 200, want: []string{`"id":"ani-1"`}},
		{name: "another dialect answers in its own", request: "GET /zoo/shop/item", status: 200, want: []string{`{"shop":"items"}`}},
		{name: "a row chooses its status", request: "DELETE /zoo/animal/ani-1", status: 202, want: []string{`"free "`}},
		{name: "an unknown route is refused in the dialect of its prefix", request: "GET /zoo/nothing", status: 404, want: []string{`zooError`, `route`}},
		{name: "the longest prefix decides", request: "GET /zoo/shop/nothing", status: 404, want: []string{`shopError`}},
		{name: "a prefix ends at a segment", request: "GET /zoology", status: 404, want: []string{`{"error":`}},
		{name: "a path of nobody gets a neutral answer", request: "GET /nowhere", status: 404, want: []string{`"error":`, `"request":`}},
		{name: "a wrong method is refused in the dialect's envelope", request: "PATCH /zoo/animal", status: 405, want: []string{`zooError`, "GET or POST"}},
		{name: "a panic is Internal and tells nothing", request: "GET /zoo/animal/ani-panics", status: 500, want: []string{`zooError`}, wantNot: []string{"loose"}},
	})
}
