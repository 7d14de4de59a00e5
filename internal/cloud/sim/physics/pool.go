package physics

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
)

// Pool is the spare capacity of one type in one zone. Linux and its kin share it; Windows has its own, because its interruption class
// differs. Everything about it is drawn from its dice and the time, so it is never stored.
type Pool struct {
	Key   string // unique in the world
	dice  Dice
	class int // interruption class of the catalogue, -1 unknown
	vcpus int
}

// PoolOf finds the pool that a market draws on. The class is the catalogue's interruption class of the type there, -1 when unknown; vcpus are those of one instance.
func PoolOf(world Dice, m cloud.Market, class, vcpus int) Pool {
	key := m.Region + "/" + m.Type + "/" + m.Zone
	if m.Product == catalog.Windows {
		key += "/Windows"
	}
	return Pool{Key: key, dice: world.On("pool").On(key), class: class, vcpus: vcpus}
}

// temper is what an interruption class means for a pool.
type temper struct {
	lost  float64 // share of instances interrupted within 30 days
	dry   float64 // share of the time in which spot is refused
	vcpus float64 // median spare vCPUs while it is not dry
}

func (p Pool) temper() temper {
	tempers := [...]temper{ // by class + 1; the first is for types that the Spot Advisor does not know
		{lost: 0.10, dry: 0.05, vcpus: 2_000},
		{lost: 0.025, dry: 0.01, vcpus: 8_000},
		{lost: 0.075, dry: 0.03, vcpus: 4_000},
		{lost: 0.125, dry: 0.06, vcpus: 2_000},
		{lost: 0.175, dry: 0.10, vcpus: 1_000},
		{lost: 0.25, dry: 0.20, vcpus: 500},
	}
	return tempers[p.class+1]
}

const (
	dryMedian = 25 * Minute // of a dry spell; lognormal
	drySpread = 1.5         // its sigma: the mean is about 75 minutes
	dryMost   = Day
	// dryOnDemand is how much rarer on-demand capacity runs dry than spot, and how much deeper it is.
	dryOnDemand   = 1.0 / 20
	depthOnDemand = 10

	// A reclaim takes back part of a pool within minutes. hitShare of the instances are hit by each; how often it comes follows from that.
	hitShare      = 0.6
	reclaimWindow = 30 * Day
)

// dryMean is the mean length of a spell, its cut at a day neglected.
func dryMean() float64 { return float64(dryMedian) * math.Exp(drySpread*drySpread/2) }

// hazard is the rate of interruption of one instance, per millisecond: -ln(1-p)/30 days.
func (p Pool) hazard() float64 { return -math.Log(1-p.temper().lost) / float64(30*Day) }

// IsDry reports whether the pool refuses new instances at a moment. On demand is refused far more rarely, and then spot is too.
func (p Pool) IsDry(lifecycle cloud.Lifecycle, t Instant) bool {
	for range p.dry(lifecycle, t, t+1) {
		return true
	}
	return false
}

// Spell is a time [From, Until).
type Spell struct{ From, Until Instant }

// Dry are the spells in which the pool refuses new instances and that touch [from, until), by time and with time between them. IsDry is true in them and nowhere else.
func (p Pool) Dry(lifecycle cloud.Lifecycle, from, until Instant) []Spell {
	all := slices.SortedFunc(p.dry(lifecycle, from, until), func(a, b Spell) int { return cmp.Compare(a.From, b.From) })
	var merged []Spell
	for _, s := range all {
		if last := len(merged) - 1; last >= 0 && s.From <= merged[last].Until {
			merged[last].Until = max(merged[last].Until, s.Until)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// dry draws every dry spell that touches [from, until). They may overlap, and come in no order.
func (p Pool) dry(lifecycle cloud.Lifecycle, from, until Instant) iter.Seq[Spell] {
	share := p.temper().dry
	return func(yield func(Spell) bool) {
		if !p.arrivals(p.dice.On("dry/on-demand"), share*dryOnDemand, from, until, yield) || lifecycle == cloud.OnDemand {
			return
		}
		if p.arrivals(p.dice.On("dry/spot"), share, from, until, yield) {
			p.recoveries(from, until, yield)
		}
	}
}

// arrivals are spells that arrive as a Poisson process. None is longer than a day, so that they began on one of the days or the day before.
func (p Pool) arrivals(d Dice, share float64, from, until Instant, yield func(Spell) bool) bool {
	perDay := -math.Log(1-share) / dryMean() * float64(Day)
	for number := int64(from/Day) - 1; Instant(number)*Day < until; number++ {
		day := d.At(number)
		for range day.poisson(perDay) {
			begin := Instant(number)*Day + day.Between(0, Day)
			s := Spell{begin, begin + spellLength(&day)}
			if s.From < until && from < s.Until && !yield(s) {
				return false
			}
		}
	}
	return true
}

func spellLength(d *Dice) Instant {
	return min(dryMost, Instant(float64(dryMedian)*math.Exp(drySpread*d.normal())))
}

// recoveries are the spells after reclaims.
func (p Pool) recoveries(from, until Instant, yield func(Spell) bool) {
	for _, r := range p.reclaims("reclaim", from-dryMost, until) {
		d := p.dice.On("recovery").At(int64(r))
		if s := (Spell{r, r + spellLength(&d)}); from < s.Until && !yield(s) {
			return
		}
	}
}

// reclaims are the moments in [from, to) at which the pool is taken back in part (kind "reclaim"), or only seems about to be
// ("alarm": half as often), in order of drawing.
func (p Pool) reclaims(kind string, from, to Instant) []Instant {
	perWindow := p.hazard() / hitShare * float64(reclaimWindow)
	if kind == "alarm" {
		perWindow *= falseAlarms
	}
	var found []Instant
	for number := int64(from / reclaimWindow); Instant(number)*reclaimWindow < to; number++ {
		d := p.dice.On(kind).At(number)
		for range d.poisson(perWindow) {
			if r := Instant(number)*reclaimWindow + d.Between(0, reclaimWindow); from <= r && r < to {
				found = append(found, r)
			}
		}
	}
	return found
}

// Depth is how many instances the pool holds in all when it is not dry, at least one.
func (p Pool) Depth(lifecycle cloud.Lifecycle) int {
	d := p.dice.On("depth")
	vcpus := p.temper().vcpus * math.Exp(0.7*d.normal())
	if lifecycle == cloud.OnDemand {
		vcpus *= depthOnDemand
	}
	return max(1, int(vcpus)/max(1, p.vcpus))
}
