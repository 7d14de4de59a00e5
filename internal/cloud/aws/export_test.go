package aws

import (
	"context"
	"net/http"
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

// Hurry makes an account that hardly pauses before it repeats a call.
func (a *Account) Hurry() *Account {
	a.config.Retryer = adaptive(time.Millisecond)
	return a
}

// Through makes an account that sends its requests through something else than the network.
func (a *Account) Through(way http.RoundTripper) *Account {
	a.config.HTTPClient = &http.Client{Transport: way}
	return a
}
