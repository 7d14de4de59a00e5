package compose_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/identity"
)

// world is a running Neap as somebody with a token of one account sees it.
type world struct {
	*apptest.Neap
	token   string
	account string // its id on the wire
	of      identity.Organisation
}

func open(t *testing.T) world {
	t.Helper()
	n := apptest.Start(t)
	w := world{Neap: n, token: n.Admin}
	w.account = w.first("accounts", "/2016-07/accounts")["id"].(string)
	inst, err := n.Identity.Installation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.of = w.organisation(inst.Organisation)
	return w
}

func (w world) organisation(id string) identity.Organisation {
	w.T.Helper()
	of, err := w.Identity.Organisation(w.T.Context(), id)
	if err != nil {
		w.T.Fatal(err)
	}
	return of
}

// another account, as its owner sees it.
func (w world) another(name string) world {
	w.T.Helper()
	of, err := w.Identity.AddOrganisation(w.T.Context(), w.of.ID, name)
	if err != nil {
		w.T.Fatal(err)
	}
	other := world{Neap: w.Neap, of: of}
	other.token = other.tokenOf(of.Owner)
	other.account = other.first("accounts", "/2016-07/accounts")["id"].(string)
	return other
}

func (w world) tokenOf(user string) string {
	w.T.Helper()
	secret, _, err := w.Identity.CreateToken(w.T.Context(), w.of.ID, identity.NewToken{User: user, Name: "test"})
	if err != nil {
		w.T.Fatal(err)
	}
	return secret
}

// as is the world of a new user of the role.
func (w world) as(role identity.Role) world {
	w.T.Helper()
	made, secret, err := w.Identity.CreateUser(w.T.Context(), identity.NewUser{Token: "test", User: identity.User{
		Organisation: w.of.ID, Program: true, Name: "robot-" + string(role), Role: role,
	}})
	if err != nil || made.ID == "" {
		w.T.Fatal(err)
	}
	w.token = secret
	return w
}

func (w world) call(method, path, body string, headers ...string) apptest.Answer {
	w.T.Helper()
	var sent any
	if body != "" {
		sent = body
	}
	return w.Call(method, path, sent, append([]string{"Authorization", "Bearer " + w.token}, headers...)...)
}

// must is call for what has to be answered with this status; it gives the body.
func (w world) must(status int, method, path, body string) map[string]any {
	w.T.Helper()
	answer := w.call(method, path, body)
	if answer.Status != status {
		w.T.Fatalf("%s %s: %d %s, want %d", method, path, answer.Status, answer.Raw, status)
	}
	return answer.Body
}

func (w world) list(name, path string) []map[string]any {
	w.T.Helper()
	var body struct {
		Embedded map[string][]map[string]any `json:"_embedded"`
	}
	answer := w.call("GET", path, "")
	if err := json.Unmarshal(answer.Raw, &body); err != nil || answer.Status != http.StatusOK || body.Embedded[name] == nil {
		w.T.Fatalf("GET %s: %d %s %v", path, answer.Status, answer.Raw, err)
	}
	return body.Embedded[name]
}

func (w world) first(name, path string) map[string]any {
	w.T.Helper()
	items := w.list(name, path)
	if len(items) == 0 {
		w.T.Fatalf("GET %s lists nothing", path)
	}
	return items[0]
}

// users is the path of the account's users, or of one of them.
func (w world) users(id ...string) string {
	return strings.Join(append([]string{"/2016-07/accounts/" + w.account + "/users"}, id...), "/")
}

func (w world) user(name string) (id string) {
	w.T.Helper()
	return w.must(201, "POST", w.users(), `{"name":"`+name+`","email":"`+name+`@acme.example"}`)["id"].(string)
}

func (w world) team(name string) (id string) {
	w.T.Helper()
	return w.must(201, "POST", "/2016-07/teams", `{"team":{"name":"`+name+`"}}`)["id"].(string)
}
