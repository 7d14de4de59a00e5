package experiment

import (
	"context"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/experiment/protocol"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/store"
)

// States of an enrolment.
const (
	optedIn  = "optedIn"  // may be named in an experiment
	enrolled = "enrolled" // is in one
)

// enrolment is a group that somebody opted in, and while an experiment has it, all that its policy follows from.
type enrolment struct {
	By       string
	Schedule protocol.Schedule `json:",omitzero"`
}

// Trials tells the fleet who weighs a group's markets.
type Trials struct{ DB *store.DB }

var _ fleet.Trials = Trials{}

// Policy is what holds for a group at a time.
func (t Trials) Policy(ctx context.Context, group string, at time.Time) (plan.Policy, error) {
	d, err := enrolments.Get(ctx, t.DB, store.Installation(), group)
	if fault.Is(err, fault.NotFound) || err == nil && d.State != enrolled {
		return plan.ByModel, nil
	}
	return d.Value.Schedule.Policy(group, at), err
}

// Enrolment is a group that may take part in experiments.
type Enrolment struct {
	Group      string
	By         string // who opted it in
	Since      time.Time
	Experiment string // that has it, "" = none
}

func fromEnrolment(d store.Doc[enrolment]) Enrolment {
	return Enrolment{Group: d.ID, By: d.Value.By, Since: d.At, Experiment: d.Parent}
}

// OptIn lets a group take part in experiments; doing it again changes nothing.
func (x *Experiments) OptIn(ctx context.Context, account, author, group string) (Enrolment, error) {
	if _, err := x.Fleet.Get(ctx, account, group); err != nil {
		return Enrolment{}, err
	}
	var d store.Doc[enrolment]
	err := x.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		if d, err = enrolments.Get(ctx, tx, store.Account(account), group); !fault.Is(err, fault.NotFound) {
			return err
		}
		d = store.Doc[enrolment]{Meta: store.Meta{ID: group, Account: account, State: optedIn, At: x.Clock.Now()}, Value: enrolment{By: author}}
		if d, err = enrolments.Insert(ctx, tx, d); err != nil {
			return err
		}
		return x.log(ctx, tx, account, group, "%s lets this group take part in experiments.", author)
	})
	return fromEnrolment(d), err
}

// OptOut ends that. fault.Conflict while an experiment has the group.
func (x *Experiments) OptOut(ctx context.Context, account, author, group string) error {
	return x.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		d, err := enrolments.Get(ctx, tx, store.Account(account), group)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if d.State == enrolled {
			return fault.Of(fault.Conflict, "group", "Group %s is in experiment %s, whose groups are fixed: stop the experiment first.", group, d.Parent)
		}
		if err := enrolments.Delete(ctx, tx, store.Account(account), group); err != nil {
			return err
		}
		return x.log(ctx, tx, account, group, "%s takes this group out of experiments.", author)
	})
}

// Groups lists the groups of an account that may take part, or do; those that were deleted meanwhile are left out.
func (x *Experiments) Groups(ctx context.Context, account string) ([]Enrolment, error) {
	docs, _, err := enrolments.List(ctx, x.DB, store.Account(account), store.Query{})
	if err != nil {
		return nil, err
	}
	living, err := x.Fleet.All(ctx, account, false)
	if err != nil {
		return nil, err
	}
	is := map[string]bool{}
	for _, g := range living {
		is[g.ID] = true
	}
	var list []Enrolment
	for _, d := range docs {
		if is[d.ID] {
			list = append(list, fromEnrolment(d))
		}
	}
	return list, nil
}

// choose finds the groups that a new experiment is to have: those that are named, or all that are free. Each must have been opted in.
func (x *Experiments) choose(ctx context.Context, account string, named []string, all bool) ([]string, error) {
	known, err := x.Groups(ctx, account)
	if err != nil {
		return nil, err
	}
	if all {
		if len(named) > 0 {
			return nil, fault.Field("groups", "Name groups, or take all that are opted in, not both.")
		}
		for _, e := range known {
			if e.Experiment == "" {
				named = append(named, e.Group)
			}
		}
		if len(named) == 0 {
			return nil, fault.Field("groups", "No group of this account is opted in and free; opt one in first.")
		}
		return named, nil
	}
	var faults []*fault.Error
	for _, group := range named {
		at := slices.IndexFunc(known, func(e Enrolment) bool { return e.Group == group })
		switch {
		case at < 0:
			faults = append(faults, fault.Field("groups", "Group %.80q is not opted in to experiments, or there is no such group: opt it in first.", group))
		case known[at].Experiment != "":
			faults = append(faults, fault.Of(fault.Conflict, "groups", "Group %s is in experiment %s; a group is in one at a time.", group, known[at].Experiment))
		}
	}
	return named, fault.All(faults)
}

// enrol lays the schedule on a group, in tx.
func (x *Experiments) enrol(ctx context.Context, tx *store.Tx, of store.Doc[record], group string) error {
	d, err := enrolments.Get(ctx, tx, store.Account(of.Account), group)
	if err != nil {
		return err
	}
	if d.State == enrolled {
		return fault.Of(fault.Conflict, "groups", "Group %s is in experiment %s; a group is in one at a time.", group, d.Parent)
	}
	d.State, d.Parent, d.Value.Schedule = enrolled, of.ID, of.Value.Protocol.Schedule
	_, err = enrolments.Update(ctx, tx, d)
	return err
}

// release gives an experiment's groups back to the model, in tx; why is what their logs say.
func (x *Experiments) release(ctx context.Context, tx *store.Tx, of store.Doc[record], why string) error {
	docs, _, err := enrolments.List(ctx, tx, store.Account(of.Account), store.Query{Parent: of.ID})
	if err != nil {
		return err
	}
	for _, d := range docs {
		d.State, d.Parent, d.Value.Schedule = optedIn, "", protocol.Schedule{}
		if _, err := enrolments.Update(ctx, tx, d); err != nil {
			return err
		}
		if err := x.log(ctx, tx, of.Account, d.ID, "%s Neap's model weighs this group's markets again.", why); err != nil {
			return err
		}
		if err := x.Fleet.Wake(ctx, tx, d.ID); err != nil {
			return err
		}
	}
	return nil
}
