package fleet

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/call"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
)

// action is one call to the cloud, written down before it is made. Exactly one of Launch, Terminate, Release and Leave is set.
// Its id is the launch's idempotency token, so that repeating a pending action after a crash does nothing twice.
type action struct {
	Launch    *cloud.Launch `json:"launch,omitempty"` // the stored, identical request
	Replaces  []string      `json:"replaces,omitempty"`
	VCPUs     int           `json:"vcpus,omitempty"` // of the launched type, for weighing it later
	Terminate []string      `json:"terminate,omitempty"`
	Release   []string      `json:"release,omitempty"`
	Leave     []string      `json:"leave,omitempty"` // taken out of service: nothing to call for, it is kept for the breaker to count
	Reason    plan.Reason   `json:"reason"`
	Because   string        `json:"because"`
	Decision  string        `json:"decision,omitempty"`
	Created   time.Time     `json:"created"`
	Outcome   string        `json:"outcome,omitempty"` // for people, once settled

	Started    int         `json:"started,omitempty"`    // of a launch that has settled
	Price      money.Price `json:"price,omitempty"`      // of one launched instance, when it was decided
	Departures int         `json:"departures,omitempty"` // instances that leave by our own wish, as the breaker counts them
}

// States of an action.
const (
	pending = "pending"
	settled = "settled"
	failed  = "failed"
)

// expected is what a pending launch has yet to give; none when there is nothing. What it gave before its reply was lost may have been found by its tags.
func (a action) expected(id string, rows []store.Doc[Instance]) plan.PendingLaunch {
	if a.Launch == nil {
		return plan.PendingLaunch{}
	}
	m, n := a.Launch.Market, a.Launch.Count
	for _, r := range rows {
		if r.Value.Launch == id {
			n--
		}
	}
	return plan.PendingLaunch{Action: id, Type: m.Type, Zone: m.Zone, Lifecycle: plan.Lifecycle(m.Lifecycle), Count: max(0, n), Replaces: a.Replaces, Reason: a.Reason, VCPUs: a.VCPUs}
}

// openActions lists what was written down and has not settled, oldest first.
func (f *Fleet) openActions(ctx context.Context, s store.Session, group string) ([]store.Doc[action], error) {
	list, _, err := actions.List(ctx, s, store.Installation(), store.Query{Parent: group, States: []string{pending}})
	return list, err
}

// newAction makes an action's id, which is a launch's token too. 64 random bits: it must never be another's, in any installation.
func newAction() string { return "act" + ident.Hex(8) }

// writeAction stores an action, pending when the cloud is to be called.
func (f *Fleet) writeAction(ctx context.Context, tx *store.Tx, doc store.Doc[record], id string, a action) error {
	a.Created = f.Clock.Now()
	state := pending
	if len(a.Leave) > 0 {
		state = settled
	}
	kept, err := actions.Insert(ctx, tx.Later(), store.Doc[action]{
		Meta:  store.Meta{ID: id, Account: doc.Account, Parent: doc.ID, State: state, At: a.Created},
		Value: a,
	})
	f.count(tx, kept)
	return err
}

// settle closes an action. Its row moves to the present, so that whoever counts actions sees what became of it.
func (f *Fleet) settle(ctx context.Context, tx *store.Tx, a store.Doc[action], state, outcome string) error {
	a.State, a.Value.Outcome, a.At = state, outcome, f.Clock.Now()
	kept, err := actions.Update(ctx, tx.Later(), a)
	f.count(tx, kept)
	return err
}

// Outcomes are what became of a decision's launches, as far as they have settled, for people.
func (f *Fleet) Outcomes(ctx context.Context, d journal.Decision) (told []string, err error) {
	list, _, err := actions.List(ctx, f.DB, store.Account(d.Account), store.Query{Parent: d.Group, Since: d.At, Limit: 1000})
	for _, a := range list {
		if a.Value.Decision == d.ID && a.Value.Launch != nil && a.Value.Outcome != "" {
			told = append(told, call.Outcome(a.Value.Launch, a.Value.Outcome))
		}
	}
	return told, err
}
