package physics

import (
	"math"

	"github.com/neap-cloud/neap/internal/money"
)

// The price model: a zone's spot price is the region's price times exp(offset + swing(t)), held from one change to the next.
// The constants are fitted to the us-east-1 trace of March–April 2021; docs/sim.md says how.
const (
	zoneScale = 0.085 // scale of the Laplace distribution of a zone's lasting offset, in log price

	slot        = 372 * Minute // a price may change once in each
	slotJitter  = 108 * Minute // at a moment drawn from the slot's first part
	restless    = 2.4          // the share of slots with a change is 1-u^restless, u even in [0, 1): most pools change in most slots, some seldom
	leastChange = 0.05         // and never less than this
	slotsBack   = 120          // by then there has been a change: all but one in 500 of the quietest pools had one

	swingSpread = 0.92 // sigma of the lognormal distribution of how lively a pool is

	priceStep = money.Price(100) // prices have four decimal places
)

// octave is one part of the swing: smooth noise of a period and an amplitude in log price.
type octave struct {
	period Instant
	height float64
}

func octaves() [3]octave {
	return [3]octave{{1 * Day, 0.0040}, {8 * Day, 0.0487}, {24 * Day, 0.0800}}
}

// Tape is the price history of one type in one zone.
type Tape struct {
	dice    Dice
	offset  float64
	lively  float64
	changes float64 // share of slots with a change
	phase   Instant
}

// TapeOf finds the price history of a type in a zone of a region. All products of it move together.
func TapeOf(world Dice, region, zone, kind string) Tape {
	t := Tape{dice: world.On("price").On(region).On(zone).On(kind)}
	d := t.dice
	t.offset = d.laplace(zoneScale)
	t.lively = math.Exp(swingSpread*d.normal() - swingSpread*swingSpread)
	t.phase = d.Between(0, slot)
	t.changes = max(leastChange, 1-math.Pow(d.Unit(), restless))
	return t
}

// Changed is the latest moment, not after now, at which the price changed.
func (t Tape) Changed(now Instant) Instant {
	number := int64((now - t.phase) / slot)
	moment := Instant(0)
	for back := int64(0); back < slotsBack; back++ {
		d := t.dice.On("change").At(number - back)
		moment = t.change(number-back, &d)
		if moment <= now && d.Chance(t.changes) {
			break
		}
	}
	return moment
}

// change is the moment at which the price may change in a slot.
func (t Tape) change(number int64, d *Dice) Instant {
	return t.phase + Instant(number)*slot + d.Between(0, slotJitter)
}

// Changes are the moments in (from, until) at which what Changed says becomes another.
func (t Tape) Changes(from, until Instant) []Instant {
	var found []Instant
	last := t.Changed(from)
	look := func(at Instant) {
		if at <= from || at >= until {
			return
		}
		if now := t.Changed(at); now != last {
			found, last = append(found, at), now
		}
	}
	for number := int64((from - t.phase) / slot); t.phase+Instant(number)*slot < until; number++ {
		d := t.dice.On("change").At(number)
		look(t.phase + Instant(number)*slot) // where a price that stood still for long is looked up from
		look(t.change(number, &d))
	}
	return found
}

// Factor is the price at a moment of change, as a multiple of the region's.
func (t Tape) Factor(moment Instant) float64 {
	swing := 0.0
	for i, o := range octaves() {
		swing += o.height * t.noise(int64(i), float64(moment)/float64(o.period))
	}
	return math.Exp(t.offset + t.lively*swing)
}

// noise runs smoothly through independent standard normal values at whole x, with variance 1 everywhere.
func (t Tape) noise(octave int64, x float64) float64 {
	d := t.dice.On("noise").At(octave)
	x += d.Unit()
	whole := math.Floor(x)
	from, to := d.At(int64(whole)), d.At(int64(whole)+1)
	part := x - whole
	weight := part * part * (3 - 2*part)
	return (from.normal()*(1-weight) + to.normal()*weight) / math.Hypot(1-weight, weight)
}

// Priced applies a factor to the region's spot price: at least a tenth of it, and never above on demand.
func Priced(spot, onDemand money.Price, factor float64) money.Price {
	exact := math.Max(float64(spot)*factor, float64(spot)/10)
	stepped := money.Price(math.Round(exact/float64(priceStep))) * priceStep
	return max(priceStep, min(stepped, onDemand))
}
