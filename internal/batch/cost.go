package batch

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/batch/share"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
)

// Cost is what a job cost so far: of each machine that it ran on, its share of every second.
type Cost struct {
	Actual    money.Amount
	Potential money.Amount // the same seconds at the on-demand list price of the same type
	Running   time.Duration
}

// Cost adds up what the job's attempts cost, from when each got its place until it ended.
func (b *Batch) Cost(ctx context.Context, account, id string) (Cost, error) {
	d, err := jobs.Get(ctx, b.c.DB, store.Account(account), id)
	if err != nil {
		return Cost{}, err
	}
	now := b.c.Clock.Now()
	var total Cost
	for _, a := range d.Value.Attempts {
		total.Running += a.took(now)
		if a.Group == "" {
			continue
		}
		// The ledger leaves out a second that begins before what is asked for; part cuts to the millisecond.
		lines, err := b.c.Ledger.Lines(ctx, account, a.Group, a.At.Truncate(time.Second), a.end(now))
		if err != nil {
			return Cost{}, err
		}
		for _, l := range lines {
			if l.Meter.Instance == a.Host {
				total.Actual += a.part(l, l.Price, now)
				total.Potential += a.part(l, l.OnDemand, now)
			}
		}
	}
	return total, nil
}

// end is when an attempt ended; now when it goes on.
func (a *Attempt) end(now time.Time) time.Time {
	if a.EndedAt.IsZero() {
		return now
	}
	return a.EndedAt
}

// took is for how long an attempt ran.
func (a *Attempt) took(now time.Time) time.Duration {
	if a.StartedAt.IsZero() {
		return 0
	}
	return max(0, a.end(now).Sub(a.StartedAt))
}

// part is what an attempt owes of a line: its share of the milliseconds that it took room, rounded down, so that all parts together never exceed the line.
func (a *Attempt) part(l ledger.Line, price money.Price, now time.Time) money.Amount {
	from, to := later(a.At, l.From), a.end(now)
	if to.After(l.To) {
		to = l.To
	}
	if !to.After(from) {
		return 0
	}
	second := float64(price.For(time.Second))
	return money.Amount(math.Floor(second * a.Share * float64(to.Sub(from).Milliseconds()) / 1000))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// LaneCost is what a lane's machines cost in a time, exactly: Jobs + Idle = Fleet.
type LaneCost struct {
	Lane              capacity.Lane
	Groups            []string // that the ledger books the machines under
	Jobs, Idle, Fleet money.Amount
	Attempts          int           // that took room in this time
	Running           time.Duration // of the machines
}

// Costs are the lanes' costs from … until, by cloud, region and queue.
func (b *Batch) Costs(ctx context.Context, account string, from, until time.Time) ([]LaneCost, error) {
	lanes, err := b.c.Capacity.Lanes(ctx, account)
	if err != nil {
		return nil, err
	}
	now := b.c.Clock.Now()
	booked, of := map[capacity.Lane]*LaneCost{}, map[string]*LaneCost{} // by lane, and by group
	lines := map[string][]ledger.Line{}
	for _, group := range slices.Sorted(maps.Keys(lanes)) {
		c := booked[lanes[group]]
		if c == nil {
			c = &LaneCost{Lane: lanes[group]}
			booked[c.Lane] = c
		}
		c.Groups, of[group] = append(c.Groups, group), c
		spent, err := b.c.Ledger.Lines(ctx, account, group, from, until)
		if err != nil {
			return nil, err
		}
		for _, l := range spent {
			c.Fleet += l.Actual
			c.Running += l.To.Sub(l.From)
			lines[l.Meter.Instance] = append(lines[l.Meter.Instance], l)
		}
	}
	err = b.each(ctx, account, until, func(j *Job) {
		for _, a := range j.Attempts {
			c := of[a.Group]
			if c == nil || !a.At.Before(until) || !a.end(now).After(from) {
				continue
			}
			c.Attempts++
			for _, l := range lines[a.Host] {
				c.Jobs += a.part(l, l.Price, now)
			}
		}
	})
	costs := make([]LaneCost, 0, len(booked))
	for _, c := range booked {
		c.Idle = c.Fleet - c.Jobs
		costs = append(costs, *c)
	}
	slices.SortFunc(costs, func(a, b LaneCost) int {
		return cmp.Or(cmp.Compare(a.Lane.Cloud, b.Lane.Cloud), cmp.Compare(a.Lane.Region, b.Lane.Region), cmp.Compare(a.Lane.Queue, b.Lane.Queue))
	})
	return costs, err
}

// each hands every job that was submitted before a time to take, oldest first.
func (b *Batch) each(ctx context.Context, account string, until time.Time, take func(*Job)) error {
	for after := ""; ; {
		docs, next, err := jobs.List(ctx, b.c.DB, store.Account(account), store.Query{Until: until, Limit: listPage, After: after})
		if err != nil {
			return err
		}
		for _, d := range docs {
			j := job(d)
			take(&j)
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// Usage is one customer's part of what ran.
type Usage struct {
	Jobs      int
	RuntimeMS int64
	VCPUMS    int64  // milliseconds × vCPUs, rounded down
	Cost      *int64 // of the price that was split; nil = none was
}

// UsageQuery selects the jobs of a region whose runs overlap a time; they count as far as they do.
type UsageQuery struct {
	Cloud, Region string
	From, Until   time.Time
	Price         *int64 // to be split; nil = nothing is
}

// Usage tells who used how much, by customer. A job's run is from the start of each attempt to its end; one that goes on ends now.
func (b *Batch) Usage(ctx context.Context, account string, q UsageQuery) (map[string]Usage, error) {
	now := b.c.Clock.Now()
	used, weight := map[string]Usage{}, map[string]int64{}
	err := b.each(ctx, account, q.Until, func(j *Job) {
		if j.Cloud != q.Cloud || j.Region != q.Region {
			return
		}
		ran, overlaps := j.ran(q.From, q.Until, now)
		if !overlaps {
			return
		}
		u := used[j.Customer]
		u.Jobs++
		u.RuntimeMS += ran
		weight[j.Customer] += ran * j.Resources.MilliCPU
		used[j.Customer] = u
	})
	if err != nil {
		return nil, err
	}
	var parts []share.Part
	for customer, u := range used {
		u.VCPUMS = weight[customer] / 1000
		used[customer] = u
		parts = append(parts, share.Part{Name: customer, Weight: weight[customer]})
	}
	if q.Price == nil {
		return used, nil
	}
	for customer, cost := range share.Split(*q.Price, parts) {
		u := used[customer]
		u.Cost = &cost
		used[customer] = u
	}
	return used, nil
}

// ran is for how many milliseconds a job ran in a time; overlaps is false when it did not run then at all.
func (j *Job) ran(from, until, now time.Time) (ms int64, overlaps bool) {
	for _, a := range j.Attempts {
		if a.StartedAt.IsZero() {
			continue
		}
		begin, end := later(a.StartedAt, from), a.end(now)
		if end.After(until) {
			end = until
		}
		if !end.Before(begin) && !a.StartedAt.After(until) {
			ms, overlaps = ms+end.Sub(begin).Milliseconds(), true
		}
	}
	return ms, overlaps
}
