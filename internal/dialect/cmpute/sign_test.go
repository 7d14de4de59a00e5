package cmpute_test

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/dialect/cmpute"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/identity"
)

// signing is a signed request that may be spoilt before it is sent.
type signing struct {
	method, server, path, nonce string // what is signed
	sent                        string // path and query; "" = what is signed
	late                        time.Duration
	cut                         bool
	headers                     []string
}

func (c client) signed(s signing) apptest.Answer {
	c.n.T.Helper()
	key, secret, _ := strings.Cut(c.key, ":")
	path, query, _ := strings.Cut(s.path, "?")
	plain, err := url.PathUnescape(path)
	if err != nil {
		c.n.T.Fatal(err)
	}
	timestamp := strconv.FormatInt(time.Now().Add(-s.late).Unix(), 10)
	signature := cmpute.Sign(s.method, s.server, plain, query, key, secret, s.nonce, timestamp, s.cut)
	if s.sent == "" {
		s.sent = s.path
	}
	headers := []string{
		"Authorization", "Hmac " + url.QueryEscape(base64.StdEncoding.EncodeToString(signature)), "Api-Key", key, "Nonce", s.nonce, "Timestamp", timestamp,
	}
	return c.n.Call(s.method, s.sent, nil, append(headers, s.headers...)...)
}

func TestSignedRequestsAreAcceptedAsTheyWereSent(t *testing.T) {
	ana := start(t, func(c *app.Config) { c.PublicURL = "https://neap.example.test" })
	ana.crew("Crew One")
	for name, s := range map[string]signing{
		"plainly":                                {path: "/api/accounts"},
		"in another spelling":                    {path: "/api/api//Accounts/"},
		"with a query":                           {path: "/api/v2/Teams?request.continuationToken=&x=a%20b+c"},
		"with a query that the client cuts":      {path: "/api/v2/Teams?x=a=b=c", cut: true},
		"with a query that it does not":          {path: "/api/v2/Teams?x=a=b=c"},
		"with an escaped path":                   {path: "/api/v2/Teams/Crew%20One/Users"},
		"for the public address":                 {path: "/api/accounts", server: "https://neap.example.test"},
		"for https, which ends at a proxy":       {path: "/api/accounts", server: "https://" + strings.TrimPrefix(ana.n.URL, "http://")},
		"for the host that a proxy forwards":     {path: "/api/accounts", server: "https://acme.example.test", headers: []string{"X-Forwarded-Host", "acme.example.test"}},
		"with a clock that is four minutes slow": {path: "/api/accounts", late: 4 * time.Minute},
		"with a clock that is four minutes fast": {path: "/api/accounts", late: -4 * time.Minute},
		"with a verb of its own":                 {method: "ADD", path: "/api/v2/Teams/Crew%20One/Users?UserName=ana@acme.example"},
	} {
		if s.method == "" {
			s.method = "GET"
		}
		if s.server == "" {
			s.server = ana.n.URL
		}
		s.nonce = ident.UUID()
		if got := ana.signed(s); got.Status != 200 {
			t.Errorf("%s: %d %s", name, got.Status, got.Raw)
		}
		if got := ana.signed(s); got.Status != 401 || !strings.Contains(string(got.Raw), "nonce") {
			t.Errorf("%s, received again: %d %s", name, got.Status, got.Raw)
		}
	}
}

func TestSpoiltSignaturesAreRefused(t *testing.T) {
	ana := start(t)
	ana.n.Must("GET", "/api/accounts", nil)
	for name, s := range map[string]signing{
		"another path":                 {path: "/api/accounts", sent: "/api/users"},
		"another spelling of the path": {path: "/api/accounts", sent: "/api/Accounts"},
		"a query beside":               {path: "/api/accounts", sent: "/api/accounts?x=1"},
		"another host":                 {path: "/api/accounts", server: "https://elsewhere.example.test"},
		"six minutes late":             {path: "/api/accounts", late: 6 * time.Minute},
		"six minutes early":            {path: "/api/accounts", late: -6 * time.Minute},
		"another nonce":                {path: "/api/accounts", headers: []string{"Nonce", ident.UUID()}},
		"another time":                 {path: "/api/accounts", headers: []string{"Timestamp", "1498197015"}},
		"another key":                  {path: "/api/accounts", headers: []string{"Api-Key", "neapkey-00000000"}},
	} {
		s.method, s.nonce = "GET", ident.UUID()
		if s.server == "" {
			s.server = ana.n.URL
		}
		got := ana.signed(s)
		if got.Status != 401 || got.Body["Message"] != "Authentication failed" || got.Header.Get("WWW-Authenticate") != "ApiKey" {
			t.Errorf("%s: %d %s", name, got.Status, got.Raw)
		}
	}
}

func TestCredentialsThatAreNoneAreRefused(t *testing.T) {
	ana := start(t)
	access, secret, _ := strings.Cut(ana.key, ":")
	for value, status := range map[string]int{
		"ApiKey " + ana.key:            200,
		"apikey  " + ana.key:           200,
		"Bearer " + ana.n.Admin:        200,
		"ApiKey " + access:             401,
		"ApiKey " + access + ":":       401,
		"ApiKey :" + secret:            401,
		"ApiKey " + ana.key + "x":      401,
		"ApiKey " + ana.n.Admin + ":x": 401,
		"Bearer " + ana.key:            401,
		"Bearer " + secret:             401,
		"Basic " + ana.key:             401,
		"Hmac " + secret:               401,
		ana.key:                        401,
		"":                             401,
	} {
		if got := ana.n.Call("GET", "/api/accounts", nil, "Authorization", value); got.Status != status {
			t.Errorf("%q: %d %s", value, got.Status, got.Raw)
		}
	}
	made := ana.n.Must("POST", "/neap/v1/tokens", `{"name":"ci","for":"cmpute"}`).Body["secret"].(string)
	if got := ana.n.Call("GET", "/api/accounts", nil, "Authorization", "ApiKey "+made); got.Status != 200 {
		t.Errorf("a key made with /neap/v1/tokens: %d %s", got.Status, got.Raw)
	}
	if err := ana.n.Identity.RevokeToken(t.Context(), ana.org, "", "tok-"+strings.TrimPrefix(access, "neapkey-")); err != nil {
		t.Fatal(err)
	}
	if got := ana.call("GET", "/api/accounts", nil); got.Status != 401 {
		t.Errorf("a revoked key: %d", got.Status)
	}
}

func TestAnOrganisationsHostIsForItsOwnKeys(t *testing.T) {
	ana := start(t, func(c *app.Config) { c.Domain = "example.test" })
	own, err := ana.n.Identity.Organisation(t.Context(), ana.org)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ana.n.Identity.AddOrganisation(t.Context(), ana.org, "Globex")
	if err != nil {
		t.Fatal(err)
	}
	joe := join(t, ana.n, other.ID, "joe@globex.example", "Joe", identity.Admin)
	for _, c := range []struct {
		as     client
		origin string
		status int
	}{
		{ana, "", 200},
		{ana, "https://" + own.Slug() + ".example.test", 200},
		{ana, "https://" + other.Slug() + ".example.test", 401},
		{joe, "https://" + other.Slug() + ".example.test", 200},
		{joe, "https://" + own.Slug() + ".example.test", 401},
		{joe, "https://nobody.example.test", 401},
		{joe, "https://example.test", 200},
	} {
		if got := c.as.n.Call("GET", "/api/users", nil, "Authorization", "ApiKey "+c.as.key, "Origin", c.origin); got.Status != c.status {
			t.Errorf("%s from %q: %d %s", c.as.id.Email, c.origin, got.Status, got.Raw)
		}
	}
}
