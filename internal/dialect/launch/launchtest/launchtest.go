// Package launchtest holds the Launch & Provision API to what EC2 allows in which state, over whatever cloud stands behind it.
//
// It owns the table of states and actions. It must not know any cloud: a World says how an instance comes into a state. Start reading at States.
package launchtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// World is an API with a cloud behind it.
type World struct {
	Handler http.Handler
	Header  http.Header // sent with every request: a token
	// Bring gives a new instance that is in the state, and stays there until it is told otherwise; can is false for states that the cloud never shows.
	Bring func(t *testing.T, state string) (id string, can bool)
	// Settle lets as much time pass as reads may lag behind.
	Settle func()
	// Coarse says that what stands behind the provider is coarser than EC2, and does what its rules of states refuse: only what they allow is looked at then.
	Coarse bool
}

// action is one thing to do, and in which states it may be done.
type action struct {
	name, method, path, body string
	allowed                  []string
	then                     []string // states that may follow; nil = the same
}

// The states of an instance, in the order of their codes.
var states = []string{"pending", "running", "shutting-down", "terminated", "stopping", "stopped"}

func actions() []action {
	alive := []string{"pending", "running", "stopping", "stopped"}
	ends := []string{"shutting-down", "terminated"}
	rests := []string{"stopping", "stopped"}
	return []action{
		{"start", "PUT", "start", "", []string{"pending", "running", "stopped"}, []string{"pending", "running"}},
		{"stop", "PUT", "stop", "", []string{"running", "stopping", "stopped"}, rests},
		{"stop by force", "PUT", "stop", `{"force":true}`, []string{"running", "stopping", "stopped"}, rests},
		{"terminate", "PUT", "terminate", "", states, ends},
		{"terminate by force", "PUT", "terminate", `{"force":"yes"}`, states, ends},
		{"reboot", "PUT", "reboot", "", []string{"running"}, []string{"running"}},
		{"modify what needs rest", "PUT", "modify", `{"attribute":"instance_type","value":"m1.small"}`, []string{"stopped"}, nil},
		{"modify what does not", "PUT", "modify", `{"attribute":"sourceDestCheck","value":"false"}`, alive, nil},
		{"read", "GET", "attributes", "", states, nil},
	}
}

// States tries every action in every state.
func States(t *testing.T, w World) {
	for _, state := range states {
		for _, a := range actions() {
			t.Run(state+"/"+a.name, func(t *testing.T) {
				allowed := slices.Contains(a.allowed, state)
				if w.Coarse && !allowed {
					return
				}
				id, can := w.Bring(t, state)
				if !can {
					t.Logf("this cloud never shows %s", state)
					return
				}
				w.try(t, id, state, a, allowed)
			})
		}
	}
}

func (w World) try(t *testing.T, id, state string, a action, allowed bool) {
	status, body := w.ask(t, a.method, "/v1/"+id+"/"+a.path, a.body)
	switch {
	case !allowed:
		w.isRefused(t, status, body)
		return
	case status != http.StatusOK:
		t.Fatalf("%d %v", status, body)
	case a.method == http.MethodGet:
		w.shows(t, body, state)
		return
	case body["message"] != "Instance modification succeeded":
		t.Errorf("%v", body)
	}
	w.Settle()
	_, after := w.ask(t, http.MethodGet, "/v1/"+id+"/attributes/state", "")
	if now := fmt.Sprint(after["state"]); a.then != nil && !slices.Contains(a.then, now) {
		t.Errorf("it is %s afterwards, want one of %v", now, a.then)
	}
}

func (w World) isRefused(t *testing.T, status int, body map[string]any) {
	t.Helper()
	if status != http.StatusRequestTimeout || body["code"] != "IncorrectInstanceState" || body["error"] != "Error while modifying via EC2 API" || body["detail"] == "" {
		t.Errorf("%d %v, want 408 and IncorrectInstanceState", status, body)
	}
}

func (w World) shows(t *testing.T, body map[string]any, state string) {
	t.Helper()
	if code := float64(16 * slices.Index(states, state)); len(body) != 13 || body["state"] != state || body["state_code"] != code {
		t.Errorf("%v, want thirteen fields and %s with code %v", body, state, code)
	}
	if state == "stopped" && (body["ip_address"] != "" || body["public_dns_name"] != "") {
		t.Errorf("%v: a stopped instance has no public address", body)
	}
}

// ask sends a request and reads the object that it is answered with.
func (w World) ask(t *testing.T, method, path, body string) (status int, answer map[string]any) {
	t.Helper()
	r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1"
	for name, values := range w.Header {
		r.Header[name] = values
	}
	recorder := httptest.NewRecorder()
	w.Handler.ServeHTTP(recorder, r)
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s %s: %d %s", method, path, recorder.Code, recorder.Body)
	}
	return recorder.Code, answer
}
