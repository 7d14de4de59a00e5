package cmpute

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
)

// vector is a request with its published signature.
type vector struct {
	Method, URL, Secret, Nonce, Timestamp string
	Key                                   string `json:"api_key"`
	Parameters                            string `json:"parameter_string"`
	Text                                  string `json:"string_to_sign"`
	Signature                             string `json:"signature_base64"`
	Headers                               map[string]string
}

func publishedRequest(t *testing.T) (v vector) {
	t.Helper()
	content, err := os.ReadFile("testdata/hmac_vector.json")
	if err == nil {
		err = json.Unmarshal(content, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestThePublishedSignatureComesOut(t *testing.T) {
	v := publishedRequest(t)
	address, err := url.Parse(v.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := signed{method: v.Method, path: address.Path, query: address.RawQuery, key: v.Key, nonce: v.Nonce, timestamp: v.Timestamp}
	server := address.Scheme + "://" + address.Host
	if got := s.parameters(false); got != v.Parameters {
		t.Errorf("parameters\n got %s\nwant %s", got, v.Parameters)
	}
	if got := s.text(server, false); got != v.Text {
		t.Errorf("text to sign\n got %s\nwant %s", got, v.Text)
	}
	if got := base64.StdEncoding.EncodeToString(s.signature(v.Secret, server, false)); got != v.Signature {
		t.Errorf("signature %s, want %s", got, v.Signature)
	}
}

func TestThePublishedRequestIsRecognised(t *testing.T) {
	v := publishedRequest(t)
	ask := func(change func(r *http.Request)) bool {
		r := httptest.NewRequest(v.Method, v.URL, nil)
		for name, value := range v.Headers {
			r.Header.Set(name, value)
		}
		change(r)
		c, err := Deps{Public: "https://ACME.example.test:443/"}.credential(rewriter(Dialect(Deps{}).Rows)(r))
		return err == nil && c.Key == v.Key && c.Proves(v.Secret) && !c.Proves("another") && c.Nonce == v.Nonce && c.Signed.Unix() == 1498197015
	}
	for name, c := range map[string]struct {
		good   bool
		change func(r *http.Request)
	}{
		"as it is":                         {true, func(*http.Request) {}},
		"behind a proxy with another host": {true, func(r *http.Request) { r.Host = "10.0.0.7:8080" }},
		"scheme in capitals": {true, func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(v.Headers["Authorization"], "Hmac", "HMAC", 1))
		}},
		"another method":                      {false, func(r *http.Request) { r.Method = "POST" }},
		"another path":                        {false, func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "Jobs", "jobs", 1) }},
		"another query":                       {false, func(r *http.Request) { r.RequestURI += "&x=1" }},
		"another nonce":                       {false, func(r *http.Request) { r.Header.Set("Nonce", "7c9e6679-7425-40de-944b-e07fc1f90ae8") }},
		"another time":                        {false, func(r *http.Request) { r.Header.Set("Timestamp", "1498197016") }},
		"another key":                         {false, func(r *http.Request) { r.Header.Set("Api-Key", "AK-OTHER") }},
		"a nonce that is no GUID":             {false, func(r *http.Request) { r.Header.Set("Nonce", "1") }},
		"a time that is no number":            {false, func(r *http.Request) { r.Header.Set("Timestamp", "now") }},
		"no key":                              {false, func(r *http.Request) { r.Header.Del("Api-Key") }},
		"a signature that cannot be unquoted": {false, func(r *http.Request) { r.Header.Set("Authorization", "Hmac %zz") }},
		"a signature that is no Base64":       {false, func(r *http.Request) { r.Header.Set("Authorization", "Hmac ?") }},
	} {
		if got := ask(c.change); got != c.good {
			t.Errorf("%s: good is %v", name, got)
		}
	}
}

func TestWhatIsSignedOfAQuery(t *testing.T) {
	for query, want := range map[string][2]string{
		"":                        {"", ""},
		"b=2&a=1&&A=0":            {"A=0&", "&a=1&b=2"},
		"a=x+y&a=%C3%A9":          {"", "&a=%C3%A9&a=x%20y"},
		"REALM=1&a~b=(c)!*'":      {"", "&a~b=%28c%29%21%2A%27"},
		"a&b=":                    {"", "&a=&b="},
		"bad=%zz":                 {"", "&bad=%25zz"},
		"token=abc=&other=x=y==z": {"", "&other=x%3Dy%3D%3Dz&token=abc%3D"},
	} {
		s := signed{query: query, key: "k", nonce: "n", timestamp: "1"}
		if got := s.parameters(false); got != want[0]+"Api-Key=k&Nonce=n&Timestamp=1"+want[1] {
			t.Errorf("%q is signed as %s", query, got)
		}
	}
	s := signed{query: "token=abc=&other=x=y==z", key: "k", nonce: "n", timestamp: "1"}
	if got := s.parameters(true); got != "Api-Key=k&Nonce=n&Timestamp=1&other=x&token=abc" {
		t.Errorf("cut at the second =: %s", got)
	}
}

func TestAServerIsKnownByAllItsAddresses(t *testing.T) {
	r := httptest.NewRequest("GET", "http://Inner.test:80/api/jobs", nil)
	r.Header.Set("X-Forwarded-Host", "acme.example.test:8443, proxy.test")
	got := strings.Join(Deps{Public: "https://api.example.test"}.servers(r), " ")
	want := "https://api.example.test https://acme.example.test:8443 http://acme.example.test:8443 https://inner.test:80 http://inner.test"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTheHostOrTheOriginNamesTheTenant(t *testing.T) {
	for _, c := range []struct{ domain, host, origin, tenant string }{
		{"example.test", "acme-1234.example.test", "", "acme-1234"},
		{"example.test", "ACME-1234.Example.Test:8080", "", "acme-1234"},
		{"example.test", "api.other.test", "https://acme-1234.example.test", "acme-1234"},
		{"example.test", "acme-1234.example.test", "https://acme-1234.example.test:444", "acme-1234"},
		{"example.test", "acme-1234.example.test", "https://globex-1.example.test", "refused"},
		{"example.test", "example.test", "null", ""},
		{"example.test", "a.b.example.test", "", ""},
		{"example.test", "notexample.test", "", ""},
		{"", "acme-1234.example.test", "https://globex-1.example.test", ""},
	} {
		r := httptest.NewRequest("GET", "/api/jobs", nil)
		r.Host = c.host
		r.Header.Set("Origin", c.origin)
		got, err := Deps{Domain: c.domain}.tenant(r)
		if err != nil {
			got = "refused"
		}
		if got != c.tenant {
			t.Errorf("%+v names %q", c, got)
		}
	}
}
