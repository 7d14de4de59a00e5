package journal

import (
	"time"

	"github.com/neap-cloud/neap/internal/store"
)

// snapshotGrace is how much longer a market snapshot stays than the newest decision that was made on it: its date is brought up to date once in that time.
const snapshotGrace = 24 * time.Hour

// Retention is how long the journal keeps log lines and events, audit entries, and decisions with the markets they were made on.
func (j *Journal) Retention(linesFor, auditFor, decisionsFor time.Duration) []store.Rule {
	rules := []store.Rule{
		{Table: lines.Table, Log: true, Keep: linesFor},
		{Table: events.Table, Log: true, Keep: linesFor},
		{Table: audit.Table, Log: true, Wall: true, Keep: auditFor, Chained: j.forget},
		{Table: alerts.Table, States: []string{alertClosed}, Keep: linesFor},
		{Table: decisions.Table, Keep: decisionsFor},
	}
	if decisionsFor > 0 {
		rules = append(rules, store.Rule{Table: snapshots.Table, Keep: decisionsFor + 2*snapshotGrace})
	}
	return rules
}
