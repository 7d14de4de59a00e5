package op

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
)

func TestCallersAreAdmittedInOrder(t *testing.T) {
	play(t, []scenario{
		{name: "no token is 401", request: "GET /zoo/animal/ani-1", extras: []string{"Authorization:"}, status: 401, want: []string{"zooError", "token"}},
		{name: "another scheme is 401", request: "GET /zoo/animal/ani-1", extras: []string{"Authorization: Basic keeper-token"}, status: 401},
		{name: "an unknown token is 401", request: "GET /zoo/animal/ani-1", extras: []string{as("stolen")}, status: 401},
		{name: "the scheme's case does not matter", request: "GET /zoo/animal/ani-1", extras: []string{"Authorization: bearer " + keeperToken}, status: 200},
		{name: "401 goes before a malformed query", request: "PUT /zoo/animal/ani-1/feed?amount=x", extras: []string{as("stolen")}, status: 401},
		{name: "403 goes before a malformed body", request: "POST /zoo/animal", extras: []string{as(visitorToken), "body:{"}, status: 403, want: []string{"action"}},
		{name: "403 goes before the look-up when the account is named", request: "PUT /zoo/animal/ani-none?accountId=act-n1", extras: []string{as(visitorToken)}, status: 403},
		{name: "a missing object goes before malformed input", request: "PUT /zoo/animal/ani-none/feed?amount=x", status: 404, want: []string{`"Noun":"animal"`}},
		{name: "a failing look-up is not a missing object", request: "GET /zoo/animal/ani-broken", status: 503},
	})
}

func TestTheAccountIsFoundByRule(t *testing.T) {
	play(t, []scenario{
		{name: "a list takes the caller's default account", request: "GET /zoo/animal", status: 200, want: []string{`"zoo":"act-n1"`}},
		{name: "a list takes the account that is named", request: "GET /zoo/animal?accountId=act-n2", status: 200, want: []string{`"zoo":"act-n2"`}},
		{name: "an empty account reads as none", request: "GET /zoo/animal?accountId=", status: 200, want: []string{`"zoo":"act-n1"`}},
		{name: "an object brings its own account", request: "GET /zoo/animal/ani-2", status: 200, want: []string{`"account":"act-n2"`}},
		{name: "an object in the account that is named is found", request: "GET /zoo/animal/ani-2?accountId=act-n2", status: 200},
		{name: "an object in another account than the one that is named is missing", request: "GET /zoo/animal/ani-2?accountId=act-n1", status: 404, want: []string{`"Noun":"animal"`}},
		{name: "who has no account yet is told so", request: "GET /zoo/animal", extras: []string{as(founderToken)}, status: 403, want: []string{"There is no account"}},
		{name: "who has no account yet can work above accounts", request: "GET /zoo/ticket", extras: []string{as(founderToken)}, status: 200},
		{name: "an operation above accounts ignores the account", request: "GET /zoo/ticket?accountId=act-s1", status: 200, want: []string{`"zoo":"above:"`}},
	})
}

// TestStrangersCannotTellWhatExists compares, for every row about an object, what a stranger sees of another organisation's object with what he
// sees of none at all.
func TestStrangersCannotTellWhatExists(t *testing.T) {
	h := open(t)
	for _, row := range h.zoo.rows() {
		if row.Target.Param == "" {
			continue
		}
		for _, account := range []string{"", "?accountId=act-s1", "?accountId=act-n1", "?accountId=act-unknown"} {
			for _, token := range []string{rivalToken, visitorToken} {
				see := func(id string) string {
					path := strings.Replace(row.Route, "{"+row.Target.Param+"}", id, 1) + account
					w := h.ask(path, as(token), "X-Request-Id: same")
					return fmt.Sprint(w.Code, strings.ReplaceAll(w.Body.String(), id, "<id>"))
				}
				theirs, none := "ani-2", "ani-0"
				if token == visitorToken {
					theirs = "ani-s"
				}
				if got, want := see(theirs), see(none); got != want {
					t.Errorf("%s%s as %s: another organisation's object answers %s, a missing one %s", row.Route, account, token, got, want)
				}
			}
		}
	}
	foreign, unknown := h.ask("GET /zoo/animal?accountId=act-s1", "X-Request-Id: same"), h.ask("GET /zoo/animal?accountId=act-x1", "X-Request-Id: same")
	if foreign.Code != 403 || foreign.Code != unknown.Code || foreign.Body.String() != strings.Replace(unknown.Body.String(), "act-x1", "act-s1", 1) {
		t.Errorf("a foreign account answers %s, an unknown one %s", foreign.Body, unknown.Body)
	}
}

func TestTheAccountOfAnObjectIsLookedUpOnce(t *testing.T) {
	h := open(t)
	for range 3 {
		h.ask("GET /zoo/animal/ani-1")
		h.ask("GET /zoo/animal/ani-1", as(rivalToken))
	}
	if h.zoo.lookups != 1 {
		t.Errorf("%d look-ups, want 1", h.zoo.lookups)
	}
	for range 2 {
		h.ask("GET /zoo/animal/ani-0")
	}
	if h.zoo.lookups != 3 {
		t.Errorf("a missing object was remembered: %d look-ups, want 3", h.zoo.lookups)
	}
}

func TestRecentKeepsTheLastUsedAndStaysBounded(t *testing.T) {
	c := newRecent[int, int](10)
	for i := range 1000 {
		c.put(i, i)
		if _, ok := c.get(0); !ok {
			t.Fatalf("an entry in constant use was forgotten after %d others", i)
		}
		if held := len(c.now) + len(c.old); held > 20 {
			t.Fatalf("%d entries are held, at most 20 may be", held)
		}
	}
	for i := 991; i < 1000; i++ {
		if v, ok := c.get(i); !ok || v != i {
			t.Errorf("the recent entry %d is gone", i)
		}
	}
	if _, ok := c.get(500); ok {
		t.Error("an old entry is still there")
	}
}

// TestManyCallersAtOnce is for the race detector: the caches, the windows and the metrics are shared by all requests.
func TestManyCallersAtOnce(t *testing.T) {
	h := open(t, func(c *Config) { c.Log = nil })
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 20 {
				if w := h.ask(fmt.Sprintf("PUT /zoo/animal/ani-%d/feed?amount=1", i%2+1)); w.Code != 200 {
					t.Errorf("status %d: %s", w.Code, w.Body)
				}
			}
		})
	}
	all.Wait()
}

func TestAnAccountIsItsOwnWhateverTheQueryNames(t *testing.T) {
	z := &zoo{}
	cage := Target{Noun: "account", Param: "cage", IsAccount: true, AccountOf: func(_ context.Context, id string) (string, error) {
		home, known := strings.CutPrefix(id, "C-")
		if !known {
			return "", fault.Missing("account", id)
		}
		return "act-" + home, nil
	}}
	d := z.dialect()
	d.Rows = []Row{{ID: "cage.read", Route: "GET /zoo/cage/{cage}", Need: "zoo:describeCage", Target: cage, Do: Func(func(ctx context.Context, _ empty) (string, error) {
		return CallOf(ctx).Object + " in " + CallOf(ctx).Account, nil
	})}}
	for request, want := range map[string]string{
		"GET /zoo/cage/C-n1":                  "act-n1 in act-n1",
		"GET /zoo/cage/C-n1?accountId=act-n2": "act-n1 in act-n1",
		"GET /zoo/cage/C-s1":                  `"C-s1"`, // of another organisation, missing by the name that the client used
		"GET /zoo/cage/nothing":               `"nothing"`,
	} {
		w := open(t, func(c *Config) { c.Dialects = []Dialect{d} }).ask(request)
		if body := strings.ReplaceAll(w.Body.String(), `\`, ""); !strings.Contains(body, want) || strings.Contains(body, "act-s1") {
			t.Errorf("%s: %d %s", request, w.Code, body)
		}
	}
}
