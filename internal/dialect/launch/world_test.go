package launch_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim"
	"github.com/neap-cloud/neap/internal/dialect/launch"
	"github.com/neap-cloud/neap/internal/fleet/single"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

// world is the API over a simulated cloud without surprises, with a clock that the test moves.
type world struct {
	*testing.T
	clock   *clock.Manual
	cloud   *sim.Cloud
	handler http.Handler
	names   *strings.Replacer // from the samples' words to the cloud's; nil = they are the same
}

const account = "act-00000001"

var began = time.Date(2012, 10, 29, 10, 51, 24, 0, time.UTC)

// For is single.Clouds'.
func (w world) For(context.Context, string) (cloud.Provider, error) {
	return w.cloud.Account(account), nil
}

// Authenticate is op.Authenticator's: whoever has a token may do everything, in one account.
func (w world) Authenticate(_ context.Context, c op.Credential) (op.Caller, error) {
	return op.Caller{Organisation: "org", Subject: "usr", Default: account, Rights: everything{}}, nil
}

type everything struct{}

// Authorize is op.Rights'.
func (everything) Authorize(op.Deed) error { return nil }

func newWorld(t *testing.T, change ...func(*launch.Deps)) world {
	t.Helper()
	w := world{T: t, clock: clock.NewManual(began)}
	tame := sim.Tame()
	opened, err := sim.Open(t.Context(), sim.Config{Memory: true, Clock: w.clock, Seed: 1, Tuning: &tame})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, kind := range []string{"t1.micro", "m1.small"} {
		opened.Room(w.market(kind), 100, began.Add(240*time.Hour))
	}
	w.cloud = opened
	deps := launch.Deps{Instances: single.New(single.Config{Clouds: w, Installation: func(context.Context) (identity.Installation, error) {
		return identity.Installation{ID: "inst", Generation: w.clock.Now().Unix()}, nil
	}})}
	for _, c := range change {
		c(&deps)
	}
	w.handler, err = op.Mount(op.Config{Dialects: []op.Dialect{launch.Dialect(deps)}, Authenticator: w})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w world) market(kind string) cloud.Market {
	return cloud.Market{Region: "us-east-1", Zone: "us-east-1b", Type: kind, Lifecycle: cloud.OnDemand}
}

// answer is what a call gave.
type answer struct {
	status int
	header http.Header
	raw    []byte
}

// object is the answer as a JSON object.
func (a answer) object() (object map[string]any) {
	if err := json.Unmarshal(a.raw, &object); err != nil {
		return map[string]any{"raw": string(a.raw)}
	}
	return object
}

// ids is the answer as a list.
func (a answer) ids() (ids []string) {
	if err := json.Unmarshal(a.raw, &ids); err != nil {
		return nil
	}
	return ids
}

func (w world) call(method, path, body string, headers ...string) answer {
	w.Helper()
	if w.names != nil {
		path, body = w.names.Replace(path), w.names.Replace(body)
	}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("Authorization", "Bearer anything")
	for n := 0; n+1 < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	return answer{recorder.Code, recorder.Header(), recorder.Body.Bytes()}
}

const order = `{"ami":"ami-0a1b2c3d","instance_type":"t1.micro"}`

// start launches one instance, which is pending.
func (w world) start() string {
	w.Helper()
	got := w.call("PUT", "/v1/launch", order)
	if ids := got.ids(); got.status == http.StatusOK && len(ids) == 1 {
		return ids[0]
	}
	w.Fatalf("launch: %d %s", got.status, got.raw)
	return ""
}

func (w world) must(path, body string) {
	w.Helper()
	if got := w.call("PUT", path, body); got.status != http.StatusOK {
		w.Fatalf("%s: %d %s", path, got.status, got.raw)
	}
}

// bring gives a new instance in a state.
func (w world) bring(t *testing.T, state string) (string, bool) {
	t.Helper()
	id := w.start()
	for _, step := range map[string][]string{
		"pending": {}, "running": {"-"}, "shutting-down": {"terminate"}, "terminated": {"terminate", "-"}, "stopping": {"-", "stop"}, "stopped": {"-", "stop", "-"},
	}[state] {
		if step == "-" {
			w.clock.Advance(10 * time.Second)
		} else {
			w.must("/v1/"+id+"/"+step, "")
		}
	}
	return id, true
}

// shown is what the cloud itself says of an instance.
func (w world) shown(id string) cloud.Instance {
	w.Helper()
	found, err := w.cloud.Account(account).Describe(w.Context(), cloud.Query{Region: "us-east-1", IDs: []string{id}})
	if err != nil || len(found) != 1 {
		w.Fatalf("%s: %+v, %v", id, found, err)
	}
	return found[0]
}

var errDown = errors.New("the line is dead")
