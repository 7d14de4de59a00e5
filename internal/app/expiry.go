package app

import (
	"context"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

const (
	expiryEvery = time.Hour
	// remindBefore is how long before their end credentials are spoken of.
	remindBefore = 14 * 24 * time.Hour
)

// expiry reminds of credentials that end. They live on wall time.
type expiry struct {
	db       *store.DB
	identity *identity.Identity
	journal  *journal.Journal
}

func (e expiry) periodic() workflow.Periodic {
	return workflow.Periodic{Name: "alerts.credentials", Every: expiryEvery, Do: func(ctx context.Context) error { return e.look(ctx, time.Now()) }}
}

// look raises an alert on each account whose credentials end soon, and ends those that nothing is left of.
func (e expiry) look(ctx context.Context, now time.Time) error {
	ending, err := e.identity.ExpiringCredentials(ctx, now.Add(remindBefore))
	if err != nil {
		return err
	}
	open, err := e.journal.Alerts(ctx, "")
	if err != nil {
		return err
	}
	return e.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		still := map[string]bool{}
		for _, c := range ending {
			still[c.Account] = true
			if err := e.journal.Alert(ctx, tx, c.Account, c.Account, journal.AlertCredentials, sentenceOf(c, now)); err != nil {
				return err
			}
		}
		for _, a := range open {
			if a.Kind == journal.AlertCredentials && !still[a.Account] {
				if err := e.journal.Calm(ctx, tx, a.Account, a.Resource, a.Kind); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// sentenceOf changes once a day at most, so that nobody is told more often.
func sentenceOf(c identity.Credentials, now time.Time) string {
	day := c.Expires.UTC().Format("2006-01-02")
	if c.Expires.Before(now) {
		return fmt.Sprintf("The client secret of app %s, with which account %s is reached, ended on %s.", c.Client, c.Account, day)
	}
	return fmt.Sprintf("The client secret of app %s, with which account %s is reached, ends on %s.", c.Client, c.Account, day)
}
