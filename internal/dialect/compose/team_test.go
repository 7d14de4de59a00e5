package compose_test

import (
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/dialect/dialecttest"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/identity/policy"
)

func TestTheSamplesOfTeamsAreAnsweredAsPublished(t *testing.T) {
	w := open(t)
	ana, _, err := w.Identity.CreateUser(t.Context(), identity.NewUser{User: identity.User{Organisation: w.of.ID, Name: "Ana", Email: "ana@acme.example", Role: identity.Admin}})
	if err != nil {
		t.Fatal(err)
	}
	w.token = w.tokenOf(ana.ID)
	ids := []string{"5a1f00c2d4e8b90012000021", w.must(200, "GET", "/2016-07/user", "")["id"].(string)}
	play := func(title string, free ...string) map[string]any {
		t.Helper()
		s := dialecttest.Find(t, "teams", title, ids...)
		answer := w.Call(s.Request.Method, s.Request.Path, bodyOf(s), "Authorization", "Bearer "+w.token)
		s.Agrees(t, answer.Status, answer.Raw, free...)
		return answer.Body
	}
	crew := play("create", "id")
	ids = append(ids, "5a1f0700d4e8b90012002001", crew["id"].(string))
	play("members")
	play("teams")
	play("rename")
	play("delete", "name") // the sample has the name from before the renaming
	if list := w.list("teams", "/2016-07/teams"); len(list) != 0 {
		t.Errorf("the deleted team is listed: %v", list)
	}
}

func TestATeamsMembersAreReplacedAllOrNone(t *testing.T) {
	w := open(t)
	crew, al, bo := w.team("Crew"), w.user("al"), w.user("bo")
	stranger := w.another("Acme").user("cy")
	set := func(status int, ids ...string) map[string]any {
		t.Helper()
		return w.must(status, "PUT", "/2016-07/teams/"+crew+"/users", `{"user_ids":["`+strings.Join(ids, `","`)+`"]}`)
	}
	members := func() (names []string) {
		for _, u := range w.must(200, "GET", "/2016-07/teams/"+crew, "")["users"].([]any) {
			names = append(names, u.(map[string]any)["name"].(string))
		}
		return names
	}
	set(200, al, bo, al)
	if got := strings.Join(members(), " "); got != "al bo" {
		t.Errorf("members %s", got)
	}
	for _, unknown := range []string{stranger, "5a1f00c2d4e8b90012000021", crew, "bo"} {
		errors := set(422, bo, unknown)["errors"].(map[string]any)
		if said := errors["user_ids"].([]any)[0].(string); !strings.Contains(said, unknown) {
			t.Errorf("%s: %v", unknown, errors)
		}
	}
	if got := strings.Join(members(), " "); got != "al bo" {
		t.Errorf("after refused changes: members %s", got)
	}
	w.must(200, "PUT", "/2016-07/teams/"+crew+"/users", `{"user_ids":[]}`)
	w.must(200, "DELETE", w.users(bo), "")
	if got := members(); len(got) != 0 {
		t.Errorf("members %v", got)
	}
}

func TestTeamNamesAreUniqueAndRequired(t *testing.T) {
	w := open(t)
	crew := w.team("Crew")
	other := w.team("Other")
	for _, c := range []struct{ method, path, body, field string }{
		{"POST", "/2016-07/teams", `{"team":{"name":"crew"}}`, "name"},
		{"POST", "/2016-07/teams", `{"team":{"name":""}}`, "name"},
		{"POST", "/2016-07/teams", `{"team":{}}`, "name"},
		{"POST", "/2016-07/teams", `{"name":"Crew"}`, "team"},
		{"PATCH", "/2016-07/teams/" + other, `{"team":{"name":"Crew"}}`, "name"},
		{"PATCH", "/2016-07/teams/" + other, `{"team":{"name":"123"}}`, "name"},
		{"PUT", "/2016-07/teams/" + crew + "/users", `{}`, "user_ids"},
		{"PUT", "/2016-07/teams/" + crew + "/users", `{"user_ids":[1]}`, ""},
	} {
		errors := w.must(422, c.method, c.path, c.body)["errors"].(map[string]any)
		if c.field != "" && errors[c.field] == nil || len(errors) != 1 {
			t.Errorf("%s %s %s: %v", c.method, c.path, c.body, errors)
		}
	}
	w.must(400, "POST", "/2016-07/teams", `{"team":`)
}

func TestTheTeamOfEveryoneIsNoTeamHere(t *testing.T) {
	w := open(t)
	if list := w.list("teams", "/2016-07/teams"); len(list) != 0 {
		t.Errorf("teams %v", list)
	}
	groups, everyone, err := w.Identity.Teams(t.Context(), w.of.ID)
	if err != nil || len(groups) != 1 || everyone == "" {
		t.Fatalf("%v %v", groups, err)
	}
	w.must(404, "GET", "/2016-07/teams/"+w.must(200, "GET", "/2016-07/user", "")["id"].(string), "")
	w.must(404, "GET", "/2016-07/teams/"+everyone, "")
}

// Two accounts with the same names in them: nothing of one is ever in a list of the other, or found by its id.
func TestAccountsOfTheSameNamesNeverSeeEachOther(t *testing.T) {
	first := open(t)
	one, two := first.another("Acme"), first.another("Acme")
	ids := map[string][]string{}
	for _, w := range []world{one, two} {
		crew, bo := w.team("Crew"), w.user("bo")
		w.must(200, "PUT", "/2016-07/teams/"+crew+"/users", `{"user_ids":["`+bo+`"]}`)
		ids[w.account] = []string{w.account, crew, bo}
	}
	for _, pair := range [][2]world{{one, two}, {two, one}, {first, one}} {
		w, foreign := pair[0], ids[pair[1].account]
		for _, path := range []string{"/2016-07/accounts", w.users(), "/2016-07/teams", "/2016-07/user"} {
			answer := w.call("GET", path, "")
			if answer.Status != 200 {
				t.Errorf("%s: %d %s", path, answer.Status, answer.Raw)
			}
			for _, id := range foreign {
				if strings.Contains(string(answer.Raw), id) {
					t.Errorf("%s shows %s of the other account", path, id)
				}
			}
		}
		crew := foreign[1]
		for _, c := range []struct{ method, path, body string }{
			{"GET", "/2016-07/teams/" + crew, ""}, {"PATCH", "/2016-07/teams/" + crew, `{"team":{"name":"Mine"}}`},
			{"DELETE", "/2016-07/teams/" + crew, ""}, {"PUT", "/2016-07/teams/" + crew + "/users", `{"user_ids":[]}`},
		} {
			w.must(404, c.method, c.path, c.body)
		}
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	admin := open(t)
	crew, bo := admin.team("Crew"), admin.user("bo")
	reads := []string{"/2016-07/accounts", admin.users(), "/2016-07/teams", "/2016-07/teams/" + crew, "/2016-07/user"}
	writes := []struct{ method, path, body string }{
		{"POST", admin.users(), `{"name":"Al","email":"al@acme.example"}`},
		{"DELETE", admin.users(bo), ""},
		{"DELETE", "/2016-07/accounts/" + admin.account, ""},
		{"POST", "/2016-07/teams", `{"team":{"name":"New"}}`},
		{"PATCH", "/2016-07/teams/" + crew, `{"team":{"name":"New"}}`},
		{"PUT", "/2016-07/teams/" + crew + "/users", `{"user_ids":[]}`},
		{"DELETE", "/2016-07/teams/" + crew, ""},
	}
	for _, role := range []identity.Role{identity.Viewer, identity.TeamEditor, identity.TeamViewer, identity.Operator, identity.Monitor, identity.Member} {
		w := admin.as(role)
		for _, path := range reads {
			w.must(200, "GET", path, "")
		}
		for _, c := range writes {
			if errors := w.must(403, c.method, c.path, c.body)["errors"].(map[string]any); len(errors) != 1 {
				t.Errorf("%s %s as %q: %v", c.method, c.path, role, errors)
			}
		}
	}
	nobody := admin
	nobody.token = "nope"
	for _, path := range reads {
		if body := nobody.must(401, "GET", path, ""); body["errors"] != "invalid_token" {
			t.Errorf("%s: %v", path, body)
		}
	}
	for _, c := range writes {
		nobody.must(401, c.method, c.path, c.body)
	}
}

// A policy may name single teams by our ids, though clients know them by others.
func TestAPolicyAboutOneTeamHoldsForThatTeam(t *testing.T) {
	admin := open(t)
	crew, other := admin.team("Crew"), admin.team("Other")
	groups, err := admin.Identity.Groups(t.Context(), admin.of.ID)
	if err != nil {
		t.Fatal(err)
	}
	p, err := admin.Identity.CreatePolicy(t.Context(), identity.Policy{Organisation: admin.of.ID, Name: "crew", Type: identity.ForOrganisation, Content: policy.Document{
		Statements: []policy.Statement{{Effect: policy.Allow, Actions: []string{"setup:updateUserGroup"}, Resources: []string{"setup:" + groups[0].ID}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := admin.Identity.CreateUser(t.Context(), identity.NewUser{Token: "test", User: identity.User{
		Organisation: admin.of.ID, Program: true, Name: "robot", Policies: []identity.Mapping{{Policy: p.ID}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w := admin
	w.token = secret
	w.must(200, "PATCH", "/2016-07/teams/"+crew, `{"team":{"name":"Crew B"}}`)
	w.must(403, "PATCH", "/2016-07/teams/"+other, `{"team":{"name":"Other B"}}`)
	w.must(403, "DELETE", "/2016-07/teams/"+crew, "")
}
