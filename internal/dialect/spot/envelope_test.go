package spot

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

func call() *op.Call {
	return &op.Call{
		ID: "request-1", Method: "GET", URL: "/aws/ec2/group?x=1", At: time.Date(2024, 5, 1, 10, 0, 0, 5_600_000, time.UTC),
		Row: op.Row{Kind: "spotinst:aws:ec2:group"},
	}
}

func text(t *testing.T, value any) string {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func TestAnswersCarryItemsAndTheirCount(t *testing.T) {
	const head = `{"request":{"id":"request-1","url":"/aws/ec2/group?x=1","method":"GET","timestamp":"2024-05-01T10:00:00.005Z"},` +
		`"response":{"status":{"code":200,"message":"OK"},"kind":"spotinst:aws:ec2:group",`
	for name, c := range map[string]struct {
		out  any
		want string
	}{
		"two items":          {Items[string]{"a", "b"}, `"items":["a","b"],"count":2}}`},
		"one item":           {One(3), `"items":[3],"count":1}}`},
		"no list yet":        {Items[string](nil), `"items":[],"count":0}}`},
		"done, without more": {Done{}, `"items":[],"count":0}}`},
	} {
		if got := text(t, answer(call(), c.out)); got != head+c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, head+c.want)
		}
	}
}

func TestEveryKindOfFaultHasAStatusAndACode(t *testing.T) {
	for _, kind := range fault.Kinds() {
		if statuses()[kind] < 400 {
			t.Errorf("%s has no status", kind)
		}
		if codeOf(&fault.Error{Kind: kind, Noun: "something new"}) == "" {
			t.Errorf("%s has no code", kind)
		}
	}
}

func TestMissingThingsAnswer400WithTheCodeThatClientsTakeForGone(t *testing.T) {
	if statuses()[fault.NotFound] != http.StatusBadRequest {
		t.Error("a missing object must answer 400")
	}
	for noun, want := range map[string]string{"group": "GROUP_DOESNT_EXIST", "instance": "INSTANCE_DOESNT_EXIST", "account": "Account_DOESNT_EXIST"} {
		if got := codeOf(fault.Missing(noun, "x")); got != want {
			t.Errorf("missing %s has code %s, want %s", noun, got, want)
		}
	}
}

// Clients repeat a request for ever, or for minutes, when they read one of these.
func TestNoCodeMakesClientsSpin(t *testing.T) {
	for cause, code := range codes() {
		for _, trap := range []string{"InvalidParameterValue", "CANT_CREATE_GROUP", "CANT_VALIDATE_IMAGE", "CANT_ROLL_CAPACITY_BELOW_MINIMUM"} {
			if strings.Contains(code, trap) {
				t.Errorf("%v answers %s", cause, code)
			}
		}
	}
}

func TestRefusalsListEveryFaultOfTheRequest(t *testing.T) {
	capacity := fault.Field("group.capacity.minimum", "The minimum is too high.")
	capacity.Noun = "capacity"
	err := fault.As(fault.All([]*fault.Error{capacity, fault.Field("group.name", "Give it a name.")}))
	got := text(t, refuse(call(), 400, err))
	want := `"response":{"status":{"code":400,"message":"Bad Request"},"errors":[` +
		`{"code":"INVALID_CAPACITY","message":"The minimum is too high.","field":"group.capacity.minimum"},` +
		`{"code":"INVALID_FIELD","message":"Give it a name.","field":"group.name"}]}}`
	if !strings.HasSuffix(got, want) {
		t.Errorf("got %s", got)
	}
}

func TestTheUnauthenticatedAndTheHastyGetTheirDocumentedBodies(t *testing.T) {
	unknown := text(t, refuse(call(), http.StatusUnauthorized, fault.Of(fault.Unauthenticated, "token", "Send a token.")))
	if !strings.Contains(unknown, `"status":{"code":401,"message":"Unauthorized"}`) {
		t.Errorf("got %s", unknown)
	}
	hasty := text(t, refuse(call(), http.StatusTooManyRequests, fault.Of(fault.Limit, "rate", "Slow down.")))
	for _, want := range []string{`"status":{"code":429,"message":"Too Many Requests"}`, `"data":"Rate limit exceeded"`, `"code":"TOO_MANY_REQUESTS"`} {
		if !strings.Contains(hasty, want) {
			t.Errorf("no %s in %s", want, hasty)
		}
	}
}

func TestRefusalsHideCauses(t *testing.T) {
	err := fault.As(fault.Of(fault.Internal, "", "Something failed.").With(http.ErrBodyNotAllowed))
	if got := text(t, refuse(call(), 500, err)); strings.Contains(got, http.ErrBodyNotAllowed.Error()) {
		t.Errorf("the cause is shown: %s", got)
	}
}
