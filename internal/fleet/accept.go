package fleet

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

// accepted is what a group's owner has agreed to: the intent that the document compiled to, and the planner that acts on it. A release that compiles or plans
// otherwise makes no voluntary move until it is accepted, too. Groups of a time before this was kept have none, and agree to everything.
type accepted struct {
	Intent  string `json:"intent,omitempty"` // hash
	Planner string `json:"planner,omitempty"`
}

// fingerprint is what agreeing to an intent under this release means.
func fingerprint(i Intent) accepted { return accepted{hashOf(i), plan.Version} }

// hashOf is a hash of the intent's JSON, which has a fixed order of members. No document says who weighs the markets, so it is no part of what was agreed to.
func hashOf(i Intent) string {
	i.Choice.Policy = plan.ByModel
	text, err := json.Marshal(i)
	if err != nil {
		return "" // an intent holds only text, numbers and lists: it always encodes
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// compiled is the group's intent under this release; a document that no longer compiles gives an empty one.
func (f *Fleet) compiled(doc store.Doc[record]) Intent {
	intent, err := f.intent(doc)
	if err != nil {
		return Intent{}
	}
	return intent
}

// unaccepted says why a group's voluntary moves wait, "" when they need not.
func (f *Fleet) unaccepted(doc store.Doc[record], intent Intent) string {
	a := doc.Value.accepted
	switch {
	case a.Intent == "":
		return ""
	case a.Intent != hashOf(intent):
		return "this release reads the group's document differently, and that has not been accepted yet (neap accept)."
	case a.Planner != plan.Version:
		return fmt.Sprintf("planner %s has taken the place of %s, and that has not been accepted yet (neap accept).", plan.Version, a.Planner)
	}
	return ""
}

// Upgrade is a group for which this release would decide differently.
type Upgrade struct {
	Group   string
	Name    string
	Why     string
	Planner string        // that was accepted last
	Changes []plan.Change // of the intent, as far as the one that was accepted is still known
}

// Upgrades lists the account's groups whose voluntary moves wait for Accept, in the order in which stages take them.
func (f *Fleet) Upgrades(ctx context.Context, account string) ([]Upgrade, error) {
	docs, err := f.staged(ctx, account)
	if err != nil {
		return nil, err
	}
	list := []Upgrade{}
	for _, doc := range docs {
		intent := f.compiled(doc)
		why := f.unaccepted(doc, intent)
		if why == "" {
			continue
		}
		u := Upgrade{Group: doc.ID, Name: doc.Name, Why: why, Planner: doc.Value.Planner}
		if before, known := f.intentThen(ctx, doc); known {
			u.Changes = plan.Differences(before, intent)
		}
		list = append(list, u)
	}
	return list, nil
}

// staged are the account's groups in an order that has nothing to do with age, name or size, and never changes.
func (f *Fleet) staged(ctx context.Context, account string) ([]store.Doc[record], error) {
	docs, _, err := groups.List(ctx, f.DB, store.Account(account), store.Query{States: []string{active}})
	slices.SortFunc(docs, func(a, b store.Doc[record]) int {
		x, y := sha256.Sum256([]byte(a.ID)), sha256.Sum256([]byte(b.ID))
		return cmp.Or(bytes.Compare(x[:], y[:]), cmp.Compare(a.ID, b.ID))
	})
	return docs, err
}

// decisionsBack is how many decisions are looked through for an intent that was accepted.
const decisionsBack = 20

// intentThen finds the intent that was accepted: intents are not stored, but decisions keep what they followed from.
func (f *Fleet) intentThen(ctx context.Context, doc store.Doc[record]) (json.RawMessage, bool) {
	list, _, err := f.Journal.Decisions(ctx, doc.Account, doc.ID, decisionsBack, "")
	if err != nil {
		return nil, false
	}
	for _, d := range list {
		var in struct{ Intent json.RawMessage }
		if json.Unmarshal(d.Inputs, &in) != nil {
			continue
		}
		sum := sha256.Sum256(in.Intent)
		if hex.EncodeToString(sum[:]) == doc.Value.accepted.Intent {
			return in.Intent, true
		}
	}
	return nil, false
}

// Accept lets this release move instances to save money, for the first percent (1, 10 or 100) of the account's groups in the order of their stages. It
// returns how many groups were accepted now, and how many wait for a later stage.
func (f *Fleet) Accept(ctx context.Context, account, author string, percent int) (now, later int, err error) {
	if !slices.Contains([]int{1, 10, 100}, percent) {
		return 0, 0, fault.Field("percent", "A change is accepted for 1, 10 or 100 percent of the groups, not for %d.", percent)
	}
	docs, err := f.staged(ctx, account)
	if err != nil {
		return 0, 0, err
	}
	stage := (len(docs)*percent + 99) / 100 // one group at least
	for n, doc := range docs {
		if f.unaccepted(doc, f.compiled(doc)) == "" {
			continue
		}
		if n >= stage {
			later++
			continue
		}
		if err := f.acceptOne(ctx, account, author, doc.ID); err != nil && !fault.Is(err, fault.NotFound) {
			return now, later, err
		}
		now++
	}
	return now, later, nil
}

func (f *Fleet) acceptOne(ctx context.Context, account, author, id string) error {
	return f.change(ctx, func(ctx context.Context, tx *store.Tx) (changed, error) {
		doc, err := f.load(ctx, tx, store.Account(account), id)
		if err != nil {
			return changed{}, err
		}
		intent, err := f.intent(doc)
		if err != nil {
			return changed{}, err
		}
		doc.Value.accepted = fingerprint(intent)
		if doc, err = groups.Update(ctx, tx, doc); err != nil {
			return changed{}, err
		}
		line := f.line(journal.Info, "%s accepted what this release changes for group %s: moves that save money go on.", author, id)
		return changed{doc, intent}, f.Journal.Log(ctx, tx, doc.Account, doc.ID, line)
	})
}
