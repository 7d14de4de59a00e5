package market

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
)

// keepPrices is how long dated prices are kept: longer than anything that is metered stays unposted [ours].
const keepPrices = 100 * 24 * time.Hour

// atOnce is how many pages one transaction writes, so that a first look at a region does not hold up other writers.
const atOnce = 100

// takeOvers is how often an observer starts over because another replica writes the same feed, page by page, at the same time.
const takeOvers = 8

// quote is a price that a feed told: it holds from From until the next quote of the same market.
type quote struct {
	Zone      string          `json:"z"`
	Product   string          `json:"o"`
	Lifecycle cloud.Lifecycle `json:"l"`
	Price     money.Price     `json:"p"`
	From      time.Time       `json:"f"`
}

// page holds the changes of one type's prices in a region that were seen on one day. It opens with what held before, so that each page stands alone.
type page struct {
	Region    string  `json:"region"`
	Type      string  `json:"type"`
	Opening   []quote `json:"opening,omitempty"`
	Changes   []quote `json:"changes"`
	suspicion         // in a region's head
}

func (p page) market(q quote) cloud.Market {
	return cloud.Market{Region: p.Region, Zone: q.Zone, Type: p.Type, Product: q.Product, Lifecycle: q.Lifecycle}
}

// everywhere is the market of a type's on-demand price, which is the same in all zones of a region: it has none.
func everywhere(in cloud.Market) cloud.Market {
	in.Zone, in.Lifecycle = "", cloud.OnDemand
	return in
}

// prices: Parent names the type's pages, State the region's, At is when the page was last added to.
func prices() store.Collection[page] {
	return store.Collection[page]{Table: "prices", Noun: "price page"}
}

// everybody owns the prices: no account's rows.
func everybody() store.Scope { return store.Account("") }

type feedKey struct{ provider, region string }

func (k feedKey) String() string { return k.provider + "/" + k.region }

// feed is the current prices of a region, as told.
type feed struct {
	key feedKey

	writing sync.Mutex // held by the one who observes

	mu      sync.Mutex
	readAt  time.Time       // when the store was last looked at
	head    store.Doc[page] // as of the last reading of pages
	seenAt  time.Time       // newest page
	pages   map[string]store.Doc[page]
	quotes  map[cloud.Market]quote
	changed []cloud.Market    // every change of quotes since the feed was first read, so that a shelf can be brought up to date
	shelves map[string]*shelf // by product
	anchors anchors
}

// headState marks the one document of a region that changes with every write: looking at it tells whether anything else is worth reading.
const headState = "head"

// refresh takes in pages that were written since the last look, by whatever replica. The lock is held.
func (f *feed) refresh(ctx context.Context, m *Market, now time.Time) error {
	if !f.readAt.IsZero() && now.Sub(f.readAt) < reread && !now.Before(f.readAt) {
		return nil
	}
	head, err := prices().Get(ctx, m.db, everybody(), f.key.String())
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if head.Version != f.head.Version {
		since := now.Add(-2 * freshFor)
		if recent := f.seenAt.Add(-overlap); recent.After(since) {
			since = recent
		}
		docs, _, err := prices().List(ctx, m.db, everybody(), store.Query{States: []string{f.key.String()}, Since: since})
		if err != nil {
			return err
		}
		for _, doc := range docs {
			f.take(doc)
		}
	}
	f.head, f.readAt = head, now
	return nil
}

// take brings a page into memory, unless it is there already. Pages come in order of time.
func (f *feed) take(doc store.Doc[page]) {
	known, ok := f.pages[doc.Value.Type]
	if ok && known.ID == doc.ID && known.Version >= doc.Version || ok && known.ID > doc.ID {
		return
	}
	f.pages[doc.Value.Type] = doc
	for _, list := range [][]quote{doc.Value.Opening, doc.Value.Changes} {
		for _, q := range list {
			in := doc.Value.market(q)
			if f.quotes[in] != q {
				f.quotes[in] = q
				f.changed = append(f.changed, in)
			}
		}
	}
	if doc.At.After(f.seenAt) {
		f.seenAt = doc.At
	}
}

// Observe takes in a price feed. Only changes are kept, with their dates; and each day's first word, so that a feed that stands still is not taken for a dead one.
func (m *Market) Observe(ctx context.Context, provider string, told []cloud.Price) error {
	byRegion := map[string][]cloud.Price{}
	for _, p := range told {
		byRegion[p.Market.Region] = append(byRegion[p.Market.Region], p)
	}
	for _, region := range slices.Sorted(maps.Keys(byRegion)) {
		if err := m.feed(feedKey{provider, region}).observe(ctx, m, byRegion[region]); err != nil {
			return err
		}
	}
	return nil
}

func (f *feed) observe(ctx context.Context, m *Market, told []cloud.Price) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	err := f.write(ctx, m, told)
	for attempt := 1; attempt < takeOvers && (fault.Is(err, fault.Conflict) || fault.Is(err, fault.Exists)); attempt++ {
		f.reset() // another replica was faster: all is read anew, and only the rest is written
		err = f.write(ctx, m, told)
	}
	return err
}

func (f *feed) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readAt, f.seenAt, f.head = time.Time{}, time.Time{}, store.Doc[page]{}
}

// write saves what is new. The memory's lock is never held while a transaction waits for its turn: somebody may ask for a snapshot inside another one.
func (f *feed) write(ctx context.Context, m *Market, told []cloud.Price) error {
	now := m.clock.Now()
	changed, opened, suspected, err := f.compare(ctx, m, told, now)
	if err != nil {
		return err
	}
	if suspected != f.suspected() {
		if err := f.saveSuspicion(ctx, m, suspected); err != nil {
			return err
		}
	}
	for batch := range slices.Chunk(changed, atOnce) {
		if err := f.save(ctx, m, batch); err != nil {
			return err
		}
	}
	if opened {
		return f.forget(ctx, m, now)
	}
	return nil
}

// compare tells what a feed adds to the store's newest state: nothing, while it is not believed.
func (f *feed) compare(ctx context.Context, m *Market, told []cloud.Price, now time.Time) (changed []store.Doc[page], opened bool, suspected suspicion, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refresh(ctx, m, now); err != nil {
		return nil, false, suspicion{}, err
	}
	believed, suspected := f.judge(m, told, now)
	changed, opened = f.changes(believed, now)
	return changed, opened, suspected, nil
}

func (f *feed) isStale(now time.Time) bool { return now.Sub(f.seenAt) > freshFor }

func (f *feed) suspected() suspicion {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head.Value.suspicion
}

func (f *feed) doubted() string { return f.suspected().Doubt }

// saveSuspicion tells every replica whether the newest feed was believed.
func (f *feed) saveSuspicion(ctx context.Context, m *Market, s suspicion) error {
	f.mu.Lock()
	head := f.head
	f.mu.Unlock()
	head.Value.Region, head.Value.suspicion = f.key.region, s
	var raised store.Doc[page]
	err := m.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		raised, err = f.raiseHead(ctx, tx, head)
		return err
	})
	if err != nil || store.IsDryRun(ctx) {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.head = raised
	return nil
}

// changes are the pages that the feed adds to, and whether a new day's pages are among them.
func (f *feed) changes(told []cloud.Price, now time.Time) (changed []store.Doc[page], opened bool) {
	byType := map[string][]cloud.Price{}
	for _, p := range told {
		byType[p.Market.Type] = append(byType[p.Market.Type], p)
	}
	today := now.UTC().Format(time.DateOnly)
	for _, typ := range slices.Sorted(maps.Keys(byType)) {
		doc, known := f.pages[typ]
		id := f.key.String() + "/" + typ + "/" + today
		isNew := !known || doc.ID < id
		if isNew {
			doc = store.Doc[page]{Meta: store.Meta{ID: id, Parent: f.key.String() + "/" + typ, State: f.key.String()},
				Value: page{Region: f.key.region, Type: typ, Opening: f.pages[typ].Value.closing()}}
			opened = true
		}
		doc.Value.Changes = slices.Clone(doc.Value.Changes)
		for _, p := range byType[typ] {
			if current, ok := f.quotes[p.Market]; !ok || current.Price != p.Price && !p.From.Before(current.From) {
				doc.Value.Changes = append(doc.Value.Changes, quote{p.Market.Zone, p.Market.Product, p.Market.Lifecycle, p.Price, p.From.UTC()})
			}
		}
		if isNew || len(doc.Value.Changes) > len(f.pages[typ].Value.Changes) {
			doc.At = now
			changed = append(changed, doc)
		}
	}
	return changed, opened
}

// closing is what holds at the end of a page.
func (p page) closing() []quote {
	at := map[cloud.Market]int{}
	var list []quote
	for _, q := range slices.Concat(p.Opening, p.Changes) {
		n, ok := at[p.market(q)]
		if !ok {
			at[p.market(q)] = len(list)
			list = append(list, q)
			continue
		}
		list[n] = q
	}
	return list
}

func (f *feed) save(ctx context.Context, m *Market, batch []store.Doc[page]) error {
	f.mu.Lock()
	head := f.head
	f.mu.Unlock()
	saved := make([]store.Doc[page], len(batch))
	var raised store.Doc[page]
	err := m.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		if raised, err = f.raiseHead(ctx, tx, head); err != nil {
			return err
		}
		for n, doc := range batch {
			if doc.Version == 0 {
				saved[n], err = prices().Insert(ctx, tx, doc)
			} else {
				saved[n], err = prices().Update(ctx, tx, doc)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || store.IsDryRun(ctx) {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, doc := range saved {
		f.take(doc)
	}
	if f.head.Version == head.Version {
		f.head = raised // else a reading came in between, and what it saw is to be compared again
	}
	return nil
}

// raiseHead tells other replicas that there is something to read; fault.Conflict or fault.Exists when they wrote first.
func (f *feed) raiseHead(ctx context.Context, tx *store.Tx, head store.Doc[page]) (store.Doc[page], error) {
	if head.Version == 0 {
		return prices().Insert(ctx, tx, store.Doc[page]{Meta: store.Meta{ID: f.key.String(), State: headState}, Value: page{Region: f.key.region, suspicion: head.Value.suspicion}})
	}
	return prices().Update(ctx, tx, head)
}

// forget drops pages that nobody can ask for any more, some with every new day.
func (f *feed) forget(ctx context.Context, m *Market, now time.Time) error {
	old, _, err := prices().List(ctx, m.db, everybody(), store.Query{States: []string{f.key.String()}, Until: now.Add(-keepPrices), Limit: 20 * atOnce})
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(old, atOnce) {
		err := m.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			for _, doc := range batch {
				if err := prices().Delete(ctx, tx, everybody(), doc.ID); err != nil && !fault.Is(err, fault.NotFound) {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
