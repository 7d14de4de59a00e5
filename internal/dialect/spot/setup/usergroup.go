package setup

import (
	"context"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

func (d dialect) groupRows() []op.Row {
	group := op.Target{Noun: "user group", Param: "userGroupId"}
	const kind = "spotinst:setup:access:userGroup"
	return []op.Row{
		{ID: "organization.listUserGroups", Route: "GET /setup/access/userGroup", Need: "setup:describeUserGroups", Title: "List user groups", Kind: kind, Do: op.Func(d.userGroups)},
		{ID: "organization.createUserGroup", Route: "POST /setup/access/userGroup", Need: "setup:createUserGroup", Title: "Create a user group", Mutates: true, Kind: kind, Body: "setup#/$defs/userGroupCreate", Do: op.Func(d.createGroup)},
		{ID: "organization.deleteUserGroup", Route: "DELETE /setup/access/userGroup/{userGroupId}", Need: "setup:deleteUserGroup", Title: "Delete a user group", Target: group, Mutates: true, Do: op.Func(d.deleteGroup)},
		{ID: "organization.getUserGroup", Route: "GET /setup/access/userGroup/{userGroupId}", Need: "setup:describeUserGroup", Title: "Show a user group", Target: group, Kind: kind, Do: op.Func(d.userGroup)},
		{ID: "organization.updateUserGroup", Route: "PUT /setup/access/userGroup/{userGroupId}", Need: "setup:updateUserGroup", Title: "Change a user group's name and description", Target: group, Mutates: true, Body: "setup#/$defs/userGroupUpdate", Do: op.Func(d.updateGroup)},
		{ID: "organization.updateUserGroupPolicyMapping", Route: "PUT /setup/access/userGroup/{userGroupId}/policyMapping", Need: "setup:updateUserGroup", Title: "Replace a user group's policies", Target: group, Mutates: true, Body: "setup#/$defs/policyMapping", BodyOptional: true, Do: op.Func(d.mapGroupPolicies)},
		{ID: "organization.updateUserGroupUserMapping", Route: "PUT /setup/access/userGroup/{userGroupId}/userMapping", Need: "setup:updateUserGroup", Title: "Replace a user group's users", Target: group, Mutates: true, Body: "setup#/$defs/userMapping", BodyOptional: true, Do: op.Func(d.mapUsers)},
	}
}

// groupItem is what all views of a user group have in common.
type groupItem struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Created     spot.Time `json:"createdAt"`
}

func groupOf(g identity.Group) groupItem {
	return groupItem{g.ID, g.Name, g.Description, spot.Time(g.Created)}
}

type listedGroup struct {
	groupItem
	Users    int      `json:"usersCount"`
	Policies []string `json:"policyNames"`
}

func (d dialect) userGroups(ctx context.Context, _ struct{}) (spot.Items[listedGroup], error) {
	known, err := d.directory(ctx)
	var items spot.Items[listedGroup]
	for _, g := range known.groups {
		items = append(items, listedGroup{groupOf(g), len(g.Users), known.policyNames(g.Policies)})
	}
	return items, err
}

type createdGroup struct {
	groupItem
	Users    []string  `json:"userIds"`
	Policies []mapping `json:"policies"`
}

func (d dialect) createGroup(ctx context.Context, in createIn) (spot.Items[createdGroup], error) {
	call := op.CallOf(ctx)
	body, err := read[struct {
		Name, Description string
		UserIDs           []string
		Policies          []mapping
	}](in.Body)
	if err != nil {
		return nil, err
	}
	g, err := d.Identity.CreateGroup(ctx, identity.Group{
		Organisation: call.Caller.Organisation, Name: body.Name, Description: body.Description, Users: body.UserIDs, Policies: mappings(body.Policies),
	})
	if err != nil {
		return nil, err
	}
	item := createdGroup{groupOf(g), list(g.Users), []mapping{}}
	for _, m := range g.Policies {
		item.Policies = append(item.Policies, mapping{Policy: m.Policy, Accounts: list(m.Accounts)})
	}
	return spot.One(item), nil
}

type groupIn struct {
	Group string `path:"userGroupId"`
}

func (d dialect) deleteGroup(ctx context.Context, in groupIn) (spot.Done, error) {
	_, err := d.Identity.DeleteGroup(ctx, op.CallOf(ctx).Caller.Organisation, in.Group)
	return spot.Done{}, err
}

type shownGroup struct {
	groupItem
	Users    []groupUser `json:"users"`
	Policies []mapping   `json:"policies"`
}

type groupUser struct {
	ID   string `json:"userId"`
	Name string `json:"userName"`
	Type string `json:"type"`
}

func (d dialect) userGroup(ctx context.Context, in groupIn) (spot.Items[shownGroup], error) {
	organisation := op.CallOf(ctx).Caller.Organisation
	g, err := d.Identity.Group(ctx, organisation, in.Group)
	if err != nil {
		return nil, err
	}
	known, err := d.directory(ctx)
	if err != nil {
		return nil, err
	}
	item := shownGroup{groupOf(g), []groupUser{}, known.mappings(g.Policies)}
	for _, id := range g.Users {
		u, err := d.Identity.User(ctx, organisation, id)
		if err != nil {
			return nil, err
		}
		item.Users = append(item.Users, groupUser{u.ID, u.Name, typeOf(u)})
	}
	return spot.One(item), nil
}

type bodyOfGroupIn struct {
	groupIn
	Body op.Document
}

func (d dialect) updateGroup(ctx context.Context, in bodyOfGroupIn) (spot.Done, error) {
	return changeGroup(ctx, d, in, func(g *identity.Group, body struct{ Name, Description *string }) {
		if body.Name != nil {
			g.Name = *body.Name
		}
		if body.Description != nil {
			g.Description = *body.Description
		}
	})
}

func (d dialect) mapGroupPolicies(ctx context.Context, in bodyOfGroupIn) (spot.Done, error) {
	return changeGroup(ctx, d, in, func(g *identity.Group, body struct{ Policies []mapping }) { g.Policies = mappings(body.Policies) })
}

func (d dialect) mapUsers(ctx context.Context, in bodyOfGroupIn) (spot.Done, error) {
	return changeGroup(ctx, d, in, func(g *identity.Group, body struct{ UserIDs []string }) { g.Users = body.UserIDs })
}

func changeGroup[T any](ctx context.Context, d dialect, in bodyOfGroupIn, change func(g *identity.Group, body T)) (spot.Done, error) {
	body, err := read[T](in.Body)
	if err != nil {
		return spot.Done{}, err
	}
	_, err = d.Identity.UpdateGroup(ctx, op.CallOf(ctx).Caller.Organisation, in.Group, func(g *identity.Group) error {
		change(g, body)
		return nil
	})
	return spot.Done{}, err
}
