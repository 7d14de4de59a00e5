// Package app puts Neap together: it reads a configuration, wires every room, and runs the process.
//
// It owns wiring, start and stop, and the demo. It is the only room that knows all others, and it must hold no rule of any product.
// Start reading at Build and Up.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/batch/channel"
	"github.com/neap-cloud/neap/internal/batch/instance"
	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/cloud/sim"
	"github.com/neap-cloud/neap/internal/dialect/cmpute"
	"github.com/neap-cloud/neap/internal/dialect/compose"
	"github.com/neap-cloud/neap/internal/dialect/launch"
	"github.com/neap-cloud/neap/internal/dialect/mapsor"
	"github.com/neap-cloud/neap/internal/dialect/mapsor/pubnub"
	"github.com/neap-cloud/neap/internal/dialect/neap"
	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/dialect/spot/elastigroup"
	"github.com/neap-cloud/neap/internal/dialect/spot/setup"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/experiment"
	"github.com/neap-cloud/neap/internal/fleet/single"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

// Config is how one Neap is started.
type Config struct {
	Version   string
	Data      string // folder of everything that is kept; "" = nothing is kept (tests)
	Database  string // PostgreSQL URL; "" = SQLite inside Data
	KeyFile   string // the server key, which replicas share; "" = server.key inside Data
	Key       []byte // the server key itself, instead of a file; nil = it is in a file
	Clouds    Clouds
	Rate      float64       // engine seconds per second; 1 unless every account is simulated
	Seed      int64         // of the simulated cloud
	Demo      bool          // make a running demo group at the first start
	Drain     time.Duration // how long Up still serves once it is asked to stop, so that load balancers notice
	Hold      time.Duration // how long a deleted group's instances are kept; 0 = not at all
	Spend     money.Price   // what an account may newly commit to per hour; 0 = no limit
	Retention Retention     // how long what grows with time is kept
	// GroupSpend is what each group may newly commit to per hour; 0 = no limit.
	GroupSpend money.Price
	// AllowOutbound are networks that webhooks may reach although they are not public.
	AllowOutbound []netip.Prefix
	// Domain is the one below which each organisation has a host of its own, by its slug; "" = hosts name no organisation.
	Domain string
	// PublicURL is how clients reach this Neap ("https://neap.example.com"), when a proxy hides it; "" = as requests say.
	PublicURL string
	// Hosts are names by which clients may call this Neap, beside those that it knows by itself; see hosts.
	Hosts  []string
	Launch Launch
	Jobs   Jobs
	Log    *slog.Logger
	Clock  clock.Clock // nil = the wall, or faster by Rate; tests hand in their own
	// Hook is told of every commit and provider call, before and after, so that a crash test can end the process there; nil in production.
	Hook    func(point string)
	Unusual Unusual
	Forms   []fleet.Form // beside those of this release; for tests
}

// Launch is how the Launch & Provision API is served, which is always on the common port.
type Launch struct {
	Listen  string // an address of its own beside, "host:port"; "" = none
	Region  string // of all its instances; "" = single.DefaultRegion
	EC2Time bool   // write launch times with colons
}

// spool is where notices are kept while the store is away.
func (a *App) spool() string {
	if a.config.Data == "" {
		return ""
	}
	return filepath.Join(a.config.Data, "spool.jsonl")
}

// App is a wired Neap. Handler answers from the moment Build returns; the engine works between Start and Stop.
type App struct {
	Handler  http.Handler
	Fleet    *fleet.Fleet
	Identity *identity.Identity
	Cloud    *sim.Cloud
	Workflow *workflow.Engine
	Batch    *batch.Batch
	Capacity *capacity.Fleets
	Admin    string           // the admin token, on the very first start only
	Account  identity.Account // the first account
	First    bool

	config  Config
	clock   clock.Clock
	nature  clock.Clock // the true time, in which the simulated cloud lives
	db      *store.DB
	server  *op.Server
	diary   *journal.Journal
	books   *ledger.Ledger
	lock    *os.File
	started time.Time
	demo    string // id of a group to show to a newcomer: the account's oldest

	presence presence
	unwatch  func()
	health   *health
	replicas *replicas
	calls    *calls // what is asked of the clouds
	checks   checks
	clouds   clouds
	upkeep   *upkeep
	channels *channel.Hub
	locals   []io.Closer // what runs the tasks of jobs on this machine; they go on without it
	metered  *jobMetrics
}

// Build opens the data and wires every room. On an error nothing is left open.
func Build(ctx context.Context, c Config) (_ *App, err error) {
	a := &App{config: c, started: time.Now().UTC()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if err := a.open(ctx); err != nil {
		return nil, err
	}
	facts, simulated := catalog.AWS().Copy(), catalog.Joined(catalog.AWS(), catalog.Azure())
	if a.Cloud, err = sim.Open(ctx, a.simConfig(simulated)); err != nil {
		return nil, fmt.Errorf("open the simulated cloud: %w", err)
	}
	prices, err := market.New(market.Config{DB: a.db, Clock: a.clock, Catalog: simulated, Clouds: map[string]*catalog.Cloud{awsCloud: facts}})
	if err != nil {
		return nil, err
	}
	diary := journal.New(journal.Config{DB: a.db, Clock: a.clock, Log: c.Log, Signer: a.Identity})
	a.diary = diary
	books := ledger.New(ledger.Config{DB: a.db, Clock: a.clock, Market: prices})
	a.books = books
	a.Workflow, err = workflow.New(workflow.Config{DB: a.db, Clock: a.clock, Log: c.Log, Replica: ident.UUID(), Lease: 5 * time.Second, Alone: c.Database == ""})
	if err != nil {
		return nil, err
	}
	form := elastigroup.NewForm(facts)
	schemas, err := op.NewSchemas(elastigroup.Schemas())
	if err != nil {
		return nil, err
	}
	machine, err := a.machine()
	if err != nil {
		return nil, err
	}
	a.replicas = newReplicas(a.db, c.Log, machine)
	a.calls = newCalls(budget.Config{Clock: a.nature, Replicas: a.replicas.count})
	a.clouds = clouds{
		identity: a.Identity, sim: a.Cloud, aws: a.checks.aws, unusual: c.Unusual, hook: c.Hook, budget: a.calls.budget, known: &sync.Map{}, ways: &sync.Map{},
	}
	forms := jobForms{instance.Form{DB: a.db, Secrets: a.Identity}}
	a.Fleet = fleet.New(fleet.Config{
		DB: a.db, Clock: a.clock, Workflow: a.Workflow, Journal: diary, Ledger: books, Market: prices,
		Clouds: a.clouds, Installation: a.Identity.Installation, Forms: slices.Concat([]fleet.Form{form}, forms.all(), c.Forms), Log: c.Log,
		DeletionHold: c.Hold, SpendLimit: c.Spend, GroupSpendLimit: c.GroupSpend, Spool: a.spool(), Trials: experiment.Trials{DB: a.db},
	})
	trials := experiment.New(experiment.Config{DB: a.db, Clock: a.clock, Workflow: a.Workflow, Journal: diary, Ledger: books, Fleet: a.Fleet})
	a.Workflow.AddPeriodic(workflow.Periodic{Name: "journal.seal", Every: sealEvery, Do: func(ctx context.Context) error {
		_, err := diary.Seal(ctx)
		return err
	}})
	a.Workflow.AddPeriodic(workflow.Periodic{Name: "clock.reached", Every: reachedEvery, Do: a.noteTime})
	a.Workflow.AddPeriodic(workflow.Periodic{Name: "ledger.post", Every: postEvery, Do: post(books, prices)})
	a.upkeep = &upkeep{app: a, facts: facts, learned: map[string]time.Time{}}
	a.Workflow.AddPeriodic(a.upkeep.tidy())
	a.Workflow.AddPeriodic(expiry{a.db, a.Identity, diary}.periodic())
	a.Workflow.AddPeriodic(workflow.Periodic{Name: "store.prune", Every: a.pruneInterval(), Do: a.prune})
	if err := a.jobs(ctx, simulated, facts, forms, books, machine); err != nil {
		return nil, err
	}
	a.channels = channel.New(a.channelConfig())
	keys := channel.NewKeys(a.db, a.Identity)
	a.server, err = op.Mount(op.Config{
		Dialects: []op.Dialect{
			spot.Dialect(elastigroup.Product(elastigroup.Deps{
				Fleet: a.Fleet, Journal: diary, Ledger: books, Catalog: facts, Schemas: schemas, Clock: a.clock,
			}), setup.Product(setup.Deps{Identity: a.Identity, Journal: diary, Operations: func() []op.Operation { return a.server.Operations() }})),
			cmpute.Dialect(cmpute.Deps{Identity: a.Identity, Catalog: facts, Domain: c.Domain, Public: c.PublicURL}),
			compose.Dialect(compose.Deps{Identity: a.Identity, Journal: diary}),
			launch.Dialect(launch.Deps{
				Instances: single.New(single.Config{Clouds: a.clouds, Installation: a.Identity.Installation, Region: c.Launch.Region}),
				Guest:     isGuest, EC2Time: c.Launch.EC2Time,
			}),
			mapsor.Dialect(mapsor.Deps{Identity: a.Identity, Batch: a.Batch, Keys: keys.Of}),
			pubnub.Dialect(pubnub.Deps{Hub: a.channels, Keys: keys, Log: c.Log}),
			neap.Dialect(neap.Deps{
				Fleet: a.Fleet, Journal: diary, Batch: a.Batch, Queues: a.Batch.Queues(), Channels: keys, Webhooks: a.tell(diary, prices), Experiments: trials, Identity: a.Identity, Status: a.status,
				Operations: func() []op.Operation { return a.server.Operations() },
			}),
		},
		Authenticator: a.Identity, Auditor: diary, Log: c.Log, Version: c.Version,
	})
	if err != nil {
		return nil, err
	}
	known, err := newHosts(c, a.server.AnyOrigin)
	if err != nil {
		return nil, err
	}
	a.Handler = known.guarded(a.routes())
	return a, a.welcome(ctx)
}

const (
	sealEvery = 500 * time.Millisecond // events have their final order within a second
	postEvery = time.Minute
)

// Operations lists every operation without opening any data.
func Operations() []op.Operation {
	return op.Operations(
		spot.Dialect(elastigroup.Product(elastigroup.Deps{}), setup.Product(setup.Deps{})),
		cmpute.Dialect(cmpute.Deps{}),
		compose.Dialect(compose.Deps{}),
		launch.Dialect(launch.Deps{}),
		mapsor.Dialect(mapsor.Deps{}),
		pubnub.Dialect(pubnub.Deps{}),
		neap.Dialect(neap.Deps{}),
	)
}

// open takes the data folder, the database, the identity and the clock.
func (a *App) open(ctx context.Context) error {
	c := a.config
	keys := identity.Config{Key: []byte(ident.Hex(32))}
	if c.Data != "" {
		lock, err := claim(c.Data)
		if err != nil {
			return err
		}
		a.lock = lock
		keys = identity.Config{KeyFile: filepath.Join(c.Data, "server.key")}
	}
	switch {
	case c.Key != nil:
		keys = identity.Config{Key: c.Key}
	case c.KeyFile != "":
		keys = identity.Config{KeyFile: c.KeyFile}
	}
	db, err := store.Open(ctx, stored(c))
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	a.db, keys.DB, keys.Log = db, db, c.Log
	keys.Cloud, keys.Occupied, keys.Needs = c.Clouds.made(), a.occupied, a.needs
	if a.checks, err = newChecks(ctx, c.Clouds, c.Log); err != nil {
		return err
	}
	keys.Clouds = a.checks
	// The token is on disk before it is valid, so that no crash can lock everybody out.
	announced := false
	keys.Announce = func(admin string) error {
		announced = true
		return a.write("admin-token", admin)
	}
	a.Identity = identity.New(keys)
	if _, a.Admin, a.First, err = a.Identity.Start(ctx); err != nil {
		return err
	}
	if announced && !a.First { // another replica began at the same moment: the token written here has never been valid
		if err := a.remove("admin-token"); err != nil {
			return err
		}
	}
	a.clock = c.Clock
	if a.clock == nil {
		a.clock, err = engineClock(ctx, db, c.Rate)
	}
	if err != nil {
		return err
	}
	a.nature, a.clock = a.clock, c.Unusual.wrong(a.clock)
	return a.steadyClocks(ctx)
}

// channelConfig shares messages through the database where there may be other replicas.
func (a *App) channelConfig() channel.Config {
	config := channel.Config{Log: a.config.Log}
	if a.config.Database != "" {
		config.Shared = a.db
	}
	return config
}

func (a *App) simConfig(facts *catalog.Cloud) sim.Config {
	s := sim.Config{Memory: true, Clock: a.nature, Seed: uint64(a.config.Seed), Catalog: facts}
	switch {
	case a.config.Database != "": // replicas share one world
		s.Memory, s.URL = false, a.config.Database
	case a.config.Data != "":
		s.Memory, s.Path = false, filepath.Join(a.config.Data, "sim.db")
	}
	return a.config.Unusual.world(s)
}

// Start lets the engine work.
func (a *App) Start(ctx context.Context) error {
	if a.config.Database != "" {
		a.replicas.start(ctx)
	}
	a.health.start()
	a.upkeep.first(ctx)
	if err := a.Workflow.Start(ctx); err != nil {
		return err
	}
	a.Workflow.Beside(a.upkeep.keepLearning)
	a.Workflow.Beside(a.Batch.Run)
	a.unwatch = a.Fleet.Watch(context.WithoutCancel(ctx))
	return a.Fleet.LookAround(ctx)
}

// Stop lets work in progress finish until ctx ends, and closes the data.
func (a *App) Stop(ctx context.Context) error {
	a.presence.leave()
	return errors.Join(a.Workflow.Stop(ctx), a.close())
}

func (a *App) close() error {
	var failed []error
	if a.channels != nil {
		a.channels.Close()
	}
	if a.unwatch != nil {
		a.unwatch()
	}
	if a.health != nil {
		a.health.stop()
	}
	for _, local := range a.locals {
		failed = append(failed, local.Close())
	}
	if a.replicas != nil {
		failed = append(failed, a.replicas.end())
	}
	if a.Cloud != nil {
		failed = append(failed, a.Cloud.Close())
	}
	if a.db != nil {
		failed = append(failed, a.db.Close())
	}
	if a.lock != nil {
		failed = append(failed, a.lock.Close())
	}
	return errors.Join(failed...)
}
