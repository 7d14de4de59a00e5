package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

func TestHoursArePostedOnceTheyHaveSettled(t *testing.T) {
	b := newBench(t, steady())
	b.open(meter("i-1", noon.Add(-30*time.Minute)))
	for _, step := range []struct {
		now  time.Time
		want int64 // seconds posted
	}{
		{noon.Add(Settle - time.Second), 0},
		{noon.Add(Settle), 1800},
		{noon.Add(time.Hour), 1800},
		{noon.Add(time.Hour + Settle), 1800 + 3600},
		{noon.Add(4*time.Hour + 30*time.Minute), 1800 + 4*3600},
	} {
		b.clock.Advance(step.now.Sub(b.clock.Now()))
		b.post()
		b.post()
		stored, _ := b.stored()
		check(t, "stored at "+step.now.Format(time.TimeOnly), stored, at(step.want))
		check(t, "cost at "+step.now.Format(time.TimeOnly), b.cost(noon.Add(-time.Hour), noon.Add(24*time.Hour)), at(int64(step.now.Sub(noon)/time.Second)+1800))
	}
}

func TestAClosedMeterIsPostedToItsEndAndLeftAlone(t *testing.T) {
	b := newBench(t, steady())
	b.open(meter("i-1", noon))
	b.close("i-1", noon.Add(5*time.Minute))
	b.clock.Advance(5*time.Minute + Settle)
	b.post()
	doc, err := meters.Get(t.Context(), b.db, store.Installation(), "i-1")
	b.must(err)
	check(t, "state", doc.State, settled)
	stored, count := b.stored()
	check(t, "stored", stored, at(300))
	check(t, "lines", count, 1)
	b.close("i-1", noon.Add(time.Minute))
	check(t, "cost after a repeated close", b.cost(noon, noon.Add(time.Hour)), at(300))
}

func TestPostedLinesDoNotDependOnHowOftenPostRan(t *testing.T) {
	prices := bookOf(noon,
		market.Segment{From: noon.AddDate(-1, 0, 0), Price: 1, OnDemand: 2, Source: "catalogue"},
		market.Segment{From: noon.Add(90 * time.Minute), Price: 3, OnDemand: 4, Source: "feed"},
	)
	var texts []string
	for _, steps := range []int{1, 7, 50} {
		b := newBench(t, prices)
		b.open(meter("i-1", noon))
		for range steps {
			b.clock.Advance(5 * time.Hour / time.Duration(steps))
			b.post()
		}
		lines, err := b.Lines(t.Context(), "act-1", "sig-1", noon, noon.Add(4*time.Hour))
		b.must(err)
		var text strings.Builder
		b.must(WriteCSV(&text, lines))
		texts = append(texts, text.String())
	}
	check(t, "lines after many posts", texts[1], texts[0])
	check(t, "lines after very many posts", texts[2], texts[0])
	check(t, "rows", strings.Count(texts[0], "\n"), 1+5)
}

func TestReplicasThatPostAtOnceLoseAndDoubleNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) { replicasThatPostAtOnceLoseAndDoubleNothing(t, at.Open(t)) })
}

func replicasThatPostAtOnceLoseAndDoubleNothing(t *testing.T, db *store.DB) {
	b := benchOn(t, db, steady())
	const instances = 20
	for n := range instances {
		b.open(meter(fmt.Sprintf("i-%d", n), noon))
	}
	b.clock.Advance(3*time.Hour + Settle)
	var all sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		all.Go(func() {
			if err := b.Post(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Go(func() { // readers see the same sum at any moment
		for {
			lines, err := b.Lines(context.Background(), "act-1", "sig-1", noon, noon.Add(3*time.Hour))
			if err != nil {
				t.Error(err)
			}
			check(t, "cost meanwhile", Sum(lines), at(instances*3*3600))
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	for range 20 {
		b.post()
	}
	close(stop)
	all.Wait()
	stored, count := b.stored()
	check(t, "stored", stored, at(instances*3*3600))
	check(t, "lines", count, instances*3)
}

func TestReadersNeverMissSecondsOfAMeterThatIsClosedIntoThePast(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		readersNeverMissSecondsOfAMeterThatIsClosedIntoThePast(t, at.Open(t))
	})
}

func readersNeverMissSecondsOfAMeterThatIsClosedIntoThePast(t *testing.T, db *store.DB) {
	b := benchOn(t, db, steady())
	const instances = 30
	for n := range instances {
		b.open(meter(fmt.Sprintf("i-%d", n), noon))
	}
	b.clock.Advance(4*time.Hour + Settle)
	b.post()
	closing := make(chan struct{})
	go func() {
		defer close(closing)
		for n := range instances {
			err := b.db.Tx(context.Background(), func(ctx context.Context, tx *store.Tx) error {
				return b.Close(ctx, tx, "act-1", fmt.Sprintf("i-%d", n), noon.Add(time.Hour))
			})
			if err != nil {
				t.Error(err)
			}
		}
	}()
	for done := false; !done; {
		select {
		case <-closing:
			done = true
		default:
		}
		lines, err := b.Lines(t.Context(), "act-1", "sig-1", noon, noon.Add(4*time.Hour))
		if fault.Is(err, fault.Unavailable) {
			continue // it says so rather than being wrong
		}
		b.must(err)
		if seconds := int64(Sum(lines).Running / time.Second); (seconds-instances*3600)%(3*3600) != 0 {
			t.Errorf("%d seconds are no number of whole and closed instances", seconds)
		}
	}
	check(t, "cost", b.cost(noon, noon.Add(4*time.Hour)), at(instances*3600))
}

// broken is a price book that fails for one type.
type broken struct {
	book
	bad string
}

var errNoPrices = errors.New("no prices")

func (b broken) Prices(ctx context.Context, provider string, in cloud.Market, from, until time.Time) ([]market.Segment, error) {
	if in.Type == b.bad {
		return nil, errNoPrices
	}
	return b.book.Prices(ctx, provider, in, from, until)
}

func TestAMeterWithoutPricesHoldsUpNoOther(t *testing.T) {
	b := newBench(t, broken{book: steady(), bad: "m5.large"})
	b.open(meter("i-1", noon))
	fine := meter("i-2", noon.Add(time.Second))
	fine.Market.Type = "c5.large"
	b.open(fine)
	b.clock.Advance(2 * time.Hour)
	if err := b.Post(t.Context()); !errors.Is(err, errNoPrices) {
		t.Errorf("posting without prices gives %v", err)
	}
	stored, _ := b.stored()
	check(t, "stored", stored, at(3599))
	b.Ledger.prices = steady()
	b.post()
	stored, _ = b.stored()
	check(t, "stored once there are prices", stored, at(3599+3600))
}

func TestManyMetersArePostedPageByPage(t *testing.T) {
	b := newBench(t, steady())
	const instances = page + 20
	b.must(b.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for n := range instances {
			if err := b.Open(ctx, tx, meter(fmt.Sprintf("i-%04d", n), noon)); err != nil {
				return err
			}
			if err := b.Close(ctx, tx, "act-1", fmt.Sprintf("i-%04d", n), noon.Add(time.Minute)); err != nil {
				return err
			}
		}
		return nil
	}))
	b.clock.Advance(time.Hour)
	b.post()
	stored, count := b.stored()
	check(t, "stored", stored, at(instances*60))
	check(t, "lines", count, instances)
	check(t, "cost", b.cost(noon, noon.Add(time.Hour)), at(instances*60))
}
