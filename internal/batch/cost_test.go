package batch_test

import (
	"context"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
)

// flat is a market whose price never changes.
type flat struct{}

const flatPrice = money.Price(3_600_000_000)

func (flat) Prices(_ context.Context, _ string, _ cloud.Market, from, until time.Time) ([]market.Segment, error) {
	return []market.Segment{{From: from, Until: until, Price: flatPrice, OnDemand: 2 * flatPrice, Source: market.SourceCatalogue}}, nil
}

func TestAJobThatEndsWithinASecondCostsItsMilliseconds(t *testing.T) {
	w := newWorld(t)
	w.Clock.Advance(1300 * time.Millisecond)
	id := w.submit(asked("hold")).ID
	a := w.becomes(id, batch.Running).Attempts[0]
	err := w.DB.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return w.books.Open(ctx, tx, ledger.Meter{Instance: a.Host, Account: account, Group: a.Group, Provider: "sim", From: dawn})
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(100 * time.Millisecond)
	if ok, err := w.Instant.Finish(id+".1", 0); !ok || err != nil {
		t.Fatal(ok, err)
	}
	w.becomes(id, batch.Succeeded)
	w.Clock.Advance(5 * time.Second)
	cost, err := w.Cost(t.Context(), account, id)
	want := money.Amount(float64(flatPrice.For(time.Second)) * a.Share / 10)
	if err != nil || want == 0 || cost.Actual != want || cost.Potential != 2*want {
		t.Errorf("%+v, %v; want %d for a tenth of a second of %.2f of the machine", cost, err, want, a.Share)
	}
}
