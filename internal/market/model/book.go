package model

import (
	"math"
	"strings"
	"time"
)

// Place is a pool as its kin see it: siblings share the type, or the family and the zone.
type Place struct{ Type, Zone string }

// family is what a type's name begins with: "m5" of "m5.large", "Standard" of "Standard_D2s_v3".
func (p Place) family() string {
	if n := strings.IndexAny(p.Type, ".-_"); n > 0 {
		return p.Type[:n]
	}
	return p.Type
}

// Book is the evidence of one account in one region, pool by pool. The zero value is empty. It is not safe for concurrent use.
type Book struct {
	epoch    time.Time // of the first evidence
	pools    map[Place]*evidence
	types    map[string]*sum // over all zones
	families map[Place]*sum  // by family and zone
	troubled bool            // there was any trouble: without, all laws are the priors

	nowAt time.Time // for which now is known
	now   float64
}

// evidence is what happened in one pool.
type evidence struct {
	sum
	last  time.Time // of the newest trouble; zero = none
	from  time.Time // since when it is known to be up without a break; zero = not known to be
	until time.Time // … and until when it was last known to be
	kin   [2]*sum   // that count it too: its type's and its family's
}

// sum is evidence added up. Troubles come at a constant rate on a scale of time on which an hour counts less the older the spell is; survived is the time without
// trouble on that scale. Both fade. So that they need not be touched for that, what comes in counts the more the later it comes (Book.weight), and what is read is divided by what
// would come in now.
type sum struct{ troubles, survived float64 }

func (s *sum) add(troubles, survived float64) {
	s.troubles += troubles
	s.survived += survived
}

// weight is how much evidence of a moment counts, against that of the epoch.
func (b *Book) weight(p Parameters, at time.Time) float64 {
	return math.Exp2(float64(at.Sub(b.epoch)) / float64(p.Memory))
}

// fade is what turns sums into what they are worth now.
func (b *Book) fade(p Parameters, now time.Time) float64 {
	if !now.Equal(b.nowAt) {
		b.nowAt, b.now = now, 1/b.weight(p, now)
	}
	return b.now
}

// HeldEvery is how often Held is to be told while something runs in a pool: after twice that without a word nothing is known.
const HeldEvery = 30 * time.Minute

// newSpell is how long after a trouble, without anything known in between, another one is taken for a trouble of its own: most down spells are shorter.
const newSpell = 6 * time.Hour

func (b *Book) of(at Place, now time.Time) *evidence {
	if b.pools == nil {
		b.epoch, b.pools, b.types, b.families = now, map[Place]*evidence{}, map[string]*sum{}, map[Place]*sum{}
	}
	e := b.pools[at]
	if e == nil {
		kin := Place{at.family(), at.Zone}
		if b.types[at.Type] == nil {
			b.types[at.Type] = &sum{}
		}
		if b.families[kin] == nil {
			b.families[kin] = &sum{}
		}
		e = &evidence{kin: [2]*sum{b.types[at.Type], b.families[kin]}}
		b.pools[at] = e
	}
	return e
}

func (e *evidence) add(troubles, survived float64) {
	e.sum.add(troubles, survived)
	for _, k := range e.kin {
		k.add(troubles, survived)
	}
}

// Trouble takes in that a pool took an instance back, or refused one. All that come while it is down are one.
func (b *Book) Trouble(p Parameters, at Place, now time.Time) {
	e := b.of(at, now)
	b.troubled = true
	if e.last.IsZero() || e.until.After(e.last) || now.Sub(e.last) > newSpell {
		e.add(b.weight(p, now), 0)
	}
	if now.After(e.last) {
		e.last = now
	}
	e.from, e.until = time.Time{}, time.Time{}
}

// Signal takes in that the provider sees a raised risk.
func (b *Book) Signal(p Parameters, at Place, now time.Time) {
	b.troubled = true
	b.of(at, now).add(p.Signal*b.weight(p, now), 0)
}

// Held takes in that something runs in a pool at a moment: it is up.
func (b *Book) Held(p Parameters, at Place, now time.Time) {
	e := b.of(at, now)
	if now.Before(e.last) || now.Before(e.until) {
		return // told late
	}
	if e.from.IsZero() || now.Sub(e.until) > 2*HeldEvery {
		e.from, e.until = now, now
		return
	}
	e.add(0, b.weight(p, now)*math.Log((p.Youth+hours(now.Sub(e.from)))/(p.Youth+hours(e.until.Sub(e.from)))))
	e.until = now
}

// age is for how many hours a pool is known to be up.
func (e *evidence) age(p Parameters, now time.Time) float64 {
	if !e.from.IsZero() && now.Sub(e.until) <= 2*HeldEvery {
		return max(0, hours(now.Sub(e.from)))
	}
	if e.last.IsZero() {
		return p.Strange
	}
	return min(p.Strange, max(0, hours(now.Sub(e.last))))
}

func hours(d time.Duration) float64 { return d.Hours() }

// Facts are what is known of a pool without any experience.
type Facts struct {
	Class        int     // of interruption, as the vendor tells; outside 0–4 unknown
	Price, Usual float64 // now, and usually in the region; in any unit; 0 unknown
}

// IsCalm reports that there was no trouble anywhere: every law is the prior.
func (b *Book) IsCalm() bool { return !b.troubled }

// IsTroubled reports whether a pool or its kin was ever in trouble: if not, its law is the prior.
func (b *Book) IsTroubled(at Place) bool {
	for _, kin := range [2]*sum{b.types[at.Type], b.families[Place{at.family(), at.Zone}]} {
		if kin != nil && kin.troubles > 0 {
			return true
		}
	}
	return false
}

// Law is the law of a pool as the evidence has it.
func (b *Book) Law(p Parameters, at Place, f Facts, now time.Time) Law {
	law := p.Prior(f)
	var own, all sum
	age := p.Strange
	if e := b.pools[at]; e != nil {
		own, age = e.sum, e.age(p, now)
	}
	all = own
	add := func(kin *sum, worth float64) {
		if kin != nil { // less what is the pool's own, and what rounding leaves of that
			all.add(worth*max(0, kin.troubles-own.troubles), worth*max(0, kin.survived-own.survived))
		}
	}
	add(b.types[at.Type], p.Type)
	add(b.families[Place{at.family(), at.Zone}], p.Family)
	if all.troubles == 0 {
		return law
	}
	left := b.fade(p, now)
	law.Scarcity = p.pressure(f) * all.troubles * left / (p.calm(f.Class) + all.survived*left)
	law.Age = p.Youth + age
	return law
}
