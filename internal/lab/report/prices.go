package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/lab/world"
)

// How many pools get a chart of their own, and how many of the others are drawn together.
const (
	poolsNamed = 12
	poolsGrey  = 60
)

// prices draws the paths of the pools that were cheapest on average, one chart each, and the others together.
func (r Report) prices() (all []chart) {
	pools := slices.Clone(r.Pools)
	slices.SortStableFunc(pools, func(a, b Pool) int { return cmp.Compare(r.usual(a), r.usual(b)) })
	for i, p := range pools[:min(poolsNamed, len(pools))] {
		all = append(all, r.path(i, p))
	}
	if len(pools) > poolsNamed {
		all = append(all, r.others(pools[poolsNamed:]))
	}
	return all
}

// usual is the mean price over the span.
func (r Report) usual(p Pool) float64 {
	var sum float64
	r.each(p, func(from, until time.Time, price float64) { sum += price * until.Sub(from).Hours() })
	return sum / r.World.Span().Hours()
}

// each visits the prices within the span, in dollars.
func (r Report) each(p Pool, visit func(from, until time.Time, price float64)) {
	for i, change := range p.Prices {
		from, until := change.At, r.World.Until
		if i == 0 || from.Before(r.World.From) {
			from = r.World.From
		}
		if i+1 < len(p.Prices) && p.Prices[i+1].At.Before(until) {
			until = p.Prices[i+1].At
		}
		if from.Before(until) {
			visit(from, until, change.Price.Dollars())
		}
	}
}

// path draws one pool: its spot price, the list price on demand, and when there was nothing to be had.
func (r Report) path(number int, p Pool) chart {
	c := chart{ID: fmt.Sprintf("price-%d", number), Width: 400, Height: 170, Title: p.Type + " in " + p.Zone}
	b := box{left: 52, top: 8, right: 392, bottom: 146}
	x := scale{float64(r.World.From.Unix()), float64(r.World.Until.Unix()), b.left, b.right}
	lowest, highest, last := math.Inf(1), 0.0, 0.0
	r.each(p, func(_, _ time.Time, price float64) {
		lowest, highest, last = min(lowest, price), max(highest, price), price
	})
	top := max(highest, p.OnDemand.Dollars())
	if top == 0 {
		top = 1
	}
	y := scale{0, 1.06 * top, b.bottom, b.top}
	if path := shades(p.Downs, x, b); path != "" {
		c.draw("down", path)
	}
	c.grid(b, y, ticks(y.low, y.high, 4), func(v float64) string { return fmt.Sprintf("$%.4g", v) })
	c.days(b, x, r.World.From, r.World.Until, 6)
	if p.OnDemand > 0 {
		c.draw("list", line(b.left, y.at(p.OnDemand.Dollars()), b.right, y.at(p.OnDemand.Dollars())))
	}
	c.draw("price", stairs(r.steps(p, columnsDrawn, x, y, 1), b.right))
	c.Desc = fmt.Sprintf("Between $%.4g and $%.4g an hour, $%.4g at the end; on demand $%.4g. It was down %d times.", lowest, highest, last, p.OnDemand.Dollars(), len(p.Downs))
	return c
}

// shades are the times when a pool was down. What lies nearer together than can be seen becomes one.
func shades(downs []world.Span, x scale, b box) (path string) {
	const finest = 0.5
	from, until := 0.0, 0.0
	for _, down := range downs {
		left, right := x.at(max(x.low, float64(down.From.Unix()))), x.at(min(x.high, float64(down.Until.Unix())))
		if left-until >= finest {
			if until > 0 {
				path += rectangle(from, b.top, until, b.bottom)
			}
			from = left
		}
		until = max(right, from+finest)
	}
	if until > 0 {
		path += rectangle(from, b.top, until, b.bottom)
	}
	return path
}

// others draws the rest of the pools in grey, against their list prices.
func (r Report) others(pools []Pool) chart {
	drawn := pools[:min(poolsGrey, len(pools))]
	title := fmt.Sprintf("%d more pools, of on demand", len(pools))
	if len(drawn) < len(pools) {
		title = fmt.Sprintf("%d of %d more pools, of on demand", len(drawn), len(pools))
	}
	c := chart{ID: "price-others", Width: 400, Height: 170, Title: title}
	b := box{left: 52, top: 8, right: 392, bottom: 146}
	x := scale{float64(r.World.From.Unix()), float64(r.World.Until.Unix()), b.left, b.right}
	top := 1.0
	for _, p := range drawn {
		if p.OnDemand > 0 {
			r.each(p, func(_, _ time.Time, price float64) { top = max(top, price/p.OnDemand.Dollars()) })
		}
	}
	y := scale{0, 1.06 * top, b.bottom, b.top}
	c.grid(b, y, ticks(y.low, y.high, 4), func(v float64) string { return fmt.Sprintf("%.0f%%", 100*v) })
	c.days(b, x, r.World.From, r.World.Until, 6)
	c.draw("list", line(b.left, y.at(1), b.right, y.at(1)))
	for _, p := range drawn {
		if p.OnDemand > 0 {
			c.draw("grey", stairs(r.steps(p, columnsDrawn/4, x, y, p.OnDemand.Dollars()), b.right))
		}
	}
	c.Desc = "Spot prices as a part of the list price on demand."
	return c
}

// steps of a pool's price in units of whole, at most so many. Of every stretch the highest price is kept, so that no spike is lost.
func (r Report) steps(p Pool, columns int, x, y scale, whole float64) (all []step) {
	wide := r.World.Span() / time.Duration(columns)
	highest := make([]float64, columns)
	r.each(p, func(from, until time.Time, price float64) {
		first, last := int(from.Sub(r.World.From)/wide), int((until.Sub(r.World.From)-1)/wide)
		for n := first; n <= min(last, columns-1); n++ {
			highest[n] = max(highest[n], price)
		}
	})
	for n, price := range highest {
		at := r.World.From.Add(time.Duration(n) * wide)
		all = append(all, step{x.at(float64(at.Unix())), y.at(price / whole)})
	}
	return all
}

// Downs are the times between spells, within a span: when nothing was to be had.
func Downs(spells world.Spells, span world.Span) (all []world.Span) {
	at := span.From
	for _, up := range spells.Ups {
		if up.From.After(at) && at.Before(span.Until) {
			all = append(all, world.Span{From: at, Until: earlier(up.From, span.Until)})
		}
		if up.Until.After(at) {
			at = up.Until
		}
	}
	if at.Before(span.Until) {
		all = append(all, world.Span{From: at, Until: span.Until})
	}
	return all
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
