package app_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/op"
)

// everyMember names the other tenant's objects in every member that some operation's body has for such a thing.
func (t tenant) everyMember(dialect string) string {
	id := func(noun string) string { return spelled(dialect, noun, t.ids[noun]) }
	user, account, team := id("user"), id("account"), id("team")
	mapping := []any{map[string]any{"policyId": t.ids["policy"], "accountIds": []string{account, "*"}}}
	body := map[string]any{
		"userId": user, "user_id": user, "userIds": []string{user}, "user_ids": []string{user}, "UserName": "ada-of-the-others@example.com", "user": "nightly",
		"userGroupIds": []string{team}, "policies": mapping, "policyIds": []string{t.ids["policy"]}, "permissionStrategy": "POLICY_BASED", "role": "editor",
		"accountId": account, "accounts": []any{map[string]any{"id": account, "role": "editor"}},
		"mappings":          []any{map[string]any{"userId": user, "accountId": account, "role": "editor"}},
		"instancesToDetach": []string{t.ids["instance"]}, "instances": []string{t.ids["instance"]}, "instanceIds": []string{t.ids["instance"]},
		"organisation": t.id, "organization": map[string]any{"name": "x"}, "Teams": []string{team}, "team": map[string]any{"name": "x", "id": team},
		"name": "x", "description": "x", "Name": "x",
		"customer": "x", "cloud": "aws", "region": "us-east-1", "id": "nightly", "image": "any", "retryOf": t.ids["job"], "retry_of": t.ids["job"], "job_id": t.ids["job"],
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // a map of texts can be written
	}
	return string(text)
}

// touching is what is stored that has to do with a tenant: its own, and what names any of it.
func touching(t tenant, state map[string]string) map[string]string {
	found := map[string]string{}
	for key, text := range state {
		if slices.ContainsFunc(t.canaries, func(canary string) bool { return strings.Contains(key+text, canary) }) {
			found[key] = text
		}
	}
	return found
}

func TestNoBodyReachesAnotherTenant(t *testing.T) {
	m := &matrix{Neap: apptest.Start(t, runsJobs(t))}
	m.north, m.south = m.tenant("north"), m.tenant("south")
	operations := slices.DeleteFunc(app.Operations(), func(o op.Operation) bool { return !o.Mutates || o.Open })
	slices.SortStableFunc(operations, func(a, b op.Operation) int { // what deletes comes last, so that the others have something to work on
		rank := map[bool]int{true: 1}
		return rank[a.Method == http.MethodDelete] - rank[b.Method == http.MethodDelete]
	})
	done := 0
	for _, o := range operations {
		before := touching(m.south, m.state())
		path, _ := m.north.path(o)
		a := m.ask(m.north.admin, o.Dialect, o.Method, path, m.south.everyMember(o.Dialect))
		if a.Status < 300 {
			done++
		}
		if strings.Contains(string(a.Raw), "south-canary") {
			t.Errorf("%s shows what only the other tenant may read: %.300s", o.ID, a.Raw)
		}
		if changed := difference(before, touching(m.south, m.state())); changed != "" {
			t.Errorf("%s (%d) changes what is the other tenant's, or names it: %s", o.ID, a.Status, changed)
		}
	}
	if done < 10 {
		t.Errorf("only %d of %d operations did anything", done, len(operations))
	}
	t.Logf("%d of %d operations did something", done, len(operations))
}
