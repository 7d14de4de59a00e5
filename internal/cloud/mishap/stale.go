package mishap

import (
	"maps"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

// views are what the cloud lately said of one instance.
type views struct {
	first  time.Time // when it was first seen
	recent []view    // oldest first, none older than Info().Settle when it was last listed
}

type view struct {
	at   time.Time
	said cloud.Instance
}

// watch remembers an answer.
func (a *account) watch(found []cloud.Instance, now time.Time, settle time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, i := range found {
		v, known := a.views[i.ID]
		if !known {
			v = &views{first: now}
			a.views[i.ID] = v
		}
		v.recent = append(v.recent, view{now, i})
		v.recent = slices.DeleteFunc(v.recent, func(old view) bool { return old.at.Before(now.Add(-settle)) })
	}
}

// asOf turns an answer into one of an earlier moment: each instance as it was last seen by then, and none that was launched later. What nobody saw in between
// stays as it is now, because an answer may be old but never of no time at all.
func (a *account) asOf(found []cloud.Instance, then time.Time) []cloud.Instance {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := make([]cloud.Instance, 0, len(found))
	differs := false
	for _, i := range found {
		v := a.views[i.ID]
		if i.LaunchedAt.After(then) && v.first.After(then) {
			differs = true
			continue
		}
		for _, past := range v.recent {
			// With other tags, the query might not have found it.
			if !past.at.After(then) && maps.Equal(past.said.Tags, i.Tags) {
				differs = differs || past.said.State != i.State || past.said.Status != i.Status
				i = past.said
			}
		}
		old = append(old, i)
	}
	if differs {
		a.mishaps.count(Stale)
	}
	return old
}
