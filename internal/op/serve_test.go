package op

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
)

func TestEveryAnswerCarriesTheRequestsID(t *testing.T) {
	h := open(t)
	for _, c := range []struct {
		given string
		kept  bool
	}{
		{"req-1.A_b", true}, {"", false}, {"two words", false}, {"line\tbreak", false}, {"<script>", false}, {strings.Repeat("a", 129), false},
	} {
		for _, request := range []string{"GET /zoo/animal", "GET /zoo/nothing", "GET /nowhere", "PATCH /zoo/animal"} {
			w := h.ask(request, "X-Request-Id: "+c.given)
			id := w.Header().Get("X-Request-Id")
			if (id == c.given) != c.kept || id == "" || !strings.Contains(w.Body.String(), id) {
				t.Errorf("%s with %q: id %q in %s", request, c.given, id, w.Body)
			}
		}
	}
}

func TestLogLinesNameTheCallAndHoldNoSecrets(t *testing.T) {
	h := open(t)
	h.ask("POST /zoo/animal?accountId=act-n2&password=hidden", `body:{"animal":{"name":"Mata Hari","legs":"x"}}`, "X-Request-Id: req-7")
	h.ask("GET /zoo/animal/ani-1")
	h.ask("GET /zoo/animal/ani-panics", "X-Request-Id: req-8")
	logs := h.logs.String()
	for _, part := range []string{
		`"level":"INFO"`, `"request":"req-7"`, `"operation":"zoo.animal.create"`, `"account":"act-n2"`, `"subject":"u-keeper"`, `"status":400`, `"kind":"invalid"`,
		`"level":"DEBUG"`, `"status":200`, `"level":"ERROR"`, `"panic":"the animal is loose"`, `"stack":"goroutine`, `"request":"req-8"`,
	} {
		if !strings.Contains(logs, part) {
			t.Errorf("the log lacks %s", part)
		}
	}
	for _, secret := range []string{keeperToken, "Mata Hari", "hidden", "Bearer"} {
		if strings.Contains(logs, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

func TestAClientThatWentAwayIsNoErrorOfOurs(t *testing.T) {
	h := open(t)
	ctx, leave := context.WithCancel(t.Context())
	r := httptest.NewRequest("GET", "/zoo/animal/ani-broken", nil).WithContext(ctx)
	r.Header.Set("Authorization", "Bearer "+keeperToken)
	leave()
	h.ServeHTTP(httptest.NewRecorder(), r)
	if logs := h.logs.String(); strings.Contains(logs, "ERROR") || !strings.Contains(logs, `"status":503`) {
		t.Errorf("the log has %s", logs)
	}
}

func TestMetricsCountRequestsAndRefusals(t *testing.T) {
	h := open(t)
	h.ask("GET /zoo/animal")
	h.ask("GET /zoo/animal", as("stolen"))
	h.ask("GET /nowhere")
	h.ask("GET /zoo/animal/ani-panics")
	w := h.ask("GET /metrics")
	for name, line := range map[string]string{
		"a success":            `neap_http_requests_total{operation="zoo.animal.list",status="200"} 1`,
		"an anonymous refusal": `neap_http_refusals_total{kind="unauthenticated",operation="zoo.animal.list"} 1`,
		"an unknown route":     `neap_http_requests_total{operation="none",status="404"} 1`,
		"a panic":              `neap_http_requests_total{operation="zoo.animal.read",status="500"} 1`,
		"the time":             `neap_http_request_seconds_count{operation="zoo.animal.list"} 2`,
		"the request itself":   `neap_http_in_flight 1`,
	} {
		if !strings.Contains(w.Body.String(), line) {
			t.Errorf("%s is not counted: no %s in %s", name, line, w.Body)
		}
	}
}

func TestEveryKindOfFaultHasItsStatus(t *testing.T) {
	h := open(t)
	for _, kind := range fault.Kinds() {
		w := httptest.NewRecorder()
		x := &exchange{ResponseWriter: w, server: h.Server, dialect: &Dialect{Status: statuses()}}
		x.refuse(fault.Of(kind, "thing", "It failed.").With(errors.New("secret cause")))
		if w.Code != statuses()[kind] || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s answers %d %s", kind, w.Code, w.Body)
		}
	}
}

func TestAPanickingEnvelopeStillAnswers(t *testing.T) {
	h := open(t, func(c *Config) {
		c.Dialects[1].Answer = func(*Call, any) any { panic("no envelope") }
		c.Dialects[0].Refuse = func(*Call, int, *fault.Error) any { panic("no envelope") }
		c.Dialects[0].Answer = func(*Call, any) any { return func() {} }
	})
	if w := h.ask("GET /zoo/shop/item"); w.Code != 500 || !strings.Contains(w.Body.String(), "shopError") {
		t.Errorf("Answer panics: %d %s", w.Code, w.Body)
	}
	if w := h.ask("GET /zoo/animal/ani-0"); w.Code != 500 || !strings.Contains(w.Body.String(), `"error":`) {
		t.Errorf("Refuse panics: %d %s", w.Code, w.Body)
	}
	if w := h.ask("GET /zoo/animal"); w.Code != 500 || !strings.Contains(w.Body.String(), `"error":`) {
		t.Errorf("an answer that is no JSON: %d %s", w.Code, w.Body)
	}
}

func TestAnAbortedHandlerStaysAborted(t *testing.T) {
	h := open(t, func(c *Config) { c.Dialects[1].Answer = func(*Call, any) any { panic(http.ErrAbortHandler) } })
	defer func() {
		if recovered := recover(); recovered != http.ErrAbortHandler {
			t.Errorf("recovered %v", recovered)
		}
	}()
	h.ask("GET /zoo/shop/item")
}

func TestAWrongMethodNamesTheRightOnes(t *testing.T) {
	w := open(t).ask("PATCH /zoo/animal/ani-1/")
	if w.Code != 405 || w.Header().Get("Allow") != "GET, PUT, DELETE" {
		t.Errorf("status %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}
