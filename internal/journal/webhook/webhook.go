// Package webhook tells programs outside of Neap what happens, by calling an address of theirs.
//
// It owns webhooks, the signing and delivery of letters, retries and the list of dead letters. It must not know what events mean. Start reading at Webhooks;
// deliver.go is the way of a letter.
//
// A webhook is a place in the sealed order of events: what lies before it is delivered, or dead. The place moves on only after the receiver has taken a letter,
// so nothing is lost over restarts and changes of replica; a crash between the two repeats a letter under the same delivery id. A webhook's letters go one after
// the other, so its receiver sees them in order. One replica at a time works on a webhook, under its loop's lease; the engine never waits for any of this.
package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/dial"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

const (
	most       = 50 // webhooks of an account
	mostKinds  = 50 // of a webhook
	answerTime = 10 * time.Second
	loopName   = "webhooks"
)

// Sealer encrypts secrets for the database; identity satisfies it.
type Sealer interface {
	Seal(plain []byte, use string) ([]byte, error)
	Open(sealed []byte, use string) ([]byte, error)
}

// Config is what webhooks need. Clock, the engine's, times the retries; signatures bear wall time.
type Config struct {
	DB       *store.DB
	Journal  *journal.Journal
	Workflow *workflow.Engine
	Clock    clock.Clock
	Secrets  Sealer
	Guard    *dial.Guard
	Log      *slog.Logger // nil = nobody hears of deliveries
}

// Webhooks keeps and serves all webhooks. Safe for concurrent use.
type Webhooks struct {
	Config
	client *http.Client

	mu   sync.Mutex
	seen int64 // place in the order of events up to which webhooks were woken by this replica; -1 = nothing is known
}

// New registers the delivery with the workflow engine; before its Start.
func New(c Config) *Webhooks {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	w := &Webhooks{Config: c, client: c.Guard.Client(answerTime), seen: -1}
	c.Workflow.AddLoop(workflow.Loop{Name: loopName, Sweep: 10 * time.Minute, Workers: 16, Do: w.turn})
	c.Workflow.AddPeriodic(workflow.Periodic{Name: "webhooks.wake", Every: wakeEvery, Do: w.wake})
	c.Workflow.AddPeriodic(workflow.Periodic{Name: "webhooks.calm", Every: calmEvery, Do: w.calm})
	return w
}

// Webhook is one receiver as it may be shown.
type Webhook struct {
	ID        string
	Account   string
	URL       string
	Kinds     []string // types of events, kinds of alerts, "alert.*", or "*"
	Created   time.Time
	Delivered int64     // letters that were taken
	Attempts  int       // failed ones for the letter that is on its way
	Next      time.Time // of the next attempt; zero when nothing failed
	Trouble   string    // why the last attempt failed; "" after a success
}

// hook is a stored Webhook. Cursor is its place in the order of events.
type hook struct {
	URL       string    `json:"url"`
	Kinds     []string  `json:"kinds"`
	Secret    []byte    `json:"secret"` // sealed
	Cursor    int64     `json:"cursor"`
	Delivered int64     `json:"delivered"`
	Attempts  int       `json:"attempts"`
	Next      time.Time `json:"next,omitzero"`
	Trouble   string    `json:"trouble"`
	Failing   bool      `json:"failing"` // a letter died, and none was taken since: the next ones get one attempt each
}

var hooks = store.Collection[hook]{Table: "webhooks", Noun: "webhook"}

// Spec is what a webhook is made of. Without a Secret one is made.
type Spec struct {
	URL    string
	Kinds  []string
	Secret string
}

var kindForm = regexp.MustCompile(`^(\*|[a-zA-Z][a-zA-Z0-9._:-]{0,62}(\.\*)?)$`)

// check names everything that is wrong with a spec.
func (s *Spec) check(guard *dial.Guard) error {
	var faults []*fault.Error
	if err := guard.CheckURL("url", s.URL); err != nil {
		faults = append(faults, fault.As(err))
	}
	if len(s.URL) > 2000 {
		faults = append(faults, fault.Field("url", "The address is longer than 2,000 characters."))
	}
	if len(s.Kinds) == 0 || len(s.Kinds) > mostKinds {
		faults = append(faults, fault.Field("kinds", "Name 1 to %d kinds of events or alerts, or [\"*\"] for all.", mostKinds))
	}
	for _, kind := range s.Kinds {
		if !kindForm.MatchString(kind) {
			faults = append(faults, fault.Field("kinds", "%q is no kind of event or alert, such as launched, hold, alert.* or *.", kind))
			break
		}
	}
	if s.Secret != "" && (len(s.Secret) < 16 || len(s.Secret) > 256) {
		faults = append(faults, fault.Field("secret", "A secret has 16 to 256 characters; leave it out to have one made."))
	}
	return fault.All(faults)
}

// Create makes a webhook that is told of everything from now on. The secret is returned this once.
func (w *Webhooks) Create(ctx context.Context, account string, s Spec) (made Webhook, secret string, err error) {
	if err := s.check(w.Guard); err != nil {
		return Webhook{}, "", err
	}
	if s.Secret == "" {
		s.Secret = "whsec_" + ident.Hex(24)
	}
	var doc store.Doc[hook]
	err = w.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if n, err := hooks.Count(ctx, tx, store.Account(account), store.Query{}); err != nil {
			return err
		} else if n >= most {
			return fault.Of(fault.Limit, "webhook", "The account has %d webhooks, which is the most; delete one first.", n)
		}
		cursor, err := w.Journal.LastEvent(ctx, tx)
		if err != nil {
			return err
		}
		doc = store.Doc[hook]{Meta: store.Meta{ID: "whk-" + ident.Hex(8), Account: account}, Value: hook{URL: s.URL, Kinds: slices.Clone(s.Kinds), Cursor: cursor}}
		if doc.Value.Secret, err = w.Secrets.Seal([]byte(s.Secret), use(doc.ID)); err != nil {
			return err
		}
		if doc, err = hooks.Insert(ctx, tx, doc); err != nil {
			return err
		}
		return w.Workflow.Watch(ctx, tx, loopName, doc.ID)
	})
	return shown(doc), s.Secret, err
}

// use binds a sealed secret to its webhook.
func use(id string) string { return "webhook " + id }

// List reads an account's webhooks, oldest first.
func (w *Webhooks) List(ctx context.Context, account string) ([]Webhook, error) {
	found, _, err := hooks.List(ctx, w.DB, store.Account(account), store.Query{})
	list := make([]Webhook, len(found))
	for i, d := range found {
		list[i] = shown(d)
	}
	return list, err
}

// Get reads one; fault.NotFound when the account has none of this id.
func (w *Webhooks) Get(ctx context.Context, account, id string) (Webhook, error) {
	doc, err := hooks.Get(ctx, w.DB, store.Account(account), id)
	return shown(doc), err
}

// Delete ends a webhook with all its letters.
func (w *Webhooks) Delete(ctx context.Context, account, id string) error {
	return w.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := hooks.Delete(ctx, tx, store.Account(account), id); err != nil {
			return err
		}
		held, _, err := letters.List(ctx, tx, store.Account(account), store.Query{Parent: id})
		if err != nil {
			return err
		}
		for _, l := range held {
			if err := letters.Delete(ctx, tx, store.Account(account), l.ID); err != nil {
				return err
			}
		}
		if err := w.Journal.Calm(ctx, tx, account, id, journal.AlertWebhook); err != nil {
			return err
		}
		return w.Workflow.Forget(ctx, tx, loopName, id)
	})
}

// AccountOf names the account that a webhook belongs to.
func (w *Webhooks) AccountOf(ctx context.Context, id string) (string, error) {
	doc, err := hooks.Get(ctx, w.DB, store.Installation(), id)
	return doc.Account, err
}

func shown(d store.Doc[hook]) Webhook {
	return Webhook{
		ID: d.ID, Account: d.Account, URL: d.Value.URL, Kinds: d.Value.Kinds, Created: d.Created,
		Delivered: d.Value.Delivered, Attempts: d.Value.Attempts, Next: d.Value.Next, Trouble: d.Value.Trouble,
	}
}

// host is what a log line may say of a webhook's address: its path is often a secret.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
