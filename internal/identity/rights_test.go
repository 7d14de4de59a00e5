package identity

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity/policy"
	"github.com/neap-cloud/neap/internal/op"
)

// person makes a user with a token, and gives what one of them may do from now on.
func (i tested) person(t testing.TB, u User) (made User, may func(d op.Deed) error) {
	t.Helper()
	u.Organisation, u.Program = i.organisation, true
	made, secret, err := i.CreateUser(t.Context(), NewUser{User: u, Token: "test"})
	must(t, err)
	return made, func(d op.Deed) error {
		caller, err := i.Authenticate(t.Context(), bearer(secret))
		must(t, err)
		return caller.Rights.Authorize(d)
	}
}

func (i tested) policy(t testing.TB, name string, kind PolicyType, statements ...policy.Statement) string {
	t.Helper()
	made, err := i.CreatePolicy(t.Context(), Policy{Organisation: i.organisation, Name: name, Type: kind, Content: policy.Document{Statements: statements}})
	must(t, err)
	return made.ID
}

func allow(actions ...string) policy.Statement {
	return policy.Statement{Effect: policy.Allow, Actions: actions, Resources: []string{"*"}}
}

func deny(actions ...string) policy.Statement {
	return policy.Statement{Effect: policy.Deny, Actions: actions, Resources: []string{"*"}}
}

// The deeds of the tables below, in an account or above all.
func deeds(account string) map[string]op.Deed {
	return map[string]op.Deed{
		"read":   {Need: "elastigroup:describeGroup", Account: account, Reads: true, Object: op.Object{ID: "sig-1"}},
		"scale":  {Need: "elastigroup:scaleUp", Account: account, Object: op.Object{ID: "sig-1"}},
		"delete": {Need: "elastigroup:deleteGroup", Account: account, Object: op.Object{ID: "sig-1"}},
		"list":   {Need: "elastigroup:describeGroups", Account: account, Reads: true, Lists: true},
		"manage": {Need: "setup:updateAccount", Account: account, Object: op.Object{ID: account}},
		"audit":  {Need: "setup:describeAllAuditEvents", Reads: true},
		"invite": {Need: "setup:createUser"},
		"self":   {Need: "setup:describeSelf", Reads: true},
	}
}

// holds compares what somebody may do with the names of deeds that are wanted.
func holds(t *testing.T, who, account string, may func(op.Deed) error, want ...string) {
	t.Helper()
	wanted := map[string]bool{}
	for _, name := range want {
		wanted[name] = true
	}
	for name, deed := range deeds(account) {
		err := may(deed)
		if (err == nil) != wanted[name] {
			t.Errorf("%s: %s gives %v", who, name, err)
		}
		if err != nil && fault.KindOf(err) != fault.Denied {
			t.Errorf("%s: %s is refused as %s", who, name, fault.KindOf(err))
		}
	}
}

func TestEachRoleMeansWhatItsDialectSays(t *testing.T) {
	i, _ := started(t)
	first := i.account(t, i.organisation, "first").ID
	for _, c := range []struct {
		user User
		want []string
	}{
		{User{Role: Admin}, []string{"read", "scale", "delete", "list", "manage", "audit", "invite", "self"}},
		{User{Role: Viewer}, []string{"read", "list", "audit", "self"}},
		{User{Role: TeamEditor}, []string{"read", "scale", "delete", "list", "self"}},
		{User{Role: TeamViewer}, []string{"read", "list", "self"}},
		{User{Role: Operator}, []string{"self"}},
		{User{Role: Monitor}, []string{"self"}},
		{User{}, []string{"self"}},
		{User{Accounts: map[string]Grant{first: {Role: Editor}}}, []string{"read", "scale", "delete", "list", "self"}},
		{User{Accounts: map[string]Grant{first: {Role: Viewer}}}, []string{"read", "list", "self"}},
	} {
		c.user.Name = fmt.Sprintf("robot %s %v", c.user.Role, len(c.user.Accounts)*1000+len(c.want))
		_, may := i.person(t, c.user)
		holds(t, c.user.Name, first, may, c.want...)
	}
}

func TestBatchRolesHoldInTheDefaultAccount(t *testing.T) {
	i, _ := started(t)
	first, second := i.account(t, i.organisation, "first").ID, i.account(t, i.organisation, "second").ID
	_, operates := i.person(t, User{Name: "operator", Role: Operator})
	_, monitors := i.person(t, User{Name: "monitor", Role: Monitor})
	for need, want := range map[string][2]bool{"batch:submitJob": {true, false}, "batch:describeJobs": {true, true}, "batch:describeUsage": {false, false}} {
		check(t, "operator "+need, operates(op.Deed{Need: need, Account: first}) == nil, want[0])
		check(t, "monitor "+need, monitors(op.Deed{Need: need, Account: first}) == nil, want[1])
		check(t, "operator elsewhere", fault.As(operates(op.Deed{Need: need, Account: second})).Noun, "account")
	}
}

func TestATeamReachesItsAccountsAndNoOthers(t *testing.T) {
	i, _ := started(t)
	everyones, blue := i.account(t, i.organisation, "everyones").ID, i.account(t, i.organisation, "blue").ID
	team, err := i.CreateGroup(t.Context(), Group{Organisation: i.organisation, Name: "blue"})
	must(t, err)
	_, err = i.UpdateAccount(t.Context(), i.organisation, blue, func(a *Account) error { a.Teams = []string{team.ID}; return nil })
	must(t, err)
	user, may := i.person(t, User{Name: "robot", Role: TeamEditor})
	holds(t, "outside", everyones, may, "read", "scale", "delete", "list", "self")
	holds(t, "outside", blue, may, "self")
	must(t, i.SetGroups(t.Context(), i.organisation, user.ID, []string{team.ID}))
	holds(t, "inside", blue, may, "read", "scale", "delete", "list", "self")
	_, err = i.DeleteGroup(t.Context(), i.organisation, team.ID)
	must(t, err)
	holds(t, "everyone's again", blue, may, "read", "scale", "delete", "list", "self")
}

func TestPoliciesReachTheirHolders(t *testing.T) {
	i, _ := started(t)
	first, second := i.account(t, i.organisation, "first").ID, i.account(t, i.organisation, "second").ID
	scale := i.policy(t, "scale", ForAccounts, allow("elastigroup:describe*", "elastigroup:scale*"))
	never := i.policy(t, "never delete", ForAccounts, deny("elastigroup:delete*"))
	whole := i.policy(t, "whole", ForOrganisation, allow("elastigroup:*", "setup:createUser"))

	user, may := i.person(t, User{Name: "direct", PolicyBased: true, Policies: []Mapping{{Policy: scale, Accounts: []string{first}}}})
	holds(t, "direct", first, may, "read", "scale", "list", "self")
	holds(t, "direct, elsewhere", second, may, "self")

	group, err := i.CreateGroup(t.Context(), Group{Organisation: i.organisation, Name: "team", Users: []string{user.ID}, Policies: []Mapping{{Policy: never, Accounts: []string{"*"}}, {Policy: whole}}})
	must(t, err)
	holds(t, "deny beats allow across user and group", first, may, "read", "scale", "list", "invite", "self")
	holds(t, "a policy of the organisation holds everywhere", second, may, "read", "scale", "list", "invite", "self")
	third := i.account(t, i.organisation, "third").ID
	holds(t, "* covers accounts of the future", third, may, "read", "scale", "list", "invite", "self")

	_, err = i.UpdateGroup(t.Context(), i.organisation, group.ID, func(g *Group) error { g.Policies = nil; return nil })
	must(t, err)
	must(t, i.DeletePolicy(t.Context(), i.organisation, scale))
	holds(t, "who goes by policies and has none may look", first, may, "read", "list", "audit", "self")
}

func TestAMappingByPoliciesNeedsThem(t *testing.T) {
	i, _ := started(t)
	first := i.account(t, i.organisation, "first").ID
	scale := i.policy(t, "scale", ForAccounts, allow("elastigroup:scale*"))
	user, may := i.person(t, User{Name: "robot", Accounts: map[string]Grant{first: {Strategy: PolicyBased, Policies: []string{scale}}}})
	holds(t, "mapped", first, may, "scale", "self")
	_, err := i.UpdatePolicy(t.Context(), i.organisation, scale, func(p *Policy) error {
		p.Content.Statements[0].Actions = []string{"elastigroup:deleteGroup"}
		return nil
	})
	must(t, err)
	holds(t, "an edit holds from the next request on", first, may, "delete", "self")
	_, err = i.UpdateUser(t.Context(), i.organisation, user.ID, func(u *User) error {
		u.Accounts[first] = Grant{Strategy: PolicyBased}
		return nil
	})
	check(t, "without policies", fault.KindOf(err), fault.Invalid)
}

func TestAConditionIsJudgedOnTheObject(t *testing.T) {
	i, _ := started(t)
	first := i.account(t, i.organisation, "first").ID
	statement := allow("elastigroup:*")
	statement.Condition = json.RawMessage(`{"StringEquals": {"spot:elastigroup:name": "web"}}`)
	only := i.policy(t, "only web", ForAccounts, statement)
	_, may := i.person(t, User{Name: "robot", PolicyBased: true, Policies: []Mapping{{Policy: only, Accounts: []string{"*"}}}})
	named := func(name string) op.Deed {
		return op.Deed{Need: "elastigroup:scaleUp", Account: first, Object: op.Object{ID: "sig-1", Attributes: func(key string) (string, bool) { return name, key == "spot:elastigroup:name" }}}
	}
	must(t, may(named("web")))
	check(t, "another name", fault.KindOf(may(named("db"))), fault.Denied)
	check(t, "no name", fault.KindOf(may(op.Deed{Need: "elastigroup:scaleUp", Account: first, Object: op.Object{ID: "sig-1"}})), fault.Denied)
}

func TestAnAdministratorIsAboveThePolicies(t *testing.T) {
	i, admin := started(t)
	i.account(t, i.organisation, "first")
	nothing := i.policy(t, "nothing", ForOrganisation, deny("*"))
	caller, err := i.Authenticate(t.Context(), bearer(admin))
	must(t, err)
	_, err = i.UpdateUser(t.Context(), i.organisation, caller.Subject, func(u *User) error { u.Policies = []Mapping{{Policy: nothing}}; return nil })
	must(t, err)
	caller, err = i.Authenticate(t.Context(), bearer(admin))
	must(t, err)
	must(t, caller.Rights.Authorize(op.Deed{Need: "setup:createUser"}))
	_, may := i.person(t, User{Name: "robot", Role: Viewer, Policies: []Mapping{{Policy: nothing}}})
	check(t, "somebody else", fault.KindOf(may(op.Deed{Need: "setup:describeSelf", Reads: true})), fault.Denied)
}

// Whatever roles, mappings and policies somebody has: a denial is final, nothing foreign is reached, and what may only look changes nothing.
func TestRightsHoldTheirProperties(t *testing.T) {
	i, _ := started(t)
	own := i.account(t, i.organisation, "own").ID
	other, err := i.AddOrganisation(t.Context(), i.organisation, "Other")
	must(t, err)
	foreign := i.account(t, other.ID, "foreign").ID
	actions := []string{"*", "elastigroup:*", "elastigroup:describe*", "elastigroup:scaleUp", "elastigroup:deleteGroup", "setup:*", "ocean:*"}
	r, err := i.readRealm(t.Context(), i.db, i.organisation, nil)
	must(t, err)
	rapid.Check(t, func(t *rapid.T) {
		s := &standing{realm: r, places: map[string]*place{}}
		s.user = User{ID: "u-1", Role: rapid.SampledFrom(roles()).Draw(t, "role"), PolicyBased: rapid.Bool().Draw(t, "goes by policies")}
		if rapid.Bool().Draw(t, "mapped") {
			s.user.Accounts = map[string]Grant{own: {Strategy: RoleBased, Role: rapid.SampledFrom(accountRoles()).Draw(t, "account role")}}
		}
		held := map[string]*heldPolicy{}
		for n := range rapid.IntRange(0, 4).Draw(t, "policies") {
			effect := rapid.SampledFrom([]policy.Effect{policy.Allow, policy.Deny}).Draw(t, "effect")
			content := policy.Document{Statements: []policy.Statement{{Effect: effect, Actions: []string{rapid.SampledFrom(actions).Draw(t, "action")}, Resources: []string{"*"}}}}
			id := fmt.Sprintf("pol-%d", n)
			compiled, err := policy.Compile(id, "", content)
			if err != nil {
				t.Fatal(err)
			}
			held[id] = &heldPolicy{Policy: Policy{ID: id, Type: ForAccounts, Content: content}, compiled: compiled}
			s.user.Policies = append(s.user.Policies, Mapping{Policy: id, Accounts: []string{rapid.SampledFrom([]string{own, "*"}).Draw(t, "account")}})
		}
		realm := *r
		realm.policies = held
		s.realm = &realm
		for name, d := range deeds(own) {
			err := s.Authorize(d)
			denied := false
			for _, p := range held {
				compiled := policy.NewSet(p.compiled).Decide(policy.Deed{Action: d.Need, Object: policy.Object{ID: d.Object.ID}})
				denied = denied || compiled.Effect == policy.Deny && d.Account != "" && !d.Lists
			}
			if denied && err == nil && s.user.Role != Admin {
				t.Fatalf("%s is allowed though a policy denies it", name)
			}
			looks := (s.user.Role == Viewer || s.user.Role == TeamViewer) && s.user.Accounts == nil && len(held) == 0
			if looks && err == nil && !d.Reads {
				t.Fatalf("%s is allowed to somebody who may only look", name)
			}
			if d.Account = foreign; s.Authorize(d) == nil {
				t.Fatalf("%s reaches a foreign account", name)
			}
		}
	})
}

// The bound is 20 µs a request with 1,000 policies, without the read of the revision.
func BenchmarkAuthorizeWith1000Policies(b *testing.B) {
	i, _ := started(b)
	account := i.account(b, i.organisation, "prod").ID
	var mappings []Mapping
	for n := range 1000 {
		statement := allow(fmt.Sprintf("elastigroup:describe%d*", n), "elastigroup:scale*", "ocean:*")
		statement.Resources = []string{fmt.Sprintf("sig-%08x", n), fmt.Sprintf("o-%08x", n)}
		mappings = append(mappings, Mapping{Policy: i.policy(b, fmt.Sprintf("policy %d", n), ForAccounts, statement), Accounts: []string{"*"}})
	}
	_, secret, err := i.CreateUser(b.Context(), NewUser{User: User{Organisation: i.organisation, Program: true, Name: "robot", PolicyBased: true, Policies: mappings}, Token: "t"})
	must(b, err)
	caller, err := i.Authenticate(b.Context(), bearer(secret))
	must(b, err)
	deed := op.Deed{Need: "elastigroup:scaleUp", Account: account, Object: op.Object{ID: fmt.Sprintf("sig-%08x", 999)}}
	b.ReportAllocs()
	for b.Loop() {
		if err := caller.Rights.Authorize(deed); err != nil {
			b.Fatal(err)
		}
	}
}
