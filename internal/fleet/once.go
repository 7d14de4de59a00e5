package fleet

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/store"
)

// Confidant is a Form whose groups have user data that must stand in no document, plan or action.
type Confidant interface {
	// UserData are a group's, as its instances are to read them. They are asked for right before each launch, kept nowhere, and must never change.
	UserData(ctx context.Context, account, group string) ([]byte, error)
}

// confided is a launch with what the group's form keeps to itself.
func (f *Fleet) confided(ctx context.Context, doc store.Doc[record], l cloud.Launch) (cloud.Launch, error) {
	form, err := f.form(doc.Value.Form)
	keeper, is := form.(Confidant)
	if err != nil || !is {
		return l, err
	}
	data, err := keeper.UserData(ctx, doc.Account, doc.ID)
	if err != nil {
		return l, fmt.Errorf("user data of %s: %w", doc.ID, err)
	}
	l.Template.UserData = base64.StdEncoding.EncodeToString(data)
	return l, nil
}

// isSpent reports whether a one-time group has had its instance. A launch counts from the transaction on in which its instance gets a row; until then it is pending.
func (f *Fleet) isSpent(ctx context.Context, group string, intent Intent) (bool, error) {
	if !intent.OneTime {
		return false, nil
	}
	n, err := members.Count(ctx, f.DB, store.Installation(), store.Query{Parent: group})
	return n > 0, err
}

// Course is how far a group has come, for those who keep many that live shortly.
type Course struct {
	IsKept    bool       // false: it is being wound down, or has been
	IsGone    bool       // nothing of it lives, and nothing will
	Instances []Instance // all that it ever had as far as they are remembered, oldest first
}

// Courses tells how groups stand, deleted ones too, in two queries. Those that are not there are left out.
func (f *Fleet) Courses(ctx context.Context, ids []string) (map[string]Course, error) {
	docs, _, err := groups.List(ctx, f.DB, store.Installation(), store.Query{IDs: ids})
	if err != nil {
		return nil, err
	}
	rows, _, err := members.List(ctx, f.DB, store.Installation(), store.Query{Parents: ids})
	found := make(map[string]Course, len(docs))
	for _, d := range docs {
		found[d.ID] = Course{IsKept: d.State == active, IsGone: d.State == deleted}
	}
	for _, r := range rows {
		c := found[r.Parent]
		c.Instances = append(c.Instances, r.Value)
		found[r.Parent] = c
	}
	return found, err
}

// Departed tells which of these instances are terminating, have ended, or are no longer their group's.
func (f *Fleet) Departed(ctx context.Context, ids []string) (departed []string, err error) {
	rows, _, err := members.List(ctx, f.DB, store.Installation(), store.Query{IDs: ids, States: []string{string(plan.Terminating), string(plan.Terminated), string(plan.Detached)}})
	for _, r := range rows {
		departed = append(departed, r.ID)
	}
	return departed, err
}

// Refusal is what became of a group's newest launch that failed, for people; "" when none has.
func (f *Fleet) Refusal(ctx context.Context, account, group string) (string, error) {
	list, _, err := actions.List(ctx, f.DB, store.Account(account), store.Query{Parent: group, States: []string{failed}, Descending: true, Limit: 1})
	if err != nil || len(list) == 0 {
		return "", err
	}
	return list[0].Value.Outcome, nil
}
