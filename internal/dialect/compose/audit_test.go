package compose_test

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/dialect/dialecttest"
	"github.com/neap-cloud/neap/internal/identity"
)

func (w world) events(query string) []map[string]any {
	w.T.Helper()
	return w.list("audit_events", "/2016-07/audit_events"+query)
}

func codes(events []map[string]any) (all []string) {
	for _, e := range events {
		all = append(all, e["event"].(string))
	}
	return all
}

func TestTheSampleOfAuditEventsIsAnsweredAsPublished(t *testing.T) {
	w := open(t)
	w.team("Crew")
	s := dialecttest.Find(t, "audit_events", "list", "https://api.example.test", "")
	answer := w.call(s.Request.Method, s.Request.Path, "", "User-Agent", "curl/7.54.0")
	s.Agrees(t, answer.Status, answer.Raw, "id", "account_id", "deployment_id", "cluster_id", "user_id", "email", "created_at", "event", "data", "ip", "user_agent", "href")
	e := w.events("?limit=1")[0]
	if e["deployment_id"] != nil || e["cluster_id"] != nil || e["account_id"] != w.account || e["ip"] != "127.0.0.1" {
		t.Errorf("%v", e)
	}
}

func TestWhatIsChangedIsAnEventWithItsCodeItsObjectAndItsCaller(t *testing.T) {
	w := open(t).another("Acme")
	bo, crew := w.user("bo"), w.team("Crew")
	w.must(200, "PATCH", "/2016-07/teams/"+crew, `{"team":{"name":"Crew B"}}`)
	w.must(200, "PUT", "/2016-07/teams/"+crew+"/users", `{"user_ids":["`+bo+`"]}`)
	w.must(422, "PATCH", "/2016-07/teams/"+crew, `{"team":{"name":""}}`) // nothing that happened
	w.must(200, "DELETE", "/2016-07/teams/"+crew, "")
	w.must(200, "DELETE", w.users(bo), "")
	w.must(200, "DELETE", "/2016-07/accounts/"+w.account, "")
	owner := w.must(200, "GET", "/2016-07/user", "")["id"]

	events := w.events("")
	want := []string{"account.close", "account.user.delete", "team.delete", "team.update", "team.update", "team.create", "account.user.create"}
	if got := codes(events); !slices.Equal(got, want) {
		t.Fatalf("events %v\nwant   %v", got, want)
	}
	objects := []string{w.account, bo, crew, crew, crew, crew, bo}
	for n, e := range events {
		if e["user_id"] != owner || e["account_id"] != w.account || e["data"].(map[string]any)["object"] != objects[n] {
			t.Errorf("%v, want object %s", e, objects[n])
		}
		if id := e["id"].(string); !regexp.MustCompile(`^[0-9a-f]{24}$`).MatchString(id) {
			t.Errorf("an event has the id %s", id)
		}
		for name, value := range e["data"].(map[string]any) {
			if _, is := value.(string); !is {
				t.Errorf("data has %s: %v", name, value)
			}
		}
	}
	one := w.must(200, "GET", "/2016-07//audit_events/"+events[0]["id"].(string), "")
	if fmt.Sprint(one) != fmt.Sprint(events[0]) {
		t.Errorf("read alone %v, listed %v", one, events[0])
	}
}

func TestOperationsOfOtherDialectsKeepTheirNames(t *testing.T) {
	w := open(t)
	w.must(200, "POST", "/neap/v1/tokens", `{"name":"ci"}`)
	if got := codes(w.events("?limit=1")); got[0] != "neap.tokens.create" {
		t.Errorf("events %v", got)
	}
}

func TestEventsArePagedAndBoundedExactly(t *testing.T) {
	w := open(t)
	for n := range 5 {
		w.team(fmt.Sprintf("Crew %d", n))
	}
	all := w.events("?limit=5")
	var paged []map[string]any
	for cursor := ""; len(paged) < len(all); cursor = "&cursor=" + paged[len(paged)-1]["id"].(string) {
		part := w.events("?limit=2" + cursor)
		if len(part) == 0 {
			break
		}
		paged = append(paged, part...)
	}
	for n := range all {
		if paged[n]["id"] != all[n]["id"] {
			t.Errorf("event %d of the pages is %v", n, paged[n])
		}
	}
	// Both bounds leave out the event whose time they name.
	query := url.Values{"newer_than": {all[4]["created_at"].(string)}, "older_than": {all[1]["created_at"].(string)}}
	between := w.events("?" + query.Encode())
	if len(between) != 2 || between[0]["id"] != all[2]["id"] || between[1]["id"] != all[3]["id"] {
		t.Errorf("between the first and the fourth: %v", between)
	}
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=201": "limit", "limit=x": "limit", "cursor=5a1f0200d4e8b90012000c01": "cursor", "newer_than=yesterday": "newer_than", "older_than=1": "older_than",
	} {
		errors := w.must(422, "GET", "/2016-07/audit_events?"+query, "")["errors"].(map[string]any)
		if errors[field] == nil {
			t.Errorf("%s: %v", query, errors)
		}
	}
}

func TestOthersThanAdministratorsAndViewersSeeTheirOwnEvents(t *testing.T) {
	w := open(t)
	w.team("Crew")
	foreign := w.events("?limit=1")[0]["id"].(string)
	for _, c := range []struct {
		role identity.Role
		all  bool
	}{{identity.Admin, true}, {identity.Viewer, true}, {identity.Member, false}, {identity.Operator, false}, {identity.TeamEditor, false}} {
		them := w.as(c.role)
		them.must(200, "POST", "/neap/v1/tokens", `{"name":"own"}`)
		self := them.must(200, "GET", "/2016-07/user", "")["id"]
		events := them.events("")
		others := slices.ContainsFunc(events, func(e map[string]any) bool { return e["user_id"] != self })
		if len(events) == 0 || others != c.all {
			t.Errorf("a %q sees others' events: %v", c.role, others)
		}
		them.must(200, "GET", "/2016-07/audit_events/"+events[0]["id"].(string), "")
		them.must(map[bool]int{true: 200, false: 404}[c.all], "GET", "/2016-07/audit_events/"+foreign, "")
	}
}

func TestEventsOfAnotherAccountAreNeitherListedNorRead(t *testing.T) {
	first := open(t)
	one, two := first.another("Acme"), first.another("Acme")
	one.team("Crew")
	foreign := one.events("")[0]["id"].(string)
	for _, w := range []world{first, two} {
		for _, e := range w.events("?limit=200") {
			if e["id"] == foreign || e["account_id"] != w.account {
				t.Errorf("%v is listed", e)
			}
		}
		w.must(404, "GET", "/2016-07/audit_events/"+foreign, "")
		w.must(422, "GET", "/2016-07/audit_events?cursor="+foreign, "")
	}
}

func TestATradeIsAnEventOfTheUserAndShowsNoSecret(t *testing.T) {
	w := open(t)
	id, secret := w.vendor()
	traded := w.must(201, "POST", "/2016-07/refresh_tokens", credentials(id, secret, ""))
	again := w.must(201, "POST", "/2016-07/access_tokens", credentials(id, secret, `,"refresh_token":"`+traded["refresh_token"].(string)+`"`))
	w.must(404, "POST", "/2016-07/access_tokens", credentials(id, secret, "")) // of nobody: it is counted
	self := w.must(200, "GET", "/2016-07/user", "")["id"]
	events := w.events("?limit=2")
	if got := codes(events); !slices.Equal(got, []string{"compose.vendor.createAccessToken", "compose.vendor.createRefreshToken"}) || events[0]["user_id"] != self || events[1]["user_id"] != self {
		t.Errorf("events %v", events)
	}
	kept := string(w.call("GET", "/neap/v1/audit", "").Raw)
	for _, text := range []any{secret, w.token, traded["refresh_token"], traded["token"], again["token"]} {
		if strings.Contains(kept, text.(string)) {
			t.Errorf("the audit keeps %.14s…", text)
		}
	}
}
