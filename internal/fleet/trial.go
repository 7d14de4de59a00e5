package fleet

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/store"
)

// Trials tells who weighs a group's markets at a time: the model, or a policy that an experiment measures it against.
type Trials interface {
	Policy(ctx context.Context, group string, at time.Time) (plan.Policy, error)
}

// Wake gives groups a turn, in tx.
func (f *Fleet) Wake(ctx context.Context, tx *store.Tx, ids ...string) error {
	for _, id := range ids {
		if err := f.Workflow.Raise(ctx, tx, loopName, id); err != nil {
			return err
		}
	}
	return nil
}

// Since is what a group was to be from a time on.
type Since struct {
	At     time.Time
	Intent Intent
}

// History is what a group was to be from … to, oldest first: the revision that held at from, as far as it is still known, and those that came later.
func (f *Fleet) History(ctx context.Context, account, id string, from, to time.Time) ([]Since, error) {
	group, err := groups.Get(ctx, f.DB, store.Account(account), id)
	if err != nil {
		return nil, err
	}
	form, err := f.form(group.Value.Form)
	if err != nil {
		return nil, err
	}
	docs, _, err := revisions.List(ctx, f.DB, store.Account(account), store.Query{Parent: id, Until: to})
	if err != nil {
		return nil, err
	}
	first := 0
	for n, d := range docs {
		if !d.At.After(from) {
			first = n
		}
	}
	var list []Since
	for _, d := range docs[min(first, len(docs)):] {
		intent, _, _, err := form.Compile(d.Value.Document)
		if err != nil {
			return nil, err
		}
		list = append(list, Since{d.At, intent})
	}
	return list, nil
}
