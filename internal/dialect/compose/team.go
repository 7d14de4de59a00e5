package compose

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

// team is a user group on the wire. The group of everyone is none: nobody is put into it.
type team struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Users []user `json:"users"`
}

// teamsOf shows groups with the names of their users.
func (d Deps) teamsOf(ctx context.Context, list ...identity.Group) ([]team, error) {
	everybody, err := d.Identity.Users(ctx, op.CallOf(ctx).Caller.Organisation)
	if err != nil {
		return nil, err
	}
	byID := map[string]user{}
	for _, u := range everybody {
		byID[u.ID] = fromUser(u)
	}
	shown := make([]team, len(list))
	for n, g := range list {
		shown[n] = team{ID: ID(g.ID), Name: g.Name, Users: []user{}}
		for _, id := range g.Users {
			if u, is := byID[id]; is {
				shown[n].Users = append(shown[n].Users, u)
			}
		}
	}
	return shown, nil
}

// shown is teamsOf one group that a call into identity gave.
func (d Deps) shown(ctx context.Context, g identity.Group, err error) (team, error) {
	if err != nil {
		return team{}, err
	}
	list, err := d.teamsOf(ctx, g)
	if err != nil {
		return team{}, err
	}
	return list[0], nil
}

func (d Deps) teams(ctx context.Context, _ nothing) (collection[team], error) {
	call := op.CallOf(ctx)
	list, err := d.Identity.Groups(ctx, call.Caller.Organisation)
	if err != nil {
		return collection[team]{}, err
	}
	list = slices.DeleteFunc(list, func(g identity.Group) bool { return !call.Sees(op.Object{ID: g.ID}) })
	shown, err := d.teamsOf(ctx, list...)
	return listed("teams", shown), err
}

type oneTeam struct {
	ID string `path:"id"`
}

// find is the team in the path, which the caller has a right on.
func (d Deps) find(ctx context.Context, id string) (identity.Group, error) {
	ours, is := ourID(id, groups)
	list, err := d.Identity.Groups(ctx, op.CallOf(ctx).Caller.Organisation)
	if err != nil {
		return identity.Group{}, err
	}
	at := slices.IndexFunc(list, func(g identity.Group) bool { return g.ID == ours })
	if !is || at < 0 {
		return identity.Group{}, fault.Missing("team", id)
	}
	return list[at], on(ctx, ours)
}

func (d Deps) team(ctx context.Context, in oneTeam) (team, error) {
	g, err := d.find(ctx, in.ID)
	return d.shown(ctx, g, err)
}

// asked are the bodies of this API that are about teams.
type asked struct {
	Team struct {
		Name string `json:"name"`
	} `json:"team"`
	Users []string `json:"user_ids"`
}

type newTeam struct {
	Body op.Document
}

func (d Deps) createTeam(ctx context.Context, in newTeam) (team, error) {
	var a asked
	if err := json.Unmarshal(in.Body, &a); err != nil {
		return team{}, err
	}
	g, err := d.Identity.CreateGroup(ctx, identity.Group{Organisation: op.CallOf(ctx).Caller.Organisation, Name: a.Team.Name})
	return d.shown(ctx, g, err)
}

type changedTeam struct {
	oneTeam
	Body op.Document
}

// change reads the body and changes the team in the path.
func (d Deps) change(ctx context.Context, in changedTeam, change func(a asked, g *identity.Group) error) (team, error) {
	var a asked
	if err := json.Unmarshal(in.Body, &a); err != nil {
		return team{}, err
	}
	g, err := d.find(ctx, in.ID)
	if err != nil {
		return team{}, err
	}
	g, err = d.Identity.UpdateGroup(ctx, g.Organisation, g.ID, func(g *identity.Group) error { return change(a, g) })
	return d.shown(ctx, g, err)
}

func (d Deps) renameTeam(ctx context.Context, in changedTeam) (team, error) {
	return d.change(ctx, in, func(a asked, g *identity.Group) error {
		g.Name = a.Team.Name
		return nil
	})
}

func (d Deps) setTeamUsers(ctx context.Context, in changedTeam) (team, error) {
	everybody, err := d.Identity.Users(ctx, op.CallOf(ctx).Caller.Organisation)
	if err != nil {
		return team{}, err
	}
	return d.change(ctx, in, func(a asked, g *identity.Group) error {
		g.Users = nil
		var faults []*fault.Error
		for _, id := range a.Users {
			ours, _ := ourID(id, people, programs)
			if !slices.ContainsFunc(everybody, func(u identity.User) bool { return u.ID == ours }) {
				faults = append(faults, fault.Field("user_ids", "There is no user %.40q in this account.", id))
			}
			g.Users = append(g.Users, ours)
		}
		return fault.All(faults)
	})
}

func (d Deps) deleteTeam(ctx context.Context, in oneTeam) (team, error) {
	g, err := d.find(ctx, in.ID)
	if err != nil {
		return team{}, err
	}
	g, err = d.Identity.DeleteGroup(ctx, g.Organisation, g.ID)
	return d.shown(ctx, g, err)
}
