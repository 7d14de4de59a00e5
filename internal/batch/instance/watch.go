package instance

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/store"
)

// back is how far the clocks of two replicas may be apart without a change being missed.
const back = 10 * time.Second

// Watch hands out the tasks whose rows have changed, as it finds them; whatever nobody takes yet is kept together.
func (r *Runtime) Watch(ctx context.Context) <-chan []string {
	changes := make(chan []string)
	w := watch{r: r, from: r.Clock.Now(), seen: map[string]int64{}}
	w.look(ctx) // what was before does not come
	go func() {
		defer close(changes)
		ticker := time.NewTicker(polled)
		defer ticker.Stop()
		for waiting := map[string]bool{}; ; {
			to, ids := changes, slices.Sorted(maps.Keys(waiting))
			if len(ids) == 0 {
				to = nil
			}
			select {
			case <-ctx.Done():
				return
			case to <- ids:
				clear(waiting)
			case <-ticker.C:
				for _, id := range w.look(ctx) {
					waiting[id] = true
				}
			}
		}
	}()
	return changes
}

// watch is the state of one watcher.
type watch struct {
	r    *Runtime
	from time.Time        // changes since are looked at …
	seen map[string]int64 // … unless they are known: by task, its version
}

// look lists the tasks that have changed since the look before. When the store does not answer, the next look goes as far back.
func (w *watch) look(ctx context.Context) (changed []string) {
	now := w.r.Clock.Now()
	docs, _, err := tasks.List(ctx, w.r.DB, store.Installation(), store.Query{States: anyState(), Since: w.from.Add(-back)})
	if err != nil {
		if ctx.Err() == nil {
			w.r.Log.Warn("cannot watch tasks that are instances", "error", err)
		}
		return nil
	}
	known := make(map[string]int64, len(docs))
	for _, d := range docs {
		if w.seen[d.ID] != d.Version {
			changed = append(changed, d.ID)
		}
		known[d.ID] = d.Version
	}
	w.from, w.seen = now, known
	return changed
}
