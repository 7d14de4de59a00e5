package compose_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/dialect/dialecttest"
	"github.com/neap-cloud/neap/internal/identity"
)

func TestAnAccountIsTheOrganisationOfTheToken(t *testing.T) {
	w := open(t).another("Acme")
	list := w.list("accounts", "/2016-07/accounts")
	if len(list) != 1 || list[0]["name"] != "Acme" || list[0]["slug"] != w.of.Slug() || !regexp.MustCompile(`^[0-9a-f]{24}$`).MatchString(w.account) {
		t.Errorf("accounts %v", list)
	}
}

func TestTheSamplesOfAccountsAndUsersAreAnsweredAsPublished(t *testing.T) {
	w := open(t).another("Acme")
	ana, _, err := w.Identity.CreateUser(t.Context(), identity.NewUser{User: identity.User{Organisation: w.of.ID, Name: "Ana", Email: "ana@acme.example", Role: identity.Admin}})
	if err != nil {
		t.Fatal(err)
	}
	w.token = w.tokenOf(ana.ID)
	ids := []string{"5a1f00c2d4e8b90012000001", w.account, "5a1f00c2d4e8b90012000021", w.must(200, "GET", "/2016-07/user", "")["id"].(string), `"slug": "acme"`, `"slug": "` + w.of.Slug() + `"`}
	play := func(title string, free ...string) map[string]any {
		t.Helper()
		s := dialecttest.Find(t, "accounts_users", title, ids...)
		token := w.token
		if title == "bad token" {
			token = "nope"
		}
		answer := w.Call(s.Request.Method, s.Request.Path, bodyOf(s), "Authorization", "Bearer "+token)
		s.Agrees(t, answer.Status, answer.Raw, free...)
		return answer.Body
	}
	play("accounts")
	bo := play("create user", "id")
	ids = append(ids, "5a1f00c2d4e8b90012000022", bo["id"].(string))
	play("own user")
	play("bad token")
	play("delete user")
	w.occupy()
	play("close with deployments", "account")
	w.vacate()
	play("close")
}

func bodyOf(s dialecttest.Sample) any {
	if len(s.Request.Body) == 0 {
		return nil
	}
	return string(s.Request.Body)
}

// occupy makes something that runs in the account.
func (w world) occupy() {
	w.T.Helper()
	if _, err := w.Identity.AddAccount(w.T.Context(), identity.Account{Organisation: w.of.ID, Name: "cloud", Cloud: "sim", Provider: "AWS"}); err != nil {
		w.T.Fatal(err)
	}
	w.must(200, "POST", "/aws/ec2/group", `{"group":{"name":"web","region":"us-east-1","capacity":{"target":0,"minimum":0,"maximum":1,"unit":"instance"},"strategy":{"risk":100},`+
		`"compute":{"product":"Linux/UNIX","instanceTypes":{"ondemand":"m5.large","spot":["m5.large"]},"availabilityZones":[{"name":"us-east-1a","subnetIds":["subnet-0abcdef1234567890"]}],`+
		`"launchSpecification":{"securityGroupIds":["sg-0abcdef1234567890"],"imageId":"ami-0abcdef1234567890"}}}}`)
}

func (w world) vacate() {
	w.T.Helper()
	group := w.call("GET", "/aws/ec2/group", "").Items()[0]["id"].(string)
	w.must(200, "DELETE", "/aws/ec2/group/"+group, "")
}

func TestAClosedAccountIsReadAndNotWritten(t *testing.T) {
	w := open(t).another("Acme")
	w.must(200, "DELETE", "/2016-07/accounts/"+w.account, "")
	w.must(200, "GET", "/2016-07/accounts", "")
	w.must(200, "GET", "/2016-07/teams", "")
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/2016-07/teams", `{"team":{"name":"Crew"}}`},
		{"POST", w.users(), `{"name":"Bo","email":"bo@acme.example"}`},
		{"DELETE", "/2016-07/accounts/" + w.account, ""},
	} {
		body := w.must(403, c.method, c.path, c.body)
		if !strings.Contains(body["errors"].(map[string]any)["account"].([]any)[0].(string), "closed") {
			t.Errorf("%s %s: %v", c.method, c.path, body)
		}
	}
}

func TestTheGoverningAccountStaysOpen(t *testing.T) {
	w := open(t)
	w.must(403, "DELETE", "/2016-07/accounts/"+w.account, "")
	w.must(201, "POST", "/2016-07/teams", `{"team":{"name":"Crew"}}`)
}

func TestNobodyReachesAnotherAccountThroughItsID(t *testing.T) {
	w := open(t)
	other := w.another("Acme")
	stranger := other.user("bo")
	for _, c := range []struct{ method, path, body string }{
		{"DELETE", "/2016-07/accounts/" + other.account, ""},
		{"GET", other.users(), ""},
		{"POST", other.users(), `{"name":"Bo","email":"b@acme.example"}`},
		{"DELETE", other.users(stranger), ""},
		{"DELETE", w.users(stranger), ""},
		{"DELETE", w.users("5a1f00c2d4e8b90012000022"), ""},
		{"GET", "/2016-07/accounts/nonsense/users", ""},
	} {
		if body := w.must(404, c.method, c.path, c.body); body["errors"] != "not_found" {
			t.Errorf("%s %s: %v", c.method, c.path, body)
		}
	}
}

func TestNewUsersAreCheckedFieldByField(t *testing.T) {
	w := open(t)
	w.user("bo")
	users := w.users()
	for body, fields := range map[string][]string{
		`{}`:                                      {"name", "email"},
		`{"name":"Al","email":"no address"}`:      {"email"},
		`{"name":"A=B","email":"al"}`:             {"name", "email"},
		`{"name":7,"email":"a@acme.example"}`:     {"name"},
		`{"name":"Al","email":"BO@acme.example"}`: {"email"},
	} {
		errors := w.must(422, "POST", users, body)["errors"].(map[string]any)
		if len(errors) != len(fields) {
			t.Errorf("%s: %v", body, errors)
		}
		for _, field := range fields {
			if said, _ := errors[field].([]any); len(said) == 0 || said[0] == "" {
				t.Errorf("%s: nothing about %s in %v", body, field, errors)
			}
		}
	}
	for _, body := range []string{`{"name":`, `[]`, ``} {
		if errors := w.must(400, "POST", users, body)["errors"].(map[string]any); errors["body"] == nil {
			t.Errorf("%q: %v", body, errors)
		}
	}
}

func TestTheOwnerCannotBeDeleted(t *testing.T) {
	w := open(t).another("Acme")
	owner := w.must(200, "GET", "/2016-07/user", "")["id"].(string)
	w.must(422, "DELETE", w.users(owner), "")
}

func TestANewUserHoldsNoRoleAndADeletedOneIsGone(t *testing.T) {
	w := open(t)
	bo := w.user("bo")
	if made, err := w.Identity.FindUser(t.Context(), w.of.ID, "bo", func(u identity.User) bool { return u.Name == "bo" }); err != nil || made.Role != identity.Member || made.Program {
		t.Errorf("%+v %v", made, err)
	}
	if list := w.list("users", w.users()); len(list) != 2 || list[1]["id"] != bo {
		t.Errorf("users %v", list)
	}
	w.must(200, "DELETE", w.users(bo), "")
	w.must(404, "DELETE", w.users(bo), "")
}
