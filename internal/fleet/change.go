package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

// changed is a group after a change, with the intent it now compiles to.
type changed struct {
	doc    store.Doc[record]
	intent Intent
}

// change runs one transaction that changes a group and wakes its loop. On a dry run the transaction leaves nothing behind, but the plan that
// would follow from it is kept, and named in the call.
func (f *Fleet) change(ctx context.Context, work func(ctx context.Context, tx *store.Tx) (changed, error)) error {
	var preview *inputs
	var previewed store.Doc[record]
	err := f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		after, err := work(ctx, tx)
		if err != nil {
			return err
		}
		if store.IsDryRun(ctx) {
			if after.doc.State == held {
				return nil // its instances only wait
			}
			previewed = after.doc
			rows, err := f.living(ctx, tx, after.doc.ID)
			if err != nil {
				return err
			}
			open, err := f.openActions(ctx, tx, after.doc.ID)
			if err == nil {
				preview, err = f.inputs(ctx, after.doc, after.intent, rows, open)
			}
			return err
		}
		return f.Workflow.Raise(ctx, tx, loopName, after.doc.ID)
	})
	if err != nil || preview == nil {
		return err
	}
	// The preview outlives the dry run, so it is kept outside of the marked context.
	keep, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	decision, _, err := f.weigh(keep, previewed, preview)
	if err != nil {
		return err
	}
	packed, err := f.packed(keep, preview, decision, true)
	if err != nil {
		return err
	}
	op.CallOf(ctx).Decision = packed.ID
	return f.Journal.Keep(keep, f.DB, packed)
}

// note writes log lines and events about a group into tx.
func (f *Fleet) note(ctx context.Context, tx *store.Tx, doc store.Doc[record], lines []journal.Line, events ...journal.Event) error {
	if err := f.Journal.Log(ctx, tx, doc.Account, doc.ID, lines...); err != nil {
		return err
	}
	return f.Journal.Emit(ctx, tx, doc.Account, doc.ID, events...)
}

// line is one sentence at the current time.
func (f *Fleet) line(severity journal.Severity, format string, args ...any) journal.Line {
	return journal.Line{At: f.Clock.Now(), Severity: severity, Message: fmt.Sprintf(format, args...)}
}

// Happening is the data of an event: which instances, and why.
type Happening struct {
	Instances []Subject `json:"instances,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Because   string    `json:"because,omitempty"`
}

// Subject is an instance as an event names it.
type Subject struct {
	Instance  string `json:"instance"`
	Request   string `json:"request,omitempty"`
	Type      string `json:"type"`
	Zone      string `json:"zone"`
	Lifecycle string `json:"lifecycle"`
}

func subject(i Instance) Subject {
	return Subject{Instance: i.ID, Request: i.Request, Type: i.Type, Zone: i.Zone, Lifecycle: string(i.Lifecycle)}
}

func event(at time.Time, kind string, data *Happening) journal.Event {
	e := journal.Event{At: at, Type: kind, Data: json.RawMessage("{}")}
	if data != nil {
		// A Happening holds only text: it always encodes.
		e.Data, _ = json.Marshal(data)
	}
	return e
}
