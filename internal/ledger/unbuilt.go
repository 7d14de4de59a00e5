// Package ledger says how much: metered seconds times dated prices, in exact integers.
//
// It owns meters and ledger lines. It must not know why something ran. Start reading at Ledger.
package ledger

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
)

type Config struct {
	DB     *store.DB
	Clock  clock.Clock
	Market *market.Market
}

type Ledger struct{}

func New(c Config) *Ledger { panic("unbuilt") }

// Meter is one running thing that costs money.
type Meter struct {
	Instance string
	Request  string // spot request id
	Account  string
	Group    string
	Provider string
	Market   cloud.Market
	From     time.Time
	Until    time.Time // zero while it runs
}

// Open starts a meter, Close ends it; repeating either changes nothing.
func (l *Ledger) Open(ctx context.Context, tx *store.Tx, m Meter) error { panic("unbuilt") }
func (l *Ledger) Close(ctx context.Context, tx *store.Tx, account, instance string, at time.Time) error {
	panic("unbuilt")
}

// Post turns metered time into ledger lines up to the present, idempotently; call it periodically under a lease.
func (l *Ledger) Post(ctx context.Context) error { panic("unbuilt") }

// Line is a price that an instance paid for a span: Actual = Price × whole seconds, Potential = OnDemand × the same.
type Line struct {
	Meter     Meter
	From, To  time.Time
	Price     money.Price
	OnDemand  money.Price
	Source    string // of the price
	Actual    money.Amount
	Potential money.Amount
}

// Lines are the posted and the not yet posted lines of a group that overlap from … to, cut to it.
func (l *Ledger) Lines(ctx context.Context, account, group string, from, to time.Time) ([]Line, error) {
	panic("unbuilt")
}

// Cost is a sum of lines.
type Cost struct {
	Running   time.Duration
	Actual    money.Amount
	Potential money.Amount // the baseline: the same seconds at the on-demand list price of the same type
}

// Sum adds lines.
func Sum(lines []Line) Cost { panic("unbuilt") }
