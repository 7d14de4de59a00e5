package journal

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// AlertKind is what a person is told about; AlertKinds says what each means and what to do.
type AlertKind string

// The kinds of alerts.
const (
	AlertHold         AlertKind = "hold"
	AlertBreaker      AlertKind = "breaker"
	AlertCannotLaunch AlertKind = "cannotLaunch"
	AlertQuarantine   AlertKind = "quarantine"
	AlertObserveOnly  AlertKind = "observeOnly"
	AlertStalePrices  AlertKind = "stalePrices"
	AlertOddPrices    AlertKind = "oddPrices"
	AlertStoreDown    AlertKind = "storeDown"
	AlertQueueDepth   AlertKind = "queueDepth"
	AlertSealerLag    AlertKind = "sealerLag"
	AlertSpooled      AlertKind = "spooled"
	AlertWebhook      AlertKind = "webhook"
	AlertCredentials  AlertKind = "credentials"
	AlertDenied       AlertKind = "denied"
)

// Alert is something that a person should know, from the moment it began until it was over.
type Alert struct {
	Account  string // "" = the whole installation
	Resource string // "" = the whole account
	Kind     AlertKind
	Message  string // the newest: one sentence
	Opened   time.Time
	Closed   time.Time // zero while it is open
}

// alert is a stored Alert. Its name is its kind, its parent its resource; the open one of a kind and resource has an id of its own, those of the past are kept beside it.
type alert struct {
	Message string    `json:"message"`
	Closed  time.Time `json:"closed,omitzero"`
}

// The states of an alert.
const (
	alertOpen   = "open"
	alertClosed = "closed"
)

var alerts = store.Collection[alert]{Table: "alerts", Noun: "alert"}

// alertEvent begins the type of every event that tells of an alert: "alert.hold".
const alertEvent = "alert."

// alertID names the one alert of a kind that a resource can have open.
func alertID(account, resource string, kind AlertKind) string {
	return account + "/" + resource + "/" + string(kind)
}

// Alert raises the alert of this kind on this resource, or keeps it open; a repeat changes nothing but the message. Opening is also an event and a WARN line of
// the process's log.
func (j *Journal) Alert(ctx context.Context, tx *store.Tx, account, resource string, kind AlertKind, message string) error {
	id := alertID(account, resource, kind)
	kept, err := alerts.Get(ctx, tx, store.Account(account), id)
	switch {
	case fault.Is(err, fault.NotFound):
		fresh := store.Doc[alert]{Meta: store.Meta{
			ID: id, Account: account, Parent: resource, Name: string(kind), State: alertOpen, At: j.clock.Now(),
		}, Value: alert{Message: message}}
		_, err = alerts.Insert(ctx, tx, fresh)
	case err != nil:
		return err
	case kept.State == alertOpen && kept.Value.Message == message:
		return nil
	case kept.State == alertOpen:
		kept.Value.Message = message
		_, err = alerts.Update(ctx, tx, kept)
		return err
	default:
		err = j.reopen(ctx, tx, kept, message)
	}
	if err != nil {
		return err
	}
	return j.tell(ctx, tx, Alert{Account: account, Resource: resource, Kind: kind, Message: message, Opened: j.clock.Now()})
}

// reopen puts the alert that is over aside, for the history, and opens it anew.
func (j *Journal) reopen(ctx context.Context, tx *store.Tx, kept store.Doc[alert], message string) error {
	past := kept
	past.ID = kept.ID + "/" + recordID()
	if _, err := alerts.Insert(ctx, tx, past); err != nil {
		return err
	}
	kept.State, kept.At, kept.Value = alertOpen, j.clock.Now(), alert{Message: message}
	_, err := alerts.Update(ctx, tx, kept)
	return err
}

// Calm ends the alert of this kind on this resource; nothing when there is none. The end is an event and a WARN line too.
func (j *Journal) Calm(ctx context.Context, tx *store.Tx, account, resource string, kind AlertKind) error {
	kept, err := alerts.Get(ctx, tx, store.Account(account), alertID(account, resource, kind))
	if fault.Is(err, fault.NotFound) || err == nil && kept.State != alertOpen {
		return nil
	}
	if err != nil {
		return err
	}
	kept.State, kept.Value.Closed = alertClosed, j.clock.Now()
	if _, err := alerts.Update(ctx, tx, kept); err != nil {
		return err
	}
	return j.tell(ctx, tx, alertOf(kept))
}

// tell makes the opening or the end of an alert known to programs, and to whoever reads the process's log.
func (j *Journal) tell(ctx context.Context, tx *store.Tx, a Alert) error {
	state := alertOpen
	if !a.Closed.IsZero() {
		state = alertClosed
	}
	data, err := json.Marshal(map[string]any{"kind": a.Kind, "state": state, "message": a.Message, "opened": a.Opened})
	if err != nil {
		return err
	}
	if err := j.Emit(ctx, tx, a.Account, a.Resource, Event{Type: alertEvent + string(a.Kind), Data: data}); err != nil {
		return err
	}
	tx.AfterCommit(func() {
		j.slog.LogAttrs(context.WithoutCancel(ctx), slog.LevelWarn, "alert "+state, slog.String("kind", string(a.Kind)),
			slog.String("account", a.Account), slog.String("resource", a.Resource), slog.String("message", a.Message))
	})
	return nil
}

// Alerts are the open ones, oldest first; account "" = of the whole installation and every account.
func (j *Journal) Alerts(ctx context.Context, account string) ([]Alert, error) {
	scope := store.Account(account)
	if account == "" {
		scope = store.Installation()
	}
	found, _, err := alerts.List(ctx, j.db, scope, store.Query{States: []string{alertOpen}})
	return alertsOf(found), err
}

// AlertQuery selects alerts of one account, newest first. Zero fields don't restrict.
type AlertQuery struct {
	Open  bool // only open ones
	Limit int
	After string // cursor of the previous page
}

// AlertHistory reads the open and the past alerts of one account, or with account "" those of the installation alone, and the cursor of the next page.
func (j *Journal) AlertHistory(ctx context.Context, account string, q AlertQuery) ([]Alert, string, error) {
	query := store.Query{Descending: true, Limit: q.Limit, After: q.After}
	if q.Open {
		query.States = []string{alertOpen}
	}
	found, next, err := alerts.List(ctx, j.db, store.Account(account), query)
	return alertsOf(found), next, err
}

func alertsOf(found []store.Doc[alert]) []Alert {
	read := make([]Alert, len(found))
	for i, d := range found {
		read[i] = alertOf(d)
	}
	return read
}

func alertOf(d store.Doc[alert]) Alert {
	return Alert{Account: d.Account, Resource: d.Parent, Kind: AlertKind(d.Name), Message: d.Value.Message, Opened: d.At, Closed: d.Value.Closed}
}

// ForgetAlerts drops alerts that were over before a moment, at most limit of them, and tells how many.
func (j *Journal) ForgetAlerts(ctx context.Context, tx *store.Tx, before time.Time, limit int) (int, error) {
	found, _, err := alerts.List(ctx, tx, store.Installation(), store.Query{States: []string{alertClosed}, Until: before, Limit: limit})
	if err != nil {
		return 0, err
	}
	forgotten := 0
	for _, d := range found {
		if d.Value.Closed.Before(before) {
			if err := alerts.Delete(ctx, tx, store.Installation(), d.ID); err != nil {
				return forgotten, err
			}
			forgotten++
		}
	}
	return forgotten, nil
}

// AlertAdvice is what a kind of alert means and what a person does about it.
type AlertAdvice struct {
	Kind    AlertKind
	Meaning string
	Advice  string
}

// AlertKinds is the table of kinds; the documentation follows it.
func AlertKinds() []AlertAdvice {
	return []AlertAdvice{
		{AlertHold, "A group, or an account's whole region, stands still because what the cloud says cannot be believed: much of the fleet is gone from its answers without a notice.",
			"Look at the cloud's own console. When the instances are there, check the role and the region of the account; the hold ends by itself once the cloud answers as before."},
		{AlertBreaker, "More launches or terminations than the budget allows were wanted in a short time, so the engine stopped itself.",
			"Read the newest decisions with `neap explain GROUP`. When they are right, wait for the budget to refill or raise it; when not, change the group."},
		{AlertCannotLaunch, "No place of a group gives capacity: every pool is refused, or a quota or the template stands in the way.",
			"Allow more instance types or zones, or raise the quota that the message names. Neap tries again by itself as refusals cool."},
		{AlertQuarantine, "An instance carries our tags, but this database has no record that lets us end it. It is left running and costs money.",
			"Find out who launched it. Terminate it by hand when nobody needs it."},
		{AlertObserveOnly, "The cloud knows a newer generation of this installation, or a second one on the same account: this database is an old copy, so nothing is changed.",
			"Stop the other installation, or restore the newest database. Only when you are sure that this one is right, let it act again with `neap accept-generation`."},
		{AlertStalePrices, "No fresh prices have arrived for a region, or none that can be believed, so no instance is moved to save money there.",
			"Check the price feed's address and the way to it, and what it tells. Launches and replacements go on with the last good prices."},
		{AlertOddPrices, "A region's price feed tells some prices that no market has: not above zero, or far from the list price. They are left out.",
			"Compare the price that the message names with the cloud's own price page. The alert ends by itself once the feed makes sense again."},
		{AlertStoreDown, "The database does not answer. Noticed instances are still drained; launches wait.",
			"Bring the database back: disk space, network, credentials. Nothing else needs to be done."},
		{AlertQueueDepth, "Changes wait longer for their turn than they should: the engine has more to do than it gets done.",
			"Look for failing turns in the log and for a slow database; add a replica when the machine is simply too small."},
		{AlertSealerLag, "Events wait longer for their final order than they should, so streams and webhooks are late.",
			"Look for a slow database. On several replicas, check that one of them still runs its periodic work."},
		{AlertSpooled, "Work was written to this machine's disk while the database was away, and has not been replayed yet.",
			"Bring the database back, and leave the data folder alone until the alert is over."},
		{AlertWebhook, "A webhook's receiver did not take a delivery in all attempts, so it was put on the list of dead letters.",
			"Repair the receiver, read `neap webhook dead ID`, and send the letters again with `neap webhook redeliver ID`."},
		{AlertCredentials, "An account's credentials of its cloud end soon, or have ended: Neap cannot act there then.",
			"Make a new client secret for the app in Azure, and set the account's credentials anew."},
		{AlertDenied, "The cloud does not let an account in, or does not permit what a group needs. What was decided waits; nothing is given up.",
			"Set the account's credentials anew, or grant the permission that the message names. Neap asks again every minute, and the alert ends by itself."},
	}
}

// IsAlertEvent tells whether an event is about an alert, and of which kind.
func IsAlertEvent(eventType string) (kind AlertKind, is bool) {
	rest, is := strings.CutPrefix(eventType, alertEvent)
	return AlertKind(rest), is
}
