package batchtest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/runtime"
)

// Fixed is a capacity of so many machines of one size in each lane that is asked for. They come at once, and go when they are taken.
type Fixed struct {
	Machines int
	Each     runtime.Resources
	Named    []string // queues that there are beside the two usual ones

	mu    sync.Mutex
	lanes map[capacity.Lane][]capacity.Host
	count int
	looks int
	wants map[capacity.Lane]capacity.Demand
}

var _ capacity.Capacity = (*Fixed)(nil)

// Hosts is capacity.Capacity's.
func (f *Fixed) Hosts(context.Context) (all []capacity.Host, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	for _, hosts := range f.lanes {
		all = append(all, hosts...)
	}
	return all, nil
}

// Want is capacity.Capacity's.
func (f *Fixed) Want(_ context.Context, l capacity.Lane, d capacity.Demand) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lanes == nil {
		f.lanes, f.wants = map[capacity.Lane][]capacity.Host{}, map[capacity.Lane]capacity.Demand{}
	}
	f.wants[l] = d
	for len(f.lanes[l]) < f.Machines {
		f.lanes[l] = append(f.lanes[l], f.machine(l))
	}
	return nil
}

// Wanted is what a lane was last said to need.
func (f *Fixed) Wanted(l capacity.Lane) capacity.Demand {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wants[l]
}

// Looks is how often the machines were asked for.
func (f *Fixed) Looks() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.looks
}

func (f *Fixed) machine(l capacity.Lane) capacity.Host {
	f.count++
	return capacity.Host{
		ID: fmt.Sprintf("i-%017x", f.count), Lane: l, Group: "grp-" + l.Queue, Type: "c5.large", Zone: l.Region + "a", Lifecycle: cloud.Spot,
		Has: f.Each, Ready: true,
	}
}

// Take takes machines back: with notice until a time, or at once (zero). Others come in their place. It tells how many there were.
func (f *Fixed) Take(until time.Time, which func(n int) bool) (taken int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for l, hosts := range f.lanes {
		for i := range hosts {
			if !which(taken) {
				continue
			}
			taken++
			if until.IsZero() {
				hosts[i] = f.machine(l)
			} else {
				hosts[i].Ready, hosts[i].Until = false, until
			}
		}
	}
	return taken
}

// Fits is capacity.Capacity's.
func (f *Fixed) Fits(_ context.Context, l capacity.Lane, needs runtime.Resources) error {
	known := l.Queue == capacity.SpotQueue || l.Queue == capacity.OnDemandQueue
	for _, name := range f.Named {
		known = known || l.Queue == name
	}
	switch {
	case !known:
		return &runtime.Refusal{Kind: runtime.Never, Message: fmt.Sprintf("There is no queue %s in %s.", l.Queue, l.Region)}
	case needs.MilliCPU > f.Each.MilliCPU || needs.MemoryMiB > f.Each.MemoryMiB:
		return &runtime.Refusal{Kind: runtime.Never, Message: "No machine is as large as that."}
	}
	return nil
}

// Lanes is capacity.Capacity's.
func (f *Fixed) Lanes(_ context.Context, account string) (map[string]capacity.Lane, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lanes := map[string]capacity.Lane{}
	for l := range f.lanes {
		if l.Account == account {
			lanes["grp-"+l.Queue] = l
		}
	}
	return lanes, nil
}

// Queues are none: those that Named lists are simply there.
func (f *Fixed) Queues(context.Context, string) ([]capacity.Queue, error) { return nil, nil }

// PutQueue is refused.
func (f *Fixed) PutQueue(_ context.Context, q capacity.Queue) (capacity.Queue, error) {
	return q, fault.Of(fault.Denied, "queue", "Queues are fixed here.")
}

// DropQueue is refused.
func (f *Fixed) DropQueue(context.Context, capacity.Lane) error {
	return fault.Of(fault.Denied, "queue", "Queues are fixed here.")
}
