package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/replay"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/market/model"
)

// large is how many pools and instances the speed is measured with.
const large = 1000

// runSpeed measures on one processor.
func runSpeed(b *bench, r *result) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	days := quickly(b, 30, 2)
	w, err := crowd(days)
	if err != nil {
		return err
	}
	setup := replay.Setup{World: w, Workload: lab.Workload{Kind: lab.Steady, Least: large, Most: large}, Policy: lab.PolicyNeap, Seed: 1}
	began := used()
	out, err := replay.Run(b.ctx, setup)
	if err != nil {
		return err
	}
	took := (used() - began).Seconds()
	r.note("Simulated market, no recording, seed 1; one processor. Times are processor time on the machine that this page was made on, so each stands beside what sorting %d pools by price takes in the same run.", large)

	in, m := shelves(w, large)
	sorting := measure(func() { sorted(m.Pools) })
	first := measure(func() { plan.Plan(in, plan.Observed{}, m, w.From) })
	inHalf, half := shelves(w, large/2)
	fewer := measure(func() { plan.Plan(inHalf, plan.Observed{}, half, w.From) })
	laws := measure(scoring(w))

	t := table{Columns: []string{"what", "time", "× sorting", "allocations"}}
	row := func(what string, m measured) {
		t.Rows = append(t.Rows, []cell{words("%s", what), number(exactly(m.seconds*1000), 1, 3, " ms"), number(exactly(m.seconds/sorting.seconds), 1, 1, ""), words("%d", m.allocations)})
	}
	t.Rows = append(t.Rows, []cell{
		words("replay of %d days, %d pools, %d instances (%d interruptions)", days, len(w.Pools), large, out.Interruptions()), number(exactly(took), 1, 1, " s"),
		number(exactly(took/sorting.seconds), 1, 0, ""), words("–"),
	})
	row(fmt.Sprintf("sort %d pools by price", large), sorting)
	row(fmt.Sprintf("the laws and hazards of %d pools", large), laws)
	row(fmt.Sprintf("plan the launch of one instance among %d pools", large), first)
	row(fmt.Sprintf("… among %d pools", large/2), fewer)
	r.Tables = append(r.Tables, t)

	perMarket := float64(first.allocations-fewer.allocations) / (large / 2)
	replayed := number(exactly(took*30/float64(days)), 1, 1, " s")
	scored := number(exactly(1000*(first.seconds+laws.seconds)), 1, 3, " ms")
	r.Lines = append(r.Lines,
		atMost("speed: replay of 30 days × 1,000 pools × 1,000 instances on one processor", replayed, 20, 1, 1, " s"),
		atMost("speed: laws and scores of 1,000 markets", scored, 1, 1, 3, " ms"),
		atMost("speed: allocations for one market more, in scoring", number(exactly(perMarket), 1, 3, ""), 0.01, 1, 3, ""),
		atMost("speed: allocations of the laws of 1,000 markets", number(exactly(float64(laws.allocations)), 1, 0, ""), 0, 1, 0, ""),
	)
	return nil
}

// crowd is a simulated market of so many pools.
func crowd(days int) (*world.World, error) {
	o := world.Options{Seed: 1, From: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)}
	o.Until = o.From.AddDate(0, 0, days)
	pools := 0
	for _, offer := range catalog.AWS().Offers("us-east-1", catalog.Linux) {
		if pools < large && offer.Spot > 0 {
			o.Types = append(o.Types, offer.Type.Name)
			pools += len(offer.Zones)
		}
	}
	w, err := world.Simulated(o)
	if err != nil {
		return nil, err
	}
	if len(w.Pools) < large {
		return nil, fmt.Errorf("the catalogue gives %d pools; %d are wanted", len(w.Pools), large)
	}
	w.Pools = w.Pools[:large]
	for n := range w.Pools {
		w.Pools[n].Fates = mortal{uint64(n), w.Notice}
	}
	return &w, nil
}

// mortal is a pool whose instances last for a month on average: far more is lost there than the simulated cloud would take, so that there is something to plan.
type mortal struct {
	seed   uint64
	notice time.Duration
}

const (
	mortalRoom = 50
	mortalLife = 30 * 24 * time.Hour
)

func (m mortal) Room(held int, _ time.Time) int { return max(0, mortalRoom-held) }
func (m mortal) Depth(time.Time) int            { return mortalRoom }

func (m mortal) Fate(number uint64, t time.Time) world.Fate {
	life := time.Duration(rand.New(rand.NewPCG(m.seed, number)).ExpFloat64() * float64(mortalLife)).Truncate(time.Second)
	return world.Fate{Notice: t.Add(max(0, life-m.notice)), End: t.Add(life)}
}

// shelves are the first pools of a market as the planner sees them, with a fleet that wants one instance.
func shelves(w *world.World, pools int) (in plan.Intent, m plan.Market) {
	for _, p := range w.Pools[:pools] {
		in.Choice.SpotTypes, in.Choice.Zones = append(in.Choice.SpotTypes, p.Type), append(in.Choice.Zones, p.Zone)
		law := model.Usual().Prior(model.Facts{Class: p.Class})
		m.Pools = append(m.Pools, plan.Pool{
			Type: p.Type, Zone: p.Zone, Lifecycle: plan.Spot, Price: p.PriceAt(w.From), OnDemand: p.OnDemand, VCPUs: p.VCPUs, Risk: law.Risk(), Hazard: law.Hazard(),
		})
	}
	slices.Sort(in.Choice.Zones)
	in.Choice.SpotTypes, in.Choice.Zones = slices.Compact(in.Choice.SpotTypes), slices.Compact(in.Choice.Zones)
	in.Region, in.Product = "us-east-1", "Linux/UNIX"
	in.Capacity = plan.Capacity{Target: 1, Max: 1, Unit: plan.Instances}
	in.Mix = plan.Mix{OnDemandCount: -1, SpotPercent: 100, RoundSpotUp: true}
	in.Choice.Rule = plan.Balanced
	return in, m
}

// scoring works out the law and the hazard of each pool, from evidence on every tenth of them.
func scoring(w *world.World) func() {
	p := model.Usual()
	var book model.Book
	for n := 0; n < large; n += 10 {
		book.Trouble(p, model.Place{Type: w.Pools[n].Type, Zone: w.Pools[n].Zone}, w.From)
	}
	now, sum := w.From.Add(time.Hour), 0.0
	return func() {
		for n := range w.Pools {
			pool := &w.Pools[n]
			sum += book.Law(p, model.Place{Type: pool.Type, Zone: pool.Zone}, model.Facts{Class: pool.Class, Price: pool.Prices[0].Price.Dollars(), Usual: pool.Usual.Dollars()}, now).Rate(24)
		}
	}
}

func sorted(pools []plan.Pool) []plan.Pool {
	pools = slices.Clone(pools)
	slices.SortFunc(pools, func(a, b plan.Pool) int { return cmp.Compare(a.Price, b.Price) })
	return pools
}

// measured is what one call takes.
type measured struct {
	seconds     float64
	allocations int64
}

// measure calls again and again, for about a second.
func measure(call func()) measured {
	const long = time.Second
	calls, began := 0, used()
	for used()-began < long {
		call()
		calls++
	}
	return measured{(used() - began).Seconds() / float64(calls), int64(testing.AllocsPerRun(5, call))}
}

// used is the processor time of this process, which others on the machine don't stretch as they do the time of day.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // only for a bad address
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
