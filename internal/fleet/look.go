package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/fleet/spool"
	"github.com/neap-cloud/neap/internal/fleet/tags"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

// lookLoop looks at whole places; its keys are places.
const lookLoop = "fleet.places"

const (
	lookEvery   = 15 * time.Second // engine time between two looks at a place …
	lookSeldom  = 5 * time.Minute  // … unless they would take more of the machine than a lookShare-th; but never less often than this
	lookShare   = 50
	lookTimeout = 2 * time.Minute
	newLap      = time.Minute // how much later than its launch an instance may get its row
	lookPage    = 500         // rows or ids at a time
)

// look compares everything the cloud shows of us in one place with our rows, in one listing that all its groups share, and wakes the groups for which it
// makes a difference. It also decides whether so much is missing that no absence may be believed.
func (f *Fleet) look(ctx context.Context, lease workflow.Turn) (time.Time, error) {
	p := spool.PlaceOf(lease.Key)
	provider, err := f.provider(ctx, p.Account)
	if err != nil {
		return time.Time{}, err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(budget.With(ctx, budget.Sweep), lookTimeout)
	defer cancel()
	l := &look{f: f, place: p, lease: lease, provider: provider, sight: f.sight(p), raise: map[string]bool{}}
	if err := l.compare(ctx); err != nil {
		return time.Time{}, fmt.Errorf("look at %s: %w", p, err)
	}
	others := f.looksCost(p)
	l.sight.mu.Lock()
	defer l.sight.mu.Unlock()
	l.sight.cost = time.Since(began)
	l.sight.every = min(lookSeldom, max(lookEvery, lookShare*(others+l.sight.cost)))
	return f.Clock.Now().Add(l.sight.every), nil
}

// look is the state of one look.
type look struct {
	f        *Fleet
	place    place
	lease    workflow.Turn
	provider cloud.Provider
	sight    *sight
	shown    map[string]cloud.Instance
	newest   int64
	absent   []store.Doc[Instance] // living rows that the listing leaves out
	fresh    int                   // of these, launched so lately that it proves nothing
	raise    map[string]bool
}

func (l *look) compare(ctx context.Context) error {
	inst, err := l.f.Installation(ctx)
	if err != nil {
		return err
	}
	shown, err := l.provider.Describe(ctx, cloud.Query{Region: l.place.Region, Tags: map[string]string{tags.Installation: inst.ID}})
	if err != nil {
		return err
	}
	l.shown = make(map[string]cloud.Instance, len(shown))
	for _, c := range shown {
		l.shown[c.ID] = c
		if g := tags.GenerationOf(c); !inst.Knows(g) {
			l.newest = max(l.newest, g)
		}
	}
	began := l.f.Clock.Now()
	doubtful := l.doubtful()
	knowsAll := doubtful == nil
	if knowsAll {
		doubtful, err = l.compareAll(ctx)
	} else {
		err = l.compareNew(ctx)
	}
	if err != nil {
		return err
	}
	if err := l.compareSome(ctx, doubtful); err != nil {
		return err
	}
	missing, err := l.missing(ctx)
	if err == nil && len(missing) > 0 && !knowsAll {
		// Whether too much is missing cannot be judged by what is remembered: there may be more.
		if _, err = l.compareAll(ctx); err == nil {
			missing, err = l.missing(ctx)
		}
	}
	if err != nil {
		return err
	}
	l.sight.seenUpTo(began)
	if err := l.tellHolding(ctx, began); err != nil {
		return err
	}
	if err := l.judge(ctx, inst.Generation, missing); err != nil {
		return err
	}
	return l.f.Workflow.RaiseAll(ctx, loopName, slices.Sorted(maps.Keys(l.raise)))
}

// doubtful lists the instances that differ from what is remembered; nil when the memory has gaps.
func (l *look) doubtful() []string {
	s := l.sight
	s.mu.Lock()
	defer s.mu.Unlock()
	gaps := !s.complete || l.lease.Epoch > s.epoch+1 // somebody else looked meanwhile
	s.epoch = l.lease.Epoch
	if gaps {
		s.complete = false
		clear(s.prints)
		return nil
	}
	ids := []string{}
	for id, c := range l.shown {
		if s.prints[id] != s.print(c) {
			ids = append(ids, id)
		}
	}
	for id := range s.prints {
		if _, is := l.shown[id]; !is {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// compareNew compares the rows of instances that were launched since the last look: the cloud may show none of them, and then nothing else tells of them.
func (l *look) compareNew(ctx context.Context) error {
	for after := ""; ; {
		rows, next, err := members.List(ctx, l.f.DB, store.Account(l.place.Account), store.Query{
			Name: l.place.Region, States: plan.AliveStates(), Since: l.sight.seen.Add(-newLap), Limit: lookPage, After: after,
		})
		if err != nil {
			return err
		}
		for _, row := range rows {
			l.weigh(row)
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// compareAll walks over every living row of the place, a page at a time, and returns the shown instances that have none.
func (l *look) compareAll(ctx context.Context) (rest []string, err error) {
	compared := map[string]bool{}
	l.absent = nil
	for after := ""; ; {
		var rows []store.Doc[Instance]
		rows, after, err = members.List(ctx, l.f.DB, store.Account(l.place.Account), store.Query{Name: l.place.Region, States: plan.AliveStates(), Limit: lookPage, After: after})
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			l.weigh(row)
			compared[row.ID] = true
		}
		if after == "" {
			break
		}
	}
	for id := range l.shown {
		if !compared[id] {
			rest = append(rest, id)
		}
	}
	l.sight.mu.Lock()
	l.sight.complete = true
	l.sight.mu.Unlock()
	slices.Sort(rest)
	return rest, nil
}

// compareSome compares instances by id; those without a row make their group look for itself.
func (l *look) compareSome(ctx context.Context, ids []string) error {
	for some := range slices.Chunk(ids, lookPage) {
		rows, _, err := members.List(ctx, l.f.DB, store.Account(l.place.Account), store.Query{IDs: some})
		if err != nil {
			return err
		}
		known := map[string]bool{}
		for _, row := range rows {
			known[row.ID] = true
			l.weigh(row)
		}
		for _, id := range some {
			if !known[id] {
				l.wonder(id)
			}
		}
	}
	return nil
}

// weigh compares one row with what is shown of it.
func (l *look) weigh(row store.Doc[Instance]) {
	c, is := l.shown[row.ID]
	lives := row.Value.Phase.IsAlive()
	s := l.sight
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !is && !lives:
		delete(s.prints, row.ID)
	case !is:
		s.prints[row.ID] = 0
		l.absent = append(l.absent, row)
	case row.Value.isBack(c):
		s.prints[row.ID] = 0
		s.strange[row.Parent], l.raise[row.Parent] = true, true
	case lives && l.f.refreshed(row.Value, c) != row.Value:
		s.prints[row.ID] = 0
		l.raise[row.Parent] = true
	default:
		s.prints[row.ID] = s.print(c)
	}
}

// wonder takes note of an id that has no row here.
func (l *look) wonder(id string) {
	l.sight.mu.Lock()
	defer l.sight.mu.Unlock()
	c, is := l.shown[id]
	if !is {
		delete(l.sight.prints, id)
		return
	}
	if owner := c.Tags[tags.Owner]; owner != "" && owner != tags.Single && c.State != cloud.Terminated && c.State != cloud.ShuttingDown {
		l.sight.strange[owner], l.raise[owner] = true, true
	}
}

// missing looks again, by id, for what the listing left out although its launch has settled.
func (l *look) missing(ctx context.Context) (gone []store.Doc[Instance], err error) {
	now, settle := l.f.Clock.Now(), l.provider.Info().Settle
	absent := len(l.absent)
	waited := slices.DeleteFunc(l.absent, func(row store.Doc[Instance]) bool { return now.Sub(row.Value.LaunchedAt) <= settle })
	l.fresh = absent - len(waited)
	for rows := range slices.Chunk(waited, lookPage) {
		ids := make([]string, len(rows))
		for n, row := range rows {
			ids[n] = row.ID
		}
		found, err := l.provider.Describe(ctx, cloud.Query{Region: l.place.Region, IDs: ids})
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			l.shown[c.ID] = c
		}
		for _, row := range rows {
			if _, is := l.shown[row.ID]; is {
				l.weigh(row)
			} else {
				gone = append(gone, row)
			}
		}
	}
	return gone, nil
}

// judge decides for all groups of the place whether absences may be believed, and wakes those with something missing.
func (l *look) judge(ctx context.Context, generation int64, missing []store.Doc[Instance]) error {
	held, err := l.f.tooMany(ctx, l.place, missing, l.fresh)
	if err != nil {
		return err
	}
	err = l.f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := l.lease.Guard(ctx, tx); err != nil {
			return err
		}
		doc, err := places.Get(ctx, tx, store.Account(l.place.Account), l.place.String())
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		before := doc.Value
		doc.Value.Held, doc.Value.Looked, doc.Value.Newest = held, generation, l.newest
		if len(missing) > 0 {
			doc.Value.JudgedAt = l.f.Clock.Now()
		}
		if doc.Value == before {
			return nil
		}
		_, err = places.Update(ctx, tx, doc)
		return err
	})
	for _, row := range missing {
		if !held || row.Value.MissingAt.IsZero() {
			l.raise[row.Parent] = true
		}
	}
	return err
}

// tooMany reports whether so much of a place is missing, without a notice, that it is more likely the cloud's answer that is wrong. fresh instances are not shown
// either, and may yet be.
func (f *Fleet) tooMany(ctx context.Context, p place, missing []store.Doc[Instance], fresh int) (bool, error) {
	unannounced := 0
	for _, row := range missing {
		if row.Value.InterruptAt.IsZero() {
			unannounced++
		}
	}
	if unannounced == 0 {
		return false, nil
	}
	all, err := members.Count(ctx, f.DB, store.Account(p.Account), store.Query{Name: p.Region, States: plan.AliveStates()})
	// A cloud that shows nothing at all has forgotten, however little there was to show.
	return len(missing) >= all-fresh || unannounced >= holdAtLeast && unannounced*100 > all*holdPercent, err
}
