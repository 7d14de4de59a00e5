package identity

import (
	"fmt"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

func TestReachesAreTheAccountsInWhichAUserMayDoAnything(t *testing.T) {
	i, _ := started(t)
	first, second := i.account(t, i.organisation, "first"), i.account(t, i.organisation, "second")
	own, err := i.CreatePolicy(t.Context(), Policy{Organisation: i.organisation, Name: "own", Content: i.standard[standardPrefix+"3"].Content})
	must(t, err)
	byRole := func(r Role) Grant { return Grant{Strategy: RoleBased, Role: r} }
	byPolicy := Grant{Strategy: PolicyBased, Policies: []string{own.ID}}
	made := map[string]User{}
	for name, u := range map[string]User{
		"admin":    {Role: Admin},
		"nobody":   {},
		"viewer":   {Role: Viewer},
		"team":     {Role: TeamEditor},
		"operator": {Role: Operator},
		"editor":   {Accounts: map[string]Grant{second.ID: byRole(Editor)}},
		"mapped":   {Accounts: map[string]Grant{second.ID: byPolicy}},
		"policies": {Policies: []Mapping{{own.ID, []string{first.ID}}}, PolicyBased: true},
		"all":      {Policies: []Mapping{{own.ID, []string{"*"}}}, PolicyBased: true},
		"none":     {PolicyBased: true},
		"both":     {Accounts: map[string]Grant{first.ID: byRole(Viewer)}, Policies: []Mapping{{own.ID, []string{"*"}}}},
		"group":    {},
	} {
		u.Organisation, u.Name, u.Program = i.organisation, name, true
		made[name], _, err = i.CreateUser(t.Context(), NewUser{User: u})
		must(t, err)
	}
	_, err = i.CreateGroup(t.Context(), Group{Organisation: i.organisation, Name: "group", Users: []string{made["group"].ID}, Policies: []Mapping{{own.ID, []string{second.ID}}}})
	must(t, err)

	reaches, err := i.Reaches(t.Context(), i.organisation)
	must(t, err)
	for name, want := range map[string][]Reach{
		"admin":    {{first.ID, byRole(Admin)}, {second.ID, byRole(Admin)}},
		"nobody":   nil,
		"viewer":   {{first.ID, byRole(Viewer)}, {second.ID, byRole(Viewer)}},
		"team":     {{first.ID, byRole(Editor)}, {second.ID, byRole(Editor)}},
		"operator": {{first.ID, byRole(Operator)}},
		"editor":   {{second.ID, byRole(Editor)}},
		"mapped":   {{second.ID, byPolicy}},
		"policies": {{first.ID, byPolicy}},
		"all":      {{first.ID, byPolicy}, {second.ID, byPolicy}},
		"none":     {{first.ID, byRole(Viewer)}, {second.ID, byRole(Viewer)}},
		"both":     {{first.ID, byRole(Viewer)}, {second.ID, byPolicy}},
		"group":    {{second.ID, byPolicy}},
	} {
		check(t, "reach of "+name, fmt.Sprint(reaches[made[name].ID]), fmt.Sprint(want))
		secret, _, err := i.CreateToken(t.Context(), i.organisation, NewToken{User: made[name].ID, Name: "token"})
		must(t, err)
		caller, err := i.Authenticate(t.Context(), bearer(secret))
		must(t, err)
		seen, err := i.Visible(t.Context(), caller)
		must(t, err)
		check(t, "accounts that "+name+" sees", len(seen), len(want))
	}
	seen, err := i.Visible(t.Context(), op.Caller{Organisation: i.organisation})
	must(t, err)
	check(t, "accounts that nobody sees", len(seen), 0)
}

func TestAnAppWhoseSecretHasEndedIsNotBelieved(t *testing.T) {
	i, _ := started(t)
	account := i.account(t, i.organisation, "first")
	err := i.SetApp(t.Context(), i.organisation, account.ID, AzureApp{Client: "c", Secret: "s", Tenant: "t", Expires: today().AddDate(0, 0, -1)})
	check(t, "what is wrong", fault.As(err).Field, "expirationDate")
}
