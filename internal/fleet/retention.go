package fleet

import (
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/store"
)

// Retention is how long the room keeps what has come to its end: settled actions, ended instances (as long as what they cost), superseded revisions, and all of those of groups
// that are gone. Live groups, and instances that were detached or quarantined, are never forgotten: a row is what keeps a stranger from being taken for ours.
func Retention(settledFor, endedFor, revisionsFor time.Duration) []store.Rule {
	return []store.Rule{
		{Table: actions.Table, States: []string{settled, failed}, Keep: settledFor},
		{Table: members.Table, States: []string{string(plan.Terminated)}, Idle: true, Keep: endedFor},
		{Table: revisions.Table, Superseded: true, Keep: endedFor},
		{Table: revisions.Table, Of: groups.Table, OfStates: []string{deleted}, Keep: revisionsFor},
	}
}
