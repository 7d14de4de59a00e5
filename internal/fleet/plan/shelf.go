package plan

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// preferredCap is how many instances a preferred market takes before the others get their turn [ours]: 12 on 4 preferred markets all stay there, of 32 on 3
// a quarter goes elsewhere.
const preferredCap = 8

// shelf is all that can be bought in one lifecycle, weighed.
type shelf struct {
	policy    Policy
	weights   weights
	horizon   time.Duration
	list      int64 // see cost.go
	target    int
	zones     []zoneShare
	all       []*option    // best first, closed ones too
	tiers     [2][]*option // open ones: preferred zones, then the others
	preferred bool         // there are preferred types
	used      bool         // something was chosen, or sought in vain
}

type zoneShare struct {
	name string
	held int // units of this lifecycle
}

// option is a pool with its figures.
type option struct {
	*Pool
	units        int
	perUnit      int64 // thousandths of a micro-dollar per unit and hour
	costs        costs
	base         int64 // their sum, by which options are put in order
	spread       int64 // before this plan bought anything
	spreadWeight int64
	preferred    bool
	held         int // units in this pool
	count        int // instances in this pool
	zone         *zoneShare
	chosen       int
	why          string    // closed: why
	openAt       time.Time // closed: until when; zero = not by time
}

// shelfOf builds a lifecycle's shelf when it is first needed; most plans buy nothing.
func (d *draft) shelfOf(l Lifecycle) *shelf {
	kept := &d.spot
	if l == OnDemand {
		kept = &d.onDemand
	}
	if *kept == nil {
		*kept = d.newShelf(l)
	}
	return *kept
}

func (d *draft) newShelf(l Lifecycle) *shelf {
	choice := &d.intent.Choice
	s := &shelf{
		policy: choice.Policy, weights: weigh(choice.Rule, d.intent.MinLifetime), horizon: d.intent.Horizon(), target: d.intent.Capacity.Target,
	}
	for _, zone := range d.zones {
		held := zone.spot
		if l == OnDemand {
			held = zone.onDemand
		}
		s.zones = append(s.zones, zoneShare{zone.name, held})
	}
	if cmp.Or(d.notice, usualNotice) < shortNotice {
		s.weights.spread *= gapTimes
	}
	types, preferred := choice.SpotTypes, choice.PreferredTypes
	if l == OnDemand {
		types, preferred = choice.OnDemandTypes, nil
	}
	allowed := ranks(types, preferred)
	shaky := d.shakyPools()
	options := make([]option, 0, len(d.market.Pools))
	for n := range d.market.Pools {
		pool := &d.market.Pools[n]
		rank, ok := allowed[pool.Type]
		if pool.Lifecycle != l || !ok {
			continue
		}
		zone := slices.IndexFunc(s.zones, func(z zoneShare) bool { return z.name == pool.Zone })
		if zone < 0 {
			continue
		}
		o := option{Pool: pool, units: d.unitsOf(pool.Type, pool.VCPUs), preferred: rank == preferredRank, zone: &s.zones[zone]}
		o.perUnit = int64(pool.Price) * thousand / int64(o.units)
		if held := d.held[place{pool.Type, pool.Zone, l}]; held > 0 {
			o.held, o.count = held, held/o.units
		}
		o.close(d.now, shaky)
		options = append(options, o)
	}
	s.weigh(options)
	s.preferred = len(preferred) > 0
	s.fillTiers(choice.PreferredZones)
	if home := d.home(); home != "" {
		s.restrict(home)
	}
	return s
}

const (
	plainRank = iota
	preferredRank
)

// ranks are the types that may be bought, and which of them are preferred.
func ranks(types, preferred []string) map[string]int {
	list := make(map[string]int, len(types)+len(preferred))
	for _, t := range types {
		list[t] = plainRank
	}
	for _, t := range preferred {
		list[t] = preferredRank
	}
	return list
}

// close marks a pool that must not be asked now.
func (o *option) close(now time.Time, shaky map[place]time.Time) {
	if o.CoolUntil.After(now) {
		o.openAt, o.why = o.CoolUntil.UTC(), "cools until "+clockText(o.CoolUntil)
		if o.Why != "" {
			o.why += ": " + o.Why
		}
	}
	if len(shaky) == 0 {
		return
	}
	if until := shaky[place{o.Type, o.Zone, o.Lifecycle}]; until.After(now) && until.After(o.openAt) {
		o.openAt, o.why = until.UTC(), "a member in this pool was told to leave; losses of one pool come together"
	}
}

// weigh gives every option its terms and puts the best first.
func (s *shelf) weigh(options []option) {
	s.list = listOf(options)
	s.all = make([]*option, len(options))
	for n := range options {
		o := &options[n]
		o.costs, o.spreadWeight = s.costsOf(o), s.spreadWeight(o)
		o.spread = s.spreadTerm(o)
		s.all[n] = o
	}
	s.sortByDepth(options)
	for n := range options {
		options[n].base = options[n].costs.all() + options[n].costs.shun
	}
	slices.SortFunc(s.all, func(a, b *option) int {
		if a.base != b.base {
			return cmp.Compare(a.base, b.base)
		}
		if a.perUnit != b.perUnit {
			return cmp.Compare(a.perUnit, b.perUnit)
		}
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Zone, b.Zone))
	})
}

// fillTiers puts open options where they are looked for: in preferred zones first, if there are any.
func (s *shelf) fillTiers(preferredZones []string) {
	for _, o := range s.all {
		tier := 0
		if len(preferredZones) > 0 && !slices.Contains(preferredZones, o.Zone) {
			tier = 1
		}
		if o.why != "" {
			continue
		}
		s.tiers[tier] = append(s.tiers[tier], o)
	}
}

// shakyPools are pools in which the cloud has told a member to leave: its siblings are likely to follow. They stay closed until the announced end, or for
// a while after a rebalance signal.
func (d *draft) shakyPools() map[place]time.Time {
	shaky := map[place]time.Time{}
	for n := range d.members {
		m := &d.members[n]
		until := m.InterruptAt
		if !m.RebalanceAt.IsZero() && until.Before(m.RebalanceAt.Add(shakyFor)) {
			until = m.RebalanceAt.Add(shakyFor)
		}
		if m.Lifecycle == Spot && until.After(shaky[m.place()]) {
			shaky[m.place()] = until
		}
	}
	return shaky
}

// shakyFor is how long a rebalance signal speaks against its pool [ours].
const shakyFor = 15 * time.Minute

// gaveBack counts out a member that no longer stays.
func (s *shelf) gaveBack(m *member) {
	if s == nil {
		return
	}
	if o := s.find(m.place()); o != nil {
		o.held -= m.units
		o.count--
		o.zone.held -= m.units
	}
}

func (s *shelf) find(p place) *option {
	for _, o := range s.all {
		if o.Type == p.typ && o.Zone == p.zone && o.Lifecycle == p.lifecycle {
			return o
		}
	}
	return nil
}

// opensNext is the earliest moment at which a closed pool may be asked again.
func (s *shelf) opensNext() (at time.Time) {
	for _, o := range s.all {
		if o.why != "" && !o.openAt.IsZero() && (at.IsZero() || o.openAt.Before(at)) {
			at = o.openAt
		}
	}
	return at
}
