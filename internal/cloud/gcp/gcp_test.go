package gcp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud/gcp"
	"github.com/neap-cloud/neap/internal/fault"
)

func TestAKeyThatGoogleTakesGivesItsProject(t *testing.T) {
	mine, key := newAccount(t)
	server := standIn(t, &key.PublicKey, google)
	g := gcp.New(gcp.Config{TokenURL: server.URL})
	for name, changed := range map[string]account{
		"as given out": nil, "old form": {"private_key": pkcs1(key)}, "without its address": {"token_uri": nil},
	} {
		if project, err := g.Check(t.Context(), mine.file(t, changed)); err != nil || project != "my-project-123456" {
			t.Errorf("%s: %q, %v", name, project, err)
		}
	}
}

func TestAKeyMayNameThePrivateAddressThatIsConfigured(t *testing.T) {
	mine, key := newAccount(t)
	server := standIn(t, &key.PublicKey, "")
	file := mine.file(t, account{"token_uri": server.URL})
	if project, err := gcp.New(gcp.Config{TokenURL: server.URL}).Check(t.Context(), file); err != nil || project == "" {
		t.Errorf("%q, %v", project, err)
	}
}

func TestAKeyCannotSendNeapToAnAddressOfItsChoice(t *testing.T) {
	mine, _ := newAccount(t)
	asked := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the address was asked") }))
	defer asked.Close()
	for _, address := range []string{asked.URL, asked.URL + "/token", google + "/", google + "?x=1", "https://oauth2.googleapis.com.example.com/token", "http://oauth2.googleapis.com/token"} {
		for _, c := range []gcp.Config{{}, {TokenURL: "http://127.0.0.1:1/token"}} {
			_, err := gcp.New(c).Check(t.Context(), mine.file(t, account{"token_uri": address}))
			if !fault.Is(err, fault.Invalid) || fault.As(err).Field != "token_uri" {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	mine, _ := newAccount(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	if _, err := gcp.New(gcp.Config{TokenURL: server.URL}).Check(t.Context(), mine.file(t, nil)); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}

func TestEveryWrongMemberIsNamedWithoutACall(t *testing.T) {
	mine, _ := newAccount(t)
	for name, c := range map[string]struct {
		file   []byte
		fields string
	}{
		"no JSON":         {[]byte("-----BEGIN PRIVATE KEY-----"), ""},
		"no object":       {[]byte(`["service_account"]`), ""},
		"too long":        {mine.file(t, account{"more": strings.Repeat("x", 65<<10)}), ""},
		"a person":        {mine.file(t, account{"type": "authorized_user"}), "type"},
		"no type":         {mine.file(t, account{"type": nil}), "type"},
		"nothing":         {[]byte(`{"type": "service_account"}`), "project_id client_email private_key"},
		"project's name":  {mine.file(t, account{"project_id": "My project"}), "project_id"},
		"project number":  {mine.file(t, account{"project_id": "123456789012"}), "project_id"},
		"address":         {mine.file(t, account{"client_email": "neap"}), "client_email"},
		"key, no PEM":     {mine.file(t, account{"private_key": "SECRET-KEY"}), "private_key"},
		"key, cut":        {mine.file(t, account{"private_key": "-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE KEY-----\n"}), "private_key"},
		"key, not RSA":    {mine.file(t, account{"private_key": elliptical(t)}), "private_key"},
		"several of them": {mine.file(t, account{"project_id": nil, "token_uri": "http://169.254.169.254/"}), "project_id token_uri"},
	} {
		project, err := gcp.New(gcp.Config{}).Check(t.Context(), c.file)
		if project != "" || !fault.Is(err, fault.Invalid) || fields(err) != c.fields || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %q, %v", name, project, err)
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

func elliptical(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func pkcs1(key *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func TestAKeyThatWasReplacedIsRefusedAndNotQuoted(t *testing.T) {
	mine, _ := newAccount(t)
	_, newer := newAccount(t)
	_, err := gcp.New(gcp.Config{TokenURL: standIn(t, &newer.PublicKey, google).URL}).Check(t.Context(), mine.file(t, nil))
	if !fault.Is(err, fault.Invalid) || fault.As(err).Field != "private_key" || strings.Contains(err.Error(), "eyJ") {
		t.Error(err)
	}
}

func TestWhatGoogleSaysDecidesWhoHasToMendIt(t *testing.T) {
	mine, _ := newAccount(t)
	for _, c := range []struct {
		status int
		body   string
		kind   fault.Kind
		field  string
	}{
		{http.StatusUnauthorized, `{"error": "invalid_client"}`, fault.Invalid, "client_email"},
		{http.StatusUnauthorized, `{"error": "unauthorized_client"}`, fault.Invalid, "client_email"},
		{http.StatusBadRequest, `{"error": "access_denied"}`, fault.Invalid, "private_key"},
		{http.StatusTooManyRequests, `{"error": "rate_limit_exceeded"}`, fault.Unavailable, ""},
		{http.StatusInternalServerError, `{"error": "internal_failure"}`, fault.Unavailable, ""},
		{http.StatusForbidden, `<html>a proxy</html>`, fault.Unavailable, ""},
		{http.StatusOK, `<html>a proxy</html>`, fault.Unavailable, ""},
		{http.StatusOK, `{}`, fault.Unavailable, ""},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			if _, err := io.WriteString(w, c.body); err != nil {
				t.Error(err)
			}
		}))
		project, err := gcp.New(gcp.Config{TokenURL: server.URL}).Check(t.Context(), mine.file(t, nil))
		server.Close()
		if project != "" || !fault.Is(err, c.kind) || fields(err) != c.field {
			t.Errorf("%d %s: %q, %v", c.status, c.body, project, err)
		}
	}
}

func TestASilentGoogleIsUnavailable(t *testing.T) {
	mine, _ := newAccount(t)
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended }))
	defer server.Close()
	defer close(ended)
	g := gcp.New(gcp.Config{TokenURL: server.URL})
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := g.Check(soon, mine.file(t, nil)); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "no answer") {
		t.Error(err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := g.Check(gone, mine.file(t, nil)); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "broken off") {
		t.Error(err)
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	if _, err := gcp.New(gcp.Config{TokenURL: closed.URL}).Check(t.Context(), mine.file(t, nil)); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}
