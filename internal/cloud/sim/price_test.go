package sim

import (
	"fmt"
	"math"
	"testing"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/money"
)

// tapes makes many price histories of one simulated type each.
func tapes(count int) []tape {
	c := &Cloud{dice: 11}
	var all []tape
	for n := range count {
		all = append(all, c.tapeOf(region, "us-east-1a", fmt.Sprint("type", n)))
	}
	return all
}

func (t tape) at(now instant) float64 { return math.Log(t.factor(t.changed(now))) }

func TestPricesChangeAsOftenAsInTheTrace(t *testing.T) {
	var gaps []float64
	const span = 59 * day
	changes := 0
	for _, tape := range tapes(200) {
		last := tape.changed(start)
		for now := start; now < start+span; now += 10 * minute {
			if moment := tape.changed(now); moment != last {
				if moment < last || moment > now {
					t.Fatalf("the price changed at %d, then at %d, seen at %d", last, moment, now)
				}
				gaps = append(gaps, float64(moment-last)/float64(hour))
				last = moment
				changes++
			}
		}
	}
	near(t, "changes a day", float64(changes)/200/59, 2.77, 0.15)
	near(t, "hours between changes: lower quartile", quantile(gaps, 0.25), 5.39, 0.6)
	near(t, "hours between changes: median", quantile(gaps, 0.5), 6.24, 0.6)
	near(t, "hours between changes: upper quartile", quantile(gaps, 0.75), 7.09, 0.8)
}

func TestPricesMoveAsFarAsInTheTrace(t *testing.T) {
	all := tapes(10_000)
	for _, c := range []struct{ days, stated, tolerance float64 }{
		{1, 0.0170, 0.2}, {2, 0.0289, 0.2}, {4, 0.0479, 0.2}, {7, 0.0695, 0.2}, {14, 0.0990, 0.2}, {28, 0.1285, 0.2},
	} {
		sum, lag := 0.0, instant(c.days*float64(day))
		for n, tape := range all {
			from := start + instant(n%30)*day
			move := tape.at(from+lag) - tape.at(from)
			sum += move * move
		}
		near(t, fmt.Sprintf("standard deviation of log price over %g days", c.days), math.Sqrt(sum/float64(len(all))), c.stated, c.tolerance*c.stated)
	}
}

func TestSeriesAreAsUnevenlyLivelyAsInTheTrace(t *testing.T) {
	var spreads []float64
	for _, tape := range tapes(400) {
		var sum, squares float64
		const samples = 236
		for n := range samples {
			x := tape.at(start + instant(n)*6*hour)
			sum += x
			squares += x * x
		}
		spreads = append(spreads, math.Sqrt(max(0, squares/samples-(sum/samples)*(sum/samples))))
	}
	near(t, "spread within a series: lower decile", quantile(spreads, 0.1), 0.0071, 0.004)
	near(t, "spread within a series: median", quantile(spreads, 0.5), 0.0314, 0.006)
	near(t, "spread within a series: upper decile", quantile(spreads, 0.9), 0.0953, 0.02)
}

func TestZonesDifferAsInTheTrace(t *testing.T) {
	c := &Cloud{dice: 12}
	var away []float64
	for n := range 1000 {
		var offsets [5]float64
		mean := 0.0
		for z := range offsets {
			offsets[z] = c.tapeOf(region, fmt.Sprint("zone", z), fmt.Sprint("type", n)).offset
			mean += offsets[z] / 5
		}
		for _, offset := range offsets {
			away = append(away, math.Abs(offset-mean))
		}
	}
	near(t, "distance of a zone from its type's mean: median", quantile(away, 0.5), 0.049, 0.02)
	near(t, "distance of a zone from its type's mean: upper quartile", quantile(away, 0.75), 0.100, 0.02)
	near(t, "distance of a zone from its type's mean: upper decile", quantile(away, 0.9), 0.181, 0.02)
}

func TestAPriceHoldsFromTheMomentItTellsAndStaysBelowOnDemand(t *testing.T) {
	w := newWorld(t, 3, Tame())
	now := at(began)
	first, later := w.prices(region, now), w.prices(region, now+hour)
	if len(first) != len(later) || len(first) < 10_000 {
		t.Fatalf("%d prices, then %d", len(first), len(later))
	}
	same := 0
	for n, p := range first {
		offer, ok := w.catalog.Offer(region, p.Market.Product, p.Market.Type)
		if !ok || !offer.Sells(p.Market.Zone) || p.Market.Lifecycle != cloud.Spot {
			t.Fatalf("a price for what is not sold: %+v", p)
		}
		if p.Price <= 0 || p.Price > offer.OnDemand || (p.Price%priceStep != 0 && p.Price != offer.OnDemand) {
			t.Fatalf("%+v, on demand %v", p, offer.OnDemand)
		}
		if l := later[n]; l.From.Equal(p.From) {
			same++
			if l != p {
				t.Fatalf("the price moved without a change: %+v, %+v", p, l)
			}
		}
	}
	near(t, "share of prices unchanged within an hour", float64(same)/float64(len(first)), 1-2.7/24, 0.03)
}

func TestTheRegionsPriceIsTheMiddleOfItsZones(t *testing.T) {
	w := newWorld(t, 5, Tame())
	var ratios []float64
	for _, p := range w.prices(region, at(began)) {
		offer, _ := w.catalog.Offer(region, p.Market.Product, p.Market.Type)
		ratios = append(ratios, float64(p.Price)/float64(offer.Spot))
	}
	near(t, "median of price over the region's price", quantile(ratios, 0.5), 1, 0.02)
}

func TestAPriceIsRoundedAndBounded(t *testing.T) {
	offer := catalog.Offer{OnDemand: 96_000, Spot: 43_660}
	for factor, want := range map[float64]money.Price{1: 43_700, 2: 87_300, 9: 96_000, 0.001: 4_400} {
		if got := priced(offer, factor); got != want {
			t.Errorf("factor %v gives %v, want %v", factor, got, want)
		}
	}
	if got := priced(catalog.Offer{OnDemand: 200, Spot: 30}, 1); got != priceStep {
		t.Errorf("the least price is %v", got)
	}
}
