package replicas

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// answered is what a request got.
type answered struct {
	status int
	items  []map[string]any
	raw    []byte
}

// errCut says that a connection broke under a request: it may or may not have had its effect.
var errCut = errors.New("the connection broke")

// call sends one request to this replica. A refused connection is syscall.ECONNREFUSED, one that broke is errCut.
func (r *replica) call(client *http.Client, method, path string, body any) (answered, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return answered{}, err
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(encoded)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+r.address+path, reader)
	if err != nil {
		return answered{}, err
	}
	request.Header.Set("Authorization", "Bearer "+r.in.token)
	response, err := client.Do(request)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return answered{}, err
	}
	if err != nil {
		return answered{}, fmt.Errorf("%w: %w", errCut, err)
	}
	defer response.Body.Close()
	a := answered{status: response.StatusCode}
	if a.raw, err = io.ReadAll(response.Body); err != nil {
		return a, fmt.Errorf("%w: %w", errCut, err)
	}
	var envelope struct {
		Response struct {
			Items []map[string]any `json:"items"`
		} `json:"response"`
	}
	if len(a.raw) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(a.raw, &envelope); err != nil {
		return a, fmt.Errorf("%s %s: %d, not JSON: %.200s", method, path, a.status, a.raw)
	}
	a.items = envelope.Response.Items
	return a, nil
}

// field is a text at the top of an answer without envelope.
func (a answered) field(t *testing.T, name string) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(a.raw, &all); err != nil {
		t.Fatal(err)
	}
	text, is := all[name].(string)
	if !is {
		t.Fatalf("the answer has no %q: %s", name, a.raw)
	}
	return text
}

// must is call for requests that have to succeed.
func (r *replica) must(method, path string, body any) answered {
	r.in.t.Helper()
	a, err := r.call(http.DefaultClient, method, path, body)
	if err != nil || a.status/100 != 2 {
		r.in.t.Fatalf("%s: %s %s: %d %v %.400s", r.name, method, path, a.status, err, a.raw)
	}
	return a
}

// region is a place for groups, with the zones and subnets that their documents name.
type region struct{ name, zoneA, zoneB string }

// regions spread the groups, as a real fleet is spread: request limits are per region.
func regions() []region {
	var all []region
	for _, name := range []string{"us-east-1", "us-west-2", "eu-west-1", "eu-central-1"} {
		all = append(all, region{name, name + "a", name + "b"})
	}
	return all
}

// document is a group's; risk is the share of spot in percent.
func document(name string, at region, target, risk int) map[string]any {
	zone := func(name, subnet string) map[string]any {
		return map[string]any{"name": name, "subnetIds": []string{subnet}}
	}
	return map[string]any{"group": map[string]any{
		"name": name, "region": at.name,
		"capacity": map[string]any{"target": target, "minimum": 0, "maximum": 50, "unit": "instance"},
		"strategy": map[string]any{"risk": risk, "availabilityVsCost": "balanced", "drainingTimeout": 1},
		"compute": map[string]any{
			"product":           "Linux/UNIX",
			"instanceTypes":     map[string]any{"ondemand": "m5.large", "spot": []string{"m5.large", "c5.large", "m6i.large", "r5.large"}},
			"availabilityZones": []map[string]any{zone(at.zoneA, "subnet-0de30a01"), zone(at.zoneB, "subnet-0de30b02")},
			"launchSpecification": map[string]any{
				"imageId": "ami-0de30000000000001", "securityGroupIds": []string{"sg-0de30000000000001"}, "monitoring": false,
			},
		},
	}}
}
