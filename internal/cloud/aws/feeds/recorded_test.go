package feeds_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
)

// recorded is an account whose answers have the shapes that AWS's have, one after the other for each action; the last one is repeated.
type recorded struct {
	*aws.Account
	clock *clock.Manual
	log   *bytes.Buffer

	mu    sync.Mutex
	plays map[string][]answered
	asked map[string][]string // the requests, by action
}

type answered struct {
	status int
	body   string
}

const secret = "wJalrXUtnFEMI-the-secret"

func open(t *testing.T, c aws.Config) *aws.AWS {
	t.Helper()
	a, err := aws.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func record(t *testing.T) *recorded {
	t.Helper()
	r := &recorded{clock: clock.NewManual(noon), log: &bytes.Buffer{}, plays: map[string][]answered{}, asked: map[string][]string{}}
	server := httptest.NewServer(http.HandlerFunc(r.answer))
	t.Cleanup(server.Close)
	awstest.Be(t, awstest.Key{ID: "AKIA", Secret: secret})
	r.Account = open(t, aws.Config{
		Endpoint: server.URL, Endpoints: map[string]string{"": server.URL}, Clock: r.clock, Log: slog.New(slog.NewTextHandler(r.log, nil)),
	}).Account("", "")
	return r
}

// says queues answers of an action; those that begin with "!" are refusals with that code.
func (r *recorded) says(action string, bodies ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plays[action] = nil
	for _, body := range bodies {
		p := answered{http.StatusOK, body}
		if denied, is := strings.CutPrefix(body, "!"); is {
			p = answered{http.StatusBadRequest, `<Response><Errors><Error><Code>` + denied + `</Code><Message>no</Message></Error></Errors><RequestID>r-1</RequestID></Response>`}
			if strings.Contains(denied, "#") { // how the services say it that speak JSON
				p.body = `{"__type":"` + denied + `","message":"no"}`
			}
		}
		r.plays[action] = append(r.plays[action], p)
	}
}

func (r *recorded) count(action string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.asked[action])
}

func (r *recorded) answer(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, action, isJSON := strings.Cut(request.Header.Get("X-Amz-Target"), ".")
	if !isJSON {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		action = form.Get("Action")
	}
	r.mu.Lock()
	r.asked[action] = append(r.asked[action], string(body))
	p := answered{http.StatusInternalServerError, ""}
	if list := r.plays[action]; len(list) > 0 {
		p = list[0]
		if len(list) > 1 {
			r.plays[action] = list[1:]
		}
	}
	r.mu.Unlock()
	w.Header().Set("Content-Type", map[bool]string{true: "application/x-amz-json-1.1", false: "text/xml"}[isJSON])
	w.WriteHeader(p.status)
	if _, err := io.WriteString(w, p.body); err != nil {
		panic(http.ErrAbortHandler)
	}
}
