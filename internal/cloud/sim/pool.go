package sim

import (
	"math"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
)

// pool is the spare capacity of one type in one zone. Linux and its kin share it; Windows has its own, because its interruption class
// differs. Everything about it is drawn from its dice and the time, so it is never stored.
type pool struct {
	key   string // unique in the world
	dice  dice
	class int // interruption class of the catalogue, -1 unknown
	vcpus int
}

// poolOf finds the pool that a market draws on.
func (c *Cloud) poolOf(m cloud.Market, offer catalog.Offer) pool {
	key := m.Region + "/" + m.Type + "/" + m.Zone
	if m.Product == catalog.Windows {
		key += "/Windows"
	}
	return pool{key: key, dice: c.dice.on("pool").on(key), class: offer.Interruption, vcpus: offer.Type.VCPUs}
}

// temper is what an interruption class means for a pool.
type temper struct {
	lost  float64 // share of instances interrupted within 30 days
	dry   float64 // share of the time in which spot is refused
	vcpus float64 // median spare vCPUs while it is not dry
}

func (p pool) temper() temper {
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
	dryMedian = 25 * minute // of a dry spell; lognormal
	drySpread = 1.5         // its sigma: the mean is about 75 minutes
	dryMost   = day
	// dryOnDemand is how much rarer on-demand capacity runs dry than spot, and how much deeper it is.
	dryOnDemand   = 1.0 / 20
	depthOnDemand = 10

	// A reclaim takes back part of a pool within minutes. hitShare of the instances are hit by each; how often it comes follows from that.
	hitShare      = 0.6
	reclaimWindow = 30 * day
)

// dryMean is the mean length of a spell, its cut at a day neglected.
func dryMean() float64 { return float64(dryMedian) * math.Exp(drySpread*drySpread/2) }

// hazard is the rate of interruption of one instance, per millisecond: -ln(1-p)/30 days.
func (p pool) hazard() float64 { return -math.Log(1-p.temper().lost) / float64(30*day) }

// isDry reports whether the pool refuses new instances at a moment. On demand is refused far more rarely, and then spot is too.
func (p pool) isDry(lifecycle cloud.Lifecycle, t instant) bool {
	share := p.temper().dry
	if p.inSpell(p.dice.on("dry/on-demand"), share*dryOnDemand, t) {
		return true
	}
	if lifecycle == cloud.OnDemand {
		return false
	}
	return p.inSpell(p.dice.on("dry/spot"), share, t) || p.isRecovering(t)
}

// inSpell draws the spells of today and yesterday: they arrive as a Poisson process and none is longer than a day.
func (p pool) inSpell(d dice, share float64, t instant) bool {
	perDay := -math.Log(1-share) / dryMean() * float64(day)
	today := int64(t / day)
	for _, number := range [2]int64{today - 1, today} {
		spells := d.at(number)
		for range spells.poisson(perDay) {
			from := instant(number)*day + spells.between(0, day)
			until := from + spellLength(&spells)
			if from <= t && t < until {
				return true
			}
		}
	}
	return false
}

func spellLength(d *dice) instant {
	return min(dryMost, instant(float64(dryMedian)*math.Exp(drySpread*d.normal())))
}

// isRecovering reports whether the pool is dry after a reclaim.
func (p pool) isRecovering(t instant) bool {
	for _, r := range p.reclaims("reclaim", t-dryMost, t+1) {
		d := p.dice.on("recovery").at(int64(r))
		if t < r+spellLength(&d) {
			return true
		}
	}
	return false
}

// reclaims are the moments in [from, to) at which the pool is taken back in part (kind "reclaim"), or only seems about to be
// ("alarm": half as often), in order of drawing.
func (p pool) reclaims(kind string, from, to instant) []instant {
	perWindow := p.hazard() / hitShare * float64(reclaimWindow)
	if kind == "alarm" {
		perWindow *= falseAlarms
	}
	var found []instant
	for number := int64(from / reclaimWindow); instant(number)*reclaimWindow < to; number++ {
		d := p.dice.on(kind).at(number)
		for range d.poisson(perWindow) {
			if r := instant(number)*reclaimWindow + d.between(0, reclaimWindow); from <= r && r < to {
				found = append(found, r)
			}
		}
	}
	return found
}

// depth is how many instances the pool holds in all when it is not dry, at least one.
func (p pool) depth(lifecycle cloud.Lifecycle) int {
	d := p.dice.on("depth")
	vcpus := p.temper().vcpus * math.Exp(0.7*d.normal())
	if lifecycle == cloud.OnDemand {
		vcpus *= depthOnDemand
	}
	return max(1, int(vcpus)/max(1, p.vcpus))
}
