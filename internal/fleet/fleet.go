// Package fleet keeps groups of instances as they are intended to be.
//
// It owns groups, their revisions, instances and actions, and the loop that plans and acts; fleet/plan is its pure core. It must not know any
// dialect's documents: a Form compiles them. Start reading at Fleet, then turn.go for one turn of the loop.
package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/intake"
	"github.com/neap-cloud/neap/internal/fleet/listen"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

// The nouns of the pure core.
type (
	Intent   = plan.Intent
	Capacity = plan.Capacity
)

// Form is one dialect's way to write a group down. All methods are pure.
type Form interface {
	// Name is stored with each group: "spot/elastigroup/aws".
	Name() string
	// Prefix is that of new ids: "sig".
	Prefix() string
	// Compile reads a complete, schema-valid document. Every fault is a *fault.Error with the field's path as the client writes it. unbuilt lists the paths of fields
	// that are kept and echoed but not acted on yet.
	Compile(document json.RawMessage) (intent Intent, name string, unbuilt []string, err error)
	// SetCapacity rewrites the document's capacity and nothing else.
	SetCapacity(document json.RawMessage, c Capacity) (json.RawMessage, error)
}

// Clouds finds the cloud behind an account of ours.
type Clouds interface {
	For(ctx context.Context, account string) (cloud.Provider, error)
}

// Config is what the fleet room needs.
type Config struct {
	DB       *store.DB
	Clock    clock.Clock
	Workflow *workflow.Engine
	Journal  *journal.Journal
	Ledger   *ledger.Ledger
	Market   *market.Market
	Clouds   Clouds
	// Installation is this database's identity as it stands now: another replica's start may have raised the generation.
	Installation func(ctx context.Context) (identity.Installation, error)
	Forms        []Form
	Trials       Trials        // nil = nobody experiments
	DeletionHold time.Duration // how long a deleted group's instances are kept, so that it can be brought back; 0 = not at all
	SpendLimit   money.Price   // the hourly price of everything that an account may launch within an hour; 0 = no limit
	// GroupSpendLimit is the same for each group alone.
	GroupSpendLimit money.Price
	Spool           string // file that keeps notices while the store is away; "" = memory
	Log             *slog.Logger
}

// Fleet is the room's face. Every method takes the caller's account, and another account's object reads like a missing one.
// Methods that change something honour store.WithDryRun and leave the plan's id in op.CallOf(ctx).Decision.
type Fleet struct {
	Config
	forms   map[string]Form
	mu      sync.Mutex
	good    intake.Lately[[sha256.Size]byte] // templates that the cloud found nothing wrong with
	sights  map[place]*sight                 // what this process remembers of each place
	tallies map[string]*tally                // by account
	alarms  *alarms
	ear     *listen.Ear
}

// loopName is the loop that keeps groups as intended; its keys are group ids.
const loopName = "fleet"

// sweep is how often a group gets a turn although nothing is known to have changed: a safety net only, for the looks at whole places, the notices and the due
// times of plans wake every group that has a reason.
const sweep = 30 * time.Minute

// New wires the room and registers its loop and periodic work; call it before the workflow engine starts.
func New(c Config) *Fleet {
	f := &Fleet{Config: c, forms: map[string]Form{}, good: intake.Lately[[sha256.Size]byte]{For: checkFor, Most: checkMany}, sights: map[place]*sight{}, tallies: map[string]*tally{}, alarms: newAlarms()}
	f.ear = listen.New(listen.Config{
		DB: c.DB, Workflow: c.Workflow, Journal: c.Journal, Market: c.Market, Places: f.Places, Provider: f.provider, Keep: f.takeAll, Spool: c.Spool, Log: c.Log,
	})
	for _, form := range c.Forms {
		f.forms[form.Name()] = form
	}
	c.Workflow.AddLoop(workflow.Loop{Name: loopName, Sweep: sweep, Workers: turnsAtOnce, Lane: f.lane, PerLane: turnsOfOnePlace, Do: f.turn})
	c.Workflow.AddLoop(workflow.Loop{Name: lookLoop, Sweep: 2 * lookSeldom, Workers: looksAtOnce, Do: f.look})
	for _, p := range f.ear.Periodics() {
		c.Workflow.AddPeriodic(p)
	}
	return f
}

// The room's collections.
var (
	groups    = store.Collection[record]{Table: "groups", Noun: "group"}
	revisions = store.Collection[revision]{Table: "revisions", Noun: "revision"}
	members   = store.Collection[Instance]{Table: "instances", Noun: "instance"}
	actions   = store.Collection[action]{Table: "actions", Noun: "action"}
	places    = store.Collection[standing]{Table: "places", Noun: "place"}
)

func (f *Fleet) form(name string) (Form, error) {
	if form, ok := f.forms[name]; ok {
		return form, nil
	}
	return nil, fmt.Errorf("no form %q is installed; a group was written by a release that has it", name)
}

// Watch keeps notices in the spool whenever the store is away, and takes them in when it is back. Call stop before the store is closed.
func (f *Fleet) Watch(ctx context.Context) (stop func()) { return f.ear.Watch(ctx) }

// provider is the cloud of an account, as a fault that a person can act on.
func (f *Fleet) provider(ctx context.Context, account string) (cloud.Provider, error) {
	p, err := f.Clouds.For(ctx, account)
	if err != nil {
		return nil, fault.Of(fault.Unavailable, "cloud", "The cloud of account %s can't be reached; check its credentials.", account).With(err)
	}
	return p, nil
}
