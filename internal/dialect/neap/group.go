package neap

import (
	"context"
	"encoding/json"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/op"
)

// groupRows are what every group has, whatever dialect wrote it: protection, a way back, and consent to an upgrade.
func (d Deps) groupRows() []op.Row {
	group := op.Target{Noun: "group", Param: "groupId", AccountOf: d.Fleet.AccountOf}
	gone := op.Target{Noun: "group", Param: "groupId", AccountOf: d.Fleet.AccountOfDeleted}
	return []op.Row{
		{ID: "groups.list", Route: "GET /neap/v1/groups", Need: "neap:listGroups", Title: "List groups of every dialect", Do: op.Func(d.groups)},
		{ID: "groups.protect", Route: "PUT /neap/v1/groups/{groupId}/protection", Need: "neap:protectGroup", Title: "Protect a group from deletion", Target: group, Mutates: true, Do: op.Func(d.protect)},
		{ID: "groups.undelete", Route: "POST /neap/v1/groups/{groupId}/undelete", Need: "neap:undeleteGroup", Title: "Bring a deleted group back", Target: gone, Mutates: true, Do: op.Func(d.undelete)},

		{ID: "upgrades.list", Route: "GET /neap/v1/upgrades", Need: "neap:listUpgrades", Title: "List groups for which this release decides differently", Do: op.Func(d.upgrades)},
		{ID: "upgrades.accept", Route: "POST /neap/v1/upgrades/accept", Need: "neap:acceptUpgrade", Title: "Accept what this release changes, in stages", Mutates: true, Do: op.Func(d.accept)},
	}
}

// group is a group without its document, which belongs to its own dialect.
type group struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Form      string    `json:"form"` // the dialect's word for its kind
	Revision  int       `json:"revision"`
	Author    string    `json:"author"` // of the newest revision
	Protected bool      `json:"protected"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	HeldUntil time.Time `json:"heldUntil,omitzero"` // of a deleted group: how long it can be brought back
}

func fromGroup(g fleet.Group) group {
	return group{g.ID, g.Name, g.Form, g.Revision, g.Author, g.IsProtected, g.Created, g.Updated, g.HeldUntil}
}

type listGroups struct {
	Deleted bool `query:"deleted" doc:"Only those that were deleted and can still be brought back"`
}

func (d Deps) groups(ctx context.Context, in listGroups) (page[group], error) {
	list, err := d.Fleet.All(ctx, op.CallOf(ctx).Account, in.Deleted)
	items := make([]group, 0, len(list))
	for _, g := range list {
		items = append(items, fromGroup(g))
	}
	return page[group]{Items: items}, err
}

type protectGroup struct {
	Group string `path:"groupId"`
	Body  op.Document
}

func (d Deps) protect(ctx context.Context, in protectGroup) (group, error) {
	var asked struct {
		Protected *bool `json:"protected"`
	}
	if err := json.Unmarshal(in.Body, &asked); err != nil || asked.Protected == nil {
		return group{}, fault.Field("protected", "Say whether the group is to be protected: {\"protected\": true}.")
	}
	call := op.CallOf(ctx)
	g, err := d.Fleet.Protect(ctx, call.Account, call.Caller.Name, in.Group, *asked.Protected)
	return fromGroup(g), err
}

type oneGroup struct {
	Group string `path:"groupId"`
}

func (d Deps) undelete(ctx context.Context, in oneGroup) (group, error) {
	call := op.CallOf(ctx)
	g, err := d.Fleet.Undelete(ctx, call.Account, call.Caller.Name, in.Group)
	return fromGroup(g), err
}

// upgrade is a group whose moves wait for consent.
type upgrade struct {
	Group   string   `json:"group"`
	Name    string   `json:"name"`
	Why     string   `json:"why"`
	Planner string   `json:"planner"` // that was accepted last
	Changes []change `json:"changes"` // of the intent; empty when the one that was accepted is no longer known
}

type change struct {
	Path   string          `json:"path"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

func (d Deps) upgrades(ctx context.Context, _ nothing) (page[upgrade], error) {
	list, err := d.Fleet.Upgrades(ctx, op.CallOf(ctx).Account)
	items := make([]upgrade, 0, len(list))
	for _, u := range list {
		item := upgrade{u.Group, u.Name, u.Why, u.Planner, []change{}}
		for _, c := range u.Changes {
			item.Changes = append(item.Changes, change(c))
		}
		items = append(items, item)
	}
	return page[upgrade]{Items: items}, err
}

type acceptUpgrade struct {
	Body op.Document
}

type acceptedUpgrade struct {
	Accepted int `json:"accepted"` // groups, now
	Waiting  int `json:"waiting"`  // groups, for a later stage
}

func (d Deps) accept(ctx context.Context, in acceptUpgrade) (acceptedUpgrade, error) {
	var asked struct {
		Percent int `json:"percent"`
	}
	if err := json.Unmarshal(in.Body, &asked); err != nil {
		return acceptedUpgrade{}, fault.Field("percent", "Say for how many percent of the groups: {\"percent\": 10}.")
	}
	call := op.CallOf(ctx)
	now, later, err := d.Fleet.Accept(ctx, call.Account, call.Caller.Name, asked.Percent)
	return acceptedUpgrade{now, later}, err
}
