package setup_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestDuplicatesAreRefused(t *testing.T) {
	w := begin(t)
	w.person("ada@example.com", nil)
	w.program("robot", nil)
	w.policy("policy", statement("ALLOW", []string{"*"}, "*"))
	group := object{"name": "Developers"}
	w.Must("POST", "/setup/access/userGroup", group)
	other := w.text("id", "POST", "/setup/access/userGroup", object{"name": "Others"})
	content := object{"statements": []object{statement("ALLOW", []string{"*"}, "*")}}
	for _, c := range []struct {
		method, path, field string
		body                any
	}{
		{"POST", "/setup/user", "email", object{"email": "ADA@example.com", "firstName": "A"}},
		{"POST", "/setup/user/programmatic", "name", object{"name": "robot"}},
		{"POST", "/setup/access/policy", "policy.name", object{"policy": object{"name": "policy", "policyContent": content}}},
		{"POST", "/setup/access/userGroup", "name", object{"name": "developers"}},
		{"PUT", "/setup/access/userGroup/" + other, "name", object{"name": "Developers"}},
		{"POST", "/setup/account", "account.name", object{"account": object{"name": "Second"}}},
		{"PUT", "/setup/account/" + w.first, "account.name", object{"account": object{"name": "Second"}}},
	} {
		answer := w.Call(c.method, c.path, c.body)
		w.refused(c.path, c.field, "choose another", answer)
		if answer.Status == 400 && faults(answer)[0].code != "ALREADY_EXISTS" {
			t.Errorf("%s answers %s", c.path, answer.Raw)
		}
	}
}

func TestTheLastAdministratorAndTheOwnerStay(t *testing.T) {
	w := begin(t)
	owner := w.Must("GET", "/setup/user/programmatic", nil).Items()[0]["id"].(string)
	w.refused("deleting the owner", "CONFLICT", "owns", w.Call("DELETE", "/setup/user/"+owner, nil))
	root := w.person("root@example.com", object{"role": "admin"})
	if got := root.call("DELETE", "/setup/user/"+root.id, nil).Status; got != 200 {
		t.Errorf("an administrator among others is deleted with %d", got)
	}
	w.refused("deleting the default account", "CANT_DELETE_DEFAULT_ACCOUNT", "", w.Call("DELETE", "/setup/account/"+w.first, nil))

	// In a child, whose owner has no token yet, somebody else cannot be the last: the owner is an administrator.
	child := w.Must("POST", "/setup/organization", object{"organization": object{"name": "Child"}}).Items()[0]["organizationId"].(float64)
	w.refused("somebody else's organisation", "ORGANIZATION_DOESNT_EXIST", "", w.Call("DELETE", "/setup/organization/100000000000", nil))
	w.Must("DELETE", fmt.Sprintf("/setup/organization/%.0f", child), nil)
	closed := w.Call("DELETE", fmt.Sprintf("/setup/organization/%.0f", child), nil)
	if closed.Status != 403 {
		t.Errorf("closing it again answers %d %s", closed.Status, closed.Raw)
	}
}

// Of several mappings all are made, or none.
func TestNothingChangesWhenOneOfSeveralMappingsIsWrong(t *testing.T) {
	w := begin(t)
	ada := w.person("ada@example.com", nil)
	policy := w.policy("policy", statement("ALLOW", []string{"elastigroup:*"}, "*"))
	good := object{"userId": ada.id, "accountId": w.first, "role": "editor"}
	with := func(change object) object {
		m := object{"userId": ada.id, "accountId": w.second, "role": "viewer"}
		for name, value := range change {
			if m[name] = value; value == nil {
				delete(m, name)
			}
		}
		return m
	}
	for name, c := range map[string]struct {
		bad        object
		mark, says string
	}{
		"unknown user":             {with(object{"userId": "u-00000000"}), "USER_DOESNT_EXIST", "u-00000000"},
		"unknown address":          {with(object{"userId": nil, "userEmail": "bob@example.com"}), "USER_DOESNT_EXIST", "bob@example.com"},
		"no user":                  {with(object{"userId": nil}), "mappings[1].userId", "userEmail"},
		"a user twice":             {with(object{"userEmail": "ada@example.com"}), "mappings[1].userId", "leave out"},
		"no account":               {with(object{"accountId": nil}), "mappings[1].accountId", ""},
		"unknown account":          {with(object{"accountId": "act-00000000"}), "mappings[1].accountId", "no account"},
		"no role":                  {with(object{"role": nil}), "mappings[1].role", "viewer or editor"},
		"administrator":            {with(object{"role": "admin"}), "mappings[1].role", "viewer or editor"},
		"role instead of policies": {with(object{"permissionStrategy": "POLICY_BASED"}), "mappings[1].policyIds", "at least one"},
		"no policies":              {with(object{"permissionStrategy": "POLICY_BASED", "policyIds": []string{}}), "mappings[1].policyIds", "at least one"},
		"unknown policy":           {with(object{"permissionStrategy": "POLICY_BASED", "policyIds": []string{policy, "pol-99999999"}}), "mappings[1].policyIds", "pol-99999999"},
		"unknown strategy":         {with(object{"permissionStrategy": "LUCK"}), "mappings[1].permissionStrategy", ""},
	} {
		w.refused(name, c.mark, c.says, w.Call("POST", "/setup/accountUserMapping", object{"mappings": []object{good, c.bad}}))
	}
	w.refused("none at all", "mappings", "", w.Call("POST", "/setup/accountUserMapping", object{"mappings": []object{}}))
	if got := ada.call("GET", "/setup/accountUserMapping", nil).Items(); len(got) != 0 {
		t.Errorf("Ada is mapped: %v", got)
	}

	byPolicy := with(object{"userId": nil, "userEmail": "Ada@Example.com", "permissionStrategy": "POLICY_BASED", "policyIds": []string{policy}})
	w.Must("POST", "/setup/accountUserMapping", object{"mappings": []object{good, byPolicy}})
	got := ada.call("GET", "/setup/accountUserMapping", nil).Items()
	if len(got) != 2 || got[0]["role"] != "editor" || got[1]["permissionStrategy"] != "POLICY_BASED" {
		t.Errorf("Ada is mapped: %v", got)
	}
}

func TestAUsersMappingToOneAccountIsSetChangedAndEnded(t *testing.T) {
	w := begin(t)
	ada := w.person("ada@example.com", nil)
	policy := w.policy("policy", statement("ALLOW", []string{"elastigroup:describe*"}, "*"))
	path := "/setup/account/" + w.second + "/user"
	w.refused("without a user", "userId", "userEmail", w.Call("POST", path, object{"role": "viewer"}))
	w.refused("without a role", "role", "", w.Call("POST", path, object{"userId": ada.id}))
	w.refused("detached before", "DOESNT_EXIST", "not mapped", w.Call("DELETE", path, object{"userEmail": "ada@example.com"}))
	w.Must("POST", path, object{"userEmail": "ada@example.com", "role": "viewer"})
	w.Must("PUT", path, object{"userId": ada.id, "role": "editor"})
	if !ada.may("POST", "/aws/ec2/group?accountId="+w.second, web(t, "web", "x")) {
		t.Error("an editor may not make a group")
	}
	// Some descriptions have a single policy as text.
	w.Must("PUT", path, object{"userId": ada.id, "permissionStrategy": "POLICY_BASED", "policyIds": policy})
	if ada.may("POST", "/aws/ec2/group?accountId="+w.second, web(t, "web", "x")) || !ada.may("GET", "/aws/ec2/group?accountId="+w.second, nil) {
		t.Error("the policy does not hold")
	}
	found := w.Must("GET", "/setup/user/permission?accountId="+w.second, nil).Items()
	at := slices.IndexFunc(found, func(o object) bool { return o["userId"] == ada.id })
	if at < 0 || found[at]["permissionStrategy"] != "POLICY_BASED" || fmt.Sprint(found[at]["policyIds"]) != "["+policy+"]" {
		t.Errorf("permissions: %v", found)
	}
	w.Must("DELETE", path, object{"userEmail": "ada@example.com"})
	if ada.may("GET", "/aws/ec2/group?accountId="+w.second, nil) {
		t.Error("she is still in")
	}
	w.refused("an account of nobody", "Account_DOESNT_EXIST", "", w.Call("PUT", "/setup/account/act-00000000/user", object{"userId": ada.id, "role": "editor"}))
}

func TestBadUsersAndGroupsAreRefused(t *testing.T) {
	w := begin(t)
	policy := w.policy("policy", statement("ALLOW", []string{"*"}, "*"))
	whole := w.text("id", "POST", "/setup/access/policy", object{"policy": object{"name": "whole", "type": "ORGANIZATION", "policyContent": object{"statements": []object{statement("ALLOW", []string{"*"}, "*")}}}})
	user := func(change object) object {
		body := object{"email": "x@example.com", "firstName": "X", "password": "Password-1"}
		for name, value := range change {
			body[name] = value
		}
		return body
	}
	for name, c := range map[string]struct {
		path       string
		body       object
		mark, says string
	}{
		"no address":              {"/setup/user", object{"firstName": "X"}, "email", ""},
		"a bad address":           {"/setup/user", user(object{"email": "example.com"}), "email", "e-mail"},
		"a weak password":         {"/setup/user", user(object{"password": "Password1"}), "password", "special"},
		"a bad name":              {"/setup/user", user(object{"firstName": "a+b"}), "firstName", "+"},
		"an unknown role":         {"/setup/user", user(object{"role": "king"}), "role", ""},
		"an unknown policy":       {"/setup/user", user(object{"policies": []object{given("pol-99999999", "*")}}), "policies.policyId", "pol-99999999"},
		"an unknown group":        {"/setup/user", user(object{"userGroupIds": []string{"ugr-00000000"}}), "userGroupIds", "ugr-00000000"},
		"a program without name":  {"/setup/user/programmatic", object{}, "name", ""},
		"a program's bad name":    {"/setup/user/programmatic", object{"name": "a@b"}, "name", "@"},
		"a program's bad account": {"/setup/user/programmatic", object{"name": "x", "accounts": []object{{"id": "act-00000000", "role": "viewer"}}}, "accounts.id", "act-00000000"},
		"a program's bad role":    {"/setup/user/programmatic", object{"name": "x", "accounts": []object{{"id": w.first, "role": "admin"}}}, "accounts[0].role", ""},
		"a policy without place":  {"/setup/user/programmatic", object{"name": "x", "policies": []object{given(policy)}}, "policies.accountIds", "at least one"},
		"a foreign account":       {"/setup/user/programmatic", object{"name": "x", "policies": []object{given(policy, "act-00000000")}}, "policies.accountIds", "act-00000000"},
		"a place too many":        {"/setup/user/programmatic", object{"name": "x", "policies": []object{given(whole, w.first)}}, "policies.accountIds", "as a whole"},
		"a group without name":    {"/setup/access/userGroup", object{"name": "=7"}, "name", ""},
		"a group of nobody":       {"/setup/access/userGroup", object{"name": "x", "userIds": []string{"u-00000000"}}, "userIds", "u-00000000"},
		"a group's bad policy":    {"/setup/access/userGroup", object{"name": "x", "policies": []object{given("pol-99999999", "*")}}, "policies.policyId", ""},
		"an account's bad name":   {"/setup/account", object{"account": object{"name": "123"}}, "account.name", "letter"},
		"an account without name": {"/setup/account", object{"account": object{}}, "account.name", ""},
		"an organisation's":       {"/setup/organization", object{"organization": object{"name": "123"}}, "organization.name", "letter"},
	} {
		w.refused(name, c.mark, c.says, w.Call("POST", c.path, c.body))
	}
	if n := len(w.Must("GET", "/setup/organization/user", nil).Items()); n != 1 {
		t.Errorf("there are %d users, want the owner", n)
	}
	if n := len(w.Must("GET", "/setup/access/userGroup", nil).Items()); n != 0 {
		t.Errorf("there are %d groups", n)
	}
}

func TestBadPoliciesAreRefusedWithEveryFault(t *testing.T) {
	w := begin(t)
	with := func(condition any) []object {
		s := statement("ALLOW", []string{"elastigroup:*"}, "*")
		s["condition"] = condition
		return []object{s}
	}
	const at = "policy.policyContent.statements"
	many := make([]string, 200)
	for n := range many {
		many[n] = fmt.Sprintf("elastigroup:a%d", n)
	}
	for name, c := range map[string]struct {
		statements any
		mark, says string
	}{
		"no statements":        {[]object{}, at, "at least one"},
		"no actions":           {[]object{statement("ALLOW", []string{}, "*")}, at + "[0].actions", "at least one"},
		"no resources":         {[]object{{"effect": "ALLOW", "actions": []string{"*"}, "resources": []string{}}}, at + "[0].resources", "at least one"},
		"a small effect":       {[]object{statement("allow", []string{"*"}, "*")}, at + "[0].effect", "ALLOW or DENY"},
		"a star in the middle": {[]object{statement("DENY", []string{"elasti*:x"}, "*")}, at + "[0].actions[0]", "star"},
		"the second statement": {[]object{statement("ALLOW", []string{"*"}, "*"), statement("ALLOW", []string{"*"}, "a*b")}, at + "[1].resources[0]", "star"},
		"and with one":         {with(object{"And": object{"StringEquals": object{"spot:elastigroup:name": "x"}}}), at + "[0].condition.And", "two"},
		"a bad expression":     {with(object{"StringPatternMatch": object{"spot:elastigroup:name": "("}}), at + "[0].condition.StringPatternMatch", ""},
		"an unknown operator":  {with(object{"NumberEquals": object{"spot:elastigroup:name": "x"}}), at + "[0].condition.NumberEquals", ""},
		"a bad attribute":      {with(object{"StringEquals": object{"name": "x"}}), at + "[0].condition.StringEquals", ""},
		"too large":            {[]object{statement("ALLOW", many, "a", "b", "c", "d", "e", "f")}, at, "at most 1000"},
		"no list":              {"*", at, ""},
	} {
		answer := w.Call("POST", "/setup/access/policy", object{"policy": object{"name": "x", "policyContent": object{"statements": c.statements}}})
		found := false
		for _, f := range faults(answer) {
			found = found || answer.Status == 400 && strings.HasPrefix(f.field, c.mark) && strings.Contains(f.says, c.says)
		}
		if !found {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Raw)
		}
	}
	both := w.Call("POST", "/setup/access/policy", object{"policy": object{"name": "a=b", "policyContent": object{"statements": []object{statement("MAYBE", []string{"x"}, "*")}}}})
	if n := len(faults(both)); n != 3 {
		t.Errorf("three faults are told as %d: %s", n, both.Raw)
	}

	mine := w.policy("mine", statement("ALLOW", []string{"*"}, "*"))
	w.refused("another type", "policy.type", "", w.Call("PUT", "/setup/access/policy/"+mine, object{"policy": object{"type": "ORGANIZATION"}}))
	for _, p := range w.Must("GET", "/setup/organization/policy", nil).Items() {
		if id := p["id"].(string); id != mine {
			w.refused("a standard policy", "CONFLICT", "standard", w.Call("PUT", "/setup/access/policy/"+id, object{"policy": object{"description": "mine now"}}))
			w.refused("a standard policy", "CONFLICT", "standard", w.Call("DELETE", "/setup/access/policy/"+id, nil))
		}
	}
	huge := `{"policy":{"name":"` + strings.Repeat("x", 2<<20) + `"}}`
	if got := w.Call("POST", "/setup/access/policy", huge).Status; got != 413 {
		t.Errorf("a body of 2 MiB is answered %d", got)
	}
}
