package policy_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity/policy"
)

// compile makes a policy of statements written as JSON.
func compile(t testing.TB, id string, statements ...string) *policy.Policy {
	t.Helper()
	p, err := tryCompile(id, statements...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func tryCompile(id string, statements ...string) (*policy.Policy, error) {
	var d policy.Document
	if err := json.Unmarshal([]byte(`{"statements":[`+strings.Join(statements, ",")+`]}`), &d); err != nil {
		return nil, err
	}
	return policy.Compile(id, "policy.policyContent", d)
}

func statement(effect, action, resource, condition string) string {
	text := fmt.Sprintf(`{"effect":%q,"actions":[%q],"resources":[%q]`, effect, action, resource)
	if condition != "" {
		text += `,"condition":` + condition
	}
	return text + "}"
}

// object has attributes by their keys.
func object(id string, attributes ...string) policy.Object {
	return policy.Object{ID: id, Attribute: func(key string) (string, bool) {
		for n := 0; n < len(attributes); n += 2 {
			if attributes[n] == key {
				return attributes[n+1], true
			}
		}
		return "", false
	}}
}

func TestDenyBeatsAllowWhateverItsSource(t *testing.T) {
	own := compile(t, "pol-1", statement("ALLOW", "elastigroup:*", "*", ""))
	group := compile(t, "pol-2", statement("ALLOW", "ocean:*", "*", ""), statement("DENY", "elastigroup:delete*", "sig-1*", ""))
	for _, set := range []*policy.Set{policy.NewSet(own, group), policy.NewSet(group, own)} {
		if d := set.Decide(policy.Deed{Action: "elastigroup:deleteGroup", Object: object("sig-1")}); d.Allowed() || d.String() != "statement 2 of policy pol-2 denies it" {
			t.Errorf("deleting sig-1: %s", d)
		}
		if d := set.Decide(policy.Deed{Action: "elastigroup:deleteGroup", Object: object("sig-2")}); !d.Allowed() || d.Policy != "pol-1" {
			t.Errorf("deleting sig-2: %s", d)
		}
	}
	if d := policy.NewSet().Decide(policy.Deed{Action: "elastigroup:deleteGroup"}); d.Allowed() || d.String() != "no policy allows it" {
		t.Errorf("without policies: %s", d)
	}
}

func TestActionsAndResourcesMatchAsWritten(t *testing.T) {
	strategy := policy.Object{Names: map[string]string{"oceancdStrategyName": "blue"}}
	for _, c := range []struct {
		action, resource string
		deed             string
		object           policy.Object
		allowed          bool
	}{
		{"elastigroup:describe*", "*", "elastigroup:describeGroup", object("sig-1"), true},
		{"elastigroup:describe*", "*", "elastigroup:detachInstances", object("sig-1"), false},
		{"elastigroup:describe", "*", "elastigroup:describeGroup", object("sig-1"), false},
		{"elastigroup:*", "*", "elastigroup:deleteGroup", object("sig-1"), true},
		{"elastigroup:*", "*", "elastigroups:deleteGroup", object("sig-1"), false},
		{"elastigroup:*", "*", "ocean:roll", object("o-1"), false},
		{"*", "*", "ocean:roll", object("o-1"), true},
		{"*", "sig-1*", "elastigroup:roll", object("sig-1a2b"), true},
		{"*", "sig-1*", "elastigroup:roll", object("sig-2a1b"), false},
		{"*", "sig-1", "elastigroup:roll", object("sig-1a2b"), false},
		{"*", "elastigroup:*", "elastigroup:roll", object("sig-1"), true},
		{"*", "elastigroup:*", "ocean:roll", object("o-1"), false},
		{"*", "elastigroup:sig-1", "elastigroup:roll", object("sig-1"), true},
		{"*", "ocean:sig-1", "elastigroup:roll", object("sig-1"), false},
		{"*", "oceancdStrategyName:bl*", "oceancd:updateStrategy", strategy, true},
		{"*", "oceancdStrategyName:red", "oceancd:updateStrategy", strategy, false},
		{"*", "*", "elastigroup:createGroup", policy.Object{}, true},
		{"*", "elastigroup:*", "elastigroup:createGroup", policy.Object{}, true},
		{"*", "sig-*", "elastigroup:createGroup", policy.Object{}, false},
	} {
		set := policy.NewSet(compile(t, "pol-1", statement("ALLOW", c.action, c.resource, "")))
		if d := set.Decide(policy.Deed{Action: c.deed, Object: c.object}); d.Allowed() != c.allowed {
			t.Errorf("%s on %s for %s of %q: %s", c.action, c.resource, c.deed, c.object.ID, d)
		}
	}
}

func TestConditionsAskForAttributes(t *testing.T) {
	const name, tag = "spot:elastigroup:name", "spot:elastigroup:tags/Owner"
	web := object("sig-1", name, "web-Blue", tag, "ann@example.com")
	for condition, holds := range map[string]bool{
		`{"StringEquals":{"spot:elastigroup:name":"web-Blue"}}`:                                                                                        true,
		`{"StringEquals":{"spot:elastigroup:name":"web-blue"}}`:                                                                                        false,
		`{"StringEquals":{"spot:elastigroup:name":["api","web-Blue"]}}`:                                                                                true,
		`{"StringEquals":{"spot:elastigroup:zone":"a"}}`:                                                                                               false,
		`{"StringNotEquals":{"spot:elastigroup:name":"web-Blue"}}`:                                                                                     false,
		`{"StringNotEquals":{"spot:elastigroup:name":["api","web-Blue"]}}`:                                                                             false,
		`{"StringNotEquals":{"spot:elastigroup:name":["api","db"]}}`:                                                                                   true,
		`{"StringNotEquals":{"spot:elastigroup:zone":"a"}}`:                                                                                            true,
		`{"StringEqualsIgnoreCase":{"spot:elastigroup:name":"WEB-blue"}}`:                                                                              true,
		`{"StringContains":{"spot:elastigroup:name":"eb-"}}`:                                                                                           true,
		`{"StringPatternMatch":{"spot:elastigroup:name":"^web-[A-Z]"}}`:                                                                                true,
		`{"StringPatternMatch":{"spot:elastigroup:name":["^api","^db"]}}`:                                                                              false,
		`{"StringEquals":{"spot:elastigroup:tags/Owner":"${spot:userEmail}"}}`:                                                                         true,
		`{"StringEquals":{"spot:elastigroup:name":"web-Blue","spot:elastigroup:tags/Owner":"bob"}}`:                                                    false,
		`{"StringEquals":{"spot:elastigroup:name":"web-Blue"},"StringContains":{"spot:elastigroup:name":"red"}}`:                                       false,
		`{"And":{"StringContains":{"spot:elastigroup:name":"web"},"StringNotEquals":{"spot:elastigroup:name":"web"}}}`:                                 true,
		`{"Or":{"StringContains":{"spot:elastigroup:name":"red"},"StringEquals":{"spot:elastigroup:name":"web-Blue"}}}`:                                true,
		`{"Or":[{"StringEquals":{"spot:elastigroup:name":"a"}},{"StringEquals":{"spot:elastigroup:name":"b"}}]}`:                                       false,
		`{"Or":[{"And":{"StringEquals":{"oceancdClusterId":"c"},"StringContains":{"oceancdNamespace":"n"}}},{"StringContains":{"` + name + `":"w"}}]}`: true,
	} {
		set := policy.NewSet(compile(t, "pol-1", statement("ALLOW", "*", "*", condition)))
		if d := set.Decide(policy.Deed{Action: "elastigroup:updateGroup", Object: web, Email: "ann@example.com"}); d.Allowed() != holds {
			t.Errorf("%s: %s", condition, d)
		}
	}
	robot := policy.Deed{Action: "elastigroup:updateGroup", Object: object("sig-1", tag, "")}
	for _, operator := range []string{"StringEquals", "StringNotEquals", "StringContains"} {
		set := policy.NewSet(compile(t, "pol-1", statement("ALLOW", "*", "*", `{"`+operator+`":{"`+tag+`":"${spot:userEmail}"}}`)))
		if d := set.Decide(robot); d.Allowed() {
			t.Errorf("%s holds for a caller without an address", operator)
		}
	}
}

func TestABadDocumentIsRefusedWithTheField(t *testing.T) {
	const good = `{"StringEquals":{"spot:elastigroup:name":"web"}}`
	if _, err := tryCompile("pol-1"); fault.As(err).Field != "policy.policyContent.statements" {
		t.Errorf("no statements: %v", err)
	}
	for text, field := range map[string]string{
		statement("Allow", "*", "*", ""):                                                             "effect",
		`{"effect":"ALLOW","resources":["*"]}`:                                                       "actions",
		`{"effect":"ALLOW","actions":["*"]}`:                                                         "resources",
		statement("ALLOW", "elastigroup", "*", ""):                                                   "actions[0]",
		statement("ALLOW", "*:delete", "*", ""):                                                      "actions[0]",
		statement("ALLOW", "elastigroup:*Group", "*", ""):                                            "actions[0]",
		statement("ALLOW", "*", "*-1", ""):                                                           "resources[0]",
		statement("ALLOW", "*", "", ""):                                                              "resources[0]",
		statement("ALLOW", "*", "ocean:", ""):                                                        "resources[0]",
		statement("ALLOW", "*", "*", `{}`):                                                           "condition",
		statement("ALLOW", "*", "*", `"web"`):                                                        "condition",
		statement("ALLOW", "*", "*", `{"StringLike":{"spot:elastigroup:name":"web"}}`):               "condition.StringLike",
		statement("ALLOW", "*", "*", `{"And":`+good+`}`):                                             "condition.And",
		statement("ALLOW", "*", "*", `{"Or":[`+good+`]}`):                                            "condition.Or",
		statement("ALLOW", "*", "*", `{"StringEquals":{}}`):                                          "condition.StringEquals",
		statement("ALLOW", "*", "*", `{"StringEquals":{"name":"web"}}`):                              "condition.StringEquals.name",
		statement("ALLOW", "*", "*", `{"StringEquals":{"spot:elastigroup:name":1}}`):                 "condition.StringEquals.spot:elastigroup:name",
		statement("ALLOW", "*", "*", `{"StringEquals":{"spot:elastigroup:name":null}}`):              "condition.StringEquals.spot:elastigroup:name",
		statement("ALLOW", "*", "*", `{"StringEquals":{"spot:elastigroup:name":[]}}`):                "condition.StringEquals.spot:elastigroup:name",
		statement("ALLOW", "*", "*", `{"StringPatternMatch":{"spot:elastigroup:name":"("}}`):         "condition.StringPatternMatch.spot:elastigroup:name",
		statement("ALLOW", "*", "*", `{"StringPatternMatch":{"spot:a:tags/x":"${spot:userEmail}"}}`): "condition.StringPatternMatch.spot:a:tags/x",
		statement("ALLOW", "*", "*", `{"Or":[{"StringLike":{}},`+good+`]}`):                          "condition.Or[0].StringLike",
	} {
		if _, err := tryCompile("pol-1", text); !fault.Is(err, fault.Invalid) || fault.As(err).Field != "policy.policyContent.statements[0]."+field {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWhoMayDoSomethingSomewhereMayListIt(t *testing.T) {
	set := policy.NewSet(compile(t, "pol-1", statement("ALLOW", "elastigroup:describe*", "sig-1", ""), statement("DENY", "ocean:*", "*", "")))
	for action, could := range map[string]bool{"elastigroup:describeGroups": true, "elastigroup:deleteGroup": false, "ocean:describeCluster": false} {
		if set.Could(action) != could {
			t.Errorf("%s: %t", action, !could)
		}
	}
}

func TestADenialOfEverythingIsToldFromOneOfSomething(t *testing.T) {
	const condition = `{"StringEquals":{"spot:elastigroup:name":"web"}}`
	allow := compile(t, "pol-1", statement("ALLOW", "*", "*", ""))
	for _, c := range []struct {
		action, resource, condition string
		all                         bool
	}{
		{"*", "*", "", true},
		{"elastigroup:describe*", "elastigroup:*", "", true},
		{"elastigroup:describeGroups", "*", "", true},
		{"elastigroup:describeGroups", "*", condition, false},
		{"elastigroup:describeGroups", "sig-1*", "", false},
		{"elastigroup:describeGroups", "sig-1", "", false},
		{"elastigroup:describeGroups", "account:*", "", false},
		{"elastigroup:delete*", "*", "", false},
	} {
		if set := policy.NewSet(allow, compile(t, "pol-2", statement("DENY", c.action, c.resource, c.condition))); set.DeniesAll("elastigroup:describeGroups") != c.all {
			t.Errorf("%+v: %t", c, !c.all)
		}
	}
	if policy.NewSet(allow).DeniesAll("elastigroup:describeGroups") {
		t.Error("what is allowed is denied")
	}
}

// The index of a set must not change what its statements mean together: the rule is written here once more, without one.
func TestDecisionsAgreeWithTheRule(t *testing.T) {
	type rule struct{ effect, action, resource string }
	rapid.Check(t, func(t *rapid.T) {
		actions := rapid.SampledFrom([]string{"*", "a:*", "a:x", "a:x*", "a:xy", "b:*", "b:x"})
		resources := rapid.SampledFrom([]string{"*", "a:*", "a:1", "1", "1*", "12", "b:1*"})
		var rules []rule
		var policies []*policy.Policy
		for n := range rapid.IntRange(0, 6).Draw(t, "policies") {
			r := rule{rapid.SampledFrom([]string{"ALLOW", "DENY"}).Draw(t, "effect"), actions.Draw(t, "action"), resources.Draw(t, "resource")}
			p, err := tryCompile(fmt.Sprint(n), statement(r.effect, r.action, r.resource, ""))
			if err != nil {
				t.Fatal(err)
			}
			rules, policies = append(rules, r), append(policies, p)
		}
		action, id := rapid.SampledFrom([]string{"a:x", "a:xy", "a:z", "b:x"}).Draw(t, "deed"), rapid.SampledFrom([]string{"1", "12", "2"}).Draw(t, "id")
		match := func(pattern, text string) bool {
			if before, open := strings.CutSuffix(pattern, "*"); open {
				return strings.HasPrefix(text, before)
			}
			return pattern == text
		}
		says := func(effect string) bool {
			return slices.ContainsFunc(rules, func(r rule) bool {
				scope, pattern, scoped := strings.Cut(r.resource, ":")
				if !scoped {
					scope, pattern = action[:1], r.resource
				}
				return r.effect == effect && match(r.action, action) && scope == action[:1] && match(pattern, id)
			})
		}
		d := policy.NewSet(policies...).Decide(policy.Deed{Action: action, Object: object(id)})
		if want := says("ALLOW") && !says("DENY"); d.Allowed() != want {
			t.Fatalf("%s on %s: %s, by %v", action, id, d, rules)
		}
	})
}

// A thousand policies, each with something to say about the service. The bound for a whole authorisation is 20 µs.
func BenchmarkDecide(b *testing.B) {
	var policies []*policy.Policy
	for n := range 1000 {
		policies = append(policies, compile(b, fmt.Sprint(n), statement("ALLOW", "elastigroup:scale*", fmt.Sprintf("sig-%d", n), ""),
			statement("DENY", "elastigroup:deleteGroup", fmt.Sprintf("sig-%d*", n), `{"StringEquals":{"spot:elastigroup:name":"db"}}`)))
	}
	set := policy.NewSet(policies...)
	for name, deed := range map[string]policy.Deed{
		"allowed": {Action: "elastigroup:scaleUp", Object: object("sig-999")},
		"silent":  {Action: "elastigroup:deleteGroup", Object: object("sig-999", "spot:elastigroup:name", "web")},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := set.Decide(deed); d.Allowed() != (name == "allowed") {
					b.Fatal(d)
				}
			}
		})
	}
}
