package fleet

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/tags"
	"github.com/neap-cloud/neap/internal/store"
)

// isRestored reports whether this database came from a backup that nobody has accepted yet; then the group is only observed.
func (t *turn) isRestored(ctx context.Context) (bool, error) {
	var err error
	if t.installation, err = t.f.Installation(ctx); err != nil || t.installation.Restored.IsZero() {
		return false, err
	}
	t.onlyObserve, t.restored = true, t.installation.Restored
	return true, nil
}

// observing says why the group is only observed, and what ends that.
func (t *turn) observing() string {
	if !t.restored.IsZero() {
		return fmt.Sprintf("This database was restored from a backup of %s: group %s is only observed until you run neap accept-generation.", t.restored.Format(time.RFC3339), t.doc.ID)
	}
	return fmt.Sprintf("A newer copy of this database has launched instances of group %s: it is only observed. Stop that copy, then run neap accept-generation here, or restore the newer database.", t.doc.ID)
}

// Strangers is what the clouds show of this installation, compared with this database.
type Strangers struct {
	Newest    int64 // highest generation that a living instance carries
	Instances int   // living instances of this installation
	Known     int   // of those: the database has a row
	Adoptable int   // it has no row, and has the launch that explains it
}

// Quarantined is how many living instances nothing in this database explains.
func (s Strangers) Quarantined() int { return s.Instances - s.Known - s.Adoptable }

// Survey looks at every living instance that carries this installation's tags, in every place that has groups. It changes nothing. fault.Unavailable when a
// place cannot be asked: what is there might be newer than anything else.
func (f *Fleet) Survey(ctx context.Context) (Strangers, error) {
	inst, err := f.Installation(ctx)
	if err != nil {
		return Strangers{}, err
	}
	var mu sync.Mutex
	var all []cloud.Instance
	err = f.each(ctx, func(ctx context.Context, p place, provider cloud.Provider) error {
		seen, err := provider.Describe(ctx, cloud.Query{Region: p.Region, Tags: map[string]string{tags.Installation: inst.ID}})
		if err != nil {
			return fmt.Errorf("describe %s: %w", p, err)
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, seen...)
		return nil
	})
	if err != nil {
		return Strangers{}, fault.Of(fault.Unavailable, "cloud", "Not every region answers, so nobody can tell which generation is the newest; try again when all do.").With(err)
	}
	return f.compare(ctx, all)
}

func (f *Fleet) compare(ctx context.Context, all []cloud.Instance) (s Strangers, err error) {
	for _, c := range all {
		if c.State == cloud.Terminated || c.State == cloud.ShuttingDown {
			continue
		}
		s.Instances++
		s.Newest = max(s.Newest, tags.GenerationOf(c))
		if _, err := members.Get(ctx, f.DB, store.Installation(), c.ID); err == nil {
			s.Known++
		} else if !fault.Is(err, fault.NotFound) {
			return s, err
		} else if a, err := actions.Get(ctx, f.DB, store.Installation(), c.Tags[tags.Action]); err == nil && a.Parent == c.Tags[tags.Owner] {
			s.Adoptable++
		} else if err != nil && !fault.Is(err, fault.NotFound) {
			return s, err
		}
	}
	return s, nil
}
