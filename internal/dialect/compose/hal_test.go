package compose

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
)

func TestHypertextIsAnsweredToThoseWhoAskForIt(t *testing.T) {
	for accept, want := range map[string]string{
		"": plain, "*/*": plain, "application/json": plain, "application/hal+json": hal, "Application/HAL+JSON": hal,
		"application/json, application/hal+json": hal, "application/json, application/hal+json;q=0": plain, "application/hal+json; q=0.5": hal, ";;": plain,
	} {
		r := httptest.NewRequest("GET", "/2016-07/user", nil)
		r.Header.Set("Accept", accept)
		if got := contentType(r); got != want {
			t.Errorf("%q is answered with %s, want %s", accept, got, want)
		}
	}
}

func TestAddressesAreTakenWithSlashesToSpare(t *testing.T) {
	for address, want := range map[string]string{
		"/2016-07/user": "", "/aws//ec2": "", "/": "", "//": "", "/2016-07x/": "", "/2016-07": "",
		"/2016-07/user/":                "/2016-07/user",
		"/2016-07//audit_events/1":      "/2016-07/audit_events/1",
		"//2016-07///teams//":           "/2016-07/teams",
		"/2016-07/":                     "/2016-07",
		"/2016-07//teams/a%2Fb?embed=x": "/2016-07/teams/a%2Fb?embed=x",
	} {
		r := httptest.NewRequest("GET", "http://neap.test"+address, nil)
		before := r.URL.RequestURI()
		got := rewrite(r)
		switch {
		case got == nil:
			if want != "" {
				t.Errorf("%s is left alone, want %s", address, want)
			}
		case got.URL.RequestURI() != want:
			t.Errorf("%s becomes %q, want %q", address, got.URL.RequestURI(), want)
		}
		if r.URL.RequestURI() != before {
			t.Errorf("%s was changed in place", address)
		}
	}
}

func TestAnEmptyListIsAList(t *testing.T) {
	text, err := json.Marshal(listed[user]("users", nil))
	if err != nil || string(text) != `{"_embedded":{"users":[]}}` {
		t.Errorf("%s %v", text, err)
	}
}
