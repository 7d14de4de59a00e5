package sim

import (
	"math"
	"slices"
	"testing"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// near fails the test when a measured figure is not within the tolerance of the stated one.
func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	t.Logf("%s: %.4g, stated %.4g", what, got, want)
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s is %.4g, stated is %.4g ± %.2g", what, got, want, tolerance)
	}
}

func TestAPriceHoldsFromTheMomentItTellsAndStaysBelowOnDemand(t *testing.T) {
	w := newWorld(t, 3, Tame())
	now := physics.At(began)
	first, later := w.prices(region, now), w.prices(region, now+physics.Hour)
	if len(first) != len(later) || len(first) < 10_000 {
		t.Fatalf("%d prices, then %d", len(first), len(later))
	}
	same := 0
	for n, p := range first {
		offer, ok := w.catalog.Offer(region, p.Market.Product, p.Market.Type)
		if !ok || !offer.Sells(p.Market.Zone) || p.Market.Lifecycle != cloud.Spot {
			t.Fatalf("a price for what is not sold: %+v", p)
		}
		if p.Price <= 0 || p.Price > offer.OnDemand || (p.Price%100 != 0 && p.Price != offer.OnDemand) {
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
	for _, p := range w.prices(region, physics.At(began)) {
		offer, _ := w.catalog.Offer(region, p.Market.Product, p.Market.Type)
		ratios = append(ratios, float64(p.Price)/float64(offer.Spot))
	}
	slices.Sort(ratios)
	near(t, "median of price over the region's price", ratios[len(ratios)/2], 1, 0.02)
}
