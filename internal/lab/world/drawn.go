package world

import (
	"slices"
	"sort"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// Drawn are fates as the simulated cloud draws them: pools run dry and recover, and now and then a part of one is taken back within minutes.
type Drawn struct {
	pool     physics.Pool
	own      physics.Dice // of the pool's instances
	pace     physics.Pace
	depth    int
	from, to physics.Instant // dry is complete in between
	dry      []physics.Spell
}

// draw makes fates of a pool with a class of its own, which may be another one than the pool shows.
func (w *World) draw(p *Pool, class int, seed uint64) Drawn {
	world := physics.Dice(seed)
	market := cloud.Market{Region: p.Region, Zone: p.Zone, Type: p.Type, Lifecycle: cloud.Spot}
	pool := physics.PoolOf(world, market, class, p.VCPUs)
	d := Drawn{
		pool: pool, own: world.On("instance").On(pool.Key), depth: pool.Depth(cloud.Spot),
		pace: physics.Pace{Boot: physics.Span{Min: w.Boot, Max: w.Boot}, Notice: w.Notice},
		from: physics.At(w.From), to: physics.At(w.Until),
	}
	d.dry = pool.Dry(cloud.Spot, d.from, d.to)
	return d
}

// isDry is looked up inside the world's time and drawn outside of it.
func (d Drawn) isDry(t time.Time) bool {
	now := physics.At(t)
	if now < d.from || now >= d.to {
		return d.pool.IsDry(cloud.Spot, now)
	}
	n := sort.Search(len(d.dry), func(n int) bool { return d.dry[n].Until > now })
	return n < len(d.dry) && d.dry[n].From <= now
}

// Room is what the pool's depth leaves beside what is held, nothing while it is dry.
func (d Drawn) Room(held int, t time.Time) int { return max(0, d.Depth(t)-held) }

// Fate ends with the first reclaim of the pool that strikes this instance. The signal is the first one, which may be a false alarm.
func (d Drawn) Fate(number uint64, t time.Time) Fate {
	launched := physics.At(t.Add(time.Millisecond - 1)) // up, so that nothing comes before t
	drawn := d.pool.FateOf(d.own.At(int64(number)), cloud.Spot, d.pace, launched)
	f := Fate{Notice: drawn.Notice.Time(), End: drawn.Ends.Time()}
	if len(drawn.Signals) > 0 {
		f.Signal = slices.Min(drawn.Signals).Time()
	}
	return f
}

// Depth is the whole pool, nothing while it is dry.
func (d Drawn) Depth(t time.Time) int {
	if d.isDry(t) {
		return 0
	}
	return d.depth
}

// permutation puts the numbers below count into an order that follows from the seed alone.
func permutation(count int, seed uint64) []int {
	order := make([]int, count)
	d := physics.Dice(seed).On("permutation")
	for n := range order {
		at := int(d.Bits() % uint64(n+1))
		order[n], order[at] = order[at], n
	}
	return order
}

// drawFates gives every pool fates. Permuted, each is drawn with the class of another, so that what a class promises is true of none.
func (w *World) drawFates(seed uint64, permuted bool) {
	classes := make([]int, len(w.Pools))
	for n, p := range w.Pools {
		classes[n] = p.Class
	}
	if permuted {
		shown := slices.Clone(classes)
		for n, other := range permutation(len(classes), seed) {
			classes[n] = shown[other]
		}
	}
	for n := range w.Pools {
		w.Pools[n].Fates = w.draw(&w.Pools[n], classes[n], seed)
	}
}
