package identity

import (
	"strings"

	"github.com/neap-cloud/neap/internal/op"
)

// Role is a bundle of rights. Every dialect's roles are among these, so that a user has the same rights in all of them.
type Role string

const (
	// Admin may do everything in an organisation.
	Admin Role = "admin"
	// Viewer may read everything: in an organisation or, mapped to an account, in that.
	Viewer Role = "viewer"
	// Editor may do everything in an account but manage it.
	Editor Role = "editor"
	// TeamEditor is an Editor of the accounts of all teams that the user is in.
	TeamEditor Role = "teamEditor"
	// TeamViewer is a Viewer of them.
	TeamViewer Role = "teamViewer"
	// Operator runs batch jobs in the default account.
	Operator Role = "operator"
	// Monitor lists batch jobs in the default account.
	Monitor Role = "monitor"
	// Member is what every user is: known to the organisation. It says who one is, and who the others are.
	Member Role = ""
)

// roles are those that a user can have in an organisation.
func roles() []Role { return []Role{Admin, Viewer, TeamEditor, TeamViewer, Operator, Monitor, Member} }

// accountRoles are those that a user can be given in an account.
func accountRoles() []Role { return []Role{Editor, Viewer} }

// managing is the service of identity's own operations: accounts, users, policies, credentials.
const managing = "setup"

// allows reports whether the role, where it is held, permits a deed there.
func (r Role) allows(d *op.Deed) bool {
	service, action, _ := strings.Cut(d.Need, ":")
	switch r {
	case Admin:
		return true
	case Viewer:
		return d.Reads || own(d.Need)
	case Editor:
		return d.Reads || service != managing
	case Operator:
		return service == "batch" && action != "describeUsage"
	case Monitor:
		return d.Need == "batch:describeJobs"
	}
	return own(d.Need)
}

// own are the needs of what is one's own business: everybody in an organisation has them.
func own(need string) bool {
	switch need {
	case "setup:describeSelf", "setup:describeColleagues", "setup:describeTeams", "setup:describeTeam", "setup:describeOwnAccounts", "setup:describeOwnAuditEvents",
		"setup:createOwnToken", "neap:readStatus", "neap:listAccounts", "neap:createToken", "neap:listTokens", "neap:revokeToken":
		return true
	}
	return false
}
