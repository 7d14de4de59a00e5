// Package ledger says how much: metered seconds times dated prices, in exact integers.
//
// It owns meters and ledger lines. It must not know why something ran. Start reading at Ledger; the arithmetic is in cut.go.
//
// The rules it counts by:
//
//   - A meter runs from the whole second in which its instance started to the whole second in which it ended. Every second counts once, at the price that
//     held when that second began. Neap counts use: the cloud's own rounding (AWS charges at least 60 s, and not at all for some interrupted first hours)
//     is left out of cost and baseline alike, so that a saving can be recomputed from seconds and prices alone.
//   - Posted lines are cut at price changes and at UTC hours, so which lines there are depends on meters and prices, never on when Post ran.
//   - An hour is posted Settle after its end, when late prices and late news of an instance's end have come in. Until then readers see it as a live tail,
//     computed by the same arithmetic.
package ledger

import (
	"context"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
)

// Settle is how long after its end a span is posted.
const Settle = 10 * time.Minute

// PriceBook knows the dated prices of a market from … until, without gaps. *market.Market is one.
type PriceBook interface {
	Prices(ctx context.Context, provider string, in cloud.Market, from, until time.Time) ([]market.Segment, error)
}

// Config is what the ledger needs. Clock is engine time.
type Config struct {
	DB     *store.DB
	Clock  clock.Clock
	Market PriceBook
}

// Ledger meters in its callers' transactions and reads on its own. Safe for concurrent use.
type Ledger struct {
	db     *store.DB
	clock  clock.Clock
	prices PriceBook

	mu   sync.Mutex
	upTo time.Time // see PostedUpTo
}

// New makes a ledger over an open database.
func New(c Config) *Ledger { return &Ledger{db: c.DB, clock: c.Clock, prices: c.Market} }

// Meter is one running thing that costs money.
type Meter struct {
	Instance string // unique in the installation
	Request  string // spot request id
	Account  string
	Group    string
	Provider string
	Market   cloud.Market
	From     time.Time
	Until    time.Time // zero while it runs
}

// Line is a price that an instance paid for a span: Actual = Price × whole seconds, Potential = OnDemand × the same.
type Line struct {
	Meter     Meter
	From, To  time.Time // whole seconds, UTC, at most one hour
	Price     money.Price
	OnDemand  money.Price // list price of the same type: the baseline of savings
	Source    string      // of the price
	Actual    money.Amount
	Potential money.Amount
}

// Cost is a sum of lines.
type Cost struct {
	Running   time.Duration
	Actual    money.Amount
	Potential money.Amount // the baseline: the same seconds at the on-demand list price of the same type
}

// Saved is what the baseline would have cost more; negative when it would have cost less.
func (c Cost) Saved() money.Amount { return c.Potential - c.Actual }

// Sum adds lines.
func Sum(lines []Line) Cost {
	var total Cost
	for _, line := range lines {
		total.add(line)
	}
	return total
}

func (c *Cost) add(line Line) {
	c.Running += line.To.Sub(line.From)
	c.Actual += line.Actual
	c.Potential += line.Potential
}

// Day is the cost of one UTC day.
type Day struct {
	Date time.Time // midnight UTC
	Cost
}

// Daily sums lines by UTC day: one row for every day that from … to touches, also for days without cost. Lines outside the range are left out.
func Daily(lines []Line, from, to time.Time) []Day {
	var days []Day
	const day = 24 * time.Hour
	for date := from.UTC().Truncate(day); date.Before(to); date = date.Add(day) {
		days = append(days, Day{Date: date})
	}
	for _, line := range lines {
		whole, ok := line.within(from, to)
		for i := indexOfDay(days, whole.From); ok && i < len(days); i++ {
			part, overlaps := whole.within(days[i].Date, days[i].Date.Add(day))
			if !overlaps {
				break
			}
			days[i].add(part)
		}
	}
	return days
}

func indexOfDay(days []Day, at time.Time) int {
	if len(days) == 0 || at.Before(days[0].Date) {
		return len(days)
	}
	return int(at.Sub(days[0].Date) / (24 * time.Hour))
}

var _ PriceBook = (*market.Market)(nil)
