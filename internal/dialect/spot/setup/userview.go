package setup

import (
	"context"
	"slices"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

// mapping is a policy as it is given to a user or a group. Answers have its name and type, too.
type mapping struct {
	Policy   string   `json:"policyId"`
	Name     string   `json:"policyName,omitempty"`
	Type     string   `json:"policyType,omitempty"`
	Accounts []string `json:"accountIds"`
	Names    []string `json:"accountNames,omitempty"`
}

func mappings(given []mapping) (list []identity.Mapping) {
	for _, m := range given {
		list = append(list, identity.Mapping{Policy: m.Policy, Accounts: m.Accounts})
	}
	return list
}

// directory is what an organisation's users are shown with.
type directory struct {
	groups   []identity.Group
	policies []identity.Policy
	accounts []identity.Account
}

func (d dialect) directory(ctx context.Context) (all directory, err error) {
	organisation := op.CallOf(ctx).Caller.Organisation
	if all.groups, err = d.Identity.Groups(ctx, organisation); err != nil {
		return all, err
	}
	if all.policies, err = d.Identity.Policies(ctx, organisation); err != nil {
		return all, err
	}
	all.accounts, err = d.Identity.Accounts(ctx, organisation)
	return all, err
}

func (d *directory) policy(id string) identity.Policy {
	if at := slices.IndexFunc(d.policies, func(p identity.Policy) bool { return p.ID == id }); at >= 0 {
		return d.policies[at]
	}
	return identity.Policy{ID: id}
}

// policyNames are those of mappings.
func (d *directory) policyNames(given []identity.Mapping) []string {
	names := []string{}
	for _, m := range given {
		names = append(names, d.policy(m.Policy).Name)
	}
	return names
}

func (d *directory) mappings(given []identity.Mapping) []mapping {
	items := []mapping{}
	for _, m := range given {
		p := d.policy(m.Policy)
		items = append(items, mapping{p.ID, p.Name, string(p.Type), list(m.Accounts), d.accountNames(m.Accounts)})
	}
	return items
}

func (d *directory) accountNames(ids []string) (names []string) {
	for _, a := range d.accounts {
		if slices.Contains(ids, a.ID) {
			names = append(names, a.Name)
		}
	}
	return names
}

// groupsOf are the groups that a user was put into.
func (d *directory) groupsOf(user string) []userGroup {
	items := []userGroup{}
	for _, g := range d.groups {
		if slices.Contains(g.Users, user) {
			items = append(items, userGroup{g.ID, g.Name, d.policyNames(g.Policies)})
		}
	}
	return items
}

// userGroup is a group within a user.
type userGroup struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Policies []string `json:"policyNames"`
}

// userItem is what lists and details of users have in common.
type userItem struct {
	ID    string `json:"userId"`
	Name  string `json:"username"`
	Type  string `json:"type"` // "personal", "programmatic"
	Email string `json:"email,omitempty"`
	MFA   bool   `json:"mfa"`
}

func itemOf(u identity.User) userItem {
	return userItem{u.ID, u.Name, typeOf(u), u.Email, u.MFA}
}

func typeOf(u identity.User) string {
	if u.Program {
		return "programmatic"
	}
	return "personal"
}

type listedUser struct {
	userItem
	Groups []string `json:"groupNames"`
}

func (d dialect) organisationUsers(ctx context.Context, _ struct{}) (spot.Items[listedUser], error) {
	all, err := d.Identity.Users(ctx, op.CallOf(ctx).Caller.Organisation)
	if err != nil {
		return nil, err
	}
	known, err := d.directory(ctx)
	items := make(spot.Items[listedUser], 0, len(all))
	for _, u := range all {
		names := []string{}
		for _, g := range known.groupsOf(u.ID) {
			names = append(names, g.Name)
		}
		items = append(items, listedUser{itemOf(u), names})
	}
	return items, err
}

// shownUser has no id beside userId: clients read it as a number of a person, and as a text of a program.
type shownUser struct {
	userItem
	Groups   []userGroup `json:"groups"`
	Policies []mapping   `json:"policies"`
	Tokens   []token     `json:"tokens"`

	// What clients read of a program.
	Program     string        `json:"name,omitempty"`
	Description string        `json:"description,omitempty"`
	Accounts    []accountRole `json:"accounts,omitempty"`
	GroupIDs    []string      `json:"userGroupIds,omitempty"`
}

type token struct {
	Name    string    `json:"name"`
	Created spot.Time `json:"createdAt"`
	Number  int       `json:"tokenId"`
	Last    string    `json:"tokenLastDigits"`
}

func (d dialect) user(ctx context.Context, in userIn) (spot.Items[shownUser], error) {
	organisation := op.CallOf(ctx).Caller.Organisation
	u, err := d.Identity.User(ctx, organisation, in.User)
	if err != nil {
		return nil, err
	}
	known, err := d.directory(ctx)
	if err != nil {
		return nil, err
	}
	held, err := d.Identity.Tokens(ctx, organisation)
	if err != nil {
		return nil, err
	}
	item := shownUser{userItem: itemOf(u), Groups: known.groupsOf(u.ID), Policies: known.mappings(u.Policies), Tokens: []token{}}
	for _, t := range held {
		if t.User == u.ID {
			item.Tokens = append(item.Tokens, token{t.Name, spot.Time(t.Created), t.Number, t.Last})
		}
	}
	if u.Program {
		item.Program, item.Description, item.Accounts = u.Name, u.Description, accountRoles(u)
		for _, g := range item.Groups {
			item.GroupIDs = append(item.GroupIDs, g.ID)
		}
	}
	return spot.One(item), nil
}
