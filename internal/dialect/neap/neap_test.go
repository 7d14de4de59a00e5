package neap_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/apptest"
)

func TestTheStatusSaysThatEverythingIsSimulated(t *testing.T) {
	n := apptest.Start(t)
	body := n.Must("GET", "/neap/v1/status", nil).Body
	if body["simulated"] != true || body["database"] != "sqlite" || body["version"] != "test" {
		t.Errorf("status: %v", body)
	}
}

func TestEveryOperationOfEveryDialectIsListed(t *testing.T) {
	n := apptest.Start(t)
	items := n.Must("GET", "/neap/v1/operations", nil).Body["items"].([]any)
	seen := map[string]bool{}
	for _, i := range items {
		seen[i.(map[string]any)["id"].(string)] = true
	}
	for _, id := range []string{"spot.elastigroup.aws.createElastigroup", "neap.decisions.replay", "neap.tokens.revoke"} {
		if !seen[id] {
			t.Errorf("%s is not listed", id)
		}
	}
}

func TestATokenWorksUntilItIsRevokedAndItsSecretIsShownOnce(t *testing.T) {
	n := apptest.Start(t)
	made := n.Must("POST", "/neap/v1/tokens", `{"name":"ci"}`).Body
	secret, id := made["secret"].(string), made["id"].(string)
	as := func(path string) apptest.Answer { return n.Call("GET", path, nil, "Authorization", "Bearer "+secret) }
	if got := as("/neap/v1/status").Status; got != http.StatusOK {
		t.Fatalf("the new token gets %d", got)
	}
	list := n.Must("GET", "/neap/v1/tokens", nil)
	if strings.Contains(string(list.Raw), secret) || !strings.Contains(string(list.Raw), id) {
		t.Errorf("the list: %s", list.Raw)
	}
	n.Must("DELETE", "/neap/v1/tokens/"+id, nil)
	if got := as("/neap/v1/status").Status; got != http.StatusUnauthorized {
		t.Errorf("the revoked token gets %d", got)
	}
	if got := n.Call("DELETE", "/neap/v1/tokens/"+id, nil); got.Status != http.StatusNotFound {
		t.Errorf("revoking it again: %d %s", got.Status, got.Raw)
	}
}

func TestRefusalsSayWhatAndWhere(t *testing.T) {
	n := apptest.Start(t)
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		says         string
	}{
		{"POST", "/neap/v1/tokens", `{}`, 400, `"field":"name"`},
		{"GET", "/neap/v1/groups/sig-00000000/decisions", nil, 404, "There is no group"},
		{"GET", "/neap/v1/groups/sig-00000000/decisions?limit=0", nil, 404, "There is no group"},
		{"GET", "/neap/v1/nothing", nil, 404, "/openapi/"},
		{"PUT", "/neap/v1/status", `{}`, 405, "GET"},
	} {
		answer := n.Call(c.method, c.path, c.body)
		if answer.Status != c.status || !strings.Contains(string(answer.Raw), c.says) {
			t.Errorf("%s %s: %d %s", c.method, c.path, answer.Status, answer.Raw)
		}
	}
}

func TestAccountsAreTheOrganisationsOwn(t *testing.T) {
	n := apptest.Start(t)
	items := n.Must("GET", "/neap/v1/accounts", nil).Body["items"].([]any)
	if len(items) != 1 || items[0].(map[string]any)["id"] != n.Account.ID || items[0].(map[string]any)["simulated"] != true {
		t.Errorf("accounts: %v", items)
	}
}
