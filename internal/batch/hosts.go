package batch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/runtime"
)

const (
	// lastCall is how long before a machine goes its tasks are asked to end, and margin how long before they are made to.
	lastCall = 30 * time.Second
	margin   = 2 * time.Second
)

// host is a machine with what is taken of it.
type host struct {
	capacity.Host
	taken runtime.Resources
}

// take notes a task on a host; nil has room for all.
func (h *host) take(needs runtime.Resources) {
	if h != nil {
		h.taken = minus(h.taken, minus(runtime.Resources{}, needs))
	}
}

// holds reports whether a task finds room.
func (h *host) holds(needs runtime.Resources) bool {
	left := minus(minus(h.Has, h.taken), needs)
	return h.Ready && left.MilliCPU >= 0 && left.MemoryMiB >= 0 && left.GPUs >= 0
}

// fit is the machine of a lane that has least left and still enough, so that others become free and can go; nil when there is none.
func (d *dispatcher) fit(l capacity.Lane, needs runtime.Resources) (best *host) {
	for _, h := range d.ofLane[l] {
		if h.holds(needs) && (best == nil || tighter(h, best)) {
			best = h
		}
	}
	return best
}

func tighter(a, b *host) bool {
	x, y := a.Has.MilliCPU-a.taken.MilliCPU, b.Has.MilliCPU-b.taken.MilliCPU
	if x != y {
		return x < y
	}
	return a.ID < b.ID
}

// look finds out which machines there are, and saves what runs on those that go.
func (d *dispatcher) look(ctx context.Context) error {
	if len(d.c.Hosted) == 0 || !d.isDue("look", lookEvery) {
		return nil
	}
	list, err := d.c.Capacity.Hosts(ctx)
	if err != nil {
		return fmt.Errorf("look at the machines of jobs: %w", err)
	}
	clear(d.hosts)
	clear(d.ofLane)
	for _, h := range list {
		if !h.Gone {
			is := &host{Host: h}
			d.hosts[h.ID], d.ofLane[h.Lane] = is, append(d.ofLane[h.Lane], is)
		}
	}
	for _, other := range d.others {
		d.hosts[other.host].take(other.needs)
	}
	now := d.c.Clock.Now()
	for _, r := range d.active {
		if r.line.how != hosted {
			continue
		}
		h := d.hosts[r.host]
		h.take(r.needs)
		d.save(ctx, r, h, now)
	}
	return nil
}

// save ends a task whose machine goes: asked in time to keep what it has done, made to when there is no time left.
func (d *dispatcher) save(ctx context.Context, r *run, h *host, now time.Time) {
	switch {
	case h == nil && !r.killed:
		r.killed = true
		d.end(ctx, r, stop{outcomePreempted, fmt.Sprintf("Its machine %s has gone.", r.host)}, 0)
	case h == nil || h.Until.IsZero() || r.stopped || now.Before(h.Until.Add(-lastCall)):
	default:
		d.end(ctx, r, stop{outcomePreempted, fmt.Sprintf("Its machine %s is taken back at %s.", r.host, h.Until.UTC().Format(time.TimeOnly))}, max(0, h.Until.Sub(now)-margin))
	}
}

// told is what a lane's capacity was told last, and what it is to be told next.
type told struct {
	waits []runtime.Resources
	last  capacity.Demand
	at    time.Time
}

func (d *dispatcher) lane(l capacity.Lane) *told {
	t := d.lanes[l]
	if t == nil {
		t = &told{}
		d.lanes[l] = t
	}
	return t
}

// want tells capacity what each lane needs now.
func (d *dispatcher) want(ctx context.Context) error {
	busy := map[capacity.Lane]map[string]runtime.Resources{}
	for id, h := range d.hosts {
		d.lane(h.Lane)
		if h.taken == (runtime.Resources{}) {
			continue
		}
		if busy[h.Lane] == nil {
			busy[h.Lane] = map[string]runtime.Resources{}
		}
		busy[h.Lane][id] = h.taken
	}
	for l, t := range d.lanes {
		demand := capacity.Demand{Busy: busy[l], Waiting: t.waits}
		since := time.Since(t.at)
		if same := maps.Equal(demand.Busy, t.last.Busy) && slices.Equal(demand.Waiting, t.last.Waiting); same && since < wantEvery || since < lookEvery {
			continue
		}
		if err := d.c.Capacity.Want(ctx, l, demand); err != nil {
			return fmt.Errorf("tell what the queue %s in %s needs: %w", l.Queue, l.Region, err)
		}
		t.last, t.at = demand, time.Now()
	}
	return nil
}
