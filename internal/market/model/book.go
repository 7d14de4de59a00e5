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
	pools    map[Place]*evidence
	types    map[string][]*evidence // kin
	families map[Place][]*evidence  // by family and zone
	troubled bool                   // there was any trouble: without, all laws are the priors
}

// evidence is what happened in one pool. Troubles come at a constant rate on a scale of time on which an hour counts less the older the spell is; survived is
// the time without trouble on that scale. Both fade.
type evidence struct {
	place    Place
	troubles float64
	survived float64
	fadedAt  time.Time
	last     time.Time // of the newest trouble; zero = none
	from     time.Time // since when it is known to be up without a break; zero = not known to be
	until    time.Time // … and until when it was last known to be
}

// HeldEvery is how often Held is to be told while something runs in a pool: after twice that without a word nothing is known.
const HeldEvery = 30 * time.Minute

// newSpell is how long after a trouble, without anything known in between, another one is taken for a trouble of its own: most down spells are shorter.
const newSpell = 6 * time.Hour

func (b *Book) of(at Place) *evidence {
	if b.pools == nil {
		b.pools, b.types, b.families = map[Place]*evidence{}, map[string][]*evidence{}, map[Place][]*evidence{}
	}
	e := b.pools[at]
	if e == nil {
		e = &evidence{place: at}
		kin := Place{at.family(), at.Zone}
		b.pools[at] = e
		b.types[at.Type] = append(b.types[at.Type], e)
		b.families[kin] = append(b.families[kin], e)
	}
	return e
}

// Trouble takes in that a pool took an instance back, or refused one. All that come while it is down are one.
func (b *Book) Trouble(p Parameters, at Place, now time.Time) {
	e := b.of(at)
	b.troubled = true
	e.fade(p, now)
	if e.last.IsZero() || e.until.After(e.last) || now.Sub(e.last) > newSpell {
		e.troubles++
	}
	if now.After(e.last) {
		e.last = now
	}
	e.from, e.until = time.Time{}, time.Time{}
}

// Signal takes in that the provider sees a raised risk.
func (b *Book) Signal(p Parameters, at Place, now time.Time) {
	e := b.of(at)
	b.troubled = true
	e.fade(p, now)
	e.troubles += p.Signal
}

// Held takes in that something runs in a pool at a moment: it is up.
func (b *Book) Held(p Parameters, at Place, now time.Time) {
	e := b.of(at)
	if now.Before(e.last) || now.Before(e.until) {
		return // told late
	}
	if e.from.IsZero() || now.Sub(e.until) > 2*HeldEvery {
		e.from, e.until = now, now
		return
	}
	e.fade(p, now)
	e.survived += math.Log((p.Youth + hours(now.Sub(e.from))) / (p.Youth + hours(e.until.Sub(e.from))))
	e.until = now
}

// fade brings the evidence to a moment.
func (e *evidence) fade(p Parameters, now time.Time) {
	left := e.left(p, now)
	e.troubles *= left
	e.survived *= left
	if now.After(e.fadedAt) {
		e.fadedAt = now
	}
}

// left is the part of the evidence that has not faded at a moment.
func (e *evidence) left(p Parameters, now time.Time) float64 {
	if !now.After(e.fadedAt) || e.fadedAt.IsZero() {
		return 1
	}
	return math.Exp2(-float64(now.Sub(e.fadedAt)) / float64(p.Memory))
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
	return anyTrouble(b.types[at.Type]) || anyTrouble(b.families[Place{at.family(), at.Zone}])
}

func anyTrouble(kin []*evidence) bool {
	for _, e := range kin {
		if e.troubles > 0 {
			return true
		}
	}
	return false
}

// Law is the law of a pool as the evidence has it.
func (b *Book) Law(p Parameters, at Place, f Facts, now time.Time) Law {
	law := p.Prior(f)
	troubles, survived, age := 0.0, 0.0, p.Strange
	if own := b.pools[at]; own != nil {
		left := own.left(p, now)
		troubles, survived, age = own.troubles*left, own.survived*left, own.age(p, now)
	}
	add := func(kin []*evidence, worth float64) {
		for _, e := range kin {
			if e.place != at {
				left := worth * e.left(p, now)
				troubles += e.troubles * left
				survived += e.survived * left
			}
		}
	}
	add(b.types[at.Type], p.Type)
	add(b.families[Place{at.family(), at.Zone}], p.Family)
	if troubles == 0 {
		return law
	}
	law.Scarcity = p.pressure(f) * troubles / (p.calm(f.Class) + survived)
	law.Age = p.Youth + age
	return law
}
