package azure_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud/azure"
	"github.com/neap-cloud/neap/internal/fault"
)

const (
	client       = "11111111-2222-3333-4444-555555555555"
	tenant       = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	subscription = "00000000-1111-2222-3333-444444444444"
	secret       = "8Q~the-secret&with=signs"
	token        = "eyJ0.the-token"
)

func app() azure.App {
	return azure.App{ClientID: client, ClientSecret: secret, TenantID: tenant, SubscriptionID: subscription}
}

// answer is what one half of the stand-in says instead of what it would say of itself.
type answer struct {
	status int
	body   string
}

// standIn is Azure's sign-in and management on one address: it gives a token to the app of the constants, and shows its subscription to the token.
type standIn struct {
	t                   *testing.T
	url                 string
	signIn, management  answer
	subscriptionsLooked int
}

func newStandIn(t *testing.T) *standIn {
	s := &standIn{t: t}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /"+tenant+"/oauth2/v2.0/token", s.giveToken)
	mux.HandleFunc("GET /subscriptions/{id}", s.showSubscription)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("nobody is to ask for %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusTeapot)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *standIn) say(w http.ResponseWriter, instead answer, status int, body string) {
	if instead.status != 0 {
		status, body = instead.status, instead.body
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := io.WriteString(w, body); err != nil {
		s.t.Error(err)
	}
}

func (s *standIn) giveToken(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("scope") != s.url+"/.default" || r.URL.RawQuery != "" {
		s.t.Errorf("the form is %v, the query %q", r.PostForm, r.URL.RawQuery)
	}
	switch {
	case r.PostFormValue("client_id") != client:
		s.say(w, s.signIn, http.StatusBadRequest, `{"error": "unauthorized_client", "error_description": "AADSTS700016", "error_codes": [700016]}`)
	case r.PostFormValue("client_secret") != secret:
		s.say(w, s.signIn, http.StatusUnauthorized,
			fmt.Sprintf(`{"error": "invalid_client", "error_description": "AADSTS7000215 %s", "error_codes": [7000215]}`, r.PostFormValue("client_secret")))
	default:
		s.say(w, s.signIn, http.StatusOK, `{"token_type": "Bearer", "expires_in": 3599, "access_token": "`+token+`"}`)
	}
}

func (s *standIn) showSubscription(w http.ResponseWriter, r *http.Request) {
	s.subscriptionsLooked++
	if r.Header.Get("Authorization") != "Bearer "+token || r.URL.Query().Get("api-version") == "" {
		s.t.Errorf("%s with %q", r.URL, r.Header.Get("Authorization"))
	}
	if r.PathValue("id") != subscription {
		s.say(w, s.management, http.StatusNotFound, `{"error": {"code": "SubscriptionNotFound", "message": "no"}}`)
		return
	}
	s.say(w, s.management, http.StatusOK, `{"subscriptionId": "`+subscription+`", "state": "Enabled"}`)
}

func (s *standIn) check(a azure.App) error {
	return azure.New(azure.Config{LoginURL: s.url, ManagementURL: s.url + "/"}).Check(s.t.Context(), a)
}

func TestAnAppThatSignsInAndSeesItsSubscriptionPasses(t *testing.T) {
	s := newStandIn(t)
	if err := s.check(app()); err != nil || s.subscriptionsLooked != 1 {
		t.Errorf("%v after %d looks at the subscription", err, s.subscriptionsLooked)
	}
}

func TestOfATenantAsAWholeNoSubscriptionIsLookedAt(t *testing.T) {
	s := newStandIn(t)
	whole := app()
	whole.SubscriptionID = ""
	if err := s.check(whole); err != nil || s.subscriptionsLooked != 0 {
		t.Errorf("%v after %d looks at a subscription", err, s.subscriptionsLooked)
	}
}

func TestEveryWrongFormIsNamedWithoutACall(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	a := azure.New(azure.Config{LoginURL: "http://127.0.0.1:1", ManagementURL: "http://127.0.0.1:1", Clock: clock.NewManual(now)})
	for name, c := range map[string]struct {
		change func(*azure.App)
		fields string
	}{
		"nothing":       {func(a *azure.App) { *a = azure.App{} }, "clientId tenantId clientSecret"},
		"client":        {func(a *azure.App) { a.ClientID = "111111111" }, "clientId"},
		"tenant's name": {func(a *azure.App) { a.TenantID = "example.onmicrosoft.com" }, "tenantId"},
		"a way out":     {func(a *azure.App) { a.TenantID = "../../" + tenant }, "tenantId"},
		"line end":      {func(a *azure.App) { a.SubscriptionID += "\n" }, "subscriptionId"},
		"a query":       {func(a *azure.App) { a.SubscriptionID += "?x" }, "subscriptionId"},
		"no secret":     {func(a *azure.App) { a.ClientSecret = "" }, "clientSecret"},
		"expired":       {func(a *azure.App) { a.Expires = now }, "expirationDate"},
		"lives":         {func(a *azure.App) { a.Expires = now.Add(time.Second) }, ""},
	} {
		wrong := app()
		c.change(&wrong)
		err := a.Check(t.Context(), wrong)
		if name == "lives" {
			if !fault.Is(err, fault.Unavailable) {
				t.Errorf("a good form ends at the address where nobody answers, not at %v", err)
			}
			continue
		}
		if !fault.Is(err, fault.Invalid) || fields(err) != c.fields {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func fields(err error) string {
	f := fault.As(err)
	if f == nil {
		return ""
	}
	all := []string{f.Field}
	for _, other := range f.Others {
		all = append(all, other.Field)
	}
	return strings.Join(all, " ")
}

func TestTheMemberThatAzureRefusesIsNamedAndNothingQuoted(t *testing.T) {
	const other = "99999999-9999-9999-9999-999999999999"
	s := newStandIn(t)
	for field, change := range map[string]func(*azure.App){
		azure.FieldClientID:       func(a *azure.App) { a.ClientID = other },
		azure.FieldClientSecret:   func(a *azure.App) { a.ClientSecret = "a-wrong-secret" },
		azure.FieldSubscriptionID: func(a *azure.App) { a.SubscriptionID = other },
	} {
		wrong := app()
		change(&wrong)
		err := s.check(wrong)
		if !fault.Is(err, fault.Invalid) || fields(err) != field || strings.Contains(err.Error(), "secret&") || strings.Contains(err.Error(), "a-wrong-secret") || strings.Contains(err.Error(), token) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestWhatTheSignInSaysDecidesWhoHasToMendIt(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		kind   fault.Kind
		field  string
	}{
		{401, `{"error": "invalid_client", "error_codes": [7000222]}`, fault.Invalid, azure.FieldClientSecret},
		{401, `{"error": "invalid_client"}`, fault.Invalid, azure.FieldClientSecret},
		{400, `{"error": "invalid_request", "error_codes": [90002]}`, fault.Invalid, azure.FieldTenantID},
		{400, `{"error": "invalid_request"}`, fault.Invalid, azure.FieldTenantID},
		{401, `{"error": "unauthorized_client", "error_codes": [7000112]}`, fault.Invalid, azure.FieldClientID},
		{400, `{"error": "invalid_grant", "error_codes": [53003]}`, fault.Invalid, azure.FieldClientID},
		{403, `{"error": "something new"}`, fault.Invalid, azure.FieldClientSecret},
		{400, `{"error": "something new"}`, fault.Unavailable, ""},
		{429, `{"error": "invalid_client"}`, fault.Unavailable, ""},
		{503, `{"error": "temporarily_unavailable", "error_codes": [90033]}`, fault.Unavailable, ""},
		{502, `<html>a proxy</html>`, fault.Unavailable, ""},
		{200, `<html>a proxy</html>`, fault.Unavailable, ""},
		{200, `{}`, fault.Unavailable, ""},
	} {
		s := newStandIn(t)
		s.signIn = answer{c.status, c.body}
		if err := s.check(app()); !fault.Is(err, c.kind) || fields(err) != c.field || s.subscriptionsLooked != 0 {
			t.Errorf("%d %s: %v", c.status, c.body, err)
		}
	}
}

func TestWhatTheManagementSaysDecidesWhoHasToMendIt(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		kind   fault.Kind
		field  string
	}{
		{403, `{"error": {"code": "AuthorizationFailed"}}`, fault.Invalid, azure.FieldSubscriptionID},
		{401, `{"error": {"code": "InvalidAuthenticationTokenTenant"}}`, fault.Invalid, azure.FieldTenantID},
		{401, ``, fault.Invalid, azure.FieldSubscriptionID},
		{200, `{"state": "Disabled"}`, fault.Invalid, azure.FieldSubscriptionID},
		{200, `{"state": "PastDue"}`, "", ""},
		{200, `<html>a proxy</html>`, fault.Unavailable, ""},
		{302, ``, fault.Unavailable, ""},
		{429, `{"error": {"code": "TooManyRequests"}}`, fault.Unavailable, ""},
		{500, ``, fault.Unavailable, ""},
	} {
		s := newStandIn(t)
		s.management = answer{c.status, c.body}
		if err := s.check(app()); fault.KindOf(err) != c.kind || fields(err) != c.field {
			t.Errorf("%d %s: %v", c.status, c.body, err)
		}
	}
}

func TestASecretIsNotSentOnByARedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	if err := azure.New(azure.Config{LoginURL: server.URL}).Check(t.Context(), app()); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}

func TestASilentAzureIsUnavailable(t *testing.T) {
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended }))
	defer server.Close()
	defer close(ended)
	a := azure.New(azure.Config{LoginURL: server.URL, ManagementURL: server.URL})
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := a.Check(soon, app()); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "no answer") {
		t.Error(err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := a.Check(gone, app()); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "broken off") {
		t.Error(err)
	}
}

func TestAnAppIsPrintedWithoutItsSecret(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, app()); strings.Contains(text, secret) || !strings.Contains(text, client) {
			t.Errorf("%s: %s", verb, text)
		}
	}
}
