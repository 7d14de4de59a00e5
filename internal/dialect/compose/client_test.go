package compose_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// What a published client of this API decodes into, written down from its behaviour: a status above 202 is an error, whose body holds texts by field or one text.

type clientUser struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type clientTeam struct {
	ID    string       `json:"id"`
	Name  string       `json:"name"`
	Users []clientUser `json:"users,omitempty"`
}

type clientAccounts struct {
	Embedded struct {
		Accounts []struct {
			ID   string `json:"id"`
			Slug string `json:"slug"`
			Name string `json:"name"`
		} `json:"accounts"`
	} `json:"_embedded"`
}

type clientTeams struct {
	Embedded struct {
		Teams []clientTeam `json:"teams"`
	} `json:"_embedded"`
}

type clientErrors struct {
	Error map[string][]string `json:"errors,omitempty"`
}

type clientError struct {
	Error string `json:"errors"`
}

// decode is what the client does with an answer; it gives the text of a failure.
func decode(t *testing.T, w world, method, path, body string, into any) (failure string) {
	t.Helper()
	answer := w.call(method, path, body, "Content-Type", "application/json; charset=utf-8", "Accept", "application/json")
	if answer.Status <= 202 {
		if err := json.Unmarshal(answer.Raw, into); err != nil {
			t.Errorf("%s %s: %v in %s", method, path, err, answer.Raw)
		}
		return ""
	}
	var many clientErrors
	if json.Unmarshal(answer.Raw, &many) == nil {
		for field, texts := range many.Error {
			failure += field + " " + strings.Join(texts, " ")
		}
		return failure
	}
	var one clientError
	if err := json.Unmarshal(answer.Raw, &one); err != nil || one.Error == "" {
		t.Errorf("%s %s: %v in %s", method, path, err, answer.Raw)
	}
	return one.Error
}

func TestAPublishedClientReadsWhatIsAnswered(t *testing.T) {
	w := open(t)
	var accounts clientAccounts
	if failure := decode(t, w, "GET", "/2016-07/accounts", "", &accounts); failure != "" || len(accounts.Embedded.Accounts) != 1 || accounts.Embedded.Accounts[0].Slug == "" {
		t.Fatalf("%s %+v", failure, accounts)
	}
	users := "/2016-07/accounts/" + accounts.Embedded.Accounts[0].ID + "/users"
	var bo, self clientUser
	if failure := decode(t, w, "POST", users, `{"name":"Bo","email":"bo@acme.example","phone":"555-0101"}`, &bo); failure != "" || bo.Name != "Bo" {
		t.Fatalf("%s %+v", failure, bo)
	}
	if failure := decode(t, w, "POST", users, `{"name":"Bo","email":"bo@acme.example"}`, &bo); !strings.HasPrefix(failure, "email ") {
		t.Errorf("a second Bo: %s", failure)
	}
	if failure := decode(t, w, "GET", "/2016-07/user", "", &self); failure != "" || self.ID == "" {
		t.Errorf("%s %+v", failure, self)
	}
	var crew clientTeam
	if failure := decode(t, w, "POST", "/2016-07/teams", `{"team":{"name":"Crew"}}`, &crew); failure != "" || crew.Name != "Crew" {
		t.Fatalf("%s %+v", failure, crew)
	}
	if failure := decode(t, w, "PUT", "/2016-07/teams/"+crew.ID+"/users", `{"user_ids":["`+bo.ID+`"]}`, &crew); failure != "" || len(crew.Users) != 1 || crew.Users[0] != bo {
		t.Errorf("%s %+v", failure, crew)
	}
	var teams clientTeams
	if failure := decode(t, w, "GET", "/2016-07//teams/", "", &teams); failure != "" || len(teams.Embedded.Teams) != 1 {
		t.Errorf("%s %+v", failure, teams)
	}
	if failure := decode(t, w, "GET", "/2016-07/teams/"+bo.ID, "", &crew); failure != "not_found" {
		t.Errorf("a team that is none: %s", failure)
	}
	if failure := decode(t, w, "GET", "/2016-07/nothing", "", &crew); failure != "not_found" {
		t.Errorf("an unknown path: %s", failure)
	}
	w.token = "nope"
	if failure := decode(t, w, "GET", "/2016-07/user", "", &self); failure != "invalid_token" {
		t.Errorf("a bad token: %s", failure)
	}
}

func TestHypertextIsNamedInTheAnswerToThoseWhoAskForIt(t *testing.T) {
	w := open(t)
	for accept, want := range map[string]string{"application/hal+json": "application/hal+json", "*/*": "application/json; charset=utf-8"} {
		for _, path := range []string{"/2016-07/user", "/2016-07/teams/nonsense"} {
			if got := w.call("GET", path, "", "Accept", accept).Header.Get("Content-Type"); got != want {
				t.Errorf("%s of %s is answered as %s", path, accept, got)
			}
		}
	}
}

// A post with slashes to spare must arrive as one: a redirect would make clients repeat it as a GET.
func TestAPostWithADoubledSlashIsDone(t *testing.T) {
	w := open(t)
	w.must(201, "POST", "//2016-07//teams/", `{"team":{"name":"Crew"}}`)
	if list := w.list("teams", "/2016-07/teams"); len(list) != 1 {
		t.Errorf("teams %v", list)
	}
}
