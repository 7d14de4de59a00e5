// Package compose is the wire language of the Compose API: hypertext JSON about accounts, users, teams, audit events and vendors.
//
// It owns wire spellings alone: ids of 24 hex digits, embedded lists, error bodies. Who may do what is identity's. A Compose account is one of our
// organisations, a team one of its user groups. Start reading at Dialect, hal.go and id.go.
package compose

import (
	"context"
	"embed"
	"io/fs"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/op"
)

// Deps are the rooms behind the operations.
type Deps struct {
	Identity *identity.Identity
	Journal  *journal.Journal
}

//go:embed schema/*.json
var schemas embed.FS

// Dialect is the Compose API as op mounts it, its rows in the order of the facts table.
func Dialect(d Deps) op.Dialect {
	folder, err := fs.Sub(schemas, "schema")
	if err != nil {
		panic(err) // the path is a constant
	}
	return op.Dialect{
		Name: "compose", Title: "Compose API", Rows: d.rows(), Prefixes: []string{root}, Schemas: folder,
		Rewrite: rewrite, ContentType: contentType,
		Answer: func(_ *op.Call, out any) any { return out }, Refuse: refuse, Status: statuses(), Exception: exception,
	}
}

// rows name no Target: what policies and the audit know an object by is our id, which only the function knows. It asks for the right on the object (see on), and
// so Filters lets whoever has that on any object come as far.
func (d Deps) rows() []op.Row {
	rows := []op.Row{
		{N: 1, ID: "accounts.list", Route: "GET /2016-07/accounts", Need: "setup:describeSelf", Title: "List the accounts of the token", Section: "Accounts", Do: op.Func(d.accounts)},
		{N: 2, ID: closing, Route: "DELETE /2016-07/accounts/{id}", Need: "setup:deleteOrganization", Title: "Close an account", Section: "Accounts", Mutates: true, Do: op.Func(d.close)},
		{N: 3, ID: "users.create", Route: "POST /2016-07/accounts/{id}/users", Need: "setup:createUser", Title: "Create a user in an account", Section: "Accounts", Mutates: true, Body: "user", Status: 201, Do: op.Func(d.createUser)},
		{N: 4, ID: "users.delete", Route: "DELETE /2016-07/accounts/{id}/users/{user_id}", Need: "setup:deleteUser", Title: "Delete a user of an account", Section: "Accounts", Mutates: true, Filters: true, Do: op.Func(d.deleteUser)},
		{ID: "users.list", Route: "GET /2016-07/accounts/{id}/users", Need: "setup:describeColleagues", Title: "List the users of an account", Section: "Accounts", Do: op.Func(d.users)},
		{N: 5, ID: "auditEvents.list", Route: "GET /2016-07/audit_events", Need: "setup:describeOwnAuditEvents", Title: "List audit events", Section: "Audit events", Do: op.Func(d.events)},
		{N: 6, ID: "auditEvents.read", Route: "GET /2016-07/audit_events/{id}", Need: "setup:describeOwnAuditEvents", Title: "Read an audit event", Section: "Audit events", Do: op.Func(d.event)},

		{N: 45, ID: "teams.list", Route: "GET /2016-07/teams", Need: "setup:describeTeams", Title: "List teams", Section: "Teams", Do: op.Func(d.teams)},
		{N: 46, ID: "teams.create", Route: "POST /2016-07/teams", Need: "setup:createUserGroup", Title: "Create a team", Section: "Teams", Mutates: true, Body: "team", Status: 201, Do: op.Func(d.createTeam)},
		{N: 47, ID: "teams.read", Route: "GET /2016-07/teams/{id}", Need: "setup:describeTeam", Title: "Read a team", Section: "Teams", Filters: true, Do: op.Func(d.team)},
		{N: 48, ID: "teams.rename", Route: "PATCH /2016-07/teams/{id}", Need: "setup:updateUserGroup", Title: "Rename a team", Section: "Teams", Mutates: true, Filters: true, Body: "team", Do: op.Func(d.renameTeam)},
		{N: 49, ID: "teams.delete", Route: "DELETE /2016-07/teams/{id}", Need: "setup:deleteUserGroup", Title: "Delete a team", Section: "Teams", Mutates: true, Filters: true, Do: op.Func(d.deleteTeam)},
		{N: 50, ID: "teams.setUsers", Route: "PUT /2016-07/teams/{id}/users", Need: "setup:updateUserGroup", Title: "Replace the members of a team", Section: "Teams", Mutates: true, Filters: true, Body: "team-users", Do: op.Func(d.setTeamUsers)},
		{N: 51, ID: "user.read", Route: "GET /2016-07/user", Need: "setup:describeSelf", Title: "Show the user of the token", Section: "User", Do: op.Func(d.self)},

		{N: 54, ID: "vendor.createRefreshToken", Route: "POST /2016-07/refresh_tokens", Need: "setup:createOwnToken", Title: "Exchange a personal token for a refresh token", Section: "Vendor", Mutates: true, Open: true, Status: 201, Do: op.Func(d.createRefreshToken)},
		{ID: "vendor.createAccessToken", Route: "POST /2016-07/access_tokens", Need: "setup:createOwnToken", Title: "Trade a refresh token for a bearer token", Section: "Vendor", Mutates: true, Open: true, Status: 201, Do: op.Func(d.createAccessToken)},
	}
	for i := range rows {
		rows[i].NoAccount = true
	}
	return rows
}

// on makes an object, by our id, the one that the call is about, and refuses a caller who has no right on this one.
func on(ctx context.Context, id string) error {
	call := op.CallOf(ctx)
	call.Object = id
	if !call.Sees(op.Object{ID: id}) {
		return fault.Of(fault.Denied, "action", "You have no right to %s on this object; a policy of yours says so.", call.Row.Need)
	}
	return nil
}

type nothing struct{}
