package workflow

import (
	"time"

	"github.com/neap-cloud/neap/internal/store"
)

// Retention is how long runs are kept after their end.
func Retention(keep time.Duration) []store.Rule {
	return []store.Rule{{Table: runs().Table, States: []string{Cancelled, Failed, Finished}, Idle: true, Keep: keep}}
}
