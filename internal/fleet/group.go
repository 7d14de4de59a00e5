package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

// Group is a fleet as its owner wrote it down.
type Group struct {
	ID       string
	Account  string
	Name     string
	Form     string
	Document json.RawMessage // as sent, with every later change merged in
	Revision int
	Author   string    // of the newest revision
	Created  time.Time // engine time
	Updated  time.Time

	IsProtected bool      // deletion is refused
	HeldUntil   time.Time // of a deleted group: how long it can be brought back
}

// States of a group. All but active ones read as missing. Held ones were deleted and can be brought back; deleting ones are wound down by the loop, which marks
// them deleted.
const (
	active   = "active"
	held     = "held"
	deleting = "deleting"
	deleted  = "deleted"
)

// record is a group at rest.
type record struct {
	Form     string          `json:"form"`
	Region   string          `json:"region"`
	Revision int             `json:"revision"`
	Author   string          `json:"author"`
	Unbuilt  []string        `json:"unbuilt,omitempty"` // fields that the log has warned of
	Document json.RawMessage `json:"document"`
	Created  time.Time       `json:"created"`
	Updated  time.Time       `json:"updated"`

	Target      int       `json:"target"` // of the newest revision, for adding up
	IsProtected bool      `json:"isProtected,omitempty"`
	HeldUntil   time.Time `json:"heldUntil,omitzero"`
	accepted
}

// revision is one version of a document; its id is "<group>/<number>".
type revision struct {
	Number   int             `json:"number"`
	Author   string          `json:"author"`
	At       time.Time       `json:"at"`
	Document json.RawMessage `json:"document"`
	accepted
}

func fromRecord(d store.Doc[record]) Group {
	return Group{
		ID: d.ID, Account: d.Account, Name: d.Name, Form: d.Value.Form, Document: d.Value.Document,
		Revision: d.Value.Revision, Author: d.Value.Author, Created: d.Value.Created, Updated: d.Value.Updated,
		IsProtected: d.Value.IsProtected, HeldUntil: d.Value.HeldUntil,
	}
}

// Create checks and stores a new group; the loop brings it to life. All faults of the document are reported together.
func (f *Fleet) Create(ctx context.Context, account, author, formName string, document json.RawMessage) (Group, error) {
	return f.create(ctx, account, author, formName, "", document)
}

// CreateAs is Create with an id that the caller has chosen; fault.Exists when a group has it or ever had it.
func (f *Fleet) CreateAs(ctx context.Context, account, author, formName, id string, document json.RawMessage) (Group, error) {
	return f.create(ctx, account, author, formName, id, document)
}

func (f *Fleet) create(ctx context.Context, account, author, formName, id string, document json.RawMessage) (Group, error) {
	form, err := f.form(formName)
	if err != nil {
		return Group{}, err
	}
	intent, name, unbuilt, err := form.Compile(document)
	if err != nil {
		return Group{}, err
	}
	if err := f.checkTemplate(ctx, account, intent); err != nil {
		return Group{}, err
	}
	now := f.Clock.Now()
	doc := store.Doc[record]{
		Meta: store.Meta{Account: account, Name: name, State: active, At: now},
		Value: record{
			Form: formName, Region: intent.Region, Revision: 1, Author: author, Unbuilt: unbuilt, Document: document, Created: now, Updated: now,
			Target: intent.Capacity.Target, accepted: fingerprint(intent),
		},
	}
	// Ids are short; a clash is retried with another.
	draft := doc
	for range 5 {
		draft.ID = cmp.Or(id, ident.New(form.Prefix()))
		err = f.change(ctx, func(ctx context.Context, tx *store.Tx) (changed, error) {
			var err error
			if doc, err = groups.Insert(ctx, tx, draft); err != nil {
				return changed{}, err
			}
			op.CallOf(ctx).Object = doc.ID // for the audit entry of this very transaction
			if err := f.keepRevision(ctx, tx, doc); err != nil {
				return changed{}, err
			}
			if err := f.settleIn(ctx, tx, place{Account: account, Region: intent.Region}); err != nil {
				return changed{}, err
			}
			if err := f.Workflow.Watch(ctx, tx, loopName, doc.ID); err != nil {
				return changed{}, err
			}
			lines := append([]journal.Line{{At: now, Severity: journal.Info, Message: fmt.Sprintf("Group %s (%s) was created by %s.", doc.ID, name, author)}}, unbuiltLines(now, unbuilt)...)
			return changed{doc, intent}, f.note(ctx, tx, doc, lines, event(now, "created", nil))
		})
		if !fault.Is(err, fault.Exists) || id != "" {
			break
		}
	}
	if err != nil {
		return Group{}, err
	}
	return fromRecord(doc), nil
}

// Get reads a group.
func (f *Fleet) Get(ctx context.Context, account, id string) (Group, error) {
	doc, err := f.load(ctx, f.DB, store.Account(account), id)
	if err != nil {
		return Group{}, err
	}
	return fromRecord(doc), nil
}

// List gives all groups of a form, oldest first.
func (f *Fleet) List(ctx context.Context, account, form string) ([]Group, error) {
	docs, _, err := groups.List(ctx, f.DB, store.Account(account), store.Query{States: []string{active}})
	if err != nil {
		return nil, err
	}
	list := make([]Group, 0, len(docs))
	for _, d := range docs {
		if d.Value.Form == form {
			list = append(list, fromRecord(d))
		}
	}
	return list, nil
}

// Update replaces the document by what edit makes of it, as a new revision. edit may run more than once.
func (f *Fleet) Update(ctx context.Context, account, author, id string, edit func(json.RawMessage) (json.RawMessage, error)) (Group, error) {
	return f.revise(ctx, account, author, id, func(ctx context.Context, tx *store.Tx, doc store.Doc[record]) (json.RawMessage, error) {
		return edit(doc.Value.Document)
	}, "updated")
}

// revise is the one path by which a document changes.
func (f *Fleet) revise(ctx context.Context, account, author, id string, edit func(context.Context, *store.Tx, store.Doc[record]) (json.RawMessage, error), what string) (Group, error) {
	var after changed
	err := f.change(ctx, func(ctx context.Context, tx *store.Tx) (changed, error) {
		doc, err := f.load(ctx, tx, store.Account(account), id)
		if err != nil {
			return changed{}, err
		}
		next, err := edit(ctx, tx, doc)
		if err != nil {
			return changed{}, err
		}
		after, err = f.save(ctx, tx, doc, author, next, what)
		return after, err
	})
	if err != nil {
		return Group{}, err
	}
	return fromRecord(after.doc), nil
}

// save stores a document as the group's next revision, after compiling it.
func (f *Fleet) save(ctx context.Context, tx *store.Tx, doc store.Doc[record], author string, document json.RawMessage, what string) (changed, error) {
	form, err := f.form(doc.Value.Form)
	if err != nil {
		return changed{}, err
	}
	intent, name, unbuilt, err := form.Compile(document)
	if err != nil {
		return changed{}, err
	}
	now := f.Clock.Now()
	var fresh []string
	for _, path := range unbuilt {
		if !slices.Contains(doc.Value.Unbuilt, path) {
			fresh = append(fresh, path)
		}
	}
	if f.unaccepted(doc, f.compiled(doc)) == "" {
		doc.Value.accepted = fingerprint(intent) // else the difference waits to be accepted, whoever changes the group meanwhile
	}
	doc.Name = name
	doc.Value.Region, doc.Value.Unbuilt, doc.Value.Target = intent.Region, unbuilt, intent.Capacity.Target
	doc.Value.Revision, doc.Value.Author, doc.Value.Document, doc.Value.Updated = doc.Value.Revision+1, author, document, now
	if doc, err = groups.Update(ctx, tx, doc); err != nil {
		return changed{}, err
	}
	if err := f.keepRevision(ctx, tx, doc); err != nil {
		return changed{}, err
	}
	lines := append([]journal.Line{{At: now, Severity: journal.Info, Message: fmt.Sprintf("Group %s was %s by %s (revision %d).", doc.ID, what, author, doc.Value.Revision)}}, unbuiltLines(now, fresh)...)
	return changed{doc, intent}, f.note(ctx, tx, doc, lines, event(now, "updated", nil))
}

// Delete winds the group down, at once or after the deletion hold, which one-time groups don't have; it reads as missing from then on. fault.Conflict when the group is protected.
func (f *Fleet) Delete(ctx context.Context, account, author, id string) error {
	return f.change(ctx, func(ctx context.Context, tx *store.Tx) (changed, error) {
		doc, err := f.load(ctx, tx, store.Account(account), id)
		if err != nil {
			return changed{}, err
		}
		if err := refuseProtected(doc); err != nil {
			return changed{}, err
		}
		intent, err := f.intent(doc)
		if err != nil {
			return changed{}, err
		}
		now := f.Clock.Now()
		what := "its instances are being terminated"
		doc.State, doc.Value.Updated = deleting, now
		if f.DeletionHold > 0 && !intent.OneTime {
			doc.State, doc.Value.HeldUntil = held, now.Add(f.DeletionHold)
			what = fmt.Sprintf("its instances are kept for %s, until when it can be brought back", f.DeletionHold)
		}
		if doc, err = groups.Update(ctx, tx, doc); err != nil {
			return changed{}, err
		}
		line := journal.Line{At: now, Severity: journal.Info, Message: fmt.Sprintf("Group %s was deleted by %s; %s.", id, author, what)}
		return changed{doc, intent}, f.note(ctx, tx, doc, []journal.Line{line}, event(now, "deleted", nil))
	})
}

// AccountOf names the account of a group, for authorisation.
func (f *Fleet) AccountOf(ctx context.Context, id string) (string, error) {
	doc, err := f.load(ctx, f.DB, store.Installation(), id)
	return doc.Account, err
}

// load reads a group that is not being deleted.
func (f *Fleet) load(ctx context.Context, s store.Session, sc store.Scope, id string) (store.Doc[record], error) {
	doc, err := groups.Get(ctx, s, sc, id)
	if err == nil && doc.State != active {
		err = fault.Missing("group", id)
	}
	return doc, err
}

func (f *Fleet) keepRevision(ctx context.Context, tx *store.Tx, doc store.Doc[record]) error {
	_, err := revisions.Insert(ctx, tx, store.Doc[revision]{
		Meta:  store.Meta{ID: fmt.Sprintf("%s/%d", doc.ID, doc.Value.Revision), Account: doc.Account, Parent: doc.ID, At: doc.Value.Updated},
		Value: revision{Number: doc.Value.Revision, Author: doc.Value.Author, At: doc.Value.Updated, Document: doc.Value.Document, accepted: doc.Value.accepted},
	})
	return err
}

// intent compiles the group's document; a stored document always compiles, unless a release changed its mind.
func (f *Fleet) intent(doc store.Doc[record]) (Intent, error) {
	form, err := f.form(doc.Value.Form)
	if err != nil {
		return Intent{}, err
	}
	intent, _, _, err := form.Compile(doc.Value.Document)
	return intent, err
}

func unbuiltLines(now time.Time, paths []string) []journal.Line {
	var lines []journal.Line
	for _, path := range paths {
		lines = append(lines, journal.Line{At: now, Severity: journal.Warn, Message: fmt.Sprintf("Field %s is kept and echoed, but Neap does not act on it yet.", path)})
	}
	return lines
}
