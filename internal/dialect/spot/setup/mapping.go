package setup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

// mappingRows are about a user's mappings to any of the organisation's accounts.
func (d dialect) mappingRows() []op.Row {
	return []op.Row{
		{N: 3, ID: "organization.getUser", Route: "GET /setup/accountUserMapping", Need: "setup:describeSelf", Title: "Show which accounts a user is mapped to", Kind: "spotinst:aws:ec2:group:log", Do: op.Func(d.mappingsOfUser)},
		{N: 14, ID: "account.assignUsersToAccounts", Route: "POST /setup/accountUserMapping", Need: "setup:updateUser", Title: "Map users to accounts", Mutates: true, Body: "setup#/$defs/mappings", Do: op.Func(d.assign)},
	}
}

// permissionRows are about the mappings to one account.
func (d dialect) permissionRows() []op.Row {
	account := d.accountTarget("accountId")
	return []op.Row{
		{N: 15, ID: "account.updateUserPermissions", Route: "PUT /setup/account/{accountId}/user", Need: "setup:updateUser", Title: "Change what a user may do in an account", Target: account, Mutates: true, Body: "setup#/$defs/permission", Do: op.Func(d.permit)},
		{N: 16, ID: "account.detachUser", Route: "DELETE /setup/account/{accountId}/user", Need: "setup:updateUser", Title: "Take a user out of an account", Target: account, Mutates: true, Body: "setup#/$defs/permission", Do: op.Func(d.detach)},
		{N: 17, ID: "account.setExistingUserPermissions", Route: "POST /setup/account/{accountId}/user", Need: "setup:updateUser", Title: "Map a user to an account", Target: account, Mutates: true, Body: "setup#/$defs/permission", Do: op.Func(d.permit)},
		{N: 22, ID: "account.getUsersPermissions", Route: "GET /setup/user/permission", Need: "setup:describeUsers", Title: "List who may do what in an account", Kind: "spotinst:setup:user:permission", Do: op.Func(d.permissions)},
	}
}

// permission maps a user, who is named by id or by e-mail address, to an account.
type permission struct {
	User     string            `json:"userId"`
	Email    string            `json:"userEmail"`
	Account  string            `json:"accountId"`
	Strategy identity.Strategy `json:"permissionStrategy"`
	Role     identity.Role     `json:"role"`
	Policies texts             `json:"policyIds"`
}

// grant leaves out what the strategy has no use for.
func (p permission) grant() identity.Grant {
	if p.Strategy == identity.PolicyBased {
		return identity.Grant{Strategy: p.Strategy, Policies: p.Policies}
	}
	return identity.Grant{Strategy: p.Strategy, Role: p.Role}
}

func (p permission) putInto(u *identity.User) {
	accounts := maps.Clone(u.Accounts)
	if accounts == nil {
		accounts = map[string]identity.Grant{}
	}
	accounts[p.Account] = p.grant()
	u.Accounts = accounts
}

// assign maps all users or, when one mapping is wrong, none.
func (d dialect) assign(ctx context.Context, in createIn) (spot.Done, error) {
	body, err := read[struct{ Mappings []permission }](in.Body)
	if err != nil {
		return spot.Done{}, err
	}
	ids := make([]string, len(body.Mappings))
	at := 0
	here := func(err error) error { return respelled(err, fmt.Sprintf("mappings[%d].", at), nil) }
	for n, m := range body.Mappings {
		at = n
		u, err := d.named(ctx, m.User, m.Email)
		if err != nil {
			return spot.Done{}, here(err)
		}
		ids[n] = u.ID
	}
	return spot.Done{}, here(d.Identity.UpdateUsers(ctx, op.CallOf(ctx).Caller.Organisation, ids, func(n int, u *identity.User) error {
		at = n
		body.Mappings[n].putInto(u)
		return nil
	}))
}

type bodyOfAccountIn struct {
	Account string `path:"accountId"`
	Body    op.Document
}

func (d dialect) permit(ctx context.Context, in bodyOfAccountIn) (spot.Done, error) {
	return spot.Done{}, d.changePermission(ctx, in, func(p permission, u *identity.User) error {
		p.putInto(u)
		return nil
	})
}

func (d dialect) detach(ctx context.Context, in bodyOfAccountIn) (spot.Done, error) {
	return spot.Done{}, d.changePermission(ctx, in, func(p permission, u *identity.User) error {
		if _, mapped := u.Accounts[p.Account]; !mapped {
			return fault.Of(fault.NotFound, "mapping", "User %s is not mapped to account %s.", u.ID, p.Account)
		}
		u.Accounts = maps.Clone(u.Accounts)
		delete(u.Accounts, p.Account)
		return nil
	})
}

func (d dialect) changePermission(ctx context.Context, in bodyOfAccountIn, change func(p permission, u *identity.User) error) error {
	p, err := read[permission](in.Body)
	if err != nil {
		return err
	}
	p.Account = in.Account
	u, err := d.named(ctx, p.User, p.Email)
	if err != nil {
		return err
	}
	_, err = d.Identity.UpdateUser(ctx, op.CallOf(ctx).Caller.Organisation, u.ID, func(u *identity.User) error { return change(p, u) })
	return err
}

type ofUserIn struct {
	Email string `query:"userEmail" doc:"The caller's own mappings when left out."`
}

// mappedAccount is an account that a user is mapped to.
type mappedAccount struct {
	Account  string            `json:"accountId"`
	Strategy identity.Strategy `json:"permissionStrategy,omitempty"` // of a mapping by policies
	Role     identity.Role     `json:"role,omitempty"`
	Policies []string          `json:"policyIds,omitempty"`
}

func (d dialect) mappingsOfUser(ctx context.Context, in ofUserIn) (spot.Items[mappedAccount], error) {
	caller := op.CallOf(ctx).Caller
	user := caller.Subject
	if in.Email != "" && !strings.EqualFold(in.Email, caller.Email) {
		if err := caller.Rights.Authorize(op.Deed{Need: "setup:describeUsers", Reads: true}); err != nil {
			return nil, err
		}
		u, err := d.named(ctx, "", in.Email)
		if err != nil {
			return nil, err
		}
		user = u.ID
	}
	reaches, err := d.Identity.Reaches(ctx, caller.Organisation)
	var items spot.Items[mappedAccount]
	for _, r := range reaches[user] {
		item := mappedAccount{Account: r.Account, Role: r.Grant.Role, Policies: r.Grant.Policies}
		if r.Grant.Strategy == identity.PolicyBased {
			item.Strategy = r.Grant.Strategy
		}
		items = append(items, item)
	}
	return items, err
}

// permitted is what a user may do in the account of the request.
type permitted struct {
	User     string            `json:"userId"`
	Strategy identity.Strategy `json:"permissionStrategy"`
	Role     identity.Role     `json:"role,omitempty"` // of a role-based one
	Policies []string          `json:"policyIds"`
}

func (d dialect) permissions(ctx context.Context, _ struct{}) (spot.Items[permitted], error) {
	call := op.CallOf(ctx)
	reaches, err := d.Identity.Reaches(ctx, call.Caller.Organisation)
	var items spot.Items[permitted]
	for _, user := range slices.Sorted(maps.Keys(reaches)) {
		for _, r := range reaches[user] {
			if r.Account == call.Account {
				items = append(items, permitted{user, r.Grant.Strategy, r.Grant.Role, list(r.Grant.Policies)})
			}
		}
	}
	return items, err
}
