package op

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
)

// stall is a dialect with habits of its own: its token stands in the query, its paths are written in any case, and it pays with other statuses.
func stall() Dialect {
	name := func(_ context.Context, _, id string, body Document) (Attributes, error) {
		if strings.HasPrefix(id, "broken") {
			return nil, fault.Of(fault.Unavailable, "store", "The store does not answer.")
		}
		var given struct{ Name string }
		if len(body) > 0 {
			if err := json.Unmarshal(body, &given); err != nil {
				return nil, err
			}
		}
		return func(string) (string, bool) { return given.Name, given.Name != "" }, nil
	}
	type named struct {
		ID   string `path:"id"`
		Body Document
	}
	return Dialect{
		Name: "stall", Title: "The stall", Status: statuses(), Challenge: "Stall",
		Rows: []Row{
			{ID: "open", Route: "POST /stall/key", Need: "stall:open", NoAccount: true, Open: true, Do: says("a key")},
			{ID: "trade", Route: "POST /stall/trade", Need: "stall:trade", NoAccount: true, Open: true, Mutates: true, Do: Func(trade)},
			{ID: "refuse", Route: "GET /stall/refuse", Need: "stall:read", NoAccount: true, Do: Func(func(context.Context, empty) (string, error) {
				return "", fault.Of(fault.Conflict, "debt", "Pay first.")
			})},
			{ID: "name", Route: "POST /stall/name", Need: "zoo:name", NoAccount: true, Mutates: true, Target: Target{Attributes: name}, Do: Func(func(_ context.Context, in struct{ Body Document }) (string, error) { return string(in.Body), nil })},
			{ID: "rename", Route: "PUT /stall/name/{id}", Need: "zoo:name", NoAccount: true, Mutates: true, Target: Target{Noun: "name", Param: "id", Attributes: name}, Do: Func(func(_ context.Context, in named) (string, error) { return in.ID, nil })},
		},
		Carrier:    Carrier{"query", "token"},
		Credential: func(r *http.Request) (Credential, error) { return Credential{Token: r.URL.Query().Get("token")}, nil },
		Rewrite: func(r *http.Request) *http.Request {
			if !strings.EqualFold(r.URL.Path[:min(6, len(r.URL.Path))], "/stall") {
				return nil
			}
			copied, address := *r, *r.URL
			address.Path = strings.ToLower(address.Path)
			copied.URL = &address
			return &copied
		},
		Exception: func(_ *Call, err *fault.Error) int {
			if err.Noun == "debt" {
				return http.StatusPaymentRequired
			}
			return 0
		},
		ContentType: func(r *http.Request) string { return r.Header.Get("Accept") },
		Answer:      func(_ *Call, out any) any { return out },
		Refuse:      func(_ *Call, _ int, err *fault.Error) any { return err.Message },
	}
}

func TestADialectMayHaveItsOwnHabits(t *testing.T) {
	const key = "?token=" + keeperToken
	for _, s := range []struct {
		name, request, body string
		status              int
		want                string
	}{
		{"its credential is where it says", "GET /stall/refuse" + key, "", 402, "Pay first."},
		{"another dialect's is none", "GET /stall/refuse", "", 401, "This token is not valid."},
		{"its addresses are spelled as it likes", "GET /STALL/Refuse" + key, "", 402, "Pay first."},
		{"what leads to a credential asks for none", "POST /stall/key", "", 200, "a key"},
		{"a condition sees what is to be made", "POST /stall/name" + key, `{"name":"forbidden"}`, 403, "You may not use this name."},
		{"and lets another pass", "POST /stall/name" + key, `{"name":"fine"}`, 200, "fine"},
		{"nobody is judged by an object that cannot be read", "PUT /stall/name/broken" + key, `{}`, 503, "The store does not answer."},
	} {
		t.Run(s.name, func(t *testing.T) {
			h := open(t, func(c *Config) { c.Dialects = append(c.Dialects, stall()) })
			w := h.ask(s.request, "body:"+s.body, "Accept: text/x-stall")
			if w.Code != s.status || !strings.Contains(w.Body.String(), s.want) {
				t.Errorf("%d %s, want %d with %q", w.Code, w.Body, s.status, s.want)
			}
			if got := w.Header().Get("Content-Type"); got != "text/x-stall" {
				t.Errorf("the answer is of type %q", got)
			}
			if got := w.Header().Get("WWW-Authenticate"); w.Code == 401 && got != "Stall" {
				t.Errorf("the challenge is %q", got)
			}
		})
	}
}

func TestAListShowsWhatItsCallerSees(t *testing.T) {
	call := &Call{Account: "act-n1", Row: Row{Need: "zoo:describeAnimals"}, Caller: Caller{Rights: rights{"north", true}}}
	if !call.Sees(Object{ID: "ani-1"}) {
		t.Error("the caller's own object is hidden")
	}
	call.Account = "act-s1"
	if call.Sees(Object{ID: "ani-s"}) {
		t.Error("a foreign object is shown")
	}
	if (&Call{}).Sees(Object{ID: "ani-1"}) {
		t.Error("a caller without rights sees something")
	}
}

// trade knows one token, and sets who it belongs to.
func trade(ctx context.Context, _ empty) (string, error) {
	call := CallOf(ctx)
	if call.Credential.Token == "" {
		return "", fault.Of(fault.NotFound, "credential", "There is nothing for these credentials.")
	}
	call.Caller = Caller{Organisation: "north", Subject: "u-" + call.Credential.Token}
	return call.Credential.Token, nil
}

func TestAnOpenOperationIsShownTheCredentialAndSaysForTheAuditWhoseItIs(t *testing.T) {
	for _, c := range []struct {
		request string
		status  int
		subject string // "" = nothing is recorded
	}{
		{"POST /stall/trade?token=coin", 200, "u-coin"},
		{"POST /stall/trade", 404, ""},
	} {
		h := open(t, func(c *Config) { c.Dialects = append(c.Dialects, stall()) })
		w := h.ask(c.request)
		if got := h.book.last(); w.Code != c.status || got.Subject != c.subject || len(h.book.entries) > 1 {
			t.Errorf("%s: %d %s, recorded %+v", c.request, w.Code, w.Body, h.book.entries)
		}
	}
}

func TestOtherOperationsKeepTheCredentialToThemselves(t *testing.T) {
	h := open(t)
	if h.ask("GET /zoo/animal/ani-1"); h.zoo.last.ID == "" || h.zoo.last.Credential.Token != "" {
		t.Errorf("the call has the credential %q", h.zoo.last.Credential.Token)
	}
}

func TestTheDocumentSaysHowTheCredentialIsCarried(t *testing.T) {
	h := open(t, func(c *Config) { c.Dialects = append(c.Dialects, stall()) })
	if scheme := at(t, document(t, h, "zoo"), "components", "securitySchemes", "token"); at(t, scheme, "scheme") != "bearer" {
		t.Errorf("the zoo's is %v", scheme)
	}
	doc := document(t, h, "stall")
	if scheme := at(t, doc, "components", "securitySchemes", "token"); at(t, scheme, "in") != "query" || at(t, scheme, "name") != "token" {
		t.Errorf("the stall's is %v", scheme)
	}
	if needs := at(t, doc, "paths", "/stall/key", "post", "security", 0).(map[string]any); len(needs) != 0 {
		t.Errorf("an open operation asks for %v", needs)
	}
}

// inn is a dialect that lets guests in, and takes a name from wherever it stands.
func inn() Dialect {
	return Dialect{
		Name: "inn", Title: "The inn", Status: statuses(),
		Rows: []Row{
			{ID: "bed", Route: "PUT /inn/bed", Need: "inn:sleep", NoAccount: true, Mutates: true, Do: Func(func(ctx context.Context, in struct{ Body Document }) (string, error) {
				return CallOf(ctx).Caller.Subject + " " + string(in.Body), nil
			})},
		},
		Guest: func(r *http.Request) bool { return r.RemoteAddr == "here:1" },
		Document: func(r *http.Request, body []byte) ([]byte, error) {
			switch name := r.URL.Query().Get("name"); {
			case name == "none":
				return nil, fault.Of(fault.Invalid, "query", "Give your name.")
			case name != "":
				return json.Marshal(map[string]string{"name": name})
			}
			return body, nil
		},
		Answer: func(_ *Call, out any) any { return out },
	}
}

// porter knows guests, and nobody else.
type porter struct{}

func (porter) Authenticate(_ context.Context, c Credential) (Caller, error) {
	if c.Guest && c.Token == "" {
		return Caller{Organisation: "north", Subject: "guest", Rights: rights{"north", false}}, nil
	}
	return Caller{}, fault.Of(fault.Unauthenticated, "token", "This token is not valid.")
}

func TestGuestsAreLetInWhereADialectSaysSoUnlessTheyShowSomething(t *testing.T) {
	s, err := Mount(Config{Dialects: []Dialect{inn()}, Authenticator: porter{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		remote, authorization string
		status                int
	}{
		{"here:1", "", 200}, {"there:1", "", 401}, {"here:1", "Bearer wrong", 401}, {"here:1", "Basic Og==", 401}, {"here:1", "Bearer ", 401},
	} {
		r := httptest.NewRequest(http.MethodPut, "/inn/bed", nil)
		r.RemoteAddr = c.remote
		if c.authorization != "" {
			r.Header.Set("Authorization", c.authorization)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
}

func TestADialectMakesTheDocumentOutOfWhatItsClientsSend(t *testing.T) {
	audit := &book{}
	s, err := Mount(Config{Dialects: []Dialect{inn()}, Authenticator: porter{}, Auditor: audit})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ query, body, answer string }{
		{"", `{"name":"Ada"}`, `"guest {\"name\":\"Ada\"}"`}, {"?name=Bo", `not JSON`, `"guest {\"name\":\"Bo\"}"`}, {"", "", `"guest "`},
		{"?name=none", "", ""}, {"", "not JSON", ""},
	} {
		r := httptest.NewRequest(http.MethodPut, "/inn/bed"+c.query, strings.NewReader(c.body))
		r.RemoteAddr = "here:1"
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if got := strings.TrimSpace(w.Body.String()); c.answer != "" && got != c.answer || (w.Code == http.StatusOK) != (c.answer != "") {
			t.Errorf("%+v: %d %s", c, w.Code, got)
		}
		if c.query == "?name=Bo" && !strings.Contains(audit.last().Context, `"name":"Bo"`) {
			t.Errorf("the audit keeps %s", audit.last().Context)
		}
	}
}
