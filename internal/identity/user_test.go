package identity

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity/policy"
	"github.com/neap-cloud/neap/internal/store"
)

func (i tested) human(t testing.TB, organisation, email string, change ...func(*NewUser)) (User, string) {
	t.Helper()
	n := NewUser{User: User{Organisation: organisation, Email: email, First: "Ada", Last: "Byron"}}
	for _, c := range change {
		c(&n)
	}
	made, secret, err := i.CreateUser(t.Context(), n)
	must(t, err)
	return made, secret
}

func TestAUserIsKnownByIdNumberAndAddress(t *testing.T) {
	i, _ := started(t)
	made, secret := i.human(t, i.organisation, "ada@example.com", func(n *NewUser) { n.Token = "first" })
	check(t, "name", made.Name, "Ada Byron")
	read, err := i.User(t.Context(), i.organisation, made.ID)
	must(t, err)
	check(t, "number", read.Number, made.Number)
	found, err := i.FindUser(t.Context(), i.organisation, "ADA@example.com", func(u User) bool { return strings.EqualFold(u.Email, "ADA@example.com") })
	must(t, err)
	check(t, "found", found.ID, made.ID)
	caller, err := i.Authenticate(t.Context(), bearer(secret))
	must(t, err)
	check(t, "caller", caller.Email, "ada@example.com")
	robot, _ := i.person(t, User{Name: "robot"})
	read, err = i.User(t.Context(), i.organisation, strings.Replace(robot.ID, "pu-", "pu_", 1))
	must(t, err)
	check(t, "an older spelling of a robot's id", read.ID, robot.ID)
}

func TestDeletingAUserKillsItsTokensAndLeavesNoTrace(t *testing.T) {
	i, _ := started(t)
	team, err := i.CreateGroup(t.Context(), Group{Organisation: i.organisation, Name: "team"})
	must(t, err)
	made, secret := i.human(t, i.organisation, "ada@example.com", func(n *NewUser) { n.Token, n.Groups = "first", []string{team.ID} })
	_, err = i.DeleteUser(t.Context(), i.organisation, made.ID)
	must(t, err)
	_, err = i.Authenticate(t.Context(), bearer(secret))
	check(t, "token", fault.KindOf(err), fault.Unauthenticated)
	team, err = i.Group(t.Context(), i.organisation, team.ID)
	must(t, err)
	check(t, "members", len(team.Users), 0)
	_, err = i.User(t.Context(), i.organisation, made.ID)
	check(t, "user", fault.KindOf(err), fault.NotFound)
}

func TestADisabledUserIsNobodyMeanwhile(t *testing.T) {
	i, _ := started(t)
	made, secret := i.human(t, i.organisation, "ada@example.com", func(n *NewUser) { n.Token = "first" })
	for _, disabled := range []bool{true, false, true} {
		_, err := i.UpdateUser(t.Context(), i.organisation, made.ID, func(u *User) error { u.Disabled = disabled; return nil })
		must(t, err)
		_, err = i.Authenticate(t.Context(), bearer(secret))
		check(t, "refused", err != nil, disabled)
	}
}

// everything is what the database holds of identity, but for revisions.
func (i tested) everything(t testing.TB) (all []any) {
	t.Helper()
	for _, table := range []string{"organisations", "accounts", "users", "user_groups", "policies", "tokens", "credentials"} {
		docs, _, err := (store.Collection[any]{Table: table}).List(t.Context(), i.db, store.Installation(), store.Query{})
		must(t, err)
		for _, d := range docs {
			all = append(all, d.ID, d.State, d.Value)
		}
	}
	return all
}

func TestBadInputChangesNothing(t *testing.T) {
	i, _ := started(t)
	ctx, org := t.Context(), i.organisation
	first := i.account(t, org, "first").ID
	ada, _ := i.human(t, org, "ada@example.com")
	team, err := i.CreateGroup(ctx, Group{Organisation: org, Name: "team", Users: []string{ada.ID}})
	must(t, err)
	scale := i.policy(t, "scale", ForAccounts, allow("elastigroup:scale*"))
	whole := i.policy(t, "whole", ForOrganisation, allow("*"))
	owner, err := i.Organisation(ctx, org)
	must(t, err)
	user := func(u User) error {
		u.Organisation = org
		_, _, err := i.CreateUser(ctx, NewUser{User: u})
		return err
	}
	group := func(g Group) error { g.Organisation = org; _, err := i.CreateGroup(ctx, g); return err }
	document := func(name string, s ...policy.Statement) error {
		_, err := i.CreatePolicy(ctx, Policy{Organisation: org, Name: name, Content: policy.Document{Statements: s}})
		return err
	}
	conditioned := func(condition string) policy.Statement { s := allow("*"); s.Condition = []byte(condition); return s }
	many := allow("*")
	for range longestPolicy + 1 {
		many.Actions = append(many.Actions, "elastigroup:scaleUp")
	}
	for what, c := range map[string]struct {
		err   error
		kind  fault.Kind
		field string
	}{
		"an address twice":            {user(User{Email: "Ada@Example.com"}), fault.Exists, "email"},
		"no address":                  {user(User{Name: "Ada"}), fault.Invalid, "email"},
		"a robot twice":               {user(User{Program: true, Name: ownerName}), fault.Exists, "name"},
		"a sign in a name":            {user(User{Program: true, Name: "a+b"}), fault.Invalid, "name"},
		"an unknown role":             {user(User{Email: "x@example.com", Role: "king"}), fault.Invalid, "role"},
		"an unknown account":          {user(User{Email: "x@example.com", Accounts: map[string]Grant{"act-00000000": {Role: Viewer}}}), fault.Invalid, "accountId"},
		"no role in an account":       {user(User{Email: "x@example.com", Accounts: map[string]Grant{first: {}}}), fault.Invalid, "role"},
		"an unknown policy":           {user(User{Email: "x@example.com", Policies: []Mapping{{Policy: "pol-00000000", Accounts: []string{"*"}}}}), fault.Invalid, "policies.policyId"},
		"no accounts for a policy":    {user(User{Email: "x@example.com", Policies: []Mapping{{Policy: scale}}}), fault.Invalid, "policies.accountIds"},
		"accounts for the whole":      {user(User{Email: "x@example.com", Policies: []Mapping{{Policy: whole, Accounts: []string{"*"}}}}), fault.Invalid, "policies.accountIds"},
		"a team twice":                {group(Group{Name: "Team"}), fault.Exists, "name"},
		"an unknown member":           {group(Group{Name: "other", Users: []string{ada.ID, "u-00000000"}}), fault.Invalid, "userIds"},
		"an unknown team":             {i.SetGroups(ctx, org, ada.ID, []string{"ugr-00000000"}), fault.Invalid, "userGroupIds"},
		"an unknown user in teams":    {i.SetGroups(ctx, org, "u-00000000", []string{team.ID}), fault.NotFound, ""},
		"an unknown user among many":  {i.UpdateUsers(ctx, org, []string{ada.ID, "u-00000000"}, func(_ int, u *User) error { u.Phone = "1"; return nil }), fault.NotFound, ""},
		"an empty policy":             {document("empty"), fault.Invalid, "policy.policyContent.statements"},
		"a policy twice":              {document("scale", allow("*")), fault.Exists, "policy.name"},
		"a bad expression":            {document("bad", conditioned(`{"StringPatternMatch": {"spot:elastigroup:name": "("}}`)), fault.Invalid, ""},
		"and with one operator":       {document("bad", conditioned(`{"And": {"StringEquals": {"spot:elastigroup:name": "x"}}}`)), fault.Invalid, ""},
		"an endless policy":           {document("endless", many), fault.Invalid, "policy.policyContent.statements"},
		"an account twice":            {second(i.AddAccount(ctx, Account{Organisation: org, Name: "first"})), fault.Exists, "account.name"},
		"the default account":         {i.DeleteAccount(ctx, org, first), fault.Conflict, ""},
		"the last administrator":      {second(i.UpdateUser(ctx, org, owner.Owner, func(u *User) error { u.Role = Viewer; return nil })), fault.Conflict, ""},
		"the last, disabled":          {second(i.UpdateUser(ctx, org, owner.Owner, func(u *User) error { u.Disabled = true; return nil })), fault.Conflict, ""},
		"the owner":                   {second(i.DeleteUser(ctx, org, owner.Owner)), fault.Conflict, ""},
		"the team of everyone":        {second(i.DeleteGroup(ctx, org, owner.Everyone)), fault.Conflict, ""},
		"a standard policy":           {i.DeletePolicy(ctx, org, standardPrefix+"1"), fault.Conflict, ""},
		"another type of policy":      {second(i.UpdatePolicy(ctx, org, scale, func(p *Policy) error { p.Type = ForOrganisation; return nil })), fault.Invalid, "policy.type"},
		"a weak password":             {second2(i.CreateUser(ctx, NewUser{User: User{Organisation: org, Email: "x@example.com"}, Password: "password1234"})), fault.Invalid, "password"},
		"the organisation in command": {second(i.CloseOrganisation(ctx, org, org)), fault.Conflict, ""},
	} {
		if known := fault.As(c.err); fault.KindOf(c.err) != c.kind || c.field != "" && known.Field != c.field {
			t.Errorf("%s: %v (%s about %q)", what, c.err, fault.KindOf(c.err), known.Field)
		}
	}
	list, err := i.Users(ctx, org)
	must(t, err)
	check(t, "users", len(list), 2)
}

func second[T any](_ T, err error) error          { return err }
func second2[T, U any](_ T, _ U, err error) error { return err }

func TestARefusedChangeLeavesTheDatabaseAsItIs(t *testing.T) {
	i, _ := started(t)
	ada, _ := i.human(t, i.organisation, "ada@example.com")
	bob, _ := i.human(t, i.organisation, "bob@example.com")
	before := i.everything(t)
	err := i.UpdateUsers(t.Context(), i.organisation, []string{ada.ID, bob.ID, "u-00000000"}, func(_ int, u *User) error { u.Role = Viewer; return nil })
	check(t, "kind", fault.KindOf(err), fault.NotFound)
	if after := i.everything(t); !reflect.DeepEqual(before, after) {
		t.Errorf("before %v\nafter  %v", before, after)
	}
}

func TestOrganisationsWithEqualNamesNeverMeet(t *testing.T) {
	i, _ := started(t)
	ctx := t.Context()
	other, err := i.AddOrganisation(ctx, i.organisation, "Neap")
	must(t, err)
	for _, org := range []string{i.organisation, other.ID} {
		i.account(t, org, "prod")
		user, _ := i.human(t, org, "ada@example.com")
		_, err := i.CreateGroup(ctx, Group{Organisation: org, Name: "team", Users: []string{user.ID}})
		must(t, err)
		_, err = i.CreatePolicy(ctx, Policy{Organisation: org, Name: "scale", Content: policy.Document{Statements: []policy.Statement{allow("*")}}})
		must(t, err)
	}
	seen := map[string]string{}
	for _, org := range []string{i.organisation, other.ID} {
		ids := []string{}
		people, err := i.Users(ctx, org)
		must(t, err)
		teams, err := i.Groups(ctx, org)
		must(t, err)
		list, err := i.Accounts(ctx, org)
		must(t, err)
		documents, err := i.Policies(ctx, org)
		must(t, err)
		for _, u := range people {
			ids = append(ids, u.ID)
		}
		for _, g := range teams {
			ids = append(ids, g.ID)
		}
		for _, p := range documents {
			if !p.Standard {
				ids = append(ids, p.ID)
			}
		}
		check(t, "what there is", len(append(ids, accountIDs(list)...)), 2+1+1+1)
		for _, id := range ids {
			if first, twice := seen[id]; twice {
				t.Errorf("%s is in %s and %s", id, first, org)
			}
			seen[id] = org
			for _, look := range []error{second(i.User(ctx, i.elsewhere(org, other.ID), id)), second(i.Group(ctx, i.elsewhere(org, other.ID), id))} {
				check(t, id, fault.KindOf(look), fault.NotFound)
			}
		}
	}
}

func (i tested) elsewhere(org, other string) string {
	if org == other {
		return i.organisation
	}
	return other
}

func TestAClosedOrganisationIsReadAndNotChanged(t *testing.T) {
	i, _ := started(t)
	ctx := t.Context()
	child, err := i.AddOrganisation(ctx, i.organisation, "Child")
	must(t, err)
	_, secret := i.human(t, child.ID, "ada@example.com", func(n *NewUser) { n.Token = "t" })
	_, err = i.CloseOrganisation(ctx, "100000000000", child.ID)
	check(t, "a stranger", fault.KindOf(err), fault.NotFound)
	i.occupied = func(context.Context, string) (string, error) { return "3 groups", nil }
	i.account(t, child.ID, "busy")
	_, err = i.CloseOrganisation(ctx, i.organisation, child.ID)
	check(t, "while something runs", fault.KindOf(err), fault.Conflict)
	i.occupied = nil
	closed, err := i.CloseOrganisation(ctx, i.organisation, child.ID)
	must(t, err)
	check(t, "closed", closed.Closed.IsZero(), false)
	_, err = i.Authenticate(ctx, bearer(secret))
	check(t, "a token of it", fault.KindOf(err), fault.Unauthenticated)
	_, err = i.AddAccount(ctx, Account{Organisation: child.ID, Name: "new"})
	check(t, "a change", fault.KindOf(err), fault.Denied)
}
