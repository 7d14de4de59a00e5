package ledger

import (
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/market"
)

// longest is the most that one line covers.
const longest = time.Hour

// cut makes the lines of a meter for from … to (whole seconds): a new one at every price change and every UTC hour. A second belongs to the price that
// held when it began. Prices that leave a second uncovered are refused, because a lost second would never be noticed again.
func cut(meter Meter, from, to time.Time, prices []market.Segment) ([]Line, error) {
	var lines []Line
	at := from
	for _, price := range prices {
		begin, end := ceil(price.From), earlier(ceil(price.Until), to)
		if begin.After(at) {
			break
		}
		for at.Before(end) {
			next := earlier(end, at.Truncate(longest).Add(longest))
			lines = append(lines, priced(Line{Meter: meter, From: at, To: next, Price: price.Price, OnDemand: price.OnDemand, Source: price.Source}))
			at = next
		}
	}
	if at.Before(to) {
		return nil, fault.Of(fault.Unavailable, "price", "There is no price for %s in %s at %s; costs cannot be told until there is one.",
			meter.Market.PoolKey(), meter.Market.Region, at.Format(time.RFC3339))
	}
	return lines, nil
}

// priced fills in the amounts.
func priced(line Line) Line {
	span := line.To.Sub(line.From)
	line.Actual, line.Potential = line.Price.For(span), line.OnDemand.For(span)
	return line
}

// within is the part of the line inside from … to, and whether there is any. Cuts fall on whole seconds, so adjoining ranges share nothing and lose nothing.
func (l Line) within(from, to time.Time) (Line, bool) {
	l.From, l.To = later(l.From, ceil(from)), earlier(l.To, ceil(to))
	if !l.From.Before(l.To) {
		return Line{}, false
	}
	return priced(l), true
}

// floor and ceil round to whole seconds in UTC.
func floor(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func ceil(t time.Time) time.Time {
	whole := floor(t)
	if whole.Before(t) {
		whole = whole.Add(time.Second)
	}
	return whole
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
