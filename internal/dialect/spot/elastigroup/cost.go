package elastigroup

import (
	"context"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/op"
)

type costIn struct {
	groupIn
	From   string `query:"fromDate" doc:"First moment: a date, a date and time, Unix seconds or milliseconds."`
	To     string `query:"toDate" doc:"First moment that is left out; written like fromDate."`
	Period string `query:"aggregationPeriod" enum:"daily" doc:"One item per UTC day."`
}

type figure struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// costItem is what some running time cost. Amounts are dollars; each is the shortest decimal that leads back to the ledger's exact sum.
type costItem struct {
	Day     *spot.Time `json:"timestamp,omitempty"` // of a daily item
	Running figure     `json:"running"`
	Savings figure     `json:"savings"`
	Costs   struct {
		Actual    float64 `json:"actual"`
		Potential float64 `json:"potential"` // the same seconds at the on-demand price of the same type
	} `json:"costs"`
}

type detailedItem struct {
	Group    string  `json:"groupId"`
	Instance string  `json:"instanceId"`
	Request  *string `json:"spotInstanceRequestId"`
	Type     string  `json:"instanceType"`
	Zone     string  `json:"availabilityZone"`
	costItem
}

func (d dialect) costs(ctx context.Context, in costIn) (spot.Items[costItem], error) {
	var items spot.Items[costItem]
	err := d.eachPeriod(ctx, in, func(day *spot.Time, lines []ledger.Line) {
		onSpot := slices.DeleteFunc(lines, func(l ledger.Line) bool { return string(l.Meter.Market.Lifecycle) != string(plan.Spot) })
		items = append(items, costOf(day, onSpot))
	})
	return items, err
}

func (d dialect) detailedCosts(ctx context.Context, in costIn) (spot.Items[detailedItem], error) {
	var items spot.Items[detailedItem]
	err := d.eachPeriod(ctx, in, func(day *spot.Time, lines []ledger.Line) {
		items = append(items, detailed(day, lines)...)
	})
	return items, err
}

// longestDaily bounds how many days one answer may split into.
const longestDaily = 366

// eachPeriod reads the ledger once for the whole span, or once per UTC day.
func (d dialect) eachPeriod(ctx context.Context, in costIn, each func(day *spot.Time, lines []ledger.Line)) error {
	from, to, err := spot.Span(in.From, in.To, d.Clock.Now())
	if err != nil {
		return err
	}
	isDaily := in.Period == "daily"
	if isDaily {
		to = earlier(to, d.Clock.Now())
		if to.Sub(from) > longestDaily*24*time.Hour {
			return fault.Field("toDate", "A daily answer covers at most %d days; ask for a shorter span.", longestDaily)
		}
	}
	for begin := from; ; {
		end, day := to, (*spot.Time)(nil)
		if isDaily {
			midnight := begin.Truncate(24 * time.Hour)
			end, day = earlier(to, midnight.Add(24*time.Hour)), (*spot.Time)(&midnight)
		}
		lines, err := d.Ledger.Lines(ctx, op.CallOf(ctx).Account, in.Group, begin, end)
		if err != nil {
			return err
		}
		each(day, lines)
		if begin = end; !begin.Before(to) {
			return nil
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func costOf(day *spot.Time, lines []ledger.Line) costItem {
	sum := ledger.Sum(lines)
	item := costItem{
		Day:     day,
		Running: figure{sum.Running.Hours(), "hours"},
		Savings: figure{money.Percent(sum.Potential-sum.Actual, sum.Potential), "percentage"},
	}
	item.Costs.Actual, item.Costs.Potential = sum.Actual.Dollars(), sum.Potential.Dollars()
	return item
}

// detailed groups lines by instance, in the order in which they ran.
func detailed(day *spot.Time, lines []ledger.Line) []detailedItem {
	var order []string
	of := map[string][]ledger.Line{}
	for _, l := range lines {
		if of[l.Meter.Instance] == nil {
			order = append(order, l.Meter.Instance)
		}
		of[l.Meter.Instance] = append(of[l.Meter.Instance], l)
	}
	items := make([]detailedItem, 0, len(order))
	for _, id := range order {
		m := of[id][0].Meter
		items = append(items, detailedItem{m.Group, id, orNull(m.Request), m.Market.Type, m.Market.Zone, costOf(day, of[id])})
	}
	return items
}
