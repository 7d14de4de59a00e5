package market

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
)

// Segment is a price that held for a span.
type Segment struct {
	From, Until time.Time
	Price       money.Price
	OnDemand    money.Price // list price of the same type, the baseline of savings
	Source      string      // SourceFeed or SourceCatalogue
}

// Prices are the dated prices of a market from … until, without gaps: what the feed told, from the date it gave; before its first word the catalogue's price. Of a week that was
// thinned only the last price is known: before its date, the one of the week before holds (see Thin).
// fault.NotFound for a market that neither knows.
func (m *Market) Prices(ctx context.Context, provider string, in cloud.Market, from, until time.Time) ([]Segment, error) {
	from, until = from.UTC(), until.UTC()
	if !from.Before(until) {
		return nil, nil
	}
	told, err := m.told(ctx, provider, in, from, until)
	if err != nil {
		return nil, err
	}
	var own, list []quote
	for _, q := range told {
		if q.Lifecycle == cloud.OnDemand {
			list = append(list, q)
		} else {
			own = append(own, q)
		}
	}
	offer, _ := m.facts(provider).Offer(in.Region, in.Product, in.Type)
	listed := lay(Segment{From: from, Until: until, Price: offer.OnDemand, Source: SourceCatalogue}, list)
	laid := listed
	if in.Lifecycle == cloud.Spot {
		laid = lay(Segment{From: from, Until: until, Price: offer.Spot, Source: SourceCatalogue}, own)
	}
	laid = against(laid, listed)
	if laid[0].Price == 0 {
		return nil, fault.Of(fault.NotFound, "price", "No price is known for %s in %s from %s on.", in.PoolKey(), in.Region, from.Format(time.RFC3339))
	}
	return laid, nil
}

// told are a market's quotes, and those of its type on demand, that may hold between from and until, in the order in which they take effect.
func (m *Market) told(ctx context.Context, provider string, in cloud.Market, from, until time.Time) ([]quote, error) {
	parent := feedKey{provider, in.Region}.String() + "/" + in.Type
	// The last page before from tells what held then, unless a later page opens with it anyway.
	pages, _, err := prices().List(ctx, m.db, everybody(), store.Query{Parent: parent, Until: from, Descending: true, Limit: 1})
	if err != nil {
		return nil, err
	}
	later, _, err := prices().List(ctx, m.db, everybody(), store.Query{Parent: parent, Since: from})
	if err != nil {
		return nil, err
	}
	var list []quote
	for _, doc := range append(pages, later...) {
		for _, q := range slices.Concat(doc.Value.Opening, doc.Value.Changes) {
			if of := doc.Value.market(q); (of == in || of == everywhere(in)) && q.From.Before(until) {
				list = append(list, q)
			}
		}
	}
	// Stable: of two quotes with one date, the one told later holds.
	slices.SortStableFunc(list, func(a, b quote) int { return a.From.Compare(b.From) })
	return list, nil
}

// lay puts quotes over the catalogue's price for the whole span, and joins neighbours that say the same.
func lay(list Segment, told []quote) []Segment {
	laid := []Segment{list}
	for _, q := range told {
		last := &laid[len(laid)-1]
		next := Segment{From: q.From.UTC(), Until: list.Until, Price: q.Price, Source: SourceFeed}
		switch {
		case !next.From.After(last.From):
			next.From = last.From
			*last = next
		case last.Price == next.Price && last.Source == next.Source:
		default:
			last.Until = next.From
			laid = append(laid, next)
		}
	}
	return laid
}

// against puts the prices on demand, the baseline of savings, beside the prices of a market over the same span. Where the market has none, it never costs more
// than on demand; where on demand has none, that is no more than the market's.
func against(own, listed []Segment) []Segment {
	var both []Segment
	for _, s := range own {
		for _, list := range listed {
			next := Segment{From: later(s.From, list.From), Until: list.Until, Price: cmp.Or(s.Price, list.Price), OnDemand: cmp.Or(list.Price, s.Price), Source: s.Source}
			if s.Until.Before(next.Until) {
				next.Until = s.Until
			}
			if s.Price == 0 {
				next.Source = list.Source
			}
			if !next.From.Before(next.Until) {
				continue
			}
			if n := len(both) - 1; n >= 0 && both[n].Price == next.Price && both[n].OnDemand == next.OnDemand && both[n].Source == next.Source {
				both[n].Until = next.Until
				continue
			}
			both = append(both, next)
		}
	}
	return both
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
