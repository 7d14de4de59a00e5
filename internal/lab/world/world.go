// Package world is the capacity that a replay buys and loses: pools with prices and fates, given for a span of time.
//
// It owns pools, their prices over time and what becomes of instances in them, whether it was recorded or is drawn by the simulated cloud's own rules; how
// recordings become worlds, and how a world is written down as one. It must not know fleets or policies, nor how files are spelled. Start reading at World; then
// FromPrices, FromBoth, Simulated and Record.
package world

import (
	"sort"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// World is read only once made; any number of replays may share it.
type World struct {
	Name        string
	From, Until time.Time
	Notice      time.Duration // how long before its end a spot instance is told; the shortest where providers differ
	Boot        time.Duration // from a launch until the instance serves
	Recorded    bool          // losses and refusals come from a record; false: they are drawn
	Simulated   bool          // prices, or a record of losses and refusals, come from no real cloud
	Pools       []Pool        // spot, by type and zone. On demand of the same types and zones never runs dry and is never taken
	LeftOut     []LeftOut     // series that became no pool
}

// LeftOut is how many series of a recording became no pool, and why.
type LeftOut struct {
	Why    string
	Series int
	First  string // "type zone" of the first one
}

// Pool is the spot capacity of one type in one zone. Prices of a whole region stand for one zone with the region's name.
type Pool struct {
	Type, Zone, Region string
	Provider           string // "aws", "azure", "gcp"
	VCPUs              int
	OnDemand           money.Price // list price of the type
	Usual              money.Price // usual spot price of the type in the region, as a catalogue tells it
	Class              int         // interruption class of the catalogue, 0–4; -1 unknown. A policy may see it; fates need not follow it
	Prices             []Change    // by time; the first holds from the beginning of the world
	Priced             Priced
	Fates              Fates
}

// Priced is where a pool's prices come from.
type Priced string

// Where prices come from, the best first.
const (
	PricedBeside   Priced = "recorded beside the availability"
	PricedRecorded Priced = "recorded"
	PricedUsual    Priced = "the usual price, constant"
	PricedShare    Priced = "a share of the list price, constant"
	PricedDrawn    Priced = "drawn"
)

// Change is a price that holds from At until the next one.
type Change struct {
	At    time.Time
	Price money.Price
}

// Fates is what becomes of instances in a pool. Implementations are pure: the same question has the same answer.
type Fates interface {
	// Room is how many instances can be started at t by somebody who holds so many already.
	Room(held int, t time.Time) int
	// Fate is what becomes of the instance with that number if it is started at t.
	Fate(number uint64, t time.Time) Fate
	// Depth is how many instances the pool could still give at t to anybody, as a provider sees it; -1 = not known, not even to the provider's stand-in.
	Depth(t time.Time) int
}

// Fate of one instance. Zero times never come.
type Fate struct {
	Signal time.Time // a rebalance signal
	Notice time.Time // its end is announced
	End    time.Time // the cloud takes it
}

// PriceAt is the price that holds at t.
func (p *Pool) PriceAt(t time.Time) money.Price {
	n := sort.Search(len(p.Prices), func(n int) bool { return p.Prices[n].At.After(t) })
	return p.Prices[max(0, n-1)].Price
}

// Span is a time [From, Until).
type Span struct{ From, Until time.Time }

// Spells are recorded fates: the pool gives whatever is asked while a spell lasts, and takes everything back at its end. What was recorded of one instance is
// taken to hold for any number of them.
type Spells struct {
	Ups    []Span // by time, disjoint
	Notice time.Duration
	Ends   time.Time // of the record: a spell that lasts until then ends in no loss
}

// at is the spell that t lies in.
func (s Spells) at(t time.Time) (Span, bool) {
	n := sort.Search(len(s.Ups), func(n int) bool { return s.Ups[n].Until.After(t) })
	if n == len(s.Ups) || s.Ups[n].From.After(t) {
		return Span{}, false
	}
	return s.Ups[n], true
}

// unbounded stands for more than anybody asks for.
const unbounded = 1 << 30

// Room is without bound inside a spell.
func (s Spells) Room(_ int, t time.Time) int {
	if _, isUp := s.at(t); isUp {
		return unbounded
	}
	return 0
}

// Fate is the end of the spell. Who comes within the notice is told at once.
func (s Spells) Fate(_ uint64, t time.Time) Fate {
	spell, isUp := s.at(t)
	if !isUp || !spell.Until.Before(s.Ends) {
		return Fate{}
	}
	notice := spell.Until.Add(-s.Notice)
	if notice.Before(t) {
		notice = t
	}
	return Fate{Notice: notice, End: spell.Until}
}

// Depth was not recorded; only whether there is any.
func (s Spells) Depth(t time.Time) int {
	if _, isUp := s.at(t); isUp {
		return -1
	}
	return 0
}
