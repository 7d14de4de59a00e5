package cmpute_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/identity"
)

const roleArn = "arn:aws:iam::111122223333:role/acme/acme-trusted-role"

// client calls as one user of an organisation.
type client struct {
	n   *apptest.Neap
	org string
	key string // "ACCESS:SECRET"
	id  identity.User
}

// start runs a Neap whose first organisation has an administrator called Ana.
func start(t *testing.T, change ...func(*app.Config)) client {
	t.Helper()
	n := apptest.Start(t, change...)
	return join(t, n, n.Account.Organisation, "ana@acme.example", "Ana Admin", identity.Admin)
}

// join makes a user of an organisation, with a key.
func join(t *testing.T, n *apptest.Neap, org, email, name string, role identity.Role) client {
	t.Helper()
	made, _, err := n.Identity.CreateUser(t.Context(), identity.NewUser{User: identity.User{Organisation: org, Email: email, Name: name, Role: role}})
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := n.Identity.CreateToken(t.Context(), org, identity.NewToken{User: made.ID, Name: "cli", Kind: identity.AccessKey})
	if err != nil {
		t.Fatal(err)
	}
	return client{n, org, key, made}
}

func (c client) join(t *testing.T, email string, role identity.Role) client {
	return join(t, c.n, c.org, email, strings.ToUpper(email[:1])+email[1:2], role)
}

func (c client) call(method, path string, body any) apptest.Answer {
	c.n.T.Helper()
	return c.n.Call(method, path, body, "Authorization", "ApiKey "+c.key)
}

func (c client) must(method, path string, body any) apptest.Answer {
	c.n.T.Helper()
	got := c.call(method, path, body)
	if got.Status != http.StatusOK {
		c.n.T.Fatalf("%s %s: %d %s", method, path, got.Status, got.Raw)
	}
	return got
}

// attach makes an account of these teams, and gives its id.
func (c client) attach(name string, teams ...string) string {
	c.n.T.Helper()
	got := c.must("POST", "/api/accounts/CloudFrontAWS", map[string]any{"Name": name, "BaseRegion": "us-east-1", "RoleArn": roleArn, "Teams": teams})
	return got.Body["Data"].(map[string]any)["Id"].(string)
}

// crew makes a team of these users, and gives its id.
func (c client) crew(name string, members ...client) string {
	c.n.T.Helper()
	c.must("POST", "/api/v2/Teams", map[string]any{"Name": name, "Description": "Crew one"})
	var names []string
	for _, m := range members {
		names = append(names, m.id.Email)
	}
	if len(names) > 0 {
		c.must("POST", "/api/v2/Teams/"+strings.ReplaceAll(name, " ", "%20")+"/Users", map[string]any{"UserName": names})
	}
	return c.team(name)
}

func (c client) team(name string) string {
	c.n.T.Helper()
	return c.must("GET", "/api/v2/Teams/"+strings.ReplaceAll(name, " ", "%20"), nil).Body["Team"].(map[string]any)["Id"].(string)
}

// column is a member of every object of a list.
func column(a apptest.Answer, list, member string) string {
	items, _ := a.Body[list].([]any)
	var cells []string
	for _, item := range items {
		cells = append(cells, fmt.Sprint(item.(map[string]any)[member]))
	}
	return strings.Join(cells, " ")
}
