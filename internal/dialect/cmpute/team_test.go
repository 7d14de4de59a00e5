package cmpute_test

import (
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/identity"
)

func TestTeamsAreSeenByAllAndManagedByAdministrators(t *testing.T) {
	ana := start(t)
	una := ana.join(t, "una@acme.example", identity.TeamEditor)
	crew := ana.crew("Crew", una)
	ana.crew("Other")
	for _, c := range []struct {
		as         client
		path, want string
	}{
		{una, "/api/v2/Teams", "Crew Organization Other"},
		{una, "/api/v2/users/teams", "Crew Organization"},
		{ana, "/api/v2/Users/Teams", "Organization"},
	} {
		if got := column(c.as.must("GET", c.path, nil), "Teams", "Name"); got != c.want {
			t.Errorf("%s: %s, want %s", c.path, got, c.want)
		}
	}
	const users = "/Users"
	try(t,
		attempt{una, "GET", "/api/v2/Teams/" + crew, "", 200, `"Team":{"Id":"` + crew + `","IsDefault":false,"Description":"Crew one","Name":"Crew"}`},
		attempt{una, "GET", "/api/v2/Teams/crew", "", 200, crew},
		attempt{una, "GET", "/api/v2/Teams/Organization", "", 200, `"IsDefault":true,"Description":null`},
		attempt{una, "GET", "/api/v2/Teams/" + crew + users, "", 200, `[{"UserName":"una@acme.example","Email":"una@acme.example","DisplayName":"Un"}]`},
		attempt{una, "GET", "/api/v2/Teams/Other" + users, "", 200, `"Users":[]`},
		attempt{una, "GET", "/api/v2/Teams/Z-00000000", "", 404, "Team not found"},
		attempt{una, "GET", "/api/v2/Teams/" + strings.ToLower(crew), "", 404, "Team not found"},
		attempt{una, "GET", "/api/v2/Teams/Nobody" + users, "", 404, "Team not found"},
		attempt{una, "POST", "/api/v2/Teams", `{"Name":"Mine"}`, 403, "right"},
		attempt{una, "PUT", "/api/v2/Teams/" + crew, `{"Name":"Mine"}`, 403, "right"},
		attempt{una, "DELETE", "/api/v2/Teams/" + crew, "", 403, "right"},
		attempt{una, "POST", "/api/v2/Teams/" + crew + users, `{"UserName":"ana@acme.example"}`, 403, "right"},
	)
}

func TestMakingChangingAndEndingATeam(t *testing.T) {
	ana := start(t)
	crew, other := ana.crew("Crew"), ana.crew("Other")
	address := "/api/v2/Teams/" + crew
	long := strings.Repeat("ü", 99) + "a"
	try(t,
		attempt{ana, "POST", "/api/v2/Teams", `{"Name":"CREW"}`, 409, `"Name"`},
		attempt{ana, "POST", "/api/v2/Teams", `{"Name":"organization"}`, 409, `"Name"`},
		attempt{ana, "POST", "/api/v2/Teams", `{"Description":"none"}`, 400, `"Name":["Name is required"]`},
		attempt{ana, "POST", "/api/v2/Teams", `{"Name":"` + long + `"}`, 200, `"Success":true`},
		attempt{ana, "POST", "/api/v2/Teams", `{"Name":"` + long + `b"}`, 400, `"Name":["Name must have at most 100 characters`},
		attempt{ana, "POST", "/api/v2/Teams?Name=Query%20Team&Description=x", "", 200, `"Success":true`},
		attempt{ana, "PUT", address, `{"Name":"Other"}`, 409, `"Name"`},
		attempt{ana, "PUT", address, `{"Name":""}`, 400, `"Name"`},
		attempt{ana, "PUT", address, `{"ID":"` + other + `"}`, 400, `"Id"`},
		attempt{ana, "PUT", address, `{"ID":"` + crew + `","Name":"Crew B","Description":""}`, 200, `"Success":true`},
		attempt{ana, "GET", address, "", 200, `"Description":null,"Name":"Crew B"`},
		attempt{ana, "PUT", "/api/v2/Teams/" + ana.team("Organization"), `{"Name":"All"}`, 409, "everyone"},
		attempt{ana, "DELETE", "/api/v2/Teams/Organization", "", 409, "everyone"},
		attempt{ana, "DELETE", address, "", 200, `"Success":true`},
		attempt{ana, "DELETE", address, "", 404, `"Success":null`},
	)
}

func TestMembersAreAddedAllOrNone(t *testing.T) {
	ana := start(t)
	for _, name := range []string{"bo", "cy", "di"} {
		ana.join(t, name+"@acme.example", identity.TeamViewer)
	}
	crew := ana.crew("Crew")
	const address = "/api/v2/Teams/Crew/Users"
	try(t,
		attempt{ana, "POST", address, `{"UserName":["bo@acme.example","nobody@acme.example"]}`, 404, "User not found"},
		attempt{ana, "GET", address, "", 200, `"Users":[]`},
		attempt{ana, "POST", "/api/v2/Teams/Z-00000000/Users", `{}`, 404, "Team not found"},
		attempt{ana, "POST", address, `{}`, 400, `"UserName":["UserName is required"]`},
		attempt{ana, "POST", address, `{"UserName":[]}`, 400, `"UserName"`},
		attempt{ana, "ADD", address, `{"User Name":"BO@acme.example"}`, 200, `"Success":true`},
		attempt{ana, "PUT", address, `{"UserName":"bo@acme.example, cy@acme.example"}`, 200, `"Success":true`},
		attempt{ana, "POST", "/api/v2/Teams/" + crew + "/Users?UserName=di@acme.example&UserName=owner", "", 200, `"Success":true`},
		attempt{ana, "POST", "/api/v2/Teams/Organization/Users", `{"UserName":"bo@acme.example"}`, 200, `"Success":true`},
		attempt{ana, "POST", "/api/v2/Teams/Organization/Users", `{"UserName":"nobody@acme.example"}`, 404, "User not found"},
	)
	if got := column(ana.must("GET", address, nil), "Users", "UserName"); got != "owner bo@acme.example cy@acme.example di@acme.example" {
		t.Errorf("members: %s", got)
	}
}
