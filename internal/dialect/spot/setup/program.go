package setup

import (
	"context"
	"maps"
	"slices"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

func (d dialect) programRows() []op.Row {
	user := op.Target{Noun: "user", Param: "userId"}
	const kind = "spotinst:setup:programmaticUser"
	return []op.Row{
		{N: 5, ID: "organization.createProgrammaticUser", Route: "POST /setup/user/programmatic", Need: "setup:createProgrammaticUser", Title: "Create a programmatic user with a token", Mutates: true, Kind: kind, Body: "setup#/$defs/programCreate", Do: op.Func(d.createProgram)},
		{N: 6, ID: "organization.getAllProgrammaticUsers", Route: "GET /setup/user/programmatic", Need: "setup:describeUsers", Title: "List programmatic users", Kind: kind, Do: op.Func(d.programs)},
		{N: 7, ID: "organization.updateProgrammaticUser", Route: "PUT /setup/user/programmatic/{userId}", Need: "setup:updateUser", Title: "Change a programmatic user", Target: user, Mutates: true, Kind: kind, Body: "setup#/$defs/programUpdate", Do: op.Func(d.updateProgram)},
		{N: 8, ID: "organization.getProgrammaticUser", Route: "GET /setup/user/programmatic/{userId}", Need: "setup:describeUser", Title: "Show a programmatic user", Target: user, Kind: kind, Do: op.Func(d.program)},
		{N: 9, ID: "organization.deleteProgrammaticUser", Route: "DELETE /setup/user/programmatic/{userId}/account", Need: "setup:deleteUser", Title: "Delete a programmatic user with its tokens", Target: user, Mutates: true, Do: op.Func(d.deleteProgram)},
	}
}

// accountRole maps a programmatic user to an account.
type accountRole struct {
	ID   string        `json:"id"`
	Role identity.Role `json:"role"`
}

// accountRoles are a user's mappings by role, in the order of the accounts' ids.
func accountRoles(u identity.User) []accountRole {
	roles := []accountRole{}
	for _, id := range slices.Sorted(maps.Keys(u.Accounts)) {
		if g := u.Accounts[id]; g.Strategy == identity.RoleBased {
			roles = append(roles, accountRole{id, g.Role})
		}
	}
	return roles
}

// programFields are where a body has what identity speaks of.
func programFields() map[string]string {
	return map[string]string{"accountId": "accounts.id", "role": "accounts.role"}
}

type createIn struct{ Body op.Document }

type newProgram struct {
	Name        string        `json:"name"`
	Description string        `json:"description"`
	Accounts    []accountRole `json:"accounts"`
	Policies    []mapping     `json:"policies"`
	Groups      []string      `json:"userGroupIds"`
}

func grants(roles []accountRole) map[string]identity.Grant {
	all := map[string]identity.Grant{}
	for _, r := range roles {
		all[r.ID] = identity.Grant{Strategy: identity.RoleBased, Role: r.Role}
	}
	return all
}

type createdProgram struct {
	Token string `json:"token"`
	Name  string `json:"name"`
	ID    string `json:"id"`
}

func (d dialect) createProgram(ctx context.Context, in createIn) (spot.Items[createdProgram], error) {
	call := op.CallOf(ctx)
	body, err := read[newProgram](in.Body)
	if err != nil {
		return nil, err
	}
	u, secret, err := d.Identity.CreateUser(ctx, identity.NewUser{Groups: body.Groups, Token: firstToken, User: identity.User{
		Organisation: call.Caller.Organisation, Program: true, Name: body.Name, Description: body.Description,
		Accounts: grants(body.Accounts), Policies: mappings(body.Policies), PolicyBased: len(body.Policies) > 0,
	}})
	if err != nil {
		return nil, respelled(err, "", programFields())
	}
	return spot.One(createdProgram{secret, u.Name, u.ID}), nil
}

type programItem struct {
	ID          string        `json:"id"`
	Name        string        `json:"userName"`
	Description string        `json:"description"`
	Accounts    []accountRole `json:"accounts"`
}

func programOf(u identity.User) programItem {
	return programItem{u.ID, u.Name, u.Description, accountRoles(u)}
}

func (d dialect) programs(ctx context.Context, _ struct{}) (spot.Items[programItem], error) {
	all, err := d.Identity.Users(ctx, op.CallOf(ctx).Caller.Organisation)
	var items spot.Items[programItem]
	for _, u := range all {
		if u.Program {
			items = append(items, programOf(u))
		}
	}
	return items, err
}

// one finds a programmatic user; a person is none.
func (d dialect) one(ctx context.Context, id string) (identity.User, error) {
	u, err := d.Identity.User(ctx, op.CallOf(ctx).Caller.Organisation, id)
	if err == nil && !u.Program {
		err = fault.Missing("user", id)
	}
	return u, err
}

func (d dialect) program(ctx context.Context, in userIn) (spot.Items[programItem], error) {
	u, err := d.one(ctx, in.User)
	if err != nil {
		return nil, err
	}
	return spot.One(programOf(u)), nil
}

// updateProgram replaces the user's roles in accounts; mappings by policies stay.
func (d dialect) updateProgram(ctx context.Context, in bodyOfUserIn) (spot.Items[programItem], error) {
	body, err := read[struct {
		Description *string
		Accounts    []accountRole
	}](in.Body)
	if err != nil {
		return nil, err
	}
	u, err := d.Identity.UpdateUser(ctx, op.CallOf(ctx).Caller.Organisation, in.User, func(u *identity.User) error {
		if !u.Program {
			return fault.Missing("user", in.User)
		}
		if body.Description != nil {
			u.Description = *body.Description
		}
		wanted := grants(body.Accounts)
		for id, g := range u.Accounts {
			if _, replaced := wanted[id]; !replaced && g.Strategy == identity.PolicyBased {
				wanted[id] = g
			}
		}
		u.Accounts = wanted
		return nil
	})
	if err != nil {
		return nil, respelled(err, "", programFields())
	}
	return spot.One(programOf(u)), nil
}

func (d dialect) deleteProgram(ctx context.Context, in userIn) (spot.Done, error) {
	if _, err := d.one(ctx, in.User); err != nil {
		return spot.Done{}, err
	}
	return d.deleteUser(ctx, in)
}
