package capacity

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity/size"
	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/runtime"
)

const (
	goneFor    = 10 * time.Minute // for so long a machine that ended is shown as gone
	quoteFor   = 30 * time.Second // for so long prices are not asked for again
	locksAtOne = 8
)

// departed is a machine that has ended.
type departed struct {
	Host
	at time.Time
}

// place is where prices are told.
type place struct{ account, region string }

// quotes are prices of a moment.
type quotes struct {
	at time.Time
	market.Snapshot
}

// Hosts are the machines of all lanes, with those that have gone since the last call or within the last minutes. As long as nothing changes it asks the store for two short texts per lane.
func (f *Fleets) Hosts(ctx context.Context) ([]Host, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refresh(ctx); err != nil {
		return nil, err
	}
	if err := f.lock(ctx); err != nil {
		return nil, err
	}
	if err := f.settle(ctx); err != nil {
		return nil, err
	}
	list := f.berths(ctx)
	f.admit(list)
	f.yield(list)
	hosts := make([]Host, 0, len(list)+len(f.gone))
	for _, b := range list {
		hosts = append(hosts, b.Host)
	}
	now := f.Clock.Now()
	maps.DeleteFunc(f.gone, func(_ string, d departed) bool { return now.Sub(d.at) > goneFor })
	for _, d := range slices.SortedFunc(maps.Values(f.gone), func(a, b departed) int { return strings.Compare(a.ID, b.ID) }) {
		hosts = append(hosts, d.Host)
	}
	return hosts, nil
}

// look reads a crew's machines if anything about them has changed.
func (f *Fleets) look(ctx context.Context, c *crew) error {
	stamp, err := f.Fleet.Stamp(ctx, c.Account, c.Group)
	if err != nil || c.looked && stamp == c.stamp {
		return err
	}
	members, err := f.Fleet.Instances(ctx, c.Account, c.Group)
	if fault.Is(err, fault.NotFound) {
		return f.abandon(ctx, c)
	}
	if err != nil {
		return err
	}
	lives := map[string]bool{}
	for _, i := range members {
		lives[i.ID] = true
		delete(f.gone, i.ID) // given up, and back
	}
	for _, i := range c.members {
		if !lives[i.ID] {
			f.bury(c, i)
		}
	}
	if len(members) != len(c.members) {
		c.lacks.since = f.Clock.Now() // the market gives
	}
	c.members, c.stamp, c.looked = members, stamp, true
	return nil
}

// bury remembers a machine as gone.
func (f *Fleets) bury(c *crew, i fleet.Instance) {
	if i.ID == "" {
		return
	}
	h := f.host(c, i)
	h.Ready, h.Gone = false, true
	f.gone[i.ID] = departed{h, f.Clock.Now()}
	delete(c.handed, i.ID)
	delete(c.idle, i.ID)
}

// lock makes every machine safe from the fleet's own wishes, as soon as it is known: from then on only Want ends it.
func (f *Fleets) lock(ctx context.Context) error {
	type open struct {
		c *crew
		n int
	}
	var list []open
	for _, c := range f.sorted() {
		for n, i := range c.members {
			if i.ID != "" && isServing(i) && !i.IsLockedForever() {
				list = append(list, open{c, n})
			}
		}
	}
	failed := make([]error, len(list))
	var wait sync.WaitGroup
	slots := make(chan struct{}, locksAtOne)
	for n, o := range list {
		wait.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; wait.Done() }()
			i := &o.c.members[o.n]
			locked, err := f.Fleet.Lock(ctx, i.Account, i.ID, nil)
			switch {
			case err == nil:
				i.LockedUntil = locked.LockedUntil
			case !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Conflict): // it has just ended, or changed: the next look tells
				failed[n] = err
			}
		}()
	}
	wait.Wait()
	return errors.Join(failed...)
}

func isServing(i fleet.Instance) bool { return i.Phase == plan.Launching || i.Phase == plan.Running }

// isLeaving reports whether a machine is on its way out, whoever wants that.
func isLeaving(i fleet.Instance) bool { return !isServing(i) || i.IsLeaving || !i.InterruptAt.IsZero() }

// isSound reports whether a machine runs, and nothing speaks against giving it work.
func isSound(i fleet.Instance) bool {
	return i.Phase == plan.Running && !isLeaving(i) && !isDoubtful(i) && i.IsLockedForever()
}

// isDoubtful reports whether the cloud does not show a machine, or finds it unhealthy.
func isDoubtful(i fleet.Instance) bool { return !i.MissingAt.IsZero() || i.Condition == plan.Unhealthy }

// berth is a living machine with its crew.
type berth struct {
	Host
	c *crew
}

func (b berth) isHanded() bool { return b.c.handed[b.ID] }

// berths are the living machines, as they would be without a limit.
func (f *Fleets) berths(ctx context.Context) (list []berth) {
	for _, c := range f.sorted() {
		if len(c.members) == 0 {
			continue
		}
		prices := f.prices(ctx, c.Lane)
		for _, i := range c.members {
			if i.ID != "" {
				b := berth{f.host(c, i), c}
				b.Price = priceOf(prices, b.Host)
				list = append(list, b)
			}
		}
	}
	return list
}

// host is a machine as the dispatcher sees it.
func (f *Fleets) host(c *crew, i fleet.Instance) Host {
	h := Host{
		ID: i.ID, Lane: c.Lane, Group: c.Group, Type: i.Type, Zone: i.Zone, Lifecycle: cloud.Lifecycle(i.Lifecycle), Has: f.has(i), Since: i.LaunchedAt, Ready: isSound(i),
	}
	if !isLeaving(i) {
		return h
	}
	for _, until := range []time.Time{i.InterruptAt, i.DrainUntil} {
		if !until.IsZero() && (h.Until.IsZero() || until.Before(h.Until)) {
			h.Until = until
		}
	}
	if h.Until.IsZero() || i.Phase == plan.Terminating {
		h.Until = f.Clock.Now()
	}
	return h
}

// has is what a machine lends. A type that the catalogue no longer has lends what it is known by.
func (f *Fleets) has(i fleet.Instance) runtime.Resources {
	t, known := f.Catalog.HasType(i.Type)
	if !known {
		t = catalog.Type{VCPUs: i.VCPUs}
	}
	return f.lends(t)
}

// admit makes machines ready as long as those that stay do not lend more than the whole installation may. One that leaves does not count: it takes nothing new, and whoever places tasks
// counts those that it still has. Were its place kept until it has left, everything would stand still for the time of its notice.
func (f *Fleets) admit(list []berth) {
	rank := func(b berth) int {
		switch {
		case b.isHanded():
			return 0
		case !b.Until.IsZero():
			return 1
		}
		return 2
	}
	slices.SortFunc(list, func(a, b berth) int {
		return cmp.Or(rank(a)-rank(b), a.Since.Compare(b.Since), strings.Compare(a.ID, b.ID))
	})
	room := f.limit()
	for n := range list {
		b := &list[n]
		b.Ready = b.Ready && (b.isHanded() || within(b.Has, room))
		if b.Ready {
			b.c.handed[b.ID] = true
		}
		if b.isHanded() && b.Until.IsZero() {
			room = less(room, b.Has)
		}
	}
}

// yieldAfter is for how long a lane on demand waits for room before machines on spot make it.
const yieldAfter = 10 * time.Second

// yield takes no more work onto some of the machines on spot while a lane on demand waits for room: else those whose queue never ends would keep it for ever. The newest of the smallest go
// first; once they are idle they go.
func (f *Fleets) yield(list []berth) {
	now := f.Clock.Now()
	for _, c := range f.sorted() {
		if !f.isBlocked(c) || c.bought != cloud.OnDemand || now.Sub(c.lacks.blocked) < yieldAfter {
			continue
		}
		room := less(f.limit(), f.used(nil))
		order := slices.Clone(list)
		slices.SortStableFunc(order, func(a, b berth) int {
			return cmp.Or(cmp.Compare(a.Has.MilliCPU, b.Has.MilliCPU), b.Since.Compare(a.Since), strings.Compare(a.ID, b.ID))
		})
		for _, b := range order {
			if within(c.lacks.needs, room) {
				break
			}
			if b.Lifecycle == cloud.Spot && b.Until.IsZero() {
				room = plus(room, b.Has)
				list[slices.IndexFunc(list, func(x berth) bool { return x.ID == b.ID })].Ready = false
			}
		}
	}
}

// prices are those of a lane's region, asked for now and then. While they can't be had the last ones hold: no machine is kept from its work for that.
func (f *Fleets) prices(ctx context.Context, l Lane) market.Snapshot {
	at, now := place{l.Account, l.Region}, f.Clock.Now()
	known, is := f.quotes[at]
	if is && now.Sub(known.at) < quoteFor {
		return known.Snapshot
	}
	snapshot, err := f.snapshot(ctx, l)
	if err != nil {
		f.Log.WarnContext(ctx, "the prices of lanes can't be read; the last ones hold", "account", l.Account, "region", l.Region, "error", err)
		snapshot = known.Snapshot
	}
	f.quotes[at] = quotes{now, snapshot}
	return snapshot
}

// priceOf is what a machine costs now; 0 when its market is no more.
func priceOf(s market.Snapshot, h Host) money.Price {
	for _, p := range s.Of(h.Type) {
		if p.Market.Zone == h.Zone && p.Market.Lifecycle == h.Lifecycle {
			return p.Price
		}
	}
	return 0
}

// stateOf is what a machine is good for, as the rule of size sees it: one that is in doubt takes nothing new, but it may still have work.
func stateOf(c *crew, i fleet.Instance) size.State {
	switch {
	case i.ID == "":
		return size.Coming
	case isLeaving(i):
		return size.Leaving
	case c.handed[i.ID] || isDoubtful(i):
		return size.Ready
	}
	return size.Coming
}
