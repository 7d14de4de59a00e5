package launch

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/single"
	"github.com/neap-cloud/neap/internal/op"
)

func TestEveryKindOfFaultHasAStatusAndABody(t *testing.T) {
	for _, kind := range fault.Kinds() {
		status := statuses()[kind]
		body, is := refuse(&op.Call{}, status, fault.Of(kind, "something new", "It is so.")).(wrong)
		if status < 400 || !is || body.Error == "" || (status == http.StatusRequestTimeout) != (body.Code != "") {
			t.Errorf("%s: %d %+v", kind, status, body)
		}
		refused := fault.Of(kind, "cloud", "It is so.").With(&single.Refused{Code: "Code", Detail: "It is so."})
		if got := exception(nil, refused); got != http.StatusRequestTimeout {
			t.Errorf("%s from the cloud: %d", kind, got)
		}
	}
}

func FuzzADocumentIsAnObjectOrRefused(f *testing.F) {
	for _, seed := range [][3]string{
		{"a=b&a=c", `{"ami":"x"}`, "application/json"}, {"", "ami=x&list=a&list=b", "application/x-www-form-urlencoded"}, {"%zz", "", ""}, {"a", "[", "text/plain; ="}, {"", `{"a":null}`, ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, query, body, kind string) {
		r := httptest.NewRequest(http.MethodPut, "/v1/launch", nil)
		r.URL = &url.URL{Path: "/v1/launch", RawQuery: query}
		r.Header.Set("Content-Type", kind)
		made, err := document(r, []byte(body))
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%v", err)
			}
			return
		}
		var object map[string]any
		if string(made) != body && json.Unmarshal(made, &object) != nil {
			t.Errorf("%q and %q become %q", query, body, made)
		}
		if a := argumentsOf(made); a.check() == nil {
			for name := range a.given {
				a.text(name, "")
				a.list(name)
				a.whole(name, 1, 1)
				a.flag(name)
			}
		}
	})
}
