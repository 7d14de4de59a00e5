package pubnub_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
)

// world is a Neap whose account has keys.
type world struct {
	*apptest.Neap
	pub, sub string
}

func start(t *testing.T, change ...func(*app.Config)) *world {
	t.Helper()
	w := &world{Neap: apptest.Start(t, change...)}
	keys := w.Must("GET", "/neap/v1/channels/keys", nil).Body
	w.pub, _ = keys["publishKey"].(string)
	w.sub, _ = keys["subscribeKey"].(string)
	return w
}

// ask sends a request as an official client does: with no credential but what the address holds. Answers need not be objects.
func (w *world) ask(method, path, body string, headers ...string) (a apptest.Answer) {
	w.T.Helper()
	request, err := http.NewRequestWithContext(w.T.Context(), method, w.URL+path, strings.NewReader(body))
	if err != nil {
		w.T.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.T.Fatal(err)
	}
	defer response.Body.Close()
	a.Status, a.Header = response.StatusCode, response.Header
	if a.Raw, err = io.ReadAll(response.Body); err != nil {
		w.T.Fatal(err)
	}
	if len(a.Raw) > 0 && a.Raw[0] == '{' {
		if err := json.Unmarshal(a.Raw, &a.Body); err != nil {
			w.T.Fatalf("%s: %v", a.Raw, err)
		}
	}
	return a
}

func (w *world) get(path string, headers ...string) apptest.Answer {
	w.T.Helper()
	return w.ask(http.MethodGet, path, "", headers...)
}

// publish sends a value and gives its time token.
func (w *world) publish(channel string, value any, query ...string) string {
	w.T.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		w.T.Fatal(err)
	}
	return w.sent(w.get("/publish/" + w.pub + "/" + w.sub + "/0/" + url.PathEscape(channel) + "/0/" + url.PathEscape(string(text)) + strings.Join(query, "")))
}

func (w *world) sent(a apptest.Answer) string {
	w.T.Helper()
	out := w.list(a)
	token, _ := out[2].(string)
	if out[0] != 1.0 || out[1] != "Sent" || len(token) != 17 {
		w.T.Fatalf("published: %s", a.Raw)
	}
	return token
}

// list is an answer that is an array.
func (w *world) list(a apptest.Answer) (out []any) {
	w.T.Helper()
	if err := json.Unmarshal(a.Raw, &out); err != nil || a.Status != http.StatusOK {
		w.T.Fatalf("%d %s", a.Status, a.Raw)
	}
	return out
}

// begin is the token at which a subscriber begins.
func (w *world) begin() string {
	w.T.Helper()
	token, _ := w.list(w.get("/subscribe/" + w.sub + "/any/0/0"))[1].(string)
	return token
}
