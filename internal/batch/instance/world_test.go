package instance

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

var epoch = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// image is one of the simulated cloud's.
const image = "ami-0de30000000000001"

// world is the rooms that the runtime needs, on the simulated cloud and a clock that the test steps.
type world struct {
	*Runtime
	t      *testing.T
	clock  *clock.Manual
	cloud  *sim.Cloud
	engine *workflow.Engine
	diary  *journal.Journal
	stop   func()

	launches launches
}

// launches are what the cloud was asked to launch.
type launches struct {
	mu   sync.Mutex
	list []cloud.Launch
}

func (l *launches) all() []cloud.Launch {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

// options are how a world differs from the usual one.
type options struct {
	folder string // "" = nothing outlives the world
	now    time.Time
	hook   func(point string)
	hold   time.Duration
	log    *slog.Logger
	idle   bool // the fleet room's loops don't run
}

func begin(t *testing.T, change ...func(*options)) *world {
	t.Helper()
	o := options{now: epoch, log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}
	for _, c := range change {
		c(&o)
	}
	w, err := open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w.t = t
	t.Cleanup(w.stop)
	return w
}

// open wires a world. It lives until stop.
func open(ctx context.Context, o options) (*world, error) {
	hands := clock.NewManual(o.now)
	inside, outside := store.Config{Memory: true, Hook: o.hook}, sim.Config{Memory: true, Clock: hands, Seed: 1, Catalog: catalog.AWS()}
	if o.folder != "" {
		inside = store.Config{Path: filepath.Join(o.folder, "neap.db"), Hook: o.hook}
		outside.Memory, outside.Path = false, filepath.Join(o.folder, "sim.db")
	}
	db, err := store.Open(ctx, inside)
	if err != nil {
		return nil, err
	}
	people := identity.New(identity.Config{DB: db, Key: []byte(strings.Repeat("k", 32)), Cloud: "sim", Log: o.log})
	if _, _, _, err := people.Start(ctx); err != nil {
		return nil, err
	}
	world := &world{clock: hands}
	if world.cloud, err = sim.Open(ctx, outside); err != nil {
		return nil, err
	}
	prices, err := market.New(market.Config{DB: db, Clock: hands, Catalog: catalog.AWS(), Clouds: map[string]*catalog.Cloud{}})
	if err != nil {
		return nil, err
	}
	world.diary = journal.New(journal.Config{DB: db, Clock: hands, Log: o.log})
	world.engine, err = workflow.New(workflow.Config{DB: db, Clock: hands, Log: o.log, Replica: "r-1", Lease: 5 * time.Second, Alone: true})
	if err != nil {
		return nil, err
	}
	form := Form{DB: db, Secrets: people}
	clouds := near{world.cloud, o.hook, &world.launches}
	groups := fleet.New(fleet.Config{
		DB: db, Clock: hands, Workflow: world.engine, Journal: world.diary, Ledger: ledger.New(ledger.Config{DB: db, Clock: hands, Market: prices}), Market: prices,
		Clouds: clouds, Installation: people.Installation, Forms: []fleet.Form{form}, DeletionHold: o.hold, Log: o.log,
	})
	world.Runtime = New(Config{DB: db, Fleet: groups, Form: form, Clouds: clouds, Catalog: catalog.AWS(), Clock: hands, Log: o.log})
	if !o.idle {
		if err := world.engine.Start(context.WithoutCancel(ctx)); err != nil {
			return nil, err
		}
	}
	world.stop = sync.OnceFunc(func() {
		late, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if !o.idle {
			if err := world.engine.Stop(late); err != nil {
				panic(err)
			}
		}
		if err := cmp.Or(world.cloud.Close(), db.Close()); err != nil {
			panic(err)
		}
	})
	return world, groups.LookAround(ctx)
}

// near is where the accounts' clouds are.
type near struct {
	cloud    *sim.Cloud
	hook     func(string)
	launches *launches
}

func (n near) For(_ context.Context, account string) (cloud.Provider, error) {
	hook := n.hook
	if hook == nil {
		hook = func(string) {}
	}
	return told{n.cloud.Account(account), hook, n.launches}, nil
}

// told tells a hook of the calls that change something.
type told struct {
	*sim.Account
	hook     func(string)
	launches *launches
}

func (t told) Launch(ctx context.Context, l cloud.Launch) ([]cloud.Instance, error) {
	t.launches.mu.Lock()
	t.launches.list = append(t.launches.list, l)
	t.launches.mu.Unlock()
	t.hook("launch:before")
	defer t.hook("launch:after")
	return t.Account.Launch(ctx, l)
}

func (t told) Terminate(ctx context.Context, region string, ids []string) error {
	t.hook("terminate:before")
	defer t.hook("terminate:after")
	return t.Account.Terminate(ctx, region, ids)
}

// until steps the clock a second at a time, or more when the limit is long, and lets the runtime look after its tasks, until done holds.
func (w *world) until(what string, limit time.Duration, done func() bool) {
	w.t.Helper()
	if err := w.reach(w.t.Context(), what, limit, done); err != "" {
		w.t.Fatal(err)
	}
}

func (w *world) reach(ctx context.Context, what string, limit time.Duration, done func() bool) string {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(2 * time.Minute)
	step := max(time.Second, limit/600)
	late := 0
	for end := w.clock.Now().Add(limit); ; {
		if err := w.keep(ctx); err != nil {
			return err.Error()
		}
		if done() {
			return ""
		}
		select {
		case <-giveUp:
			return "not within " + limit.String() + ": " + what
		case <-tick.C:
			// A machine that is too busy to keep up is given its time.
			if late++; w.clock.Now().Before(end) || late%25 == 0 {
				w.clock.Advance(step)
			}
		}
	}
}

// spec is a usual task of an account.
func spec(id, account string) runtime.Spec {
	return runtime.Spec{
		ID: id, Image: image, UserData: "#!/bin/sh\necho " + marker + " " + id, InstanceType: "c5.large", Labels: map[string]string{"neap.job": "j-1"},
		Place: runtime.Place{Account: account, Cloud: "aws", Region: "us-east-1"},
	}
}

// marker is in every task's user data.
const marker = "qzx-secret-marker-qzx"

func (w *world) start(s runtime.Spec) {
	w.t.Helper()
	if err := w.Start(w.t.Context(), s); err != nil {
		w.t.Fatalf("start %s: %v", s.ID, err)
	}
}

func (w *world) task(id string) runtime.Task {
	w.t.Helper()
	found, err := w.Tasks(w.t.Context(), []string{id})
	if err != nil || len(found) != 1 {
		w.t.Fatalf("task %s: %v, %v", id, found, err)
	}
	return found[0]
}

func (w *world) in(id string, state runtime.State) func() bool {
	return func() bool { return w.task(id).State == state }
}

// runs begins a task and waits until it runs.
func (w *world) runs(s runtime.Spec) runtime.Task {
	w.t.Helper()
	w.start(s)
	w.until("it runs", 5*time.Minute, w.in(s.ID, runtime.Running))
	return w.task(s.ID)
}

// made are all instances that the cloud ever started.
func (w *world) made() []sim.Record {
	w.t.Helper()
	ledger, err := w.cloud.Ledger(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return ledger.Instances
}

func (w *world) alive() []sim.Record {
	return slices.DeleteFunc(w.made(), func(r sim.Record) bool { return !r.Alive })
}

// dry empties every pool of a type in us-east-1.
func (w *world) dry(kind string, lifecycle cloud.Lifecycle, until time.Time) {
	for _, zone := range catalog.AWS().Zones("us-east-1") {
		w.cloud.Dry(cloud.Market{Region: "us-east-1", Zone: zone, Type: kind, Product: catalog.Linux, Lifecycle: lifecycle}, until)
	}
}

// interrupt takes a task's instance back as the cloud would.
func (w *world) interrupt(account, instance string) {
	w.t.Helper()
	if err := w.cloud.Account(account).Interrupt(w.t.Context(), "us-east-1", []string{instance}); err != nil {
		w.t.Fatal(err)
	}
}

// quiet lets time pass, with everybody at work.
func (w *world) quiet(d time.Duration) {
	w.t.Helper()
	end := w.clock.Now().Add(d)
	w.until("time has passed", d+time.Minute, func() bool { return !w.clock.Now().Before(end) })
}
