package batch

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/store"
)

// Meter hears what happens to jobs, for a monitoring system.
type Meter interface {
	// Began says how long a job waited for its first attempt's place, in engine time.
	Began(after time.Duration)
	// Ended says how an attempt ended, in the words of Attempt.Outcome.
	Ended(outcome string)
}

// unheard is the meter of nobody.
type unheard struct{}

func (unheard) Began(time.Duration) {}
func (unheard) Ended(string)        {}

// Standing counts the jobs that have not come to their end, by what they do: "waiting", "held" (back until later), "active", "ending" (being stopped).
func (b *Batch) Standing(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	for _, standing := range []string{waiting, held, active, ending} {
		n, err := jobs.Count(ctx, b.c.DB, store.Installation(), store.Query{States: []string{standing}})
		if err != nil {
			return nil, err
		}
		counts[standing] = n
	}
	return counts, nil
}
