package op

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

const ida = `body:{"animal":{"name":"Ida"}}`

// withStore lets the zoo's create run a transaction.
func withStore(t testing.TB, h *house) {
	t.Helper()
	db, err := store.Open(context.Background(), store.Config{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	h.zoo.db = db
}

func TestAChangeIsRecordedInItsOwnTransaction(t *testing.T) {
	h := open(t)
	withStore(t, h)
	w := h.ask("POST /zoo/animal?accountId=act-n2", ida, "X-Request-Id: req-1", "User-Agent: curl/8")
	want := AuditEntry{
		Request: "req-1", Organisation: "north", Account: "act-n2", Subject: "u-keeper", Name: "Keeper",
		Remote: "192.0.2.1", Agent: "curl/8", Source: "API",
		Operation: "zoo.animal.create", Need: "zoo:createAnimal", Method: "POST", Path: "/zoo/animal", Object: "ani-new", Outcome: "done", Status: 200,
		Context: `{"body":{"animal":{"name":"Ida"}},"url":"/zoo/animal?accountId=act-n2","query":{"accountId":["act-n2"]}}`,
	}
	if w.Code != 200 || len(h.book.entries) != 1 || h.book.last() != want || !h.book.inTx[0] {
		t.Errorf("status %d, entries %+v, in transaction %v", w.Code, h.book.entries, h.book.inTx)
	}
}

func TestNoRecordNoChange(t *testing.T) {
	for _, stored := range []bool{true, false} {
		h := open(t)
		if stored {
			withStore(t, h)
		}
		h.book.fail = fault.Of(fault.Unavailable, "store", "The journal is full.")
		if w := h.ask("POST /zoo/animal", ida); w.Code != 503 {
			t.Errorf("with a store %v: status %d, want 503; %s", stored, w.Code, w.Body)
		}
	}
}

func TestWhatIsRecordedAndHow(t *testing.T) {
	for _, c := range []struct {
		name, request string
		extras        []string
		status        int
		outcome       string // "" = nothing is recorded
		account       string
		object        string
	}{
		{"a change without a transaction is recorded by itself", "POST /zoo/animal", []string{ida}, 200, "done", "act-n1", "ani-new"},
		{"reading is not recorded", "GET /zoo/animal/ani-1", nil, 200, "", "", ""},
		{"a refused reading is not recorded", "GET /zoo/animal/ani-0", nil, 404, "", "", ""},
		{"a missing right is recorded", "POST /zoo/animal", []string{ida, as(visitorToken)}, 403, "refused", "", ""},
		{"bad input is recorded", "POST /zoo/animal", []string{"body:{}"}, 400, "refused", "act-n1", ""},
		{"a missing object is recorded without an account", "PUT /zoo/animal/ani-0", nil, 404, "refused", "", "ani-0"},
		{"another organisation's object leaves no trace in its account", "PUT /zoo/animal/ani-1", []string{as(rivalToken)}, 404, "refused", "", "ani-1"},
		{"a rule on the object is recorded", "DELETE /zoo/animal/ani-stuck", nil, 409, "refused", "act-n1", "ani-stuck"},
		{"a success has its row's status", "DELETE /zoo/animal/ani-1", nil, 202, "done", "act-n1", "ani-1"},
		{"a refusal of HTTP itself has its own status", "POST /zoo/animal", []string{`body:{"animal":{"name":"` + strings.Repeat("x", 5000) + `"}}`}, 413, "refused", "act-n1", ""},
		{"our own failure is recorded as one", "PUT /zoo/animal/ani-broken", nil, 503, "failed", "", "ani-broken"},
		{"an anonymous refusal is not recorded", "POST /zoo/animal", []string{ida, as("stolen")}, 401, "", "", ""},
		{"a rehearsal is recorded as one", "POST /zoo/animal", []string{ida, "Neap-Dry-Run: true"}, 200, "dryRun", "act-n1", "ani-new"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := open(t)
			w := h.ask(c.request, c.extras...)
			got := h.book.last()
			if w.Code != c.status || got.Outcome != c.outcome || got.Account != c.account || got.Object != c.object {
				t.Errorf("status %d, entry %+v", w.Code, got)
			}
			if c.outcome != "" && got.Status != w.Code {
				t.Errorf("answered %d, recorded %d", w.Code, got.Status)
			}
			if c.outcome != "" && len(h.book.entries) != 1 {
				t.Errorf("%d entries, want 1", len(h.book.entries))
			}
			if refused := c.outcome == "refused" || c.outcome == "failed"; refused != (got.Message != "") {
				t.Errorf("the entry's message is %q", got.Message)
			}
		})
	}
}

func TestARehearsalChangesNothing(t *testing.T) {
	h := open(t)
	withStore(t, h)
	w := h.ask("POST /zoo/animal", ida, "Neap-Dry-Run: true")
	if w.Code != 200 || w.Header().Get("Neap-Dry-Run") != "true" || w.Header().Get("Neap-Decision") != "dec-1" || !h.zoo.last.DryRun {
		t.Errorf("status %d, headers %v, call %+v", w.Code, w.Header(), h.zoo.last)
	}
	if got := h.book.last(); got.Outcome != "dryRun" || h.book.inTx[0] {
		t.Errorf("recorded %+v, in the transaction that was rolled back: %v", got, h.book.inTx[0])
	}
	if w := h.ask("POST /zoo/animal", ida); w.Header().Get("Neap-Decision") != "" || w.Header().Get("Neap-Dry-Run") != "" {
		t.Errorf("a real change has the headers of a rehearsal: %v", w.Header())
	}
	if w := h.ask("GET /zoo/animal/ani-1", "Neap-Dry-Run: true"); w.Code != 200 || w.Header().Get("Neap-Dry-Run") != "" || h.zoo.last.DryRun {
		t.Errorf("reading took notice of the header: %d %v", w.Code, w.Header())
	}
	if w := h.ask("POST /zoo/animal", "body:{}", "Neap-Dry-Run: 1"); w.Code != 400 || w.Header().Get("Neap-Dry-Run") != "true" {
		t.Errorf("a refused rehearsal: %d %v", w.Code, w.Header())
	}
}

func TestAnUnreadableRehearsalIsRefusedAndNothingDone(t *testing.T) {
	h := open(t)
	w := h.ask("POST /zoo/animal", ida, "Neap-Dry-Run: please")
	if w.Code != 400 || !strings.Contains(w.Body.String(), "must be true or false") || h.zoo.last.ID != "" {
		t.Errorf("status %d, body %s, call %+v", w.Code, w.Body, h.zoo.last)
	}
}

func TestWhereACallerCameFromIsRecorded(t *testing.T) {
	h := open(t)
	for agent, want := range map[string]string{"neap-cli/v1.2.3": "CLI", "neap-cli": "API", "Go-http-client/1.1": "API", "": "API"} {
		h.ask("POST /zoo/animal", ida, "User-Agent: "+agent)
		if got := h.book.last(); got.Source != want || got.Agent != agent {
			t.Errorf("%q: %+v", agent, got)
		}
	}
	h.ask("POST /zoo/animal", ida, "User-Agent: "+strings.Repeat("ü", 5000))
	if got := h.book.last().Agent; got != strings.Repeat("ü", longestAgent)+"…" {
		t.Errorf("a long name is kept as %d bytes", len(got))
	}
}

func TestNoTokenEntersTheAudit(t *testing.T) {
	const token = "neap_12ab34cd_0123456789abcdefghijABCDEFGHIJ0123456789abcXXXXXX"
	h := open(t)
	for _, c := range []struct{ request, body string }{
		{"PUT /zoo/animal/ani-1?token=" + token, `{}`},
		{"PUT /zoo/animal/ani-1?TOKEN=secret-word&x=" + token, `{}`},
		{"PUT /zoo/animal/ani-1?x=1;token=secret-word", `{}`},
		{"PUT /zoo/animal/" + token, `{}`},
		{"PUT /zoo/animal/neap%5F12ab34cd%5Fsecret-word", `{}`},
		{"PUT /zoo/animal/ani-1", `{"a":[{"b":"Bearer ` + token + `"}],"` + token + `":1,"deep":{"client_secret":["secret-word"]}}`},
	} {
		h.ask(c.request, "body:"+c.body, "User-Agent: "+token)
		got := fmt.Sprintf("%+v", h.book.last())
		if h.book.last().Outcome == "" || strings.Contains(got, "0123456789abc") || strings.Contains(got, "?token=secret-word") || strings.Contains(got, "neap_") {
			t.Errorf("%s leaves %s", c.request, got)
		}
		h.book.entries = nil
	}
}

// A change whose record cannot be made is rolled back, and answered as a failure.
func TestNoRecordNoChangeInTheDatabaseEither(t *testing.T) {
	h := open(t)
	withStore(t, h)
	h.book.fail = fault.Of(fault.Unavailable, "store", "The journal is full.")
	committed := 0
	h.zoo.committed = func() { committed++ }
	if w := h.ask("POST /zoo/animal", ida); w.Code != 503 || committed != 0 {
		t.Errorf("status %d, %d commits", w.Code, committed)
	}
	h.book.fail = nil
	if w := h.ask("POST /zoo/animal", ida); w.Code != 200 || committed != 1 {
		t.Errorf("status %d, %d commits", w.Code, committed)
	}
}
