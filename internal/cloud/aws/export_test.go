package aws

import (
	"context"
	"time"
)

// Actions are those of permissions, for tests that give a user just these.
func Actions() (actions []string) {
	for _, p := range granted() {
		actions = append(actions, p.action)
	}
	return actions
}

// TidyAt tidies as if it were another time.
func (a *Account) TidyAt(ctx context.Context, region string, now time.Time) error {
	return a.tidy(ctx, region, now)
}
