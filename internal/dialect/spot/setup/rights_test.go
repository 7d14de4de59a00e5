package setup_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// web is the body that makes a small group, of that name and team.
func web(t *testing.T, name, team string) string {
	t.Helper()
	content, err := os.ReadFile("../elastigroup/testdata/group-small.json")
	if err != nil {
		t.Fatal(err)
	}
	body := decoded(t, string(content)).(object)
	group := body["group"].(object)
	group["name"] = name
	group["compute"].(object)["launchSpecification"].(object)["tags"] = []object{{"tagKey": "Team", "tagValue": team}}
	return encoded(t, body)
}

func (w world) group(name, team string) string {
	w.t.Helper()
	return w.text("id", "POST", "/aws/ec2/group", web(w.t, name, team))
}

const rename = `{"group":{"description":"changed"}}`

func TestDenyBeatsAllowWhereverEachComesFrom(t *testing.T) {
	w := begin(t)
	id := w.group("web", "red")
	allow := w.policy("allow", statement("ALLOW", []string{"elastigroup:*"}, "*"))
	deny := w.policy("deny", statement("DENY", []string{"elastigroup:updateGroup"}, "elastigroup:"+id))
	for name, c := range map[string]struct{ own, groups []object }{
		"both the user's":        {[]object{given(allow, "*"), given(deny, "*")}, nil},
		"both the group's":       {nil, []object{given(deny, "*"), given(allow, "*")}},
		"the group's denies":     {[]object{given(allow, "*")}, []object{given(deny, w.first)}},
		"the user's own denies":  {[]object{given(deny, w.first)}, []object{given(allow, "*")}},
		"denied twice over":      {[]object{given(deny, "*")}, []object{given(deny, "*"), given(allow, "*")}},
		"allowed by both of two": {[]object{given(allow, "*"), given(deny, "*")}, []object{given(allow, "*")}},
	} {
		who := w.program(name, object{"policies": c.own})
		w.Must("POST", "/setup/access/userGroup", object{"name": "group of " + name, "userIds": []string{who.id}, "policies": c.groups})
		if who.may("PUT", "/aws/ec2/group/"+id, rename) {
			t.Errorf("%s: the group may be changed", name)
		}
		if !who.may("GET", "/aws/ec2/group/"+id, nil) || !who.may("PUT", "/aws/ec2/group/"+id+"/scale/up?adjustment=1", nil) {
			t.Errorf("%s: what is only allowed may not be done", name)
		}
	}
}

func TestAStarBehindAPrefixMatchesNothingElse(t *testing.T) {
	w := begin(t)
	id := w.group("web", "red")
	who := w.program("reader", object{"policies": []object{given(w.policy("read", statement("ALLOW", []string{"elastigroup:describe*"}, "*")), "*")}})
	if !who.may("GET", "/aws/ec2/group/"+id+"/status", nil) {
		t.Error("describeGroupStatus does not match describe*")
	}
	if who.may("PUT", "/aws/ec2/group/"+id+"/detachInstances", `{"instancesToDetach":["i-1"]}`) {
		t.Error("detachInstances matches describe*")
	}
}

func TestWhoGoesByPoliciesAndHasNoneMayLook(t *testing.T) {
	w := begin(t)
	id := w.group("web", "red")
	who := w.program("empty", nil)
	if who.may("GET", "/aws/ec2/group/"+id, nil) {
		t.Error("without any mapping the group is seen")
	}
	w.Must("PUT", "/setup/user/"+who.id+"/policyMapping", object{"policies": []object{}})
	if !who.may("GET", "/aws/ec2/group/"+id, nil) {
		t.Error("with no policy the group cannot be seen")
	}
	if who.may("PUT", "/aws/ec2/group/"+id, rename) {
		t.Error("with no policy the group may be changed")
	}
}

func TestAPolicyThatChangesHoldsForTheNextRequestOfAnOldToken(t *testing.T) {
	w := begin(t)
	id := w.group("web", "red")
	policy := w.policy("p", statement("ALLOW", []string{"elastigroup:describe*"}, "*"))
	who := w.program("reader", object{"policies": []object{given(policy, "*")}})
	change := func(actions ...string) {
		content := object{"statements": []object{statement("ALLOW", actions, "*")}}
		w.Must("PUT", "/setup/access/policy/"+policy, object{"policy": object{"policyContent": content}})
	}
	for range 3 {
		if who.may("PUT", "/aws/ec2/group/"+id, rename) {
			t.Fatal("it may be changed though the policy does not say so")
		}
		change("elastigroup:describe*", "elastigroup:updateGroup")
		if !who.may("PUT", "/aws/ec2/group/"+id, rename) {
			t.Fatal("it may not be changed though the policy says so now")
		}
		change("elastigroup:describe*")
	}
	w.Must("DELETE", "/setup/access/policy/"+policy, nil)
	w.refused("deleting it again", "POLICY_DOESNT_EXIST", "", w.Call("DELETE", "/setup/access/policy/"+policy, nil))
}

// conditional allows all with groups whose tag Team is the caller's e-mail address.
func conditional(w world) string {
	s := statement("ALLOW", []string{"elastigroup:*"}, "*")
	s["condition"] = object{"StringEquals": object{"spot:elastigroup:tags/Team": "${spot:userEmail}"}}
	return w.policy("own groups", s)
}

func TestATagThatNamesTheCallerAllowsAnUpdate(t *testing.T) {
	w := begin(t)
	policy := conditional(w)
	ada := w.person("ada@example.com", object{"policies": []object{given(policy, "*")}})
	robot := w.program("robot", object{"policies": []object{given(policy, "*")}})
	own, other := w.group("own", "ada@example.com"), w.group("other", "bob@example.com")
	if !ada.may("PUT", "/aws/ec2/group/"+own, rename) || !ada.may("GET", "/aws/ec2/group/"+own+"/status", nil) {
		t.Error("her own group may not be changed")
	}
	if ada.may("PUT", "/aws/ec2/group/"+other, rename) {
		t.Error("somebody else's group may be changed")
	}
	if robot.may("PUT", "/aws/ec2/group/"+own, rename) {
		t.Error("a program, which has no e-mail address, may change a group")
	}

	// What is to be made is judged by the body.
	if !ada.may("POST", "/aws/ec2/group", web(t, "new", "ada@example.com")) {
		t.Error("a group with her tag may not be made")
	}
	if ada.may("POST", "/aws/ec2/group", web(t, "foreign", "bob@example.com")) {
		t.Error("a group with somebody else's tag may be made")
	}

	// Lists leave out what may not be seen.
	var names []string
	for _, item := range ada.call("GET", "/aws/ec2/group", nil).Items() {
		names = append(names, item["name"].(string))
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "new own" {
		t.Errorf("she sees %q", got)
	}
	if got := robot.call("GET", "/aws/ec2/group", nil); got.Status != 200 || len(got.Items()) != 0 {
		t.Errorf("the program sees %s", got.Raw)
	}
}

// What may be done to a group's instances is what may be done to the group, though a request names the instance alone.
func TestAnInstanceIsUnderTheRightsOfItsGroup(t *testing.T) {
	w := begin(t)
	own, other := w.group("own", "ada@example.com"), w.group("other", "bob@example.com")
	ada := w.person("ada@example.com", object{"policies": []object{given(conditional(w), "*")}})
	one := w.program("one", object{"policies": []object{given(w.policy("one", statement("ALLOW", []string{"elastigroup:*"}, own)), "*")}})
	instance := func(group string) (id string) {
		w.Until("a member of "+group+" is there", 5*time.Minute, func() bool {
			for _, i := range w.Must("GET", "/aws/ec2/group/"+group+"/status", nil).Items() {
				id, _ = i["instanceId"].(string)
			}
			return id != ""
		})
		return id
	}
	for id, want := range map[string]bool{instance(own): true, instance(other): false} {
		path, interrupt := "/aws/ec2/instance/"+id, object{"instancesToInterrupt": []string{id}}
		for name, who := range map[string]caller{"the tag": ada, "the id": one} {
			for what, may := range map[string]bool{
				"seen":        who.may("GET", path, nil),
				"locked":      who.may("POST", path+"/lock", nil),
				"unlocked":    who.may("POST", path+"/unlock", nil),
				"interrupted": who.may("POST", "/aws/ec2/instance/interruption", interrupt),
			} {
				if may != want {
					t.Errorf("by %s, %s may be %s: %v", name, id, what, may)
				}
			}
		}
	}
}

func TestWithoutAnAccountTheDefaultOneIsMeant(t *testing.T) {
	w := begin(t)
	id := w.group("web", "red")
	bare, named := w.Must("GET", "/aws/ec2/group", nil), w.Must("GET", "/aws/ec2/group?accountId="+w.first, nil)
	if len(bare.Items()) != 1 || len(named.Items()) != 1 || bare.Items()[0]["id"] != id || named.Items()[0]["id"] != id {
		t.Errorf("without: %s\nnamed: %s", bare.Raw, named.Raw)
	}
	if items := w.Must("GET", "/aws/ec2/group?accountId="+w.second, nil).Items(); len(items) != 0 {
		t.Errorf("the other account has %v", items)
	}
	// Who is in the second one alone means that one.
	who := w.program("second", object{"accounts": []object{{"id": w.second, "role": "viewer"}}})
	if items := who.call("GET", "/setup/account", nil).Items(); len(items) != 1 || items[0]["accountId"] != w.second {
		t.Errorf("the user of the second account sees %v", items)
	}
	if got := who.call("GET", "/aws/ec2/group", nil); got.Status != 200 || len(got.Items()) != 0 {
		t.Errorf("the user of the second account lists %s", got.Raw)
	}
}

func TestAProgramsTokenIsShownOnceAndEndsWithIt(t *testing.T) {
	w := begin(t)
	for name, path := range map[string]string{"robot": "/setup/user/%", "odd": "/setup/user/programmatic/%/account"} {
		who := w.program(name, object{"accounts": []object{{"id": w.first, "role": "viewer"}}})
		if !who.may("GET", "/aws/ec2/group", nil) {
			t.Fatal("the token is not good")
		}
		for _, shown := range []string{"/setup/user/" + who.id, "/setup/user/" + strings.Replace(who.id, "pu-", "pu_", 1), "/setup/user/programmatic/" + who.id, "/setup/user/programmatic", "/setup/user", "/setup/organization/user"} {
			if raw := w.Must("GET", shown, nil).Raw; strings.Contains(string(raw), who.token) || !strings.Contains(string(raw), who.id) {
				t.Errorf("%s shows %s", shown, raw)
			}
		}
		details := w.Must("GET", "/setup/user/"+who.id, nil).Items()[0]["tokens"].([]any)
		if len(details) != 1 || !strings.HasSuffix(who.token, details[0].(object)["tokenLastDigits"].(string)) {
			t.Errorf("the tokens are %v", details)
		}
		w.Must("DELETE", strings.Replace(path, "%", who.id, 1), nil)
		if got := who.call("GET", "/aws/ec2/group", nil).Status; got != 401 {
			t.Errorf("after %s the token gets %d", path, got)
		}
	}
	ada := w.person("ada@example.com", nil)
	w.refused("a person is no program", "USER_DOESNT_EXIST", "", w.Call("DELETE", "/setup/user/programmatic/"+ada.id+"/account", nil))
	w.Must("DELETE", "/setup/user/"+ada.id, nil)
	if got := ada.call("GET", "/setup/account", nil).Status; got != 401 {
		t.Errorf("the token of a deleted person gets %d", got)
	}
}

func TestAnAccountThatIsMadeLaterIsCoveredByTheStar(t *testing.T) {
	w := begin(t)
	policy := w.policy("all", statement("ALLOW", []string{"elastigroup:*"}, "*"))
	every := w.program("every", object{"policies": []object{given(policy, "*")}})
	some := w.program("some", object{"policies": []object{given(policy, w.first, w.second)}})
	third := w.text("id", "POST", "/setup/account", object{"account": object{"name": "Third"}})
	if !every.may("GET", "/aws/ec2/group?accountId="+third, nil) {
		t.Error("the star does not cover the new account")
	}
	if some.may("GET", "/aws/ec2/group?accountId="+third, nil) {
		t.Error("a list of others covers the new account")
	}
	for who, want := range map[*caller]int{&every: 3, &some: 2} {
		if got := len(who.call("GET", "/setup/account", nil).Items()); got != want {
			t.Errorf("%s sees %d accounts, want %d", who.id, got, want)
		}
	}
}

// Who may do what here, by role: a row of this table is a request and those who may make it.
func TestRolesMayWhatTheyMay(t *testing.T) {
	w := begin(t)
	accounts := func(role string) object { return object{"accounts": []object{{"id": w.first, "role": role}}} }
	admin := w.person("root@example.com", object{"role": "admin"})
	editor, viewer, nobody := w.program("editor", accounts("editor")), w.program("viewer", accounts("viewer")), w.program("nobody", nil)
	for _, c := range []struct {
		method, path string
		body         any
		may          string
	}{
		{"GET", "/setup/account", nil, "admin editor viewer nobody"},
		{"GET", "/setup/accountUserMapping", nil, "admin editor viewer nobody"},
		{"GET", "/setup/accountUserMapping?userEmail=root@example.com", nil, "admin"},
		{"GET", "/setup/account/" + w.first, nil, "admin editor viewer"},
		{"GET", "/setup/user/permission?accountId=" + w.first, nil, "admin editor viewer"},
		{"GET", "/setup/access/policy?accountId=" + w.first, nil, "admin editor viewer"},
		{"GET", "/setup/access/policy?accountId=" + w.second, nil, "admin"},
		{"GET", "/setup/user", nil, "admin"},
		{"GET", "/setup/organization/policy", nil, "admin"},
		{"GET", "/setup/access/userGroup", nil, "admin"},
		{"POST", "/setup/account", object{"account": object{"name": "Another"}}, "admin"},
		{"PUT", "/setup/account/" + w.first, object{"account": object{}}, "admin"},
		{"POST", "/setup/accountUserMapping", object{"mappings": []object{{"userId": viewer.id, "accountId": w.first, "role": "viewer"}}}, "admin"},
		{"POST", "/setup/account/" + w.first + "/user", object{"userId": viewer.id, "role": "viewer"}, "admin"},
		{"POST", "/setup/access/policy", object{"policy": object{"name": "x", "policyContent": object{"statements": []object{statement("ALLOW", []string{"*"}, "*")}}}}, "admin"},
		{"POST", "/gcp/setup/credentials/validation?accountId=" + w.first, object{"serviceAccount": object{}}, "admin"},
		{"POST", "/setup/credentials/aws/externalId?accountId=" + w.first, nil, "admin"},
	} {
		for name, who := range map[string]caller{"admin": admin, "editor": editor, "viewer": viewer, "nobody": nobody} {
			if may := who.may(c.method, c.path, c.body); may != strings.Contains(c.may, name) {
				t.Errorf("%s %s: %s may: %v", c.method, c.path, name, may)
			}
		}
	}
}
