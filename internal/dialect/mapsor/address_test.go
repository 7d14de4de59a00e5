package mapsor

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestAddressesAreTakenWithTheStageAndWithThePathBehindTheToken(t *testing.T) {
	names := map[string]bool{"submit": true, "status": true, "add-user": true}
	for address, want := range map[string]string{
		"/submit?token=T":                           "",
		"/":                                         "",
		"/?token=T":                                 "",
		"/?x=/submit":                               "",
		"/?token=T/nothing":                         "",
		"/?token=T/neap/v1/status":                  "",
		"/?token=T//submit":                         "",
		"/?xtoken=T/submit":                         "",
		"/aws/ec2/group?token=T/submit":             "",
		"/dev":                                      "",
		"/dev/":                                     "",
		"/dev/nothing?token=T":                      "",
		"/device/submit?token=T":                    "",
		"/dev/?token=T/%zz":                         "",
		"/dev/submit?token=T":                       "/submit?token=T",
		"/dev/submit/?token=T":                      "/submit?token=T",
		"/dev/status/job-1?token=T":                 "/status/job-1?token=T",
		"/dev/?token=T/submit":                      "/submit?token=T",
		"/dev?token=T/submit":                       "/submit?token=T",
		"/?token=T/submit":                          "/submit?token=T",
		"/dev/?token=T/status/job-1/":               "/status/job-1?token=T",
		"/dev/?token=T/add-user?role=monitor":       "/add-user?token=T&role=monitor",
		"/dev/?token=T/add-user&role=monitor":       "/add-user?token=T&role=monitor",
		"/dev/?token=T/add-user?role=monitor&x=y/z": "/add-user?token=T&role=monitor&x=y/z",
		"/dev/?role=monitor&token=T/add-user":       "/add-user?role=monitor&token=T",
		"/dev/?token=/submit":                       "/submit?token=",
		"/dev/?token=T/status/a%2Fb":                "/status/a%2Fb?token=T",
	} {
		r := httptest.NewRequest("GET", "http://neap.test"+address, nil)
		got := rewrite(r, names)
		switch {
		case got == nil:
			if want != "" {
				t.Errorf("%s is left alone, want %s", address, want)
			}
		case got.URL.RequestURI() != want:
			t.Errorf("%s becomes %q, want %q", address, got.URL.RequestURI(), want)
		}
		if r.URL.RequestURI() != address {
			t.Errorf("%s was changed in place", address)
		}
	}
}

func FuzzTheTokenStaysInTheQuery(f *testing.F) {
	for _, seed := range [][3]string{{"/dev/", "", "/submit"}, {"/", "a=b&", "/status/x?y&z"}, {"/dev/submit", "", ""}, {"/", "", "/submit?x=/y"}, {"", "&&", "/%2e%2e/submit"}} {
		f.Add(seed[0], seed[1], seed[2])
	}
	names := map[string]bool{"submit": true, "status": true}
	f.Fuzz(func(t *testing.T, path, before, after string) {
		if strings.Contains(path+before+after, "token") {
			return // a token that a client writes elsewhere is there already
		}
		r := &http.Request{Method: "GET", URL: &url.URL{Path: path, RawQuery: before + "token=secret" + after}}
		got := rewrite(r, names)
		if got == nil {
			return
		}
		address := got.URL.EscapedPath()
		name, _, _ := strings.Cut(strings.TrimPrefix(address, "/"), "/")
		if !names[name] || strings.HasSuffix(address, "/") || strings.Contains(address, "token") || !strings.Contains(got.URL.RawQuery, "token=secret") {
			t.Errorf("%s becomes %s", r.URL, got.URL)
		}
		if again := rewrite(got, names); again != nil {
			t.Errorf("%s becomes %s, and then %s", r.URL, got.URL, again.URL)
		}
	})
}
