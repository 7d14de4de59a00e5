package webhook

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

// calmEvery is how soon the alert about a list of dead letters ends once the list has been emptied by retention.
const calmEvery = 5 * time.Minute

// Retention is how long dead letters are kept after their last attempt. Those that somebody wants sent again stay.
func Retention(keep time.Duration) []store.Rule {
	return []store.Rule{{Table: letters.Table, States: []string{stateDead}, Idle: true, Keep: keep}}
}

// calm ends the alerts about webhooks that have no dead letters any more.
func (w *Webhooks) calm(ctx context.Context) error {
	open, err := w.Journal.Alerts(ctx, "")
	if err != nil {
		return err
	}
	for _, a := range open {
		if a.Kind != journal.AlertWebhook {
			continue
		}
		err := w.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return w.calmIfEmpty(ctx, tx, a.Account, a.Resource) })
		if err != nil {
			return err
		}
	}
	return nil
}

// calmIfEmpty ends the alert about a webhook's dead letters with the last of them.
func (w *Webhooks) calmIfEmpty(ctx context.Context, tx *store.Tx, account, id string) error {
	held, err := letters.Count(ctx, tx, store.Account(account), store.Query{Parent: id})
	if err != nil || held > 0 {
		return err
	}
	return w.Journal.Calm(ctx, tx, account, id, journal.AlertWebhook)
}
