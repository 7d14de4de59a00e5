package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/replay"
	"github.com/neap-cloud/neap/internal/lab/world"
)

const (
	stormFloor = 5               // instances on demand
	stormLasts = 3 * time.Minute // until the last instance of the pool is told
	stormDry   = time.Hour       // for which the pool gives nothing
)

// calm is a pool that loses nothing, and counts who was started in it.
type calm struct{ started *int }

func (c calm) Room(int, time.Time) int               { return 1 << 20 }
func (c calm) Depth(t time.Time) int                 { return c.Room(0, t) }
func (c calm) Fate(uint64, time.Time) (f world.Fate) { *c.started++; return f }

// struck is a pool that takes back all it gave within minutes, each instance at a moment of its own.
type struck struct {
	at     time.Time
	seed   uint64
	notice time.Duration
}

func (s struck) Room(_ int, t time.Time) int {
	if !t.Before(s.at) && t.Before(s.at.Add(stormDry)) {
		return 0
	}
	return 1 << 20
}

func (s struck) Depth(t time.Time) int { return s.Room(0, t) }

func (s struck) Fate(number uint64, t time.Time) world.Fate {
	if !t.Before(s.at) {
		return world.Fate{}
	}
	chance := rand.New(rand.NewPCG(s.seed, number)).Float64()
	notice := s.at.Add(time.Duration(chance * float64(stormLasts))).Truncate(time.Millisecond)
	return world.Fate{Notice: notice, End: notice.Add(s.notice)}
}

// struckOnce is what one storm did.
type struckOnce struct {
	held, lost, lowest int // held: bought in the pool before
	slow               time.Duration
}

// storm loses the pool that the fleet has bought most in.
func (b *bench) storm(seed uint64, notice time.Duration, rule plan.Rule) (s struckOnce, err error) {
	from := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	at := from.Add(time.Hour).Add(time.Duration(rand.New(rand.NewPCG(seed, 7)).Float64() * float64(time.Hour))).Truncate(time.Second)
	w, err := world.Simulated(world.Options{
		Types: []string{"m5.xlarge", "m5a.xlarge", "r5.xlarge"}, Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}, From: from, Until: at.Add(20 * time.Minute), Notice: notice, Boot: time.Minute, Seed: seed,
	})
	if err != nil {
		return s, err
	}
	setup := replay.Setup{World: &w, Workload: fleet(), Policy: lab.PolicyNeap, Rule: rule, Floor: stormFloor, Seed: seed, Until: at}
	started := make([]int, len(w.Pools))
	for n := range w.Pools {
		w.Pools[n].Fates = calm{&started[n]}
	}
	if _, err := replay.Run(b.ctx, setup); err != nil {
		return s, err
	}
	s.held = slices.Max(started)
	most := slices.Index(started, s.held)
	w.Pools[most].Fates = struck{at, seed, notice}
	setup.Until = time.Time{}
	out, err := replay.Run(b.ctx, setup)
	s.lowest = fleet().Most
	for _, worst := range out.Worst {
		s.lost, s.lowest, s.slow = s.lost+worst.Lost, min(s.lowest, worst.Lowest), max(s.slow, worst.Slow)
	}
	return s, err
}

// runStorm loses a pool again and again.
func runStorm(b *bench, r *result) error {
	seeds := quickly(b, 1000, 60)
	r.note("Simulated market of 3 types in 3 zones, no recording; %s with %d on demand; a boot takes a minute; seeds 1 to %d for each notice, the rule changes from seed to seed. "+
		"The pool that the fleet bought most in is lost wholly: every instance gets its notice within three minutes, and the pool gives nothing for an hour.", fleet(), stormFloor, seeds)
	t := table{Columns: []string{"notice", "rule", "storms", "held in the pool (median, most)", "lost before they were evacuated (median, most)", "lowest capacity (least, 1 %, 10 %, median)", "slowest request after a notice"}}
	for _, notice := range []time.Duration{30 * time.Second, 2 * time.Minute} {
		all := make([]struckOnce, seeds)
		err := b.each(seeds, func(n int) (err error) {
			all[n], err = b.storm(uint64(n+1), notice, rules()[n%len(rules())])
			return err
		})
		if err != nil {
			return err
		}
		below, slow, idle := 0, time.Duration(0), 0
		for _, s := range all {
			if s.lowest < stormFloor {
				below++
			}
			if s.lost == 0 {
				idle++
			}
			slow = max(slow, s.slow)
		}
		for n, rule := range rules() {
			var own []struckOnce
			for at := n; at < seeds; at += len(rules()) {
				own = append(own, all[at])
			}
			t.Rows = append(t.Rows, stormRow(notice, rule, own))
		}
		r.note("Notice %s: in %d of %d runs the fleet held nothing in any spot pool, so that nothing was lost.", notice, idle, seeds)
		requests := exactly(slow.Seconds())
		r.Lines = append(r.Lines, none(fmt.Sprintf("storm, notice %s: runs with less capacity than the floor on demand", notice), below, fmt.Sprint(seeds)),
			atMost(fmt.Sprintf("storm, notice %s: replacement requested after its notice", notice), number(requests, 1, 3, " s"), 1, 1, 3, " s"))
	}
	r.Tables = append(r.Tables, t)
	return nil
}

func stormRow(notice time.Duration, rule plan.Rule, all []struckOnce) []cell {
	var held, lost, lowest []float64
	slow := time.Duration(0)
	for _, s := range all {
		held, lost, lowest, slow = append(held, float64(s.held)), append(lost, float64(s.lost)), append(lowest, float64(s.lowest)), max(slow, s.slow)
	}
	slices.Sort(held)
	slices.Sort(lost)
	slices.Sort(lowest)
	return []cell{
		words("%s", notice), words("%s", rule), words("%d", len(all)), words("%.0f, %.0f", quantile(held, 0.5), held[len(held)-1]), words("%.0f, %.0f", quantile(lost, 0.5), lost[len(lost)-1]),
		words("%.0f, %.0f, %.0f, %.0f", lowest[0], quantile(lowest, 0.01), quantile(lowest, 0.1), quantile(lowest, 0.5)), words("%s", slow),
	}
}
