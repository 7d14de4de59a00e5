package setup_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/apptest"
)

type object = map[string]any

// world is a running app with a second account, seen by its administrator.
type world struct {
	*apptest.Neap
	t             *testing.T
	first, second string // accounts
}

func begin(t *testing.T) world {
	t.Helper()
	w := world{Neap: apptest.Start(t), t: t}
	w.first = w.Account.ID
	w.second = w.text("id", "POST", "/setup/account", object{"account": object{"name": "Second"}})
	return w
}

// text is a member of the first item that a request is answered with.
func (w world) text(member, method, path string, body any, headers ...string) string {
	w.t.Helper()
	items := w.Must(method, path, body, headers...).Items()
	if len(items) == 0 {
		w.t.Fatalf("%s %s answers no item", method, path)
	}
	text, _ := items[0][member].(string)
	if text == "" {
		w.t.Fatalf("%s %s answers no %s: %v", method, path, member, items[0])
	}
	return text
}

// caller is somebody with a token.
type caller struct {
	world
	id    string
	token string
}

// person makes a user without any rights of its own beyond what extra says.
func (w world) person(email string, extra object) caller {
	w.t.Helper()
	body := object{"firstName": "Ada", "lastName": "L", "email": email}
	for name, value := range extra {
		body[name] = value
	}
	item := w.Must("POST", "/setup/user?generateToken=true", body).Items()[0]
	return caller{w, item["userId"].(string), item["personalAccessToken"].(string)}
}

func (w world) program(name string, extra object) caller {
	w.t.Helper()
	body := object{"name": name}
	for name, value := range extra {
		body[name] = value
	}
	item := w.Must("POST", "/setup/user/programmatic", body).Items()[0]
	return caller{w, item["id"].(string), item["token"].(string)}
}

// policy makes one of these statements.
func (w world) policy(name string, statements ...object) string {
	w.t.Helper()
	return w.text("id", "POST", "/setup/access/policy", object{"policy": object{"name": name, "policyContent": object{"statements": statements}}})
}

func statement(effect string, actions []string, resources ...string) object {
	return object{"effect": effect, "actions": actions, "resources": resources}
}

func given(policy string, accounts ...string) object {
	return object{"policyId": policy, "accountIds": accounts}
}

func (c caller) call(method, path string, body any) apptest.Answer {
	c.t.Helper()
	return c.Call(method, path, body, "Authorization", "Bearer "+c.token)
}

// may asks whether a request gets past the caller's rights, however it ends. What one has no right at all to see reads like what is missing.
func (c caller) may(method, path string, body any) bool {
	c.t.Helper()
	answer := c.call(method, path, body)
	if answer.Status == http.StatusUnauthorized || answer.Status >= 500 {
		c.t.Errorf("%s %s: %d", method, path, answer.Status)
	}
	for _, f := range faults(answer) {
		if strings.HasSuffix(f.code, "_DOESNT_EXIST") {
			return false
		}
	}
	return answer.Status != http.StatusForbidden
}

// faults are the code, field and message of each error of a refusal.
func faults(a apptest.Answer) (found []struct{ code, field, says string }) {
	response, _ := a.Body["response"].(object)
	list, _ := response["errors"].([]any)
	for _, one := range list {
		wrong := one.(object)
		field, _ := wrong["field"].(string)
		found = append(found, struct{ code, field, says string }{wrong["code"].(string), field, wrong["message"].(string)})
	}
	return found
}

// refused checks that a request is a bad one, because of that field or with that code, and says why.
func (w world) refused(what, mark, says string, a apptest.Answer) {
	w.t.Helper()
	for _, f := range faults(a) {
		if a.Status == http.StatusBadRequest && (f.field == mark || f.code == mark) && strings.Contains(f.says, says) {
			return
		}
	}
	w.t.Errorf("%s: want a refusal about %s that says %q, got %d %s", what, mark, says, a.Status, a.Raw)
}

func encoded(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
