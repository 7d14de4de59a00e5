package sim

import (
	"context"
	"math"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/money"
)

// The price model: a zone's spot price is the region's price times exp(offset + swing(t)), held from one change to the next.
// The constants are fitted to the us-east-1 trace of March–April 2021; docs/sim.md says how.
const (
	zoneScale = 0.085 // scale of the Laplace distribution of a zone's lasting offset, in log price

	slot        = 372 * minute // a price may change once in each
	slotJitter  = 108 * minute // at a moment drawn from the slot's first part
	restless    = 2.4          // the share of slots with a change is 1-u^restless, u even in [0, 1): most pools change in most slots, some seldom
	leastChange = 0.05         // and never less than this
	slotsBack   = 120          // by then there has been a change: all but one in 500 of the quietest pools had one

	swingSpread = 0.92 // sigma of the lognormal distribution of how lively a pool is

	priceStep = money.Price(100) // prices have four decimal places
)

// octave is one part of the swing: smooth noise of a period and an amplitude in log price.
type octave struct {
	period instant
	height float64
}

func octaves() [3]octave {
	return [3]octave{{1 * day, 0.0040}, {8 * day, 0.0487}, {24 * day, 0.0800}}
}

// tape is the price history of one type in one zone.
type tape struct {
	dice    dice
	offset  float64
	lively  float64
	changes float64 // share of slots with a change
	phase   instant
}

func (c *Cloud) tapeOf(region, zone, kind string) tape {
	t := tape{dice: c.dice.on("price").on(region).on(zone).on(kind)}
	d := t.dice
	t.offset = d.laplace(zoneScale)
	t.lively = math.Exp(swingSpread*d.normal() - swingSpread*swingSpread)
	t.phase = d.between(0, slot)
	t.changes = max(leastChange, 1-math.Pow(d.unit(), restless))
	return t
}

// changed is the latest moment, not after now, at which the price changed.
func (t tape) changed(now instant) instant {
	number := int64((now - t.phase) / slot)
	moment := instant(0)
	for back := int64(0); back < slotsBack; back++ {
		d := t.dice.on("change").at(number - back)
		moment = t.phase + instant(number-back)*slot + d.between(0, slotJitter)
		if moment <= now && d.chance(t.changes) {
			break
		}
	}
	return moment
}

// factor is the price at a moment of change, as a multiple of the region's.
func (t tape) factor(moment instant) float64 {
	swing := 0.0
	for i, o := range octaves() {
		swing += o.height * t.noise(int64(i), float64(moment)/float64(o.period))
	}
	return math.Exp(t.offset + t.lively*swing)
}

// noise runs smoothly through independent standard normal values at whole x, with variance 1 everywhere.
func (t tape) noise(octave int64, x float64) float64 {
	d := t.dice.on("noise").at(octave)
	x += d.unit()
	whole := math.Floor(x)
	from, to := d.at(int64(whole)), d.at(int64(whole)+1)
	part := x - whole
	weight := part * part * (3 - 2*part)
	return (from.normal()*(1-weight) + to.normal()*weight) / math.Hypot(1-weight, weight)
}

// priced applies the factor: at least a tenth of the region's price, and never above on demand.
func priced(offer catalog.Offer, factor float64) money.Price {
	exact := math.Max(float64(offer.Spot)*factor, float64(offer.Spot)/10)
	stepped := money.Price(math.Round(exact/float64(priceStep))) * priceStep
	return max(priceStep, min(stepped, offer.OnDemand))
}

// Prices are the current spot prices of every market of a region.
func (a *Account) Prices(ctx context.Context, region string) ([]cloud.Price, error) {
	return do(ctx, a, PricesCall, region, func() ([]cloud.Price, error) {
		a.cloud.reads.add(PricesCall)
		return a.cloud.poison(region, a.cloud.prices(region, a.cloud.now())), nil
	})
}

func (c *Cloud) prices(region string, now instant) []cloud.Price {
	type spot struct {
		from   instant
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
					tape := c.tapeOf(region, zone, offer.Type.Name)
					current.from = tape.changed(now)
					current.factor = tape.factor(current.from)
					known[key] = current
				}
				market := cloud.Market{Region: region, Zone: zone, Type: offer.Type.Name, Product: product, Lifecycle: cloud.Spot}
				prices = append(prices, cloud.Price{Market: market, Price: priced(offer, current.factor), From: current.from.time()})
			}
		}
	}
	return prices
}
