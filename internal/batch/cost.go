package batch

import (
	"cmp"
	"context"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/batch/instance"
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

// clocksApart is how far a cloud's clock may be from ours.
const clocksApart = time.Hour

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
		isOwn := a.Group == instance.GroupOf(taskID(id, a.N))
		// The ledger counts the seconds that begin in a time; the attempt may have begun and ended within one.
		from, until := a.At.Truncate(time.Second), a.end(now)
		if isOwn { // the whole group is the attempt's, also what the cloud's clock books before or behind it
			from, until = from.Add(-clocksApart), until.Add(clocksApart)
		}
		lines, err := b.c.Ledger.Lines(ctx, account, a.Group, from, until)
		if err != nil {
			return Cost{}, err
		}
		for _, l := range lines {
			switch {
			case isOwn:
				total.Actual, total.Potential = total.Actual+l.Actual, total.Potential+l.Potential
			case l.Meter.Instance == a.Host:
				total.Actual += a.owes(l, l.Price, now)
				total.Potential += a.owes(l, l.OnDemand, now)
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

// owes is what an attempt owes of a line: its part of the milliseconds that it took room, rounded down, so that what all owe together never exceeds the line.
func (a *Attempt) owes(l ledger.Line, price money.Price, now time.Time) money.Amount {
	from, to := later(a.At, l.From), a.end(now)
	if to.After(l.To) {
		to = l.To
	}
	if !to.After(from) {
		return 0
	}
	return money.Amount(product(int64(price.For(time.Second))*to.Sub(from).Milliseconds(), a.Part, 1000*whole))
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
	lines := map[string][]due{}
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
			lines[l.Meter.Instance] = append(lines[l.Meter.Instance], due{l, l.Actual})
		}
	}
	err = b.each(ctx, account, until, func(j *Job) {
		for _, a := range j.Attempts {
			c := of[a.Group]
			if c == nil || !a.At.Before(until) || !a.end(now).After(from) {
				continue
			}
			c.Attempts++
			c.Jobs += a.pay(lines[a.Host], now)
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

// due is a line, and what of it no job has paid yet.
type due struct {
	ledger.Line
	left money.Amount
}

// pay takes what an attempt owes off the lines of its machine, which are in the order of time. A machine that was told to be larger later on, or smaller, may have held
// attempts whose parts add up to more than the whole: nobody pays what others have paid already.
func (a *Attempt) pay(lines []due, now time.Time) (paid money.Amount) {
	first, _ := slices.BinarySearchFunc(lines, a.At, func(l due, at time.Time) int {
		if l.To.After(at) {
			return 1
		}
		return -1
	})
	for i := first; i < len(lines) && lines[i].From.Before(a.end(now)); i++ {
		owed := min(a.owes(lines[i].Line, lines[i].Price, now), lines[i].left)
		lines[i].left -= owed
		paid += owed
	}
	return paid
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
	used, weight := map[string]Usage{}, map[string]*big.Int{}
	err := b.each(ctx, account, q.Until.Add(time.Millisecond), func(j *Job) {
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
		if weight[j.Customer] == nil {
			weight[j.Customer] = new(big.Int)
		}
		weight[j.Customer].Add(weight[j.Customer], new(big.Int).Mul(big.NewInt(ran), big.NewInt(j.Resources.MilliCPU)))
		used[j.Customer] = u
	})
	if err != nil {
		return nil, err
	}
	var parts []share.Part
	for customer, u := range used {
		u.VCPUMS = new(big.Int).Quo(weight[customer], big.NewInt(1000)).Int64()
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
