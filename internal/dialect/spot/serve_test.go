package spot_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/dialect/spot/elastigroup"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// doorman knows one token.
type doorman struct{}

func (doorman) Authenticate(_ context.Context, c op.Credential) (op.Caller, error) {
	if c.Token != "good" {
		return op.Caller{}, fault.Of(fault.Unauthenticated, "token", "This token is not known here.")
	}
	return op.Caller{Organisation: "org", Subject: "u-1", Default: "act-1", Rights: doorman{}}, nil
}

func (doorman) Authorize(d op.Deed) error {
	if d.Account != "act-1" {
		return fault.Of(fault.Denied, "account", "There is no account %q here.", d.Account)
	}
	return nil
}

func serve(t *testing.T) *op.Server {
	t.Helper()
	schemas, err := op.NewSchemas(elastigroup.Schemas())
	if err != nil {
		t.Fatal(err)
	}
	product := elastigroup.Product(elastigroup.Deps{Catalog: catalog.AWS(), Schemas: schemas, Clock: clock.Wall{}})
	server, err := op.Mount(op.Config{Dialects: []op.Dialect{spot.Dialect(product)}, Authenticator: doorman{}})
	if err != nil {
		t.Fatal(err)
	}
	return server
}

type answered struct {
	Request  struct{ ID, URL, Method, Timestamp string }
	Response struct {
		Status struct {
			Code    int
			Message string
		}
		Kind   string
		Items  []map[string]any
		Count  *int
		Errors []struct{ Code, Message, Field string }
	}
}

func ask(t *testing.T, server *op.Server, token, method, url, body string) (int, answered) {
	t.Helper()
	request := httptest.NewRequest(method, url, strings.NewReader(body))
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	recorder := httptest.NewRecorder()
	server.ServeHTTP(recorder, request)
	var got answered
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
		t.Fatalf("%s %s answers %q: %v", method, url, recorder.Body, err)
	}
	return recorder.Code, got
}

func TestTheServerAnswersInTheEnvelope(t *testing.T) {
	status, got := ask(t, serve(t), "good", "GET", "/aws/ec2/spotType?region=us-east-1&accountId=act-1", "")
	r := got.Response
	if status != http.StatusOK || r.Status.Code != 200 || r.Kind != "spotinst:aws:ec2:spot:type" || r.Count == nil || *r.Count != len(r.Items) || len(r.Items) < 100 {
		t.Fatalf("%d %+v", status, r.Status)
	}
	if got.Request.ID == "" || got.Request.Method != "GET" || !strings.HasPrefix(got.Request.URL, "/aws/ec2/spotType") || !strings.HasSuffix(got.Request.Timestamp, "Z") {
		t.Errorf("request %+v", got.Request)
	}
	if _, ok := r.Items[0]["instanceType"].(string); !ok {
		t.Errorf("first item %v", r.Items[0])
	}
}

func TestTheServerRefusesInTheEnvelope(t *testing.T) {
	server := serve(t)
	small := func(part, with string) string {
		return strings.Replace(`{"group":{"name":"web","capacity":{"target":1},"strategy":{},"compute":{"instanceTypes":{"spot":["m5.large"]},"availabilityZones":[{"name":"us-east-1a"}],"launchSpecification":{"securityGroupIds":["sg-1"],"imageId":"ami-1"}}}}`, part, with, 1)
	}
	for name, c := range map[string]struct {
		token, method, url, body string
		status                   int
		code, field              string
	}{
		"no token":            {"", "GET", "/aws/ec2/group", "", 401, "UNAUTHORIZED", ""},
		"bad token":           {"bad", "GET", "/aws/ec2/group", "", 401, "UNAUTHORIZED", ""},
		"foreign account":     {"good", "GET", "/aws/ec2/group?accountId=act-2", "", 403, "FORBIDDEN", ""},
		"malformed body":      {"good", "POST", "/aws/ec2/group", `{"group":`, 400, "INVALID_REQUEST", ""},
		"no body":             {"good", "POST", "/aws/ec2/group", "", 400, "", ""},
		"a list":              {"good", "POST", "/aws/ec2/group", "[]", 400, "INVALID_REQUEST", ""},
		"no wrapper":          {"good", "POST", "/aws/ec2/group", `{"name":"web"}`, 400, "INVALID_FIELD", "group"},
		"key given twice":     {"good", "POST", "/aws/ec2/group", small(`"name":"web"`, `"name":"a","name":"b"`), 400, "INVALID_FIELD", "group.name"},
		"wrong type":          {"good", "POST", "/aws/ec2/group", small(`"target":1`, `"target":"1"`), 400, "INVALID_FIELD", "group.capacity.target"},
		"unknown enum":        {"good", "POST", "/aws/ec2/group", small(`"strategy":{}`, `"strategy":{"availabilityVsCost":"x"}`), 400, "INVALID_FIELD", "group.strategy.availabilityVsCost"},
		"no region given":     {"good", "GET", "/aws/ec2/spotType", "", 400, "INVALID_FIELD", "region"},
		"unknown region":      {"good", "GET", "/aws/ec2/spotType?region=nowhere", "", 400, "INVALID_FIELD", "region"},
		"nobody to interrupt": {"good", "POST", "/aws/ec2/instance/interruption", `{"instancesToInterrupt":[]}`, 400, "INVALID_FIELD", "instancesToInterrupt"},
		"too deep":            {"good", "POST", "/aws/ec2/group", `{"group":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, 400, "INVALID_FIELD", ""},
	} {
		status, got := ask(t, server, c.token, c.method, c.url, c.body)
		if status != c.status || got.Response.Status.Code != c.status || len(got.Response.Errors) == 0 {
			t.Errorf("%s: %d %+v", name, status, got.Response)
			continue
		}
		first := got.Response.Errors[0]
		if c.code != "" && first.Code != c.code || first.Message == "" || c.field != "" && first.Field != c.field {
			t.Errorf("%s: %+v", name, first)
		}
	}
}

func TestABrokenSchemaDoesNotStart(t *testing.T) {
	_, err := op.Mount(op.Config{Dialects: []op.Dialect{spot.Dialect(spot.Product{Schemas: fstest.MapFS{"x.json": {Data: []byte("{")}}})}, Authenticator: doorman{}})
	if err == nil {
		t.Error("a broken schema was mounted")
	}
}
