package webhook

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

const (
	pageSize  = 100             // events read at once
	turnTime  = 2 * time.Second // of wall time, after which a webhook lets others have its worker
	wakeEvery = 500 * time.Millisecond
	wakePage  = 2000
)

// waits are the pauses before the second attempt and those after it; when they are used up, the letter is dead.
func waits() []time.Duration {
	return []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour}
}

// spread varies a pause by a tenth each way, so that receivers that failed together are not asked again together.
func spread(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5) }

// wake raises the webhooks of accounts that have new sealed events. Only the replica that holds the lease does so; a new holder raises all, once.
func (w *Webhooks) wake(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen < 0 {
		last, err := w.Journal.LastEvent(ctx, w.DB)
		if err == nil {
			err = w.raise(ctx, store.Installation())
		}
		if err == nil {
			w.seen = last
		}
		return err
	}
	for {
		accounts, reached, err := w.Journal.AccountsWithEvents(ctx, w.seen, wakePage)
		if err != nil || reached == w.seen {
			return err
		}
		if accounts[""] { // the installation's own are for everybody
			err = w.raise(ctx, store.Installation())
		} else {
			for account := range accounts {
				err = errors.Join(err, w.raise(ctx, store.Account(account)))
			}
		}
		if err != nil {
			return err
		}
		w.seen = reached
	}
}

// raise gives the webhooks in scope a turn.
func (w *Webhooks) raise(ctx context.Context, scope store.Scope) error {
	found, _, err := hooks.List(ctx, w.DB, scope, store.Query{})
	if err != nil || len(found) == 0 {
		return err
	}
	return w.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, d := range found {
			if err := w.Workflow.Raise(ctx, tx, loopName, d.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// turn delivers what a webhook has to be told.
func (w *Webhooks) turn(ctx context.Context, t workflow.Turn) (again time.Time, err error) {
	began := time.Now()
	doc, err := hooks.Get(ctx, w.DB, store.Installation(), t.Key)
	if fault.Is(err, fault.NotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	if again, err := w.redeliver(ctx, t, &doc, began); err != nil || !again.IsZero() {
		return again, err
	}
	if doc.Value.Next.After(w.Clock.Now()) {
		return doc.Value.Next, nil
	}
	fresh, reached, more, err := w.fresh(ctx, doc)
	if err != nil {
		return time.Time{}, err
	}
	for _, l := range fresh {
		if again, err := w.deliver(ctx, t, &doc, l); err != nil || !again.IsZero() {
			return again, err
		}
		if time.Since(began) > turnTime {
			return w.Clock.Now(), nil
		}
	}
	if reached > doc.Value.Cursor {
		doc.Value.Cursor = reached
		if err := w.save(ctx, t, &doc, nil); err != nil {
			return time.Time{}, err
		}
	}
	if more {
		return w.Clock.Now(), nil
	}
	return time.Time{}, nil
}

// fresh reads the next letters of a webhook, and the place that is reached when they are delivered. more says that there are events beyond it.
func (w *Webhooks) fresh(ctx context.Context, doc store.Doc[hook]) (list []Letter, reached int64, more bool, err error) {
	// Asked first: what is sealed in between may belong to us, and lies beyond.
	last, err := w.Journal.LastEvent(ctx, w.DB)
	if err != nil {
		return nil, 0, false, err
	}
	var events []journal.Sealed[journal.Event]
	owners := map[int64]string{}
	for _, account := range []string{doc.Account, ""} {
		page, err := w.Journal.FollowEvents(ctx, account, "", doc.Value.Cursor, pageSize)
		if err != nil {
			return nil, 0, false, err
		}
		for _, e := range page {
			owners[e.Seq] = account
		}
		events, more = append(events, page...), more || len(page) == pageSize
	}
	slices.SortFunc(events, func(a, b journal.Sealed[journal.Event]) int { return int(a.Seq - b.Seq) })
	reached = max(last, doc.Value.Cursor)
	if more { // beyond the end of the fuller page the other one may be incomplete
		events = events[:pageSize]
		reached = events[pageSize-1].Seq
	}
	for _, e := range events {
		if e.Seq <= reached && matches(doc.Value.Kinds, e.Value.Type) {
			list = append(list, letter(doc, owners[e.Seq], e))
		}
	}
	return list, reached, more, nil
}

func letter(doc store.Doc[hook], account string, e journal.Sealed[journal.Event]) Letter {
	// After a restored backup the same place holds another event, which receivers must not take for a repeat.
	content := fmt.Appendf(nil, "%s %s %d %s %s", account, e.Resource, e.Value.At.UnixNano(), e.Value.Type, e.Value.Data)
	sum := sha256.Sum256(content)
	return Letter{
		ID: fmt.Sprintf("dlv-%s-%d-%x", strings.TrimPrefix(doc.ID, "whk-"), e.Seq, sum[:4]), Webhook: doc.ID,
		Account: account, Resource: e.Resource, Type: e.Value.Type, At: e.Value.At, Sequence: e.Seq, Data: e.Value.Data,
	}
}

// matches reports whether a webhook wants to hear of a type of event. An alert is known by its kind too: "hold" is "alert.hold".
func matches(kinds []string, eventType string) bool {
	alert, isAlert := journal.IsAlertEvent(eventType)
	return slices.ContainsFunc(kinds, func(kind string) bool {
		prefix, wild := strings.CutSuffix(kind, "*")
		return kind == eventType || wild && strings.HasPrefix(eventType, prefix) || isAlert && kind == string(alert)
	})
}

// deliver makes one attempt. again is when to come back because it failed; zero when the webhook may go on to its next letter.
func (w *Webhooks) deliver(ctx context.Context, t workflow.Turn, doc *store.Doc[hook], l Letter) (again time.Time, err error) {
	trouble := w.post(ctx, *doc, l)
	if ctx.Err() != nil {
		return time.Time{}, ctx.Err() // our own end says nothing about the receiver
	}
	h := &doc.Value
	if trouble == "" {
		h.Cursor, h.Delivered, h.Attempts, h.Next, h.Trouble, h.Failing = l.Sequence, h.Delivered+1, 0, time.Time{}, "", false
		return time.Time{}, w.save(ctx, t, doc, nil)
	}
	h.Trouble = trouble
	h.Attempts++
	steps := waits()
	if h.Attempts <= len(steps) && !h.Failing {
		h.Next = w.Clock.Now().Add(spread(steps[h.Attempts-1]))
		w.note(ctx, *doc, l, "webhook delivery failed")
		return h.Next, w.save(ctx, t, doc, nil)
	}
	attempts := h.Attempts
	h.Cursor, h.Attempts, h.Failing = l.Sequence, 0, true
	h.Next = w.Clock.Now().Add(spread(steps[0])) // the receiver gets the next letter soon, but is not flooded
	w.note(ctx, *doc, l, "webhook delivery is dead")
	return h.Next, w.save(ctx, t, doc, func(ctx context.Context, tx *store.Tx) error { return w.bury(ctx, tx, *doc, l, attempts, trouble) })
}

// save writes a webhook down, with what belongs to it, if the turn still holds the lease.
func (w *Webhooks) save(ctx context.Context, t workflow.Turn, doc *store.Doc[hook], also func(context.Context, *store.Tx) error) error {
	var saved store.Doc[hook]
	err := w.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		if err := t.Guard(ctx, tx); err != nil {
			return err
		}
		// Somebody may have asked for dead letters meanwhile, which writes too; the turn's word counts, and the request raised the webhook anyway.
		current, err := hooks.Get(ctx, tx, store.Installation(), doc.ID)
		if err != nil {
			return err
		}
		current.Value = doc.Value
		if saved, err = hooks.Update(ctx, tx, current); err != nil || also == nil {
			return err
		}
		return also(ctx, tx)
	})
	if err == nil {
		*doc = saved
	}
	return err
}

// redeliver sends the letters that somebody asked for again, one attempt each.
func (w *Webhooks) redeliver(ctx context.Context, t workflow.Turn, doc *store.Doc[hook], began time.Time) (again time.Time, err error) {
	waiting, _, err := letters.List(ctx, w.DB, store.Account(doc.Account), store.Query{Parent: doc.ID, States: []string{stateWaiting}, Limit: pageSize})
	if err != nil {
		return time.Time{}, err
	}
	for _, l := range waiting {
		trouble := w.post(ctx, *doc, l.Value.Letter)
		if ctx.Err() != nil {
			return time.Time{}, ctx.Err()
		}
		if trouble == "" {
			doc.Value.Delivered++
			doc.Value.Trouble, doc.Value.Failing = "", false
		}
		err := w.save(ctx, t, doc, func(ctx context.Context, tx *store.Tx) error { return w.settle(ctx, tx, l, trouble) })
		if err != nil {
			return time.Time{}, err
		}
		if time.Since(began) > turnTime {
			return w.Clock.Now(), nil
		}
	}
	if len(waiting) == pageSize {
		return w.Clock.Now(), nil
	}
	return time.Time{}, nil
}

// settle takes a letter off the list, or leaves it there. The alert ends with the last one.
func (w *Webhooks) settle(ctx context.Context, tx *store.Tx, l store.Doc[kept], trouble string) error {
	if trouble != "" {
		l.State, l.Value.Trouble = stateDead, trouble
		l.Value.Attempts++
		_, err := letters.Update(ctx, tx, l)
		return err
	}
	if err := letters.Delete(ctx, tx, store.Account(l.Account), l.ID); err != nil {
		return err
	}
	return w.calmIfEmpty(ctx, tx, l.Account, l.Parent)
}

func (w *Webhooks) note(ctx context.Context, doc store.Doc[hook], l Letter, message string) {
	w.Log.LogAttrs(ctx, slog.LevelInfo, message, slog.String("webhook", doc.ID), slog.String("host", host(doc.Value.URL)),
		slog.String("delivery", l.ID), slog.String("trouble", doc.Value.Trouble), slog.Time("next", doc.Value.Next))
}
