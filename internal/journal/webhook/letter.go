package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

// mostDead bounds the dead letters of a webhook; the oldest go first.
const mostDead = 1000

// Letter is the body of a delivery: one event.
type Letter struct {
	ID       string          `json:"id"` // of the delivery: the same in every attempt
	Webhook  string          `json:"webhook"`
	Account  string          `json:"account"`
	Resource string          `json:"resource,omitempty"` // "" = the account or installation as a whole
	Type     string          `json:"type"`
	At       time.Time       `json:"at"` // of the event, in engine time
	Sequence int64           `json:"sequence"`
	Data     json.RawMessage `json:"data,omitempty"`
}

// encode writes the letter as it is signed and sent: text as itself.
func (l Letter) encode() ([]byte, error) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(body.Bytes()), nil
}

// Dead is a letter that the receiver did not take.
type Dead struct {
	Letter   Letter
	Died     time.Time
	Attempts int
	Trouble  string // why the last attempt failed
	Waiting  bool   // to be sent again
}

// kept is a stored Dead.
type kept struct {
	Letter   Letter    `json:"letter"`
	Died     time.Time `json:"died"`
	Attempts int       `json:"attempts"`
	Trouble  string    `json:"trouble"`
}

// The states of a stored letter.
const (
	stateDead    = "dead"
	stateWaiting = "waiting"
)

var letters = store.Collection[kept]{Table: "deliveries", Noun: "delivery"}

// bury puts a letter on the webhook's list of dead ones, and tells a person.
func (w *Webhooks) bury(ctx context.Context, tx *store.Tx, doc store.Doc[hook], l Letter, attempts int, trouble string) error {
	_, err := letters.Insert(ctx, tx, store.Doc[kept]{
		Meta:  store.Meta{ID: l.ID, Account: doc.Account, Parent: doc.ID, Name: l.Type, State: stateDead, At: l.At},
		Value: kept{Letter: l, Died: w.Clock.Now(), Attempts: attempts, Trouble: trouble},
	})
	if err != nil && !fault.Is(err, fault.Exists) {
		return err
	}
	held, err := letters.Count(ctx, tx, store.Account(doc.Account), store.Query{Parent: doc.ID})
	if err != nil {
		return err
	}
	if held > mostDead {
		oldest, _, err := letters.List(ctx, tx, store.Account(doc.Account), store.Query{Parent: doc.ID, Limit: held - mostDead})
		if err != nil {
			return err
		}
		for _, d := range oldest {
			if err := letters.Delete(ctx, tx, store.Account(doc.Account), d.ID); err != nil {
				return err
			}
		}
	}
	return w.Journal.Alert(ctx, tx, doc.Account, doc.ID, journal.AlertWebhook,
		fmt.Sprintf("The receiver %s of the webhook %s does not take its deliveries; they are on the list of dead letters.", host(doc.Value.URL), doc.ID))
}

// DeadLetters reads a webhook's dead letters, oldest first, and the cursor of the next page.
func (w *Webhooks) DeadLetters(ctx context.Context, account, id string, limit int, after string) ([]Dead, string, error) {
	if _, err := hooks.Get(ctx, w.DB, store.Account(account), id); err != nil {
		return nil, "", err
	}
	found, next, err := letters.List(ctx, w.DB, store.Account(account), store.Query{Parent: id, Limit: limit, After: after})
	list := make([]Dead, len(found))
	for i, d := range found {
		list[i] = Dead{Letter: d.Value.Letter, Died: d.Value.Died, Attempts: d.Value.Attempts, Trouble: d.Value.Trouble, Waiting: d.State == stateWaiting}
	}
	return list, next, err
}

// Redeliver sends dead letters again, soon and once each: those named, or all. It tells how many. fault.NotFound when one that is named is not on the list.
func (w *Webhooks) Redeliver(ctx context.Context, account, id string, named []string) (n int, err error) {
	err = w.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		n = 0
		doc, err := hooks.Get(ctx, tx, store.Account(account), id)
		if err != nil {
			return err
		}
		query := store.Query{Parent: id, States: []string{stateDead}}
		if len(named) > 0 {
			query.IDs = named
		}
		found, _, err := letters.List(ctx, tx, store.Account(account), query)
		if err != nil {
			return err
		}
		for _, name := range named {
			if l, err := letters.Get(ctx, tx, store.Account(account), name); err != nil || l.Parent != id {
				return fault.Missing(letters.Noun, name)
			}
		}
		for _, l := range found {
			l.State = stateWaiting
			if _, err := letters.Update(ctx, tx, l); err != nil {
				return err
			}
			n++
		}
		// Somebody who asks for this has repaired the receiver, so nothing waits for its next attempt any longer.
		doc.Value.Next = time.Time{}
		if _, err := hooks.Update(ctx, tx, doc); err != nil {
			return err
		}
		return w.Workflow.Raise(ctx, tx, loopName, id)
	})
	return n, err
}
