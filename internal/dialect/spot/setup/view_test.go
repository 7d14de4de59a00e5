package setup_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestAUserGroupIsShownChangedAndCleared(t *testing.T) {
	w := begin(t)
	ada, robot := w.person("ada@example.com", nil), w.program("robot", nil)
	policy := w.policy("full", statement("ALLOW", []string{"elastigroup:*"}, "*"))
	id := w.text("id", "POST", "/setup/access/userGroup", object{"name": "Developers", "userIds": []string{ada.id, strings.Replace(robot.id, "pu-", "pu_", 1), ada.id}})
	path := "/setup/access/userGroup/" + id
	w.Must("PUT", path, object{"name": "Devs", "description": "They develop."})
	w.Must("PUT", path, object{"description": nil})
	w.Must("PUT", path+"/policyMapping", object{"policies": []object{given(policy, w.first)}})
	g := w.Must("GET", path, nil).Items()[0]
	if g["name"] != "Devs" || g["description"] != "They develop." || len(g["users"].([]any)) != 2 {
		t.Errorf("shown is %v", g)
	}
	want := object{"policyId": policy, "policyName": "full", "policyType": "ACCOUNT", "accountIds": []any{w.first}, "accountNames": []any{w.Account.Name}}
	if got := g["policies"].([]any); len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(want) {
		t.Errorf("its policies are %v, want %v", got, want)
	}
	if !ada.may("POST", "/aws/ec2/group", "{}") || !robot.may("GET", "/aws/ec2/group", nil) {
		t.Error("what the group may, its users may not")
	}
	listed := w.Must("GET", "/setup/access/userGroup", nil).Items()
	if len(listed) != 1 || listed[0]["usersCount"] != 2.0 || fmt.Sprint(listed[0]["policyNames"]) != "[full]" {
		t.Errorf("listed is %v", listed)
	}

	// An empty list clears, and so does none: a client leaves empty ones out.
	w.Must("PUT", path+"/userMapping", object{"userIds": []string{}})
	w.Must("PUT", path+"/policyMapping", object{})
	g = w.Must("GET", path, nil).Items()[0]
	if len(g["users"].([]any)) != 0 || len(g["policies"].([]any)) != 0 || ada.may("GET", "/aws/ec2/group", nil) {
		t.Errorf("cleared it is %v", g)
	}
	w.refused("an unknown user", "userIds", "u-00000000", w.Call("PUT", path+"/userMapping", object{"userIds": []string{ada.id, "u-00000000"}}))
	w.Must("DELETE", path, nil)
	for _, method := range []string{"GET", "DELETE"} {
		w.refused(method+" afterwards", "USER_GROUP_DOESNT_EXIST", id, w.Call(method, path, nil))
	}
}

func TestAUserIsShownWithGroupsPoliciesAndTokens(t *testing.T) {
	w := begin(t)
	policy := w.policy("full", statement("ALLOW", []string{"elastigroup:*"}, "*"))
	group := w.text("id", "POST", "/setup/access/userGroup", object{"name": "Developers", "policies": []object{given(policy, "*")}})
	ada := w.person("ada@example.com", object{"role": "editor", "userGroupIds": []string{group}, "policies": []object{given(policy, w.second)}})
	u := w.Must("GET", "/setup/user/"+ada.id, nil).Items()[0]
	if u["userId"] != ada.id || u["username"] != "Ada L" || u["type"] != "personal" || u["email"] != "ada@example.com" || u["mfa"] != false {
		t.Errorf("shown is %v", u)
	}
	if got := fmt.Sprint(u["groups"]); got != fmt.Sprintf("[map[id:%s name:Developers policyNames:[full]]]", group) {
		t.Errorf("groups: %s", got)
	}
	if got := u["policies"].([]any)[0].(object); got["policyName"] != "full" || got["policyType"] != "ACCOUNT" || fmt.Sprint(got["accountIds"]) != "["+w.second+"]" {
		t.Errorf("policies: %v", got)
	}
	if got := u["tokens"].([]any)[0].(object); got["tokenId"].(float64) < 1 || !strings.HasSuffix(ada.token, got["tokenLastDigits"].(string)) || got["createdAt"] == nil {
		t.Errorf("tokens: %v", got)
	}
	w.Must("PUT", "/setup/user/"+ada.id+"/userGroupMapping", object{"userGroupIds": []string{}})
	if u := w.Must("GET", "/setup/user/"+ada.id, nil).Items()[0]; len(u["groups"].([]any)) != 0 {
		t.Errorf("taken out of all groups: %v", u)
	}
	w.refused("an unknown group", "userGroupIds", "ugr-00000000", w.Call("PUT", "/setup/user/"+ada.id+"/userGroupMapping", object{"userGroupIds": []string{group, "ugr-00000000"}}))

	for account, want := range map[string]int{w.first: 2, w.second: 2} { // Ada and the owner
		if got := w.Must("GET", "/setup/user?accountId="+account, nil).Items(); len(got) != want {
			t.Errorf("users of %s: %v", account, got)
		}
	}
	if got := w.Call("GET", "/setup/user?accountId=act-00000000", nil).Status; got != 403 {
		t.Errorf("users of an account of nobody: %d", got)
	}
}

func TestAProgrammaticUserIsShownAndChanged(t *testing.T) {
	w := begin(t)
	group := w.text("id", "POST", "/setup/access/userGroup", object{"name": "Robots"})
	robot := w.program("robot", object{"description": "one", "userGroupIds": []string{group}, "accounts": []object{{"id": w.first, "role": "viewer"}}})
	path := "/setup/user/programmatic/" + robot.id
	changed := w.Must("PUT", path, object{"accounts": []object{{"id": w.second, "role": "editor"}}}).Items()[0]
	want := object{"id": robot.id, "userName": "robot", "description": "one", "accounts": []any{object{"id": w.second, "role": "editor"}}}
	for what, got := range map[string]object{"changed": changed, "shown": w.Must("GET", path, nil).Items()[0]} {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s it is %v, want %v", what, got, want)
		}
	}
	details := w.Must("GET", "/setup/user/"+robot.id, nil).Items()[0]
	if details["name"] != "robot" || details["type"] != "programmatic" || fmt.Sprint(details["userGroupIds"]) != "["+group+"]" || details["id"] != nil {
		t.Errorf("as a user it is %v", details)
	}
	w.refused("an account of nobody", "accounts.id", "act-00000000", w.Call("PUT", path, object{"accounts": []object{{"id": "act-00000000", "role": "viewer"}}}))
	w.refused("without accounts", "accounts", "", w.Call("PUT", path, object{"description": "two"}))
	ada := w.person("ada@example.com", nil)
	for _, method := range []string{"GET", "PUT"} {
		w.refused("a person", "USER_DOESNT_EXIST", "", w.Call(method, "/setup/user/programmatic/"+ada.id, object{"accounts": []object{}}))
	}
}

func TestAnAccountIsRenamedAndDeleted(t *testing.T) {
	w := begin(t)
	path := "/setup/account/" + w.second
	w.Must("PUT", path, object{"account": object{"name": "Renamed"}})
	a := w.Must("GET", path, nil).Items()[0]
	if a["name"] != "Renamed" || a["accountId"] != w.second || a["id"] != w.second || a["organizationId"] != w.Account.Organisation {
		t.Errorf("it is %v", a)
	}
	group := w.text("id", "POST", "/aws/ec2/group?accountId="+w.second, web(t, "web", "x"))
	w.refused("it is in use", "CONFLICT", "still has", w.Call("DELETE", path, nil))
	w.Must("DELETE", "/aws/ec2/group/"+group+"?accountId="+w.second, nil)
	third := w.text("id", "POST", "/setup/account", object{"account": object{"name": "Third"}})
	w.Must("DELETE", "/setup/account/"+third, nil)
	w.refused("it is gone", "Account_DOESNT_EXIST", third, w.Call("GET", "/setup/account/"+third, nil))
}

func TestTheActionsOfPoliciesAreThoseOfTheOperations(t *testing.T) {
	w := begin(t)
	found := map[string]object{}
	for _, item := range w.Must("GET", "/setup/access/policyAction", nil).Items() {
		found[item["name"].(string)] = item
	}
	for name, want := range map[string]object{
		"elastigroup:describeGroups": {"name": "elastigroup:describeGroups", "service": "elastigroup", "resourcePattern": "elastigroup:*", "scope": "ACCOUNT", "category": "READ"},
		"elastigroup:scaleUp":        {"name": "elastigroup:scaleUp", "service": "elastigroup", "resourcePattern": "elastigroup:*", "scope": "ACCOUNT", "category": "WRITE"},
		"setup:createUserGroup":      {"name": "setup:createUserGroup", "service": "setup", "resourcePattern": "*", "scope": "ORGANIZATION", "category": "WRITE"},
		"setup:updateAccount":        {"name": "setup:updateAccount", "service": "setup", "resourcePattern": "setup:*", "scope": "ACCOUNT", "category": "WRITE"},
	} {
		if fmt.Sprint(found[name]) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, found[name], want)
		}
	}
}
