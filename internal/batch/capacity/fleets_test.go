package capacity_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// yard is a running Neap with lanes, and a dispatcher that places tasks where they fit first.
type yard struct {
	*apptest.Neap
	*capacity.Fleets
	config  capacity.Config
	hosts   map[string]capacity.Host
	waiting []*work
	running []*work
	lanes   []capacity.Lane
	ever    map[string]capacity.Host // ready at least once
	lost    int                      // tasks whose machine has gone
}

// work is a task.
type work struct {
	name string
	lane capacity.Lane
	size runtime.Resources
	host string
}

// open starts a Neap that hosts no jobs itself: of two dispatchers, each would take the other's machines for idle.
func open(t *testing.T, change ...func(*capacity.Config)) *yard {
	t.Helper()
	y := &yard{Neap: apptest.Start(t, func(c *app.Config) { c.Jobs.Hosted = []runtime.Runtime{} }), ever: map[string]capacity.Host{}}
	y.config = capacity.Config{
		DB: y.Neap.Fleet.DB, Fleet: y.Neap.Fleet, Catalog: catalog.AWS(), Clock: y.Clock, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, c := range change {
		c(&y.config)
	}
	y.restart()
	return y
}

// restart forgets all that the process knew of lanes.
func (y *yard) restart() { y.Fleets = capacity.New(y.config) }

func (y *yard) lane(queue string) capacity.Lane {
	return capacity.Lane{Account: y.Account.ID, Cloud: "aws", Region: "us-east-1", Queue: queue}
}

// submit adds n tasks.
func (y *yard) submit(lane capacity.Lane, n int, size runtime.Resources) {
	if !slices.Contains(y.lanes, lane) {
		y.lanes = append(y.lanes, lane)
	}
	for range n {
		y.waiting = append(y.waiting, &work{name: fmt.Sprint("task-", len(y.waiting)+len(y.running)), lane: lane, size: size})
	}
}

// finish ends what runs, of one lane or ("") of all.
func (y *yard) finish(queue string) {
	y.running = slices.DeleteFunc(y.running, func(w *work) bool { return queue == "" || w.lane.Queue == queue })
}

// dispatch is one pass of a dispatcher.
func (y *yard) dispatch() {
	y.T.Helper()
	list, err := y.Hosts(y.T.Context())
	if err != nil {
		y.T.Fatal(err)
	}
	y.hosts = map[string]capacity.Host{}
	free := map[string]runtime.Resources{}
	for _, h := range list {
		y.hosts[h.ID], free[h.ID] = h, h.Has
		if h.Ready {
			y.ever[h.ID] = h
		}
		if h.Ready && (h.Gone || !h.Until.IsZero()) {
			y.T.Fatalf("%+v is ready and leaves", h)
		}
	}
	for _, w := range y.running {
		if h, known := y.hosts[w.host]; !known || h.Gone {
			w.host = ""
			y.lost++
			y.waiting = append(y.waiting, w)
		}
		free[w.host] = sub(free[w.host], w.size)
	}
	y.running = slices.DeleteFunc(y.running, func(w *work) bool { return w.host == "" })
	for _, w := range y.waiting {
		for _, h := range list {
			if h.Ready && h.Lane == w.lane && (h.Has.GPUs > 0) == (w.size.GPUs > 0) && holds(free[h.ID], w.size) {
				w.host, free[h.ID] = h.ID, sub(free[h.ID], w.size)
				y.running = append(y.running, w)
				break
			}
		}
	}
	y.waiting = slices.DeleteFunc(y.waiting, func(w *work) bool { return w.host != "" })
	for _, lane := range y.lanes {
		demand := capacity.Demand{Busy: map[string]runtime.Resources{}}
		for _, w := range y.running {
			if w.lane == lane {
				demand.Busy[w.host] = add(demand.Busy[w.host], w.size)
			}
		}
		for _, w := range y.waiting {
			if w.lane == lane {
				demand.Waiting = append(demand.Waiting, w.size)
			}
		}
		if err := y.Want(y.T.Context(), lane, demand); err != nil {
			y.T.Fatalf("want %+v: %v", lane, err)
		}
	}
}

func (y *yard) until(what string, limit time.Duration, done func() bool) {
	y.T.Helper()
	y.Until(what, limit, func() bool { y.dispatch(); return done() })
}

// living are the machines that have not ended.
func (y *yard) living() (list []capacity.Host) {
	for _, h := range y.hosts {
		if !h.Gone {
			list = append(list, h)
		}
	}
	return list
}

// lent is what the machines that stay, and may have work, have together. Those that leave take nothing new; what runs on them the dispatcher counts.
func (y *yard) lent() (all runtime.Resources) {
	for _, h := range y.living() {
		if _, was := y.ever[h.ID]; was && h.Until.IsZero() {
			all = add(all, h.Has)
		}
	}
	return all
}

// groups are the account's groups of lanes.
func (y *yard) groups() []fleet.Group {
	y.T.Helper()
	list, err := y.Neap.Fleet.List(y.T.Context(), y.Account.ID, capacity.FormName)
	if err != nil {
		y.T.Fatal(err)
	}
	return list
}

// launched is how many machines the cloud has ever started.
func (y *yard) launched() int {
	y.T.Helper()
	record, err := y.Cloud.Ledger(y.T.Context())
	if err != nil {
		y.T.Fatal(err)
	}
	return len(record.Instances)
}

func add(a, b runtime.Resources) runtime.Resources {
	return runtime.Resources{MilliCPU: a.MilliCPU + b.MilliCPU, MemoryMiB: a.MemoryMiB + b.MemoryMiB, GPUs: a.GPUs + b.GPUs}
}

func sub(a, b runtime.Resources) runtime.Resources {
	return runtime.Resources{MilliCPU: a.MilliCPU - b.MilliCPU, MemoryMiB: a.MemoryMiB - b.MemoryMiB, GPUs: a.GPUs - b.GPUs}
}

func holds(room, task runtime.Resources) bool {
	return task.MilliCPU <= room.MilliCPU && task.MemoryMiB <= room.MemoryMiB && task.GPUs <= room.GPUs
}

func size(vcpus, mib int64) runtime.Resources {
	return runtime.Resources{MilliCPU: 1000 * vcpus, MemoryMiB: mib}
}

func TestMachinesComeWithWorkStayForMoreAndGo(t *testing.T) {
	t.Parallel()
	y := open(t)
	y.dispatch()
	if len(y.hosts) > 0 || len(y.groups()) > 0 {
		t.Fatal("there are machines, and nobody asked for any")
	}
	y.submit(y.lane(capacity.SpotQueue), 5, size(2, 3000))
	y.until("all run", 10*time.Minute, func() bool { return len(y.running) == 5 })
	for _, h := range y.living() {
		if h.Lifecycle != cloud.Spot || h.Price <= 0 || h.Group != y.groups()[0].ID || h.Has.MilliCPU < 2000 || h.Since.IsZero() || !strings.HasPrefix(h.Zone, "us-east-1") {
			t.Errorf("%+v", h)
		}
	}
	if all := y.lent(); all.MilliCPU > 13000 {
		t.Errorf("%d thousandths of a vCPU were bought for 10,000", all.MilliCPU)
	}
	before, began := y.launched(), y.Clock.Now()
	y.finish("")
	y.Clock.Advance(30 * time.Second)
	y.submit(y.lane(capacity.SpotQueue), 5, size(2, 3000))
	y.dispatch()
	if len(y.running) != 5 || y.launched() != before {
		t.Errorf("half a minute later %d run at once, on machines of before; %d launched, then %d", len(y.running), before, y.launched())
	}
	y.finish("")
	began = y.Clock.Now()
	y.until("all are gone", 10*time.Minute, func() bool { return len(y.living()) == 0 })
	if stayed := y.Clock.Now().Sub(began); stayed < time.Minute {
		t.Errorf("they went after %s", stayed)
	}
	for id := range y.ever {
		if h := y.hosts[id]; !h.Gone || h.Ready {
			t.Errorf("%s ended, and is shown as %+v", id, h)
		}
	}
	if y.lost > 0 || y.launched() != before {
		t.Errorf("%d tasks lost their machine, %d machines launched, then %d", y.lost, before, y.launched())
	}
	y.Clock.Advance(11 * time.Minute)
	y.dispatch()
	if len(y.hosts) > 0 {
		t.Errorf("%d are remembered for ever", len(y.hosts))
	}
}

func TestAnInterruptedMachineWithWorkIsReplacedAndAnIdleOneIsNot(t *testing.T) {
	t.Parallel()
	y := open(t)
	y.submit(y.lane(capacity.SpotQueue), 2, size(2, 3000))
	y.until("both run", 10*time.Minute, func() bool { return len(y.running) == 2 })
	before, victim := y.launched(), y.running[0].host
	if err := y.Neap.Fleet.Interrupt(t.Context(), y.Account.ID, "test", []string{victim}); err != nil {
		t.Fatal(err)
	}
	y.until("it is known to leave", 10*time.Minute, func() bool { h := y.hosts[victim]; return !h.Ready && !h.Until.IsZero() })
	end := y.hosts[victim].Until
	if left := end.Sub(y.Clock.Now()); left > 2*time.Minute {
		t.Errorf("it is to leave in %s", left)
	}
	y.until("it is gone", 10*time.Minute, func() bool { return y.hosts[victim].Gone })
	if early := end.Sub(y.Clock.Now()); early > 10*time.Second {
		t.Errorf("it was gone %s before its time", early)
	}
	y.until("its task runs elsewhere", 10*time.Minute, func() bool { return len(y.running) == 2 })
	if y.lost != 1 || y.launched() != before+1 {
		t.Errorf("%d lost, %d launched, %d before", y.lost, y.launched(), before)
	}

	y.finish("")
	y.Clock.Advance(20 * time.Second)
	y.dispatch()
	before = y.launched()
	for _, h := range y.living() {
		if err := y.Neap.Fleet.Interrupt(t.Context(), y.Account.ID, "test", []string{h.ID}); err != nil {
			t.Fatal(err)
		}
	}
	y.until("all are gone", 10*time.Minute, func() bool { return len(y.living()) == 0 })
	if y.launched() != before {
		t.Errorf("%d machines were launched in the place of idle ones", y.launched()-before)
	}
}

func TestARestartFindsTheMachinesAndMakesNoSecondGroup(t *testing.T) {
	t.Parallel()
	y := open(t)
	y.submit(y.lane(capacity.OnDemandQueue), 3, size(1, 2048))
	y.until("all run", 10*time.Minute, func() bool { return len(y.running) == 3 })
	before := y.launched()
	y.restart()
	y.dispatch()
	if len(y.running) != 3 || y.lost > 0 {
		t.Fatalf("%d run, %d lost", len(y.running), y.lost)
	}
	// A row that was not written because the process ended before is found again by the group's form and name.
	if err := y.forgetLanes(); err != nil {
		t.Fatal(err)
	}
	y.restart()
	y.submit(y.lane(capacity.OnDemandQueue), 1, size(1, 2048))
	group := y.groups()[0].ID
	y.until("all run again", 10*time.Minute, func() bool { return len(y.running) == 4 })
	if list := y.groups(); len(list) != 1 || list[0].ID != group || y.launched() > before+1 {
		t.Errorf("%d groups, %d launched after %d", len(list), y.launched(), before)
	}
	y.finish("")
	y.until("all are gone", 10*time.Minute, func() bool { return len(y.living()) == 0 })
}

func TestLanesHaveGroupsOfTheirOwn(t *testing.T) {
	t.Parallel()
	y := open(t)
	graphics := size(2, 4096)
	graphics.GPUs = 1
	y.submit(y.lane(capacity.SpotQueue), 2, size(1, 2048))
	y.submit(y.lane(capacity.OnDemandQueue), 2, size(1, 2048))
	y.submit(y.lane(capacity.OnDemandQueue), 1, graphics)
	y.until("all run", 10*time.Minute, func() bool { return len(y.running) == 5 })
	var names []string
	for _, g := range y.groups() {
		names = append(names, g.Name)
	}
	slices.Sort(names)
	if got := strings.Join(names, ", "); got != "jobs us-east-1 on-demand, jobs us-east-1 on-demand gpu, jobs us-east-1 spot" {
		t.Errorf("groups %s", got)
	}
	for _, w := range y.running {
		h := y.hosts[w.host]
		if (h.Lifecycle == cloud.Spot) != (w.lane.Queue == capacity.SpotQueue) {
			t.Errorf("%+v runs on %+v", w, h)
		}
	}
	answer := y.Must("GET", "/aws/ec2/group?accountId="+y.Account.ID, nil)
	if len(answer.Items()) > 0 {
		t.Errorf("they are listed among the user's groups: %v", answer.Items())
	}
}

func TestTheInstallationsLimitHoldsForAllLanesTogether(t *testing.T) {
	t.Parallel()
	limit := size(4, 7900)
	y := open(t, func(c *capacity.Config) { c.Limit = limit })
	y.submit(y.lane(capacity.SpotQueue), 12, size(1, 1900))
	y.submit(y.lane(capacity.OnDemandQueue), 1, size(2, 3000))
	most := runtime.Resources{}
	check := func() {
		all := y.lent()
		if !holds(limit, all) {
			t.Fatalf("%+v of %+v are lent", all, limit)
		}
		most = runtime.Resources{MilliCPU: max(most.MilliCPU, all.MilliCPU), MemoryMiB: max(most.MemoryMiB, all.MemoryMiB)}
	}
	y.until("some run", 10*time.Minute, func() bool { check(); return len(y.running) >= 2 })
	victim := y.running[0].host
	if y.hosts[victim].Lifecycle == cloud.Spot {
		if err := y.Neap.Fleet.Interrupt(t.Context(), y.Account.ID, "test", []string{victim}); err != nil {
			t.Fatal(err)
		}
	}
	for n := 0; len(y.waiting)+len(y.running) > 0; n++ {
		y.until("something runs", 10*time.Minute, func() bool { check(); return len(y.running) > 0 })
		for range 20 { // each takes a while
			y.Clock.Advance(time.Second)
			y.dispatch()
			check()
		}
		if len(y.running) > 0 {
			y.running = slices.Delete(y.running, 0, 1)
		}
		if n > 200 {
			t.Fatal("it never ends")
		}
	}
	if most.MilliCPU < 3000 {
		t.Errorf("no more than %+v were ever lent", most)
	}
}

func TestALaneOnDemandIsNotKeptOutByOneOnSpot(t *testing.T) {
	t.Parallel()
	y := open(t, func(c *capacity.Config) { c.Limit = size(2, 3900) })
	spot, demand := y.lane(capacity.SpotQueue), y.lane(capacity.OnDemandQueue)
	y.submit(spot, 50, size(1, 1900))
	y.until("spot has all there is", 10*time.Minute, func() bool { return len(y.running) == 2 })
	y.submit(demand, 1, size(2, 2000))
	steps := 0
	y.until("it runs on demand", 10*time.Minute, func() bool {
		if steps++; steps%10 == 0 { // a task ends now and then, and the next would take its place
			if at := slices.IndexFunc(y.running, func(w *work) bool { return w.lane == spot }); at >= 0 {
				y.running = slices.Delete(y.running, at, at+1)
			}
		}
		return slices.ContainsFunc(y.running, func(w *work) bool { return w.lane == demand })
	})
	if len(y.waiting) == 0 {
		t.Error("it had to wait until nothing else was left")
	}
}

// forgetLanes removes the rows of all lanes.
func (y *yard) forgetLanes() error {
	docs, _, err := capacity.Lanes.List(y.T.Context(), y.config.DB, store.Installation(), store.Query{})
	for _, d := range docs {
		if err == nil {
			err = capacity.Lanes.Delete(y.T.Context(), y.config.DB, store.Installation(), d.ID)
		}
	}
	return err
}
