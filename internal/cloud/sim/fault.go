package sim

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// faults are the troubles that a test or an operator orders. They are in memory only and end with the process.
type faults struct {
	mu      sync.Mutex
	next    []ordered
	outages map[string]physics.Instant
	hangs   map[string]physics.Instant
	blanks  map[string]physics.Instant
	rooms   map[roomKey]room
}

type ordered struct {
	call    Call
	isReply bool // the call is carried out, only its reply is lost
	err     error
}

type roomKey struct{ region, pool string }

type room struct {
	count int
	until physics.Instant
}

// FailNext makes the next such call fail with err, without any effect.
func (c *Cloud) FailNext(call Call, err error) { c.faults.order(ordered{call: call, err: err}) }

// LoseReply lets the next such call have its effect and then fail with err.
func (c *Cloud) LoseReply(call Call, err error) {
	c.faults.order(ordered{call: call, isReply: true, err: err})
}

// Outage makes every call in the region fail until a moment.
func (c *Cloud) Outage(region string, until time.Time) {
	c.faults.mark(&c.faults.outages, region, until)
}

// Hang makes every call in the region wait until a moment, or until its caller gives up.
func (c *Cloud) Hang(region string, until time.Time) { c.faults.mark(&c.faults.hangs, region, until) }

// EmptyDescribe makes Describe list nothing in the region until a moment, without an error.
func (c *Cloud) EmptyDescribe(region string, until time.Time) {
	c.faults.mark(&c.faults.blanks, region, until)
}

// Dry makes the market's pool refuse everything until a moment.
func (c *Cloud) Dry(m cloud.Market, until time.Time) { c.Room(m, 0, until) }

// Room makes the market's pool grant exactly count instances to each call until a moment, whatever its own state.
func (c *Cloud) Room(m cloud.Market, count int, until time.Time) {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	if c.faults.rooms == nil {
		c.faults.rooms = map[roomKey]room{}
	}
	c.faults.rooms[roomKey{m.Region, m.PoolKey()}] = room{count, physics.At(until)}
}

// Relent ends all ordered troubles.
func (c *Cloud) Relent() {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.next, c.faults.outages, c.faults.hangs, c.faults.blanks, c.faults.rooms = nil, nil, nil, nil, nil
}

// Kill makes living instances fail: they end at once, without a notice.
func (c *Cloud) Kill(ctx context.Context, ids ...string) error {
	find := func(ctx context.Context, tx runner, now physics.Instant) ([]*instance, error) {
		return c.living(ctx, tx, ids, now)
	}
	return c.outside(ctx, find, func(ctx context.Context, tx runner, i *instance, now physics.Instant) error {
		i.end(now, 0, cloud.EndedByFailure)
		return c.silence(ctx, tx, i, now)
	})
}

// Impair makes living instances fail the cloud's own status check from now on, until they are rebooted.
func (c *Cloud) Impair(ctx context.Context, ids ...string) error {
	find := func(ctx context.Context, tx runner, now physics.Instant) ([]*instance, error) {
		return c.living(ctx, tx, ids, now)
	}
	return c.outside(ctx, find, func(_ context.Context, _ runner, i *instance, now physics.Instant) error {
		i.impaired = now
		return nil
	})
}

// Reclaim takes every spot instance of a market's pool back, as a natural reclaim would: notices spread over the first minutes, and the
// pool stays dry for half an hour.
func (c *Cloud) Reclaim(ctx context.Context, m cloud.Market) error {
	m.Lifecycle, m.Product = cloud.Spot, product(m)
	offer, sold := c.catalog.Offer(m.Region, m.Product, m.Type)
	if !sold {
		return bad("InvalidParameterValue", "The type %q is not sold in %s for %q (simulated).", m.Type, m.Region, m.Product)
	}
	c.Dry(m, c.clock.Now().Add(30*time.Minute))
	find := func(ctx context.Context, tx runner, now physics.Instant) ([]*instance, error) {
		return readInstances(ctx, c.db, tx, "pool = ? AND lifecycle = ? AND notice_at > ? AND ends_at > ?",
			c.poolOf(m, offer).Key, string(cloud.Spot), int64(now), int64(now))
	}
	return c.outside(ctx, find, func(ctx context.Context, tx runner, i *instance, now physics.Instant) error {
		d := c.dice.On("reclaimed").At(i.seq).At(int64(now))
		return c.takeBack(ctx, tx, i, now, now+physics.Delay(&d))
	})
}

func (f *faults) order(o ordered) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, o)
}

func (f *faults) mark(marks *map[string]physics.Instant, region string, until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if *marks == nil {
		*marks = map[string]physics.Instant{}
	}
	(*marks)[region] = physics.At(until)
}

// take removes and returns the first order for this call.
func (f *faults) take(call Call, isReply bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n, o := range f.next {
		if o.call == call && o.isReply == isReply {
			f.next = slices.Delete(f.next, n, n+1)
			return o.err
		}
	}
	return nil
}

func (f *faults) lost(call Call) error { return f.take(call, true) }

// strike is what goes wrong before a call has any effect.
func (f *faults) strike(ctx context.Context, clock clock.Clock, call Call, region string) error {
	f.mu.Lock()
	hang, outage := f.hangs[region]-physics.At(clock.Now()), f.outages[region]
	f.mu.Unlock()
	if hang > 0 {
		select {
		case <-clock.After(time.Duration(hang) * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if physics.At(clock.Now()) < outage {
		return noAnswer(region)
	}
	return f.take(call, false)
}

func (f *faults) isBlank(region string, now physics.Instant) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return now < f.blanks[region]
}

func (f *faults) room(m cloud.Market, now physics.Instant) (int, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ordered, set := f.rooms[roomKey{m.Region, m.PoolKey()}]
	return ordered.count, set && now < ordered.until
}
