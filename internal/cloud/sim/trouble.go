package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/money"
)

// TroubleKind says what goes wrong.
type TroubleKind string

// The troubles that can be ordered from outside of the process that runs the world.
const (
	OutageTrouble   TroubleKind = "outage"   // calls fail before they have an effect
	HangTrouble     TroubleKind = "hang"     // calls get no answer until it is over, or their caller gives up
	BlankTrouble    TroubleKind = "blank"    // Describe lists nothing, without an error
	LostTrouble     TroubleKind = "lost"     // calls have their effect, and their replies are lost
	ThrottleTrouble TroubleKind = "throttle" // calls are throttled, as with an empty request bucket
	RoomTrouble     TroubleKind = "room"     // matching pools grant Count instances to each call; 0 = they are dry
	QuotaTrouble    TroubleKind = "quota"    // the account may use Count vCPUs of each class
	PriceTrouble    TroubleKind = "prices"   // matching prices are told Factor times as high: wrong by any measure when it is 0, negative or tiny
)

// Trouble is an order for a world, from whoever shares its database. From and Until are wall time: it is people and tests who give orders.
type Trouble struct {
	Kind   TroubleKind `json:"kind"`
	Region string      `json:"region"`
	Call   Call        `json:"call,omitempty"`  // only this call; "" = every one
	Pool   string      `json:"pool,omitempty"`  // a part of the pool's key, e.g. "/spot"; "" = every pool
	Count  int         `json:"count,omitempty"` // of RoomTrouble and QuotaTrouble
	Factor float64     `json:"factor,omitempty"`
	From   time.Time   `json:"from"`
	Until  time.Time   `json:"until"`
}

// rereadOrders is how old a process's knowledge of the orders may be, in wall time.
const rereadOrders = 200 * time.Millisecond

// orders are the troubles that stand in the database, as this process last read them.
type orders struct {
	mu     sync.Mutex
	readAt time.Time
	list   []Trouble
}

// Order writes a trouble down for every process that shares this world; each knows it within 200 ms. Relent does not end it, Pardon does.
func (c *Cloud) Order(ctx context.Context, t Trouble) error {
	detail, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("simulated cloud: %w", err)
	}
	return c.db.write(ctx, func(ctx context.Context, tx runner) error {
		seq, err := c.db.number(ctx, tx, 1)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, c.db.sql("INSERT INTO trouble (seq, detail) VALUES (?, ?)"), seq, string(detail))
		return err
	})
}

// Pardon ends all troubles that were ordered through the database.
func (c *Cloud) Pardon(ctx context.Context) error {
	return c.db.write(ctx, func(ctx context.Context, tx runner) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM trouble")
		return err
	})
}

// readOrders brings this process's knowledge up to date. It is called outside of any transaction, before each call; what happens inside goes by memory.
func (c *Cloud) readOrders(ctx context.Context) error {
	now := clock.Wall{}.Now()
	c.orders.mu.Lock()
	isFresh := now.Sub(c.orders.readAt) < rereadOrders
	if !isFresh {
		c.orders.readAt = now // one caller reads, and the others don't wait for it
	}
	c.orders.mu.Unlock()
	if isFresh {
		return nil
	}
	list, err := readTroubles(ctx, c.db)
	if err != nil {
		return err
	}
	c.orders.mu.Lock()
	defer c.orders.mu.Unlock()
	c.orders.list = list
	return nil
}

// active are the ordered troubles that hold now in a region.
func (c *Cloud) active(region string) []Trouble {
	c.orders.mu.Lock()
	list := c.orders.list // never changed in place
	c.orders.mu.Unlock()
	var hold []Trouble
	now := clock.Wall{}.Now()
	for _, t := range list {
		if t.Region == region && !now.Before(t.From) && now.Before(t.Until) {
			hold = append(hold, t)
		}
	}
	return hold
}

func readTroubles(ctx context.Context, db *database) (list []Trouble, err error) {
	rows, err := db.reads.QueryContext(ctx, "SELECT detail FROM trouble ORDER BY seq")
	if err != nil {
		return nil, fmt.Errorf("simulated cloud: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var detail string
		var t Trouble
		if err := rows.Scan(&detail); err != nil {
			return nil, fmt.Errorf("simulated cloud: %w", err)
		}
		if err := json.Unmarshal([]byte(detail), &t); err != nil {
			return nil, fmt.Errorf("simulated cloud: %w", err)
		}
		list = append(list, t)
	}
	return list, rows.Err()
}

// suffer is what ordered troubles do to a call before it has any effect.
func (c *Cloud) suffer(ctx context.Context, call Call, region string) error {
	if err := c.readOrders(ctx); err != nil {
		return err
	}
	for c.find(region, HangTrouble, onCall(call)) != nil {
		// Until when is read anew each time: a pardon may come early.
		select {
		case <-clock.Wall{}.After(rereadOrders):
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := c.readOrders(ctx); err != nil {
			return err
		}
	}
	switch {
	case c.find(region, OutageTrouble, onCall(call)) != nil:
		return noAnswer(region)
	case c.find(region, ThrottleTrouble, onCall(call)) != nil:
		return throttled(call, region)
	}
	return nil
}

// swallowed is the error in place of a reply that ordered troubles lose.
func (c *Cloud) swallowed(call Call, region string) error {
	if c.find(region, LostTrouble, onCall(call)) == nil {
		return nil
	}
	return noAnswer(region)
}

func onCall(call Call) func(Trouble) bool {
	return func(t Trouble) bool { return t.Call == "" || t.Call == call }
}

func onPool(m cloud.Market) func(Trouble) bool {
	return func(t Trouble) bool { return strings.Contains(m.PoolKey(), t.Pool) }
}

func anyway(Trouble) bool { return true }

// find is the latest order of a kind that holds now and that matches, or nil.
func (c *Cloud) find(region string, kind TroubleKind, matches func(Trouble) bool) *Trouble {
	for _, t := range slices.Backward(c.active(region)) {
		if t.Kind == kind && matches(t) {
			return &t
		}
	}
	return nil
}

// quota is how many vCPUs of a class an account may use in the region.
func (c *Cloud) quota(region string) int {
	if t := c.find(region, QuotaTrouble, anyway); t != nil {
		return t.Count
	}
	return c.tuning.QuotaVCPUs
}

// poison falsifies prices as ordered.
func (c *Cloud) poison(region string, prices []cloud.Price) []cloud.Price {
	for i, p := range prices {
		if t := c.find(region, PriceTrouble, onPool(p.Market)); t != nil {
			prices[i].Price, prices[i].From = money.Price(float64(p.Price)*t.Factor), c.clock.Now()
		}
	}
	return prices
}

func noAnswer(region string) error {
	return fault.Of(fault.Unavailable, "cloud", "The simulated cloud does not answer in %s; it will be asked again.", region)
}

func throttled(call Call, region string) error {
	return &cloud.Refusal{Kind: cloud.Throttled, Scope: cloud.ScopeAccount, Key: region, Code: "RequestLimitExceeded",
		Message: fmt.Sprintf("Too many %s requests in %s (simulated); ask again more slowly.", call, region)}
}
