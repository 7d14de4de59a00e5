package compose_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/dialect/dialecttest"
	"github.com/neap-cloud/neap/internal/identity"
)

// vendor makes a vendor's client id and secret.
func (w world) vendor() (id, secret string) {
	w.T.Helper()
	made := w.must(200, "POST", "/neap/v1/tokens", `{"name":"acme-vendor","for":"vendor"}`)
	return made["id"].(string), made["secret"].(string)
}

func credentials(id, secret, more string) string {
	return `{"client_id":"` + id + `","client_secret":"` + secret + `"` + more + `}`
}

// reads reports what a bearer token gets.
func (w world) reads(token string) int {
	w.token = token
	return w.call("GET", "/2016-07/user", "").Status
}

func TestTheSamplesOfVendorsAreAnsweredAsPublished(t *testing.T) {
	w := open(t)
	id, secret := w.vendor()
	for _, title := range []string{"refresh token", "wrong secret"} {
		s := dialecttest.Find(t, "vendor", title, "acme-vendor", id, `"client_secret": "s"`, `"client_secret": "`+secret+`"`)
		answer := w.call(s.Request.Method, s.Request.Path, string(s.Request.Body))
		s.Agrees(t, answer.Status, answer.Raw, "refresh_token", "token", "expires_at")
	}
}

func TestAVendorTradesAPersonalTokenForOnesOfItsOwn(t *testing.T) {
	w := open(t)
	id, secret := w.vendor()
	bo := w.as(identity.Viewer)
	began := time.Now()
	first := bo.must(201, "POST", "/2016-07/refresh_tokens", credentials(id, secret, ""))
	expires, err := time.Parse(time.RFC3339, first["expires_at"].(string))
	if lasts := expires.Sub(began); err != nil || lasts < 59*time.Minute || lasts > 61*time.Minute {
		t.Errorf("the token lasts %s: %v", lasts, err)
	}
	if got := w.reads(first["token"].(string)); got != 200 {
		t.Errorf("the bearer token gets %d", got)
	}
	refresh := first["refresh_token"].(string)
	if got := w.reads(refresh); got != 401 {
		t.Errorf("the refresh token is good for %d by itself", got)
	}
	nobody := w
	nobody.token = "nope" // this trade asks for no header, and does not look at one
	second := nobody.must(201, "POST", "/2016-07/access_tokens", credentials(id, secret, `,"refresh_token":"`+refresh+`"`))
	if second["refresh_token"] != nil || w.reads(second["token"].(string)) != 200 {
		t.Errorf("the second trade gives %v", second)
	}
	for _, token := range w.must(200, "GET", "/neap/v1/tokens", "")["items"].([]any) {
		if shown := token.(map[string]any); shown["kind"] == "refresh" {
			w.must(200, "DELETE", "/neap/v1/tokens/"+shown["id"].(string), "")
		}
	}
	for _, token := range []any{first["token"], second["token"]} {
		if got := w.reads(token.(string)); got != 401 {
			t.Errorf("after the refresh token was revoked a bearer token gets %d", got)
		}
	}
	nobody.must(404, "POST", "/2016-07/access_tokens", credentials(id, secret, `,"refresh_token":"`+refresh+`"`))
}

// wrongTrades are faults of credentials, each with the request that has it.
func wrongTrades(w, other world) map[string]func() (status int, body []byte) {
	id, secret := w.vendor()
	foreignID, foreignSecret := other.vendor()
	good := w.must(201, "POST", "/2016-07/refresh_tokens", credentials(id, secret, ""))
	refresh := func(text string) string { return `,"refresh_token":"` + text + `"` }
	post := func(path, token, body string) func() (int, []byte) {
		return func() (int, []byte) {
			answer := w.Call("POST", "/2016-07/"+path, body, "Authorization", token)
			return answer.Status, answer.Raw
		}
	}
	bearer := "Bearer " + w.token
	return map[string]func() (int, []byte){
		"no personal token":         post("refresh_tokens", "", credentials(id, secret, "")),
		"a wrong personal token":    post("refresh_tokens", "Bearer nope", credentials(id, secret, "")),
		"another scheme":            post("refresh_tokens", "Basic YTpi", credentials(id, secret, "")),
		"an unknown client":         post("refresh_tokens", bearer, credentials("tok-00000000", secret, "")),
		"a wrong secret":            post("refresh_tokens", bearer, credentials(id, "nope", "")),
		"the secret of no vendor":   post("refresh_tokens", bearer, credentials(id, w.token, "")),
		"another account's vendor":  post("refresh_tokens", bearer, credentials(foreignID, foreignSecret, "")),
		"nothing at all":            post("refresh_tokens", "", `{}`),
		"no body":                   post("refresh_tokens", bearer, ``),
		"numbers for texts":         post("refresh_tokens", bearer, `{"client_id":1,"client_secret":[]}`),
		"an unknown refresh token":  post("access_tokens", "", credentials(id, secret, refresh("nope"))),
		"a bearer token to refresh": post("access_tokens", "", credentials(id, secret, refresh(w.token))),
		"a missing refresh token":   post("access_tokens", bearer, credentials(id, secret, "")),
		"another vendor's token":    post("access_tokens", "", credentials(foreignID, foreignSecret, refresh(good["refresh_token"].(string)))),
	}
}

func TestEveryFaultOfACredentialReadsAndTakesTheSame(t *testing.T) {
	const floor, spread, tries = 50 * time.Millisecond, 150 * time.Millisecond, 3
	w := open(t)
	var body []byte
	var medians []time.Duration
	for name, try := range wrongTrades(w, w.another("Acme")) {
		var took []time.Duration
		for range tries {
			began := time.Now()
			status, got := try()
			took = append(took, time.Since(began))
			if body == nil {
				body = got
			}
			if status != 404 || !bytes.Equal(got, body) {
				t.Errorf("%s: %d %s, others %s", name, status, got, body)
			}
		}
		slices.Sort(took)
		if medians = append(medians, took[tries/2]); took[0] < floor {
			t.Errorf("%s is refused after %s", name, took[0])
		}
	}
	if apart := slices.Max(medians) - slices.Min(medians); apart > spread {
		t.Errorf("medians are %s apart: %v", apart, medians)
	}
	t.Logf("medians from %s to %s", slices.Min(medians), slices.Max(medians))
}

func TestABodyThatIsNoJSONIsNoFaultOfACredential(t *testing.T) {
	w := open(t)
	for _, path := range []string{"/2016-07/refresh_tokens", "/2016-07/access_tokens"} {
		for _, body := range []string{`{"client_id":`, `[]`, `"x"`, `{"client_id":"a","client_id":"b"}`} {
			w.must(400, "POST", path, body)
		}
	}
}
