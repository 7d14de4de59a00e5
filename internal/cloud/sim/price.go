package sim

import (
	"context"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// Prices are the current spot prices of every market of a region.
func (a *Account) Prices(ctx context.Context, region string) ([]cloud.Price, error) {
	return do(ctx, a, PricesCall, region, func() ([]cloud.Price, error) {
		a.cloud.reads.add(PricesCall)
		return a.cloud.poison(region, a.cloud.prices(region, a.cloud.now())), nil
	})
}

func (c *Cloud) prices(region string, now physics.Instant) []cloud.Price {
	type spot struct {
		from   physics.Instant
		factor float64
	}
	known := map[[2]string]spot{} // by zone and type: all products move together
	var prices []cloud.Price
	for _, product := range catalog.Products() {
		for _, offer := range c.catalog.Offers(region, product) {
			if offer.Spot == 0 {
				continue
			}
			for _, zone := range offer.Zones {
				key := [2]string{zone, offer.Type.Name}
				current, ok := known[key]
				if !ok {
					tape := physics.TapeOf(c.dice, region, zone, offer.Type.Name)
					current.from = tape.Changed(now)
					current.factor = tape.Factor(current.from)
					known[key] = current
				}
				market := cloud.Market{Region: region, Zone: zone, Type: offer.Type.Name, Product: product, Lifecycle: cloud.Spot}
				prices = append(prices, cloud.Price{Market: market, Price: physics.Priced(offer.Spot, offer.OnDemand, current.factor), From: current.from.Time()})
			}
		}
	}
	return prices
}
