package op

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
)

// square is a dialect for everybody: its addresses hold the keys to what they ask for.
func square() Dialect {
	type asked struct {
		Key string `path:"key"`
	}
	return Dialect{
		Name: "square", Title: "The square", Status: statuses(), AnyOrigin: true, SecretPaths: true,
		Rows: []Row{{ID: "look", Route: "GET /square/{key}", Need: "square:look", NoAccount: true, Open: true, Do: Func(func(_ context.Context, in asked) (string, error) {
			if in.Key == "wrong" {
				return "", fault.Of(fault.NotFound, "key", "There is no such key.")
			}
			return "seen", nil
		})}},
		Answer: func(_ *Call, out any) any { return Verbatim("said(" + out.(string) + ")") },
		Refuse: func(_ *Call, _ int, err *fault.Error) any { return Verbatim("refused: " + err.Message) },
	}
}

func TestWhatIsForPagesFromAnywhereSaysSoAndNothingElseDoes(t *testing.T) {
	h := open(t, func(c *Config) { c.Dialects = append(c.Dialects, square()) })
	for request, want := range map[string]struct {
		status int
		body   string
		open   bool
	}{
		"GET /square/key":      {200, "said(seen)", true},
		"GET /square/key/":     {200, "said(seen)", true},
		"HEAD /square/key":     {200, "said(seen)", true}, // the body is for the server of net/http to leave out
		"GET /square/wrong":    {404, "refused: There is no such key.", true},
		"OPTIONS /square/key":  {204, "", true},
		"OPTIONS /square":      {204, "", true},
		"POST /square/key":     {405, "refused: POST is not possible here; use GET.", true},
		"GET /square/key/more": {404, "refused: There is no operation at this address; /openapi/ lists them all.", true},
		"GET /squares":         {404, "", false},
		"OPTIONS /zoo/animal":  {405, "", false},
		"HEAD /zoo/ticket":     {405, "", false},
	} {
		w := h.ask(request)
		if w.Code != want.status || want.open && w.Body.String() != want.body {
			t.Errorf("%s: %d %q, want %d %q", request, w.Code, w.Body, want.status, want.body)
		}
		if got := w.Header().Get("Access-Control-Allow-Origin"); (got == "*") != want.open {
			t.Errorf("%s is for pages from %q", request, got)
		}
	}
}

func TestNoLogLineRepeatsASecretPath(t *testing.T) {
	var log bytes.Buffer
	h := open(t, func(c *Config) {
		c.Dialects = append(c.Dialects, square())
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost} {
		for _, path := range []string{"/square/canary", "/square/canary/more", "/square/canary?x=%zz"} {
			h.ask(method + " " + path)
		}
	}
	if text := log.String(); strings.Contains(text, "canary") || strings.Count(text, "path=***") != 12 {
		t.Errorf("the log says %s", text)
	}
}
