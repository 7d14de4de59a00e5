package ledger

import (
	"time"

	"github.com/neap-cloud/neap/internal/store"
)

// Retention is how long lines are kept, and their meters after the last change to them, which is later than any of their lines.
func Retention(keep time.Duration) []store.Rule {
	return []store.Rule{
		{Table: posted.Table, Keep: keep},
		{Table: meters.Table, States: []string{settled}, Idle: true, Keep: keep},
	}
}
