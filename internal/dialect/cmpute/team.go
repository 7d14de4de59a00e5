package cmpute

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

func (d Deps) teamRows() []op.Row {
	byID, byName := op.Target{Noun: "team", Param: "teamId"}, op.Target{Noun: "team", Param: "teamName"}
	return section("Teams",
		op.Row{N: 11, ID: "teams.list", Route: "GET /api/v2/Teams", Need: "setup:describeTeams", Title: "List teams", Kind: "Teams", NoAccount: true, Do: op.Func(d.allTeams)},
		op.Row{N: 12, ID: "teams.read", Route: "GET /api/v2/Teams/{teamId}", Need: "setup:describeTeam", Title: "Read one team", Kind: "Team", NoAccount: true, Target: byID, Do: op.Func(d.team)},
		op.Row{N: 13, ID: "teams.create", Route: "POST /api/v2/Teams", Need: "setup:createUserGroup", Title: "Create a team", Kind: "Success", NoAccount: true, Mutates: true, Do: op.Func(d.createTeam)},
		op.Row{N: 14, ID: "teams.change", Route: "PUT /api/v2/Teams/{teamId}", Need: "setup:updateUserGroup", Title: "Change a team", Kind: "Success", NoAccount: true, Target: byID, Mutates: true, Do: op.Func(d.changeTeam)},
		op.Row{N: 15, ID: "teams.delete", Route: "DELETE /api/v2/Teams/{teamId}", Need: "setup:deleteUserGroup", Title: "Delete a team", Kind: "Success", NoAccount: true, Target: byID, Mutates: true, Do: op.Func(d.deleteTeam)},
		op.Row{N: 16, ID: "teams.members", Route: "GET /api/v2/Teams/{teamName}/Users", Need: "setup:describeTeam", Title: "List members of a team", Kind: "Users", NoAccount: true, Target: byName, Do: op.Func(d.members)},
		op.Row{N: 17, ID: "teams.addMembers", Route: "POST /api/v2/Teams/{teamName}/Users", Need: "setup:updateUserGroup", Title: "Add members to a team", Kind: "Success", NoAccount: true, Target: byName, Mutates: true, Do: op.Func(d.addMembers)},
	)
}

type team struct {
	ID          string `json:"Id"`
	IsDefault   bool
	Description *string
	Name        string
}

// teams are those of one organisation.
type teams struct {
	all      []identity.Group
	everyone string // id of the default one, which has every user
}

func (d Deps) teams(ctx context.Context) (t teams, err error) {
	t.all, t.everyone, err = d.Identity.Teams(ctx, op.CallOf(ctx).Caller.Organisation)
	return t, err
}

// find is the team of an id or a name.
func (t teams) find(text string) (identity.Group, error) {
	id, _ := fromWire(teamLetter, teamPrefix, text)
	at := slices.IndexFunc(t.all, func(g identity.Group) bool { return g.ID == id })
	if at < 0 {
		at = slices.IndexFunc(t.all, func(g identity.Group) bool { return strings.EqualFold(g.Name, text) })
	}
	if at < 0 {
		return identity.Group{}, fault.Missing("team", text)
	}
	return t.all[at], nil
}

// named finds the team of a row's address, and names it for the audit.
func (d Deps) named(ctx context.Context, text string) (identity.Group, teams, error) {
	t, err := d.teams(ctx)
	if err != nil {
		return identity.Group{}, t, err
	}
	g, err := t.find(text)
	if err == nil {
		op.CallOf(ctx).Object = g.ID
	}
	return g, t, err
}

// ids are those of the teams that a form names; nil = it names none.
func (t teams) ids(f *form) (ids []string) {
	named := f.list("Teams")
	if named != nil {
		ids = []string{}
	}
	for _, name := range named {
		g, err := t.find(name)
		if err != nil {
			f.wrong("Teams", "there is no team %.40q", name)
		}
		ids = append(ids, g.ID)
	}
	return ids
}

// names are those of an account's teams, of which the default one is silent.
func (t teams) names(ids []string) (names []string) {
	for _, g := range t.all {
		if slices.Contains(ids, g.ID) || len(ids) == 0 && g.ID == t.everyone {
			names = append(names, g.Name)
		}
	}
	return names
}

func (t teams) shown(g identity.Group) team {
	one := team{ID: toWire(teamLetter, teamPrefix, g.ID), IsDefault: g.ID == t.everyone, Name: g.Name}
	if g.Description != "" {
		one.Description = &g.Description
	}
	return one
}

func (t teams) page(all []identity.Group, token string) (list[team], error) {
	shown := make([]team, len(all))
	for n, g := range all {
		shown[n] = t.shown(g)
	}
	return pageOf(shown, token, func(one team) string { return strings.ToLower(one.Name) })
}

func (d Deps) ownTeams(ctx context.Context, in paged) (list[team], error) {
	t, err := d.teams(ctx)
	if err != nil {
		return list[team]{}, err
	}
	caller := op.CallOf(ctx).Caller.Subject
	own := slices.DeleteFunc(slices.Clone(t.all), func(g identity.Group) bool { return g.ID != t.everyone && !slices.Contains(g.Users, caller) })
	return t.page(own, in.Token)
}

func (d Deps) allTeams(ctx context.Context, in paged) (list[team], error) {
	t, err := d.teams(ctx)
	if err != nil {
		return list[team]{}, err
	}
	return t.page(t.all, in.Token)
}

type oneTeam struct {
	Team string `path:"teamId"`
}

func (d Deps) team(ctx context.Context, in oneTeam) (team, error) {
	g, t, err := d.named(ctx, in.Team)
	return t.shown(g), err
}

// checkTeamName is this API's own bound, narrower than identity's.
func checkTeamName(f *form, name string) {
	if n := utf8.RuneCountInString(name); n > 100 {
		f.wrong("Name", "must have at most 100 characters, not %d", n)
	}
}

func (d Deps) createTeam(ctx context.Context, in withBody) (bool, error) {
	f, err := formOf(ctx, in.Body)
	if err != nil {
		return false, err
	}
	g := identity.Group{Organisation: op.CallOf(ctx).Caller.Organisation, Name: f.required("Name"), Description: given(f.text("Description"), "")}
	checkTeamName(f, g.Name)
	if err := f.check(); err != nil {
		return false, err
	}
	_, err = d.Identity.CreateGroup(ctx, g)
	return err == nil, err
}

func (d Deps) changeTeam(ctx context.Context, in struct {
	oneTeam
	Body op.Document
}) (bool, error) {
	f, err := formOf(ctx, in.Body)
	if err != nil {
		return false, err
	}
	g, _, err := d.named(ctx, in.Team)
	if err != nil {
		return false, err
	}
	if id := f.text("Id"); id != nil && *id != toWire(teamLetter, teamPrefix, g.ID) {
		f.wrong("Id", "must be that of the address, not %.40q", *id)
	}
	name, description := f.text("Name"), f.text("Description")
	checkTeamName(f, given(name, ""))
	if err := f.check(); err != nil {
		return false, err
	}
	_, err = d.Identity.UpdateGroup(ctx, g.Organisation, g.ID, func(g *identity.Group) error {
		g.Name, g.Description = given(name, g.Name), given(description, g.Description)
		return nil
	})
	return err == nil, err
}

func (d Deps) deleteTeam(ctx context.Context, in oneTeam) (bool, error) {
	g, _, err := d.named(ctx, in.Team)
	if err != nil {
		return false, err
	}
	_, err = d.Identity.DeleteGroup(ctx, g.Organisation, g.ID)
	return err == nil, err
}

type colleague struct {
	UserName    string
	Email       string
	DisplayName string
}

func (d Deps) members(ctx context.Context, in struct {
	paged
	Team string `path:"teamName"`
}) (list[colleague], error) {
	g, t, err := d.named(ctx, in.Team)
	if err != nil {
		return list[colleague]{}, err
	}
	all, err := d.Identity.Users(ctx, g.Organisation)
	if err != nil {
		return list[colleague]{}, err
	}
	of := slices.DeleteFunc(all, func(u identity.User) bool { return g.ID != t.everyone && !slices.Contains(g.Users, u.ID) })
	page, err := pageOf(of, in.Token, func(u identity.User) string { return byNumber(u.Number) })
	shown := list[colleague]{Next: page.Next}
	for _, u := range page.Items {
		shown.Items = append(shown.Items, colleague{UserName: userName(u), Email: u.Email, DisplayName: cmp.Or(u.Name, u.Email)})
	}
	return shown, err
}

// addMembers adds all or none. Everybody is in the default team already.
func (d Deps) addMembers(ctx context.Context, in struct {
	Team string `path:"teamName"`
	Body op.Document
}) (bool, error) {
	f, err := formOf(ctx, in.Body)
	if err != nil {
		return false, err
	}
	g, t, err := d.named(ctx, in.Team)
	if err != nil {
		return false, err
	}
	names := f.list("UserName")
	if len(names) == 0 {
		f.wrong("UserName", "UserName is required")
	}
	if err := f.check(); err != nil {
		return false, err
	}
	all, err := d.Identity.Users(ctx, g.Organisation)
	if err != nil {
		return false, err
	}
	ids, err := usersNamed(all, names)
	if err != nil || g.ID == t.everyone {
		return err == nil, err
	}
	_, err = d.Identity.UpdateGroup(ctx, g.Organisation, g.ID, func(g *identity.Group) error {
		g.Users = append(g.Users, ids...) // identity keeps each once
		return nil
	})
	return err == nil, err
}
