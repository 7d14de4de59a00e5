package cmpute_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/identity"
)

func (c client) address() string { return fmt.Sprintf("/api/users/%d", c.id.Number) }

func TestUsersAreManagedByAdministratorsAndSeeThemselves(t *testing.T) {
	ana := start(t)
	una, rob := ana.join(t, "una@acme.example", identity.TeamEditor), ana.join(t, "rob@acme.example", identity.TeamViewer)
	looker := ana.join(t, "lea@acme.example", identity.Viewer)
	try(t,
		attempt{ana, "GET", "/api/users", "", 200, `{"UserName":"una@acme.example","FullName":"Un","Role":"User","Id":`},
		attempt{ana, "GET", "/api/users", "", 200, `"UserName":"owner","FullName":"owner","Role":"Administrator"`},
		attempt{looker, "GET", "/api/users", "", 200, `"UserName":"lea@acme.example","FullName":"Le","Role":"ReadOnly"`},
		attempt{una, "GET", "/api/users", "", 403, "Authorization"},
		attempt{una, "GET", una.address(), "", 200, `"Role":"User"`},
		attempt{rob, "GET", rob.address(), "", 200, `"Role":"ReadOnly"`},
		attempt{una, "GET", rob.address(), "", 403, "right"},
		attempt{una, "GET", "/api/users/999", "", 403, "right"},
		attempt{ana, "GET", rob.address(), "", 200, "rob@acme.example"},
		attempt{ana, "GET", "/api/users/999", "", 404, "User not found"},
		attempt{ana, "GET", "/api/users/x", "", 400, `"Id":["Id must be a whole number`},
		attempt{una, "POST", "/api/users", `{"UserName":"new@acme.example","FullName":"New","Role":"User"}`, 403, "right"},
		attempt{una, "PUT", una.address(), `{"Role":"Administrator"}`, 403, "right"},
	)
}

func TestCreatingAUser(t *testing.T) {
	ana := start(t)
	try(t,
		attempt{ana, "POST", "/api/users/", `{"UserName":"bo@acme.example","FullName":"Bo Berg","Role":"administrator"}`, 200, `"Data":true`},
		attempt{ana, "POST", "/api/users", `{"UserName":"BO@acme.example","FullName":"Bo","Role":"User"}`, 409, `"UserName"`},
		attempt{ana, "POST", "/api/users?User%20Name=cy@acme.example&Full%20Name=Cy&Role=ReadOnly", "", 200, `"Data":true`},
		attempt{ana, "POST", "/api/users", `{}`, 400, `"Errors":{"FullName":["FullName is required"],"Role":["Role is required"],"UserName":["UserName is required"]}`},
		attempt{ana, "POST", "/api/users", `{"UserName":"nobody","FullName":"X","Role":"User"}`, 400, `"UserName":["UserName must be an e-mail address`},
		attempt{ana, "POST", "/api/users", `{"UserName":"x@acme.example","FullName":"X=Y","Role":"User"}`, 400, `"FullName":[`},
		attempt{ana, "POST", "/api/users", `{"UserName":"x@acme.example","FullName":"X","Role":"King"}`, 400, `"Role":["Role must be Administrator, User or ReadOnly`},
	)
	bo, err := ana.n.Identity.FindUser(t.Context(), ana.org, "bo", func(u identity.User) bool { return u.Email == "bo@acme.example" })
	if err != nil || bo.First != "Bo" || bo.Last != "Berg" || bo.Role != identity.Admin {
		t.Errorf("made %+v, %v", bo, err)
	}
	tokens, err := ana.n.Identity.Tokens(t.Context(), ana.org)
	for _, token := range tokens {
		if token.User == bo.ID {
			t.Errorf("the new user has a token already: %+v", token)
		}
	}
	if err != nil {
		t.Error(err)
	}
	got := ana.must("GET", "/api/v2/Teams/Organization/Users", nil)
	if names := column(got, "Users", "UserName"); names != "owner ana@acme.example bo@acme.example cy@acme.example" {
		t.Errorf("everybody is %s", names)
	}
}

func TestChangingAUser(t *testing.T) {
	ana := start(t)
	bo, lea := ana.join(t, "bo@acme.example", identity.TeamEditor), ana.join(t, "lea@acme.example", identity.Viewer)
	owner := ana.must("GET", "/api/users", nil).Body["Data"].([]any)[0].(map[string]any)
	robot := fmt.Sprintf("/api/users/%v", owner["Id"])
	try(t,
		attempt{ana, "PUT", bo.address(), `{"FullName":"Bo van Berg"}`, 200, `"Data":true`},
		attempt{ana, "GET", bo.address(), "", 200, `"UserName":"bo@acme.example","FullName":"Bo van Berg","Role":"User"`},
		attempt{ana, "PUT", bo.address(), fmt.Sprintf(`{"Id":%d,"UserName":"bob@acme.example","Role":"readonly"}`, bo.id.Number), 200, `"Data":true`},
		attempt{ana, "GET", bo.address(), "", 200, `"UserName":"bob@acme.example","FullName":"Bo van Berg","Role":"ReadOnly"`},
		attempt{ana, "PUT", bo.address(), `{"Id":1000}`, 400, `"Id"`},
		attempt{ana, "PUT", bo.address(), `{"Role":"King"}`, 400, `"Role"`},
		attempt{ana, "PUT", bo.address(), `{"UserName":"ana@acme.example"}`, 409, `"UserName"`},
		attempt{ana, "PUT", bo.address(), `{"UserName":"x"}`, 400, `"UserName"`},
		attempt{ana, "PUT", "/api/users/999", `{"Role":"User"}`, 404, "User not found"},
		attempt{ana, "PUT", lea.address(), `{"FullName":"Lea","Role":"ReadOnly"}`, 200, `"Data":true`},
		attempt{ana, "PUT", robot, `{"UserName":"robot@acme.example"}`, 400, `"UserName"`},
		attempt{ana, "PUT", robot, `{"UserName":"owner","FullName":"robot"}`, 200, `"Data":true`},
		attempt{ana, "GET", robot, "", 200, `"UserName":"robot","FullName":"robot"`},
	)
	kept, err := ana.n.Identity.User(t.Context(), ana.org, lea.id.ID)
	if err != nil || kept.Role != identity.Viewer {
		t.Errorf("a role that this API does not know became %q by being sent back: %v", kept.Role, err)
	}
}

func TestTheLastAdministratorKeepsTheRole(t *testing.T) {
	ana := start(t)
	owner := ana.must("GET", "/api/users", nil).Body["Data"].([]any)[0].(map[string]any)
	robot := fmt.Sprintf("/api/users/%v", owner["Id"])
	try(t,
		attempt{ana, "PUT", robot, `{"Role":"User"}`, 200, `"Data":true`},
		attempt{ana, "PUT", ana.address(), `{"Role":"User"}`, 409, "last administrator"},
		attempt{ana, "GET", ana.address(), "", 200, `"Role":"Administrator"`},
		attempt{ana, "PUT", robot, `{"Role":"Administrator"}`, 200, `"Data":true`},
		attempt{ana, "PUT", ana.address(), `{"Role":"ReadOnly"}`, 200, `"Data":true`},
		attempt{ana, "GET", "/api/users", "", 403, "right"},
	)
}

func TestOrganisationsWithTheSameNamesNeverSeeEachOther(t *testing.T) {
	ana := start(t)
	other, err := ana.n.Identity.AddOrganisation(t.Context(), ana.org, "Neap")
	if err != nil {
		t.Fatal(err)
	}
	eva := join(t, ana.n, other.ID, "ana@acme.example", "Ana Admin", identity.Admin)
	both := []client{ana, eva}
	var accounts, teams [2]string
	for n, c := range both {
		teams[n], accounts[n] = c.crew("Crew", c), c.attach("Acme", "Crew")
	}
	for n, c := range both {
		o := 1 - n
		address := both[o].address()
		if both[o].id.Number == c.id.Number { // numbers are counted per organisation
			address = "/api/users/999"
		}
		try(t,
			attempt{c, "GET", "/api/accounts/" + accounts[n], "", 200, "Acme"},
			attempt{c, "GET", "/api/accounts/" + accounts[o], "", 404, "Account not found"},
			attempt{c, "PUT", "/api/accounts/" + accounts[o], `{"Name":"Mine"}`, 404, "Account not found"},
			attempt{c, "DELETE", "/api/accounts/" + accounts[o], "", 404, "Account not found"},
			attempt{c, "GET", "/api/v2/Teams/" + teams[o], "", 404, "Team not found"},
			attempt{c, "PUT", "/api/v2/Teams/" + teams[o], `{"Name":"Mine"}`, 404, "Team not found"},
			attempt{c, "DELETE", "/api/v2/Teams/" + teams[o], "", 404, "Team not found"},
			attempt{c, "GET", "/api/v2/Teams/" + teams[o] + "/Users", "", 404, "Team not found"},
			attempt{c, "POST", "/api/v2/Teams/" + teams[o] + "/Users", `{"UserName":"ana@acme.example"}`, 404, "Team not found"},
			attempt{c, "PUT", "/api/accounts/" + accounts[n], `{"Teams":["` + teams[o] + `"]}`, 400, "Teams"},
			attempt{c, "GET", address, "", 404, "User not found"},
		)
		for path, list := range map[string]string{"/api/users": "Data", "/api/accounts": "Data", "/api/v2/Teams": "Teams", "/api/v2/Users/Teams": "Teams", "/api/v2/Teams/Crew/Users": "Users"} {
			member := map[string]string{"Users": "UserName"}[list]
			if member == "" {
				member = "Id"
			}
			got := " " + column(c.must("GET", path, nil), list, member) + " "
			if strings.Contains(got, accounts[o]) || strings.Contains(got, teams[o]) || strings.Count(got, "ana@acme.example") > 1 {
				t.Errorf("%s shows %s", path, got)
			}
		}
	}
}
