// Package experiment measures Neap's model against a baseline policy on the operator's own groups: by a protocol that is fixed beforehand, with a report that says
// how sure it is.
//
// It owns experiments, which groups have been opted in, and what each block measured; the design and the statistics are experiment/protocol, which is pure. It must
// not know any dialect, and does nothing to instances: it only says who weighs a group's markets. Start reading at Experiments, then turn.go.
//
// Nothing is switched by a timer: which policy holds follows from the protocol, the group and the time alone. The loop only wakes groups, tells people, and
// measures blocks that are over.
package experiment

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/experiment/protocol"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

// loopName is the loop that sees experiments through; its keys are their ids.
const loopName = "experiments"

// settle is how long after its end a block is measured: late prices and late news of an instance's end have come in by then.
const settle = ledger.Settle + 5*time.Minute

// Config is what the room needs. Clock is engine time.
type Config struct {
	DB       *store.DB
	Clock    clock.Clock
	Workflow *workflow.Engine
	Journal  *journal.Journal
	Ledger   *ledger.Ledger
	Fleet    *fleet.Fleet
}

// Experiments is the room's face. Every method takes the caller's account, and another account's object reads like a missing one.
type Experiments struct{ Config }

// New wires the room and registers its loop; call it before the workflow engine starts.
func New(c Config) *Experiments {
	x := &Experiments{c}
	c.Workflow.AddLoop(workflow.Loop{Name: loopName, Sweep: time.Hour, Workers: 2, Do: x.turn})
	return x
}

// State is where an experiment stands.
type State string

// The states. Drafts have not begun; finished and stopped ones never change again.
const (
	Draft    State = "draft"
	Running  State = "running"
	Finished State = "finished"
	Stopped  State = "stopped"
)

// transitions is the life of an experiment: from each state, where it can go.
var transitions = map[State][]State{
	Draft:   {Running, Stopped},
	Running: {Finished, Stopped},
}

// LeadsTo reports whether an experiment can go from s to another state.
func (s State) LeadsTo(to State) bool { return slices.Contains(transitions[s], to) }

// Experiment is one, with its protocol.
type Experiment struct {
	ID       string
	Account  string
	State    State
	Protocol protocol.Protocol
	Hash     string // of the protocol
	Outlook  protocol.Outlook
	Author   string
	Created  time.Time
	Ended    time.Time // of a finished or stopped one
	Stopper  string    // who stopped it
	Measured int       // blocks of each group that have been measured
	Expected int       // blocks of each group that are to be
}

// Complete reports whether everything that was to be measured has been.
func (e Experiment) Complete() bool {
	return (e.State == Finished || e.State == Stopped) && e.Measured >= e.Expected
}

// record is an experiment at rest.
type record struct {
	Protocol protocol.Protocol
	Hash     string
	Outlook  protocol.Outlook
	Author   string
	Created  time.Time
	Ended    time.Time `json:",omitzero"`
	Stopper  string    `json:",omitempty"`
	Told     int       // blocks whose beginning was told
	Measured int
}

// The room's collections. The id of an enrolment is that of its group, so that a group is in one experiment at most; its parent is that experiment. The parent of
// a block is its experiment.
var (
	experiments = store.Collection[record]{Table: "experiments", Noun: "experiment"}
	enrolments  = store.Collection[enrolment]{Table: "experiment_groups", Noun: "group in experiments"}
	blocks      = store.Collection[block]{Table: "experiment_blocks", Noun: "block of an experiment"}
)

// block is what was measured of one group's block.
type block struct {
	protocol.Key
	Found protocol.Block
}

func fromRecord(d store.Doc[record]) (Experiment, error) {
	v := d.Value
	if v.Protocol.Hash() != v.Hash {
		return Experiment{}, fault.Of(fault.Internal, "experiment", "The protocol of experiment %s is not the one that it was created with: the database was changed by something else than Neap.", d.ID)
	}
	return Experiment{
		ID: d.ID, Account: d.Account, State: State(d.State), Protocol: v.Protocol, Hash: v.Hash, Outlook: v.Outlook, Author: v.Author,
		Created: v.Created, Ended: v.Ended, Stopper: v.Stopper, Measured: v.Measured, Expected: v.expected(),
	}, nil
}

// expected is how many blocks of each group are measured in the end: all, or those that were over when it was stopped.
func (r record) expected() int {
	if r.Stopper == "" {
		return r.Protocol.Blocks()
	}
	if r.Ended.Before(r.Protocol.From) {
		return 0
	}
	return min(r.Protocol.Blocks(), int(r.Ended.Sub(r.Protocol.From)/r.Protocol.Every))
}

// move changes a state as the table allows it.
func move(d *store.Doc[record], to State) error {
	if from := State(d.State); !from.LeadsTo(to) {
		return fault.Of(fault.Conflict, "experiment", "Experiment %s is %s and can't become %s.", d.ID, from, to)
	}
	d.State = string(to)
	return nil
}

// List gives an account's experiments, oldest first.
func (x *Experiments) List(ctx context.Context, account string) ([]Experiment, error) {
	docs, _, err := experiments.List(ctx, x.DB, store.Account(account), store.Query{})
	if err != nil {
		return nil, err
	}
	list := make([]Experiment, len(docs))
	for n, d := range docs {
		if list[n], err = fromRecord(d); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Get reads one.
func (x *Experiments) Get(ctx context.Context, account, id string) (Experiment, error) {
	d, err := experiments.Get(ctx, x.DB, store.Account(account), id)
	if err != nil {
		return Experiment{}, err
	}
	return fromRecord(d)
}

// AccountOf names the account of an experiment, for authorisation.
func (x *Experiments) AccountOf(ctx context.Context, id string) (string, error) {
	d, err := experiments.Get(ctx, x.DB, store.Installation(), id)
	return d.Account, err
}

// Report is what an experiment found.
type Report struct {
	Experiment Experiment
	Peek       bool // it was looked at before it was complete
	protocol.Result
}

// Report weighs what was measured. fault.Conflict while it is not complete, unless the caller wants to peek.
func (x *Experiments) Report(ctx context.Context, account, id string, peek bool) (Report, error) {
	e, err := x.Get(ctx, account, id)
	if err != nil {
		return Report{}, err
	}
	if !e.Complete() && !peek {
		return Report{}, fault.Of(fault.Conflict, "experiment", "Experiment %s is complete on %s. Whoever looks at results before that is tempted to stop at a lucky moment, so they are shown only when you ask to peek.",
			e.Protocol.Name, e.completeAt().Format("2 January 2006 at 15:04 UTC"))
	}
	docs, _, err := blocks.List(ctx, x.DB, store.Account(account), store.Query{Parent: id})
	if err != nil {
		return Report{}, err
	}
	found := make(map[protocol.Key]protocol.Block, len(docs))
	for _, d := range docs {
		found[d.Value.Key] = d.Value.Found
	}
	r := Report{Experiment: e, Peek: !e.Complete(), Result: protocol.Analyse(e.Protocol, found)}
	if e.State == Stopped {
		r.Caveats = append(r.Caveats, fmt.Sprintf("%s stopped this experiment before its end. If that was because of what it showed, the interval and p promise more than they keep.", e.Stopper))
	}
	return r, nil
}

// completeAt is when the last block is measured.
func (e Experiment) completeAt() time.Time { return e.Protocol.Begin(e.Expected).Add(settle) }

// happening is the data of an experiment's events.
type happening struct {
	Name   string            `json:"name"`
	Block  int               `json:"block,omitempty"`  // counted from one
	Groups map[string]string `json:"groups,omitempty"` // which policy holds for each from now on
	By     string            `json:"by,omitempty"`
}

// emit tells programs of what happened to an experiment.
func (x *Experiments) emit(ctx context.Context, tx *store.Tx, d store.Doc[record], kind string, h happening) error {
	h.Name = d.Name
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return x.Journal.Emit(ctx, tx, d.Account, d.ID, journal.Event{At: x.Clock.Now(), Type: kind, Data: data})
}

// log tells the people who look after a group.
func (x *Experiments) log(ctx context.Context, tx *store.Tx, account, group, format string, args ...any) error {
	return x.Journal.Log(ctx, tx, account, group, journal.Line{At: x.Clock.Now(), Severity: journal.Info, Message: fmt.Sprintf(format, args...)})
}
