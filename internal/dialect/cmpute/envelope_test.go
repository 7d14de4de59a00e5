package cmpute

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

const id = "5f0c2a71-93d4-4c1e-8a57-0d2b6c9e4f10"

func text(t *testing.T, value any) string {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func TestBothEnvelopes(t *testing.T) {
	for _, c := range []struct {
		kind string
		out  any
		want string
	}{
		{"", true, `{"ContinuationToken":null,"Data":true,"Errors":{},"RequestId":"` + id + `"}`},
		{"", list[int]{Items: []int{7}, Next: "x"}, `{"ContinuationToken":"x","Data":[7],"Errors":{},"RequestId":"` + id + `"}`},
		{"", list[int]{}, `{"ContinuationToken":null,"Data":[],"Errors":{},"RequestId":"` + id + `"}`},
		{"Success", true, `{"Errors":{},"RequestId":"` + id + `","Success":true}`},
		{"Teams", list[int]{}, `{"ContinuationToken":null,"Errors":{},"RequestId":"` + id + `","Teams":[]}`},
	} {
		if got := text(t, answer(&op.Call{ID: id, Row: op.Row{Kind: c.kind}}, c.out)); got != c.want {
			t.Errorf("%v in %q:\n got %s\nwant %s", c.out, c.kind, got, c.want)
		}
	}
}

func TestRequestIdsAreLowerCaseUUIDs(t *testing.T) {
	if got := requestID(strings.ToUpper(id)); got != id {
		t.Errorf("got %s", got)
	}
	for _, odd := range []string{"", "my-request", id + "0"} {
		if first, second := requestID(odd), requestID(odd); !uuid.MatchString(first) || first == second {
			t.Errorf("%q becomes %q and %q", odd, first, second)
		}
	}
}

func TestFloatsAreWrittenWithADecimal(t *testing.T) {
	for value, want := range map[float]string{0: "0.0", 2: "2.0", -1: "-1.0", 12.5: "12.5", 0.125: "0.125", 1e300: "1e+300"} {
		if got := text(t, value); got != want {
			t.Errorf("%g is written %s, want %s", float64(value), got, want)
		}
	}
}

func TestEveryKindOfFaultHasAStatusAMessageAndAPlace(t *testing.T) {
	want := map[fault.Kind]int{
		fault.Invalid: 400, fault.Unauthenticated: 401, fault.Denied: 403, fault.NotFound: 404, fault.Conflict: 409, fault.Exists: 409,
		fault.Limit: 429, fault.Unavailable: 503, fault.Internal: 500,
	}
	for _, kind := range fault.Kinds() {
		status := statuses()[kind]
		if status != want[kind] {
			t.Errorf("%s answers %d", kind, status)
		}
		for _, noun := range []string{"", "account"} {
			got := text(t, refuse(&op.Call{ID: id}, status, fault.Of(kind, noun, "It went wrong.").With(http.ErrBodyNotAllowed)))
			for _, part := range []string{`"Data":null`, `"ContinuationToken":null`, `["It went wrong."]`, `"Message":"`, id} {
				if !strings.Contains(got, part) {
					t.Errorf("%s: no %s in %s", kind, part, got)
				}
			}
			if strings.Contains(got, "ModelState") != (status == 400) || strings.Contains(got, `"Message":""`) || strings.Contains(got, http.ErrBodyNotAllowed.Error()) {
				t.Errorf("%s: %s", kind, got)
			}
		}
	}
}

func TestRefusalsListEveryFaultByTheNameThatClientsKnow(t *testing.T) {
	faults := []*fault.Error{fault.Field("email", "is wrong"), fault.Field("name", "is short"), fault.Field("name", "is odd"), fault.Of(fault.Invalid, "body", "It ends too early.")}
	call := &op.Call{ID: id, Row: op.Row{Section: "Users", Kind: "Success"}}
	got := text(t, refuse(call, 400, fault.As(fault.All(faults))))
	want := `{"Errors":{"Body":["It ends too early."],"FullName":["FullName is short.","FullName is odd."],"UserName":["UserName is wrong."]},"Message":"Validation failed",` +
		`"ModelState":{"Body":{"$values":["It ends too early."]},"FullName":{"$values":["FullName is short.","FullName is odd."]},"UserName":{"$values":["UserName is wrong."]}},` +
		`"RequestId":"` + id + `","Success":null}`
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	for _, c := range []struct{ section, field, want string }{
		{"Teams", "name", "Name"}, {"Accounts", "account.name", "Name"}, {"Accounts", "iamRole", "RoleArn"}, {"Users", "Id", "Id"}, {"Accounts", "request.filters", "request.filters"}, {"", "", ""},
	} {
		if got := spelled(c.section, c.field); got != c.want {
			t.Errorf("%s %s is spelled %s", c.section, c.field, got)
		}
	}
}
