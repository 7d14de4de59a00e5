// Package mishap lets go wrong, around any provider and from a seed, what goes wrong at clouds: for tests of whoever calls them.
//
// It owns the mishaps and when they strike. It must not know any particular cloud, nor its callers, and it breaks no promise of the contract beyond the mishaps
// that are named here. The provider inside should not be stale itself, or an answer may be older than Info().Settle. Start reading at Kind, then at Mishaps.Wrap.
package mishap

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
)

// Kind is one way in which a call goes wrong.
type Kind string

// The mishaps. Their rates are shares of calls, unless it says otherwise.
const (
	Throttled  Kind = "throttled"  // refused as one too many; nothing has happened
	Lost       Kind = "lost"       // fails before it reaches the cloud
	Unanswered Kind = "unanswered" // carried out, and then fails: the reply is lost
	Denied     Kind = "denied"     // refused for want of good credentials; the rate is the share of the time, in whole spells of Plan.Spell
	Partial    Kind = "partial"    // of launches of several: fewer start, and the rest is refused as the pool's dryness
	Stale      Kind = "stale"      // of listings: what the cloud said up to Info().Settle ago, without what was launched since
	Empty      Kind = "empty"      // of listings: nothing is listed, without an error
	Late       Kind = "late"       // of notices: held back after their issue, for up to Plan.LateBy
	Twice      Kind = "twice"      // of notices: they come again, under another id and up to 30 s later
)

// Kinds lists every mishap.
func Kinds() []Kind {
	return []Kind{Throttled, Lost, Unanswered, Denied, Partial, Stale, Empty, Late, Twice}
}

// Plan is how often what goes wrong. The zero value changes nothing.
type Plan struct {
	Rate   map[Kind]float64 `json:"rate"`
	Spell  time.Duration    `json:"spell,omitempty"`  // how long the credentials are no good; 0 = a minute
	LateBy time.Duration    `json:"lateBy,omitempty"` // above Info().Notice, a late notice may come after its deadline; 0 = 20 s
}

// usualSpell, usualLateBy: see Plan.
const (
	usualSpell  = time.Minute
	usualLateBy = 20 * time.Second
)

// Mishaps is what goes wrong for everyone who calls through it. Safe for concurrent use. The same seed and the same calls, in the same order for each kind of call
// and region, give the same mishaps.
type Mishaps struct {
	seed uint64
	plan func() Plan

	mu       sync.Mutex
	counts   map[Kind]int
	accounts map[string]*account
}

// New makes mishaps. plan is asked at every call, so it may change and has to be quick; a launch that was partial remains so.
func New(seed uint64, plan func() Plan) *Mishaps {
	return &Mishaps{seed: seed, plan: plan, counts: map[Kind]int{}, accounts: map[string]*account{}}
}

// Steady is a plan that never changes.
func Steady(p Plan) func() Plan { return func() Plan { return p } }

// Wrap puts an account's provider in harm's way; c is the clock that the cloud lives by. Every provider that is wrapped for the same account shares one memory.
// Abilities that the provider lacks are lacking afterwards too.
func (m *Mishaps) Wrap(c clock.Clock, name string, p cloud.Provider) cloud.Provider {
	m.mu.Lock()
	a, known := m.accounts[name]
	if !known {
		a = &account{mishaps: m, name: name, made: map[string]int{}, launches: map[string]launched{}, views: map[string]*views{}, notices: map[string]*warning{}}
		m.accounts[name] = a
	}
	m.mu.Unlock()
	return withAbilities(&exposed{account: a, clock: c, inner: p})
}

// Counts is how often each mishap has struck so far.
func (m *Mishaps) Counts() map[Kind]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.counts)
}

func (m *Mishaps) count(k Kind) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[k]++
}

// account is what has to be remembered of one account.
type account struct {
	mishaps *Mishaps
	name    string

	mu       sync.Mutex
	made     map[string]int      // calls, by what they are and where
	launches map[string]launched // by token
	views    map[string]*views   // by instance
	notices  map[string]*warning // by id, ours included
}

// dice are those of one thing, the same whenever they are asked for.
func (a *account) dice(thing string) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s", a.name, thing) // never fails
	return rand.New(rand.NewPCG(a.mishaps.seed, h.Sum64()))
}

// next are the dice of the next call of a kind in a region.
func (a *account) next(call, region string) *rand.Rand {
	a.mu.Lock()
	defer a.mu.Unlock()
	thing := call + "\x00" + region
	a.made[thing]++
	return a.dice(fmt.Sprintf("%s\x00%d", thing, a.made[thing]))
}

// strikes draws whether a mishap strikes, and counts it. One throw is made whatever the rate is, so that one rate does not shift the luck of the others.
func (a *account) strikes(d *rand.Rand, p Plan, k Kind) bool {
	struck := d.Float64() < p.Rate[k]
	if struck {
		a.mishaps.count(k)
	}
	return struck
}

// isDenied reports whether the credentials are no good now: time is cut into spells, and some of them are bad.
func (a *account) isDenied(p Plan, now time.Time) bool {
	number := now.UnixNano() / int64(cmp.Or(p.Spell, usualSpell))
	return p.Rate[Denied] > 0 && a.strikes(a.dice(fmt.Sprintf("spell\x00%d", number)), p, Denied)
}
