package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fleet/listen"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	watchEvery = time.Second      // engine time between two looks at what is on its way
	awaitMost  = 10 * time.Minute // what has not changed for so long is left to the looks at the whole place
	noAnswer   = 15 * time.Second // pause after a look that failed
)

// await makes this process look after a group's instances that are on their way, in place of all it looked after for the group before. One question a second
// serves every group of the place, and only the groups whose instances changed get a turn.
func (f *Fleet) await(p place, provider cloud.Provider, group string, coming map[string]uint64) {
	s := f.sight(p)
	now := f.Clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.awaited, func(_ string, a awaited) bool { return a.group == group })
	for id, print := range coming {
		s.awaited[id] = awaited{group: group, print: print, since: now}
	}
	if len(s.awaited) > 0 && !s.watched {
		s.watched = f.Workflow.Beside(func(ctx context.Context) { f.watch(ctx, p, provider, s) })
	}
}

// watch looks after a place's awaited instances until there are none.
func (f *Fleet) watch(ctx context.Context, p place, provider cloud.Provider, s *sight) {
	for pause := watchEvery; ; {
		select {
		case <-ctx.Done():
			return
		case <-f.Clock.After(pause):
		}
		waiting := s.waiting(f.Clock.Now())
		if waiting == nil {
			return
		}
		pause = watchEvery
		limited, cancel := context.WithTimeout(budget.With(ctx, budget.Healing), listen.CallTimeout)
		err := f.glance(limited, p, provider, s, waiting)
		cancel()
		if err != nil && ctx.Err() == nil {
			f.Log.Warn("cannot look after instances on their way", "place", p.String(), "error", err)
			pause = noAnswer
		}
	}
}

// waiting copies what is awaited and drops what is overdue; nil, and the watch ends, when nothing is left.
func (s *sight) waiting(now time.Time) map[string]awaited {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.awaited, func(_ string, a awaited) bool { return now.Sub(a.since) > awaitMost })
	if len(s.awaited) == 0 {
		s.watched = false
		return nil
	}
	return maps.Clone(s.awaited)
}

// glance asks for the awaited instances and wakes the groups for which the answer makes a difference.
func (f *Fleet) glance(ctx context.Context, p place, provider cloud.Provider, s *sight, waiting map[string]awaited) error {
	raise, told := map[string]bool{}, map[string]uint64{}
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(waiting)), lookPage) {
		shown, err := provider.Describe(ctx, cloud.Query{Region: p.Region, IDs: ids})
		if err != nil {
			return fmt.Errorf("describe %d instances: %w", len(ids), err)
		}
		news := map[string]cloud.Instance{}
		var changed []string
		for _, c := range shown {
			if s.print(c) != waiting[c.ID].print {
				news[c.ID], changed = c, append(changed, c.ID)
			}
		}
		if len(changed) == 0 {
			continue
		}
		rows, _, err := members.List(ctx, f.DB, store.Account(p.Account), store.Query{IDs: changed})
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.Value.Phase.IsAlive() && f.refreshed(row.Value, news[row.ID]) != row.Value {
				raise[row.Parent] = true
			}
			told[row.ID] = s.print(news[row.ID])
		}
	}
	err := f.Workflow.RaiseAll(ctx, loopName, slices.Sorted(maps.Keys(raise)))
	if err == nil {
		s.told(told)
	}
	return err
}

// told notes what is known of awaited instances: their rows agree, or their groups have been called.
func (s *sight) told(prints map[string]uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, print := range prints {
		if a, is := s.awaited[id]; is {
			a.print = print
			s.awaited[id] = a
		}
	}
}
