// Package budget keeps all that Neap asks of one cloud account in one region below the cloud's own limits.
//
// It owns the order in which waiting calls are made, the rates, the merging of calls, and the circuit that spares everybody else a region
// that does not answer. It must not know groups, nor keep anything: a restart starts with full buckets, as a quiet minute would.
// Start reading at Budget.Wrap; then queue.go for who is served next, and circuit.go for who is not served at all.
package budget

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
)

// Priority says what a call is for. Of the calls that wait for the same budget, those of the smaller priority are made first; but one call in
// eight is that of whoever has waited longest, so that nobody waits for ever.
type Priority int

// The priorities, most urgent first.
const (
	Notices Priority = iota // the cloud's warnings
	Healing                 // in place of what was interrupted, is unhealthy or lost
	Scaling                 // to the size that somebody asked for
	Saving                  // what could be cheaper
	Sweep                   // to see that all is well
)

type priorityKey struct{}

// With marks the calls that are made with the context.
func With(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

// Of is the priority of the calls that are made with the context: Scaling when nobody said, as somebody is waiting then.
func Of(ctx context.Context) Priority {
	if p, ok := ctx.Value(priorityKey{}).(Priority); ok {
		return p
	}
	return Scaling
}

type attendedKey struct{}

// Attended marks the calls that are made with the context as those of somebody who waits for each: they are not held up to gather company, and the cloud has limit
// for its answer.
func Attended(ctx context.Context, limit time.Duration) context.Context {
	return context.WithValue(ctx, attendedKey{}, limit)
}

// attended is the limit of calls that somebody waits for.
func attended(ctx context.Context) (limit time.Duration, is bool) {
	limit, is = ctx.Value(attendedKey{}).(time.Duration)
	return limit, is
}

// Config is what a Budget needs.
type Config struct {
	Clock clock.Clock // that of the clouds: buckets refill and circuits close by it
	// Replicas is how many processes share the clouds' limits now, this one included; each takes an equal part. nil = this one only.
	Replicas func() int
	// Observe is told of every call once it is over, or given up; nil = nobody. It must return at once.
	Observe func(Call)
}

// Call is one call to a cloud, for figures.
type Call struct {
	Account, Region string
	Class           Class
	Priority        Priority
	Outcome         string        // "ok", the refusal's kind, "error", "timeout", or why it was not made: "open", "gaveUp"
	Requests        int           // how many requests it answered: more than one when they were merged
	Waited, Took    time.Duration // Took is wall time
}

// Budget is shared by everyone in a process who calls a cloud. Safe for concurrent use.
type Budget struct {
	Config
	mu     sync.Mutex
	places map[placeKey]*place
}

type placeKey struct{ account, region string }

// New makes a budget; every account and region starts with full buckets and a closed circuit.
func New(c Config) *Budget { return &Budget{Config: c, places: map[placeKey]*place{}} }

// place is what the process knows of an account in a region.
func (b *Budget) place(account, region, cloudName string) *place {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := placeKey{account, region}
	p, known := b.places[key]
	if !known {
		p = newPlace(b, key, cloudName)
		b.places[key] = p
	}
	return p
}

// share is this process's part of a limit.
func (b *Budget) share() float64 {
	if b.Replicas == nil {
		return 1
	}
	return 1 / float64(max(1, b.Replicas()))
}

// State is how one account and region stands.
type State struct {
	Account, Region string
	Circuit         Position
	OpensAt         time.Time         // when an open circuit is tried again, by the clock of the budget
	Left            map[Class]float64 // calls that could be made at once, for the classes that have a limit
	Waiting         int               // calls that wait for budget
	InFlight        int
}

// States lists every account and region that was called, ordered by both.
func (b *Budget) States() []State {
	b.mu.Lock()
	known := make([]*place, 0, len(b.places))
	for _, p := range b.places {
		known = append(known, p)
	}
	b.mu.Unlock()
	states := make([]State, 0, len(known))
	for _, p := range known {
		states = append(states, p.state())
	}
	slices.SortFunc(states, func(a, b State) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region))
	})
	return states
}

// Wrap puts a provider under the budget of its account. Abilities that the provider lacks are lacking afterwards too.
func (b *Budget) Wrap(account string, p cloud.Provider) cloud.Provider {
	return withAbilities(&limited{budget: b, account: account, inner: p})
}

// String is the priority's name in figures.
func (p Priority) String() string {
	return [...]string{"notices", "healing", "scaling", "saving", "sweep"}[min(max(p, Notices), Sweep)]
}
