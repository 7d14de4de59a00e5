package fleet

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/call"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	alarmsReread = 30 * time.Second // how soon alerts that other replicas opened are known
	shortFor     = 5 * time.Minute  // how long a group is short of its target before a person is told

	strangersEvery = time.Minute // how often quarantined instances are looked for, so that their end is noticed
)

// alarms remembers which alerts are open, so that a turn that changes none of them costs nothing.
type alarms struct {
	mu      sync.Mutex
	readAt  time.Time
	open    map[alarmKey]string  // the newest message
	short   map[string]time.Time // since when groups can't get what they want
	strange map[string]bool      // groups with quarantined instances, as far as this process found them
}

type alarmKey struct {
	account, resource string
	kind              journal.AlertKind
}

func newAlarms() *alarms {
	return &alarms{open: map[alarmKey]string{}, short: map[string]time.Time{}, strange: map[string]bool{}}
}

// differs reports whether an alert is to be raised (message is not empty) or calmed.
func (f *Fleet) differs(ctx context.Context, key alarmKey, message string) (bool, error) {
	a := f.alarms
	a.mu.Lock()
	defer a.mu.Unlock()
	now := f.Clock.Now()
	if a.readAt.IsZero() || now.Sub(a.readAt) > alarmsReread || now.Before(a.readAt) {
		list, err := f.Journal.Alerts(ctx, "")
		if err != nil {
			return false, err
		}
		a.readAt = now
		clear(a.open)
		for _, alert := range list {
			a.open[alarmKey{alert.Account, alert.Resource, alert.Kind}] = alert.Message
		}
	}
	return a.open[key] != message, nil
}

// alarm raises or keeps an alert, or with an empty message ends it. write is the transaction that is used when something changes.
func (f *Fleet) alarm(ctx context.Context, key alarmKey, message string, write func(context.Context, func(context.Context, *store.Tx) error) error) error {
	changed, err := f.differs(ctx, key, message)
	if err != nil || !changed {
		return err
	}
	err = write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if message == "" {
			return f.Journal.Calm(ctx, tx, key.account, key.resource, key.kind)
		}
		return f.Journal.Alert(ctx, tx, key.account, key.resource, key.kind, message)
	})
	if err != nil {
		return err
	}
	f.alarms.mu.Lock()
	defer f.alarms.mu.Unlock()
	if message == "" {
		delete(f.alarms.open, key)
	} else {
		f.alarms.open[key] = message
	}
	return nil
}

// alarm tells a person what this turn found, and that what an earlier one found is over.
func (t *turn) alarm(ctx context.Context) error {
	found := map[journal.AlertKind]string{
		journal.AlertHold: "", journal.AlertObserveOnly: "", journal.AlertBreaker: "", journal.AlertCannotLaunch: "", journal.AlertDenied: "",
	}
	switch {
	case t.onlyObserve:
		found[journal.AlertObserveOnly] = t.observing()
	case t.held:
		found[journal.AlertHold] = fmt.Sprintf("Much of %s is missing from the cloud's answers at once: group %s stands still until that is explained.", t.place(), t.doc.ID)
	default:
		found[journal.AlertBreaker] = call.Sentences(t.trips)
		found[journal.AlertCannotLaunch] = t.cannotLaunch()
		var err error
		if found[journal.AlertQuarantine], err = t.strangers(ctx); err != nil {
			return err
		}
	}
	for kind, message := range found {
		if err := t.f.alarm(ctx, alarmKey{t.doc.Account, t.doc.ID, kind}, message, t.write); err != nil {
			return err
		}
	}
	return nil
}

// tellDenied tells people, once, that the cloud denies what a turn needs. Clouds word the same denial anew each time, so the first words stay.
func (t *turn) tellDenied(ctx context.Context) error {
	key := alarmKey{t.doc.Account, t.doc.ID, journal.AlertDenied}
	if isOpen, err := t.f.differs(ctx, key, ""); err != nil || isOpen {
		return err
	}
	message := call.Shut(t.denied, t.doc.ID, t.place().String(), stillDenied)
	return t.f.alarm(ctx, key, message, func(ctx context.Context, work func(context.Context, *store.Tx) error) error {
		return t.write(ctx, func(ctx context.Context, tx *store.Tx) error {
			return cmp.Or(work(ctx, tx), t.f.Journal.Log(ctx, tx, t.doc.Account, t.doc.ID, t.f.line(journal.Error, "%s", message)))
		})
	})
}

// calmAll ends what a group that is no more has raised.
func (t *turn) calmAll(ctx context.Context, tx *store.Tx) error {
	for _, kind := range []journal.AlertKind{journal.AlertHold, journal.AlertObserveOnly, journal.AlertBreaker, journal.AlertCannotLaunch, journal.AlertQuarantine, journal.AlertDenied} {
		if err := t.f.Journal.Calm(ctx, tx, t.doc.Account, t.doc.ID, kind); err != nil {
			return err
		}
	}
	return nil
}

// cannotLaunch is what to tell a person about a group that has been short of its target for too long.
func (t *turn) cannotLaunch() string {
	a := t.f.alarms
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.short == 0 && !t.hopeless {
		delete(a.short, t.doc.ID)
		return ""
	}
	now := t.f.Clock.Now()
	since, known := a.short[t.doc.ID]
	if !known {
		a.short[t.doc.ID] = now
		return ""
	}
	switch {
	case now.Sub(since) < shortFor:
		return ""
	case t.hopeless:
		return fmt.Sprintf("Group %s cannot launch since %s: the cloud finds its launches faulty.", t.doc.ID, since.Format(time.TimeOnly))
	}
	return fmt.Sprintf("Group %s cannot launch since %s: every market that it may use refuses.", t.doc.ID, since.Format(time.TimeOnly))
}

// strangers is what to tell a person about quarantined instances. It looks at the cloud only while there are any, and forgets those that have ended.
func (t *turn) strangers(ctx context.Context) (string, error) {
	key := alarmKey{t.doc.Account, t.doc.ID, journal.AlertQuarantine}
	isOpen, err := t.f.differs(ctx, key, "")
	if err != nil || !isOpen && !t.f.hasStrangers(t.doc.ID) {
		return "", err
	}
	rows, _, err := members.List(ctx, t.f.DB, store.Installation(), store.Query{Parent: t.doc.ID, States: []string{string(plan.Quarantined)}})
	if err != nil {
		return "", err
	}
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	if len(ids) > 0 {
		if ids, err = t.stillThere(ctx, rows, ids); err != nil {
			return "", err
		}
	}
	t.f.setStrangers(t.doc.ID, len(ids) > 0)
	if len(ids) == 0 {
		return "", nil
	}
	return fmt.Sprintf("%d instances carry the tags of group %s, but no launch of this database explains them: %s. They are left alone.", len(ids), t.doc.ID, strings.Join(ids, ", ")), nil
}

// stillThere asks the cloud which quarantined instances still run, and ends the rows of the others.
func (t *turn) stillThere(ctx context.Context, rows []store.Doc[Instance], ids []string) (alive []string, err error) {
	shown, err := t.provider.Describe(ctx, cloud.Query{Region: t.intent.Region, IDs: ids})
	if err != nil {
		return nil, err
	}
	runs := map[string]bool{}
	for _, c := range shown {
		runs[c.ID] = c.State != cloud.Terminated
	}
	var ended []store.Doc[Instance]
	for _, r := range rows {
		if runs[r.ID] {
			alive = append(alive, r.ID)
		} else {
			ended = append(ended, r)
		}
	}
	if len(ended) == 0 {
		return alive, nil
	}
	return alive, t.write(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, r := range ended {
			r.Value.move(plan.Terminated)
			r.Value.Ended = t.f.Clock.Now()
			if _, err := t.save(ctx, tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *Fleet) hasStrangers(group string) bool {
	f.alarms.mu.Lock()
	defer f.alarms.mu.Unlock()
	return f.alarms.strange[group]
}

func (f *Fleet) setStrangers(group string, has bool) {
	f.alarms.mu.Lock()
	defer f.alarms.mu.Unlock()
	if has {
		f.alarms.strange[group] = true
	} else {
		delete(f.alarms.strange, group)
	}
}
