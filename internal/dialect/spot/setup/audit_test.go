package setup_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/apptest"
)

const always = "?fromDate=2020-01-01&toDate=4102444800000"

func actions(a apptest.Answer) (names []string) {
	for _, item := range a.Items() {
		names = append(names, item["actionType"].(string))
	}
	return names
}

func TestTheAuditShowsWhatWasDoneAndOnRequestWhatWasRefused(t *testing.T) {
	w := begin(t)
	ada := w.person("ada@example.com", object{"role": "admin", "password": "Password-1"})
	if got := ada.call("POST", "/setup/account", object{"account": object{"name": "123"}}).Status; got != 400 {
		t.Fatalf("a bad name gets %d", got)
	}
	id := ada.text("id", "POST", "/setup/account", object{"account": object{"name": "Adas"}}, "Authorization", "Bearer "+ada.token)
	w.Must("DELETE", "/setup/account/"+id, nil)
	w.Must("POST", "/setup/access/userGroup", object{"name": "dry"}, "Neap-Dry-Run", "true")

	done, all := w.Must("GET", "/audit/events"+always, nil), w.Must("GET", "/audit/events"+always+"&responseStatus=all", nil)
	if len(all.Items()) != len(done.Items())+1 {
		t.Errorf("done: %v\nall: %v", actions(done), actions(all))
	}
	for _, item := range done.Items() {
		if item["responseStatus"] != 200.0 {
			t.Errorf("among what was done: %v", item)
		}
	}
	if slices.Contains(actions(all), "Create a user group") {
		t.Error("a dry run is shown")
	}
	at := slices.IndexFunc(all.Items(), func(o object) bool { return o["responseStatus"] == 400.0 })
	if at < 0 {
		t.Fatalf("the refusal is not shown: %s", all.Raw)
	}
	refused := all.Items()[at]
	for member, want := range map[string]any{"user": "ada@example.com", "actionType": "Create an account", "namespace": "GENERAL", "resourceType": "Account", "source": "API"} {
		if refused[member] != want {
			t.Errorf("%s is %v, want %v", member, refused[member], want)
		}
	}
	if text, _ := refused["context"].(string); !strings.Contains(text, `"123"`) || !strings.Contains(text, "/setup/account") {
		t.Errorf("the context is %q", text)
	}
	made := all.Items()[at-1]
	if made["resourceId"] != id || made["user"] != "ada@example.com" {
		t.Errorf("before it, newest first: %v", made)
	}
	if strings.Contains(string(all.Raw), "Password-1") {
		t.Error("the password is shown")
	}
}

func TestTheAuditOfAnAccountIsOfThatAccountAndForThoseWhoMayReadAll(t *testing.T) {
	w := begin(t)
	w.Must("PUT", "/setup/account/"+w.second, object{"account": object{"name": "Renamed"}})
	w.Must("PUT", "/setup/account/"+w.first, object{"account": object{"slackNotificationChannels": []string{"#ops"}}})
	got := w.Must("GET", "/audit/events"+always+"&accountId="+w.second, nil).Items()
	if len(got) != 1 || got[0]["resourceId"] != w.second {
		t.Errorf("of the second account: %v", got)
	}
	viewer := w.program("viewer", object{"accounts": []object{{"id": w.first, "role": "viewer"}}})
	reader := w.program("reader", object{"policies": []object{{"policyId": w.text("id", "POST", "/setup/access/policy", object{"policy": object{
		"name": "audit", "type": "ORGANIZATION", "policyContent": object{"statements": []object{statement("ALLOW", []string{"setup:describeAllAuditEvents"}, "*")}}}})}}})
	if viewer.may("GET", "/audit/events"+always, nil) || viewer.may("GET", "/audit/events"+always+"&accountId="+w.first, nil) {
		t.Error("the viewer of an account reads the audit")
	}
	if !reader.may("GET", "/audit/events"+always, nil) {
		t.Error("who may by a policy does not")
	}
	if got := w.Call("GET", "/audit/events"+always+"&accountId=act-00000000", nil).Status; got != 403 {
		t.Errorf("an account of nobody gets %d", got)
	}
	for query, field := range map[string]string{
		"":                                       "fromDate",
		"?fromDate=2020-01-01":                   "toDate",
		"?fromDate=2020-01-01&toDate=soon":       "toDate",
		"?fromDate=2020-01-02&toDate=2020-01-01": "fromDate",
		"?fromDate=2020-01-01&toDate=2020-01-02&responseStatus=failed": "responseStatus",
	} {
		w.refused("a query of "+query, field, "", w.Call("GET", "/audit/events"+query, nil))
	}
	if got := w.Must("GET", "/audit/events?fromDate=1577836800000&toDate=2020-01-02T12:00:00Z", nil).Items(); len(got) != 0 {
		t.Errorf("in 2020 happened %v", got)
	}
}
