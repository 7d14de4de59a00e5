package physics

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/cloud"
)

// start of the model tests: 2026-05-12.
const start = Instant(20_585) * Day

// usual is how fast the simulated cloud is unless told otherwise.
var usual = Pace{Boot: Span{2 * time.Second, 5 * time.Second}, Checks: Span{time.Second, 3 * time.Second}, End: Span{time.Second, 3 * time.Second}, Notice: 2 * time.Minute}

func poolOfSeed(seed, class int) Pool {
	return Pool{Key: fmt.Sprint(seed), dice: Dice(seed).On("pool"), class: class, vcpus: 2}
}

// near fails the test when a measured figure is not within the tolerance of the stated one.
func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	t.Logf("%s: %.4g, stated %.4g", what, got, want)
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s is %.4g, stated is %.4g ± %.2g", what, got, want, tolerance)
	}
}

func quantile(values []float64, q float64) float64 {
	slices.Sort(values)
	return values[int(q*float64(len(values)-1))]
}

func TestAsManyAreInterruptedInAMonthAsTheSpotAdvisorSays(t *testing.T) {
	for class, stated := range map[int]float64{-1: 0.10, 0: 0.025, 1: 0.075, 2: 0.125, 3: 0.175, 4: 0.25} {
		const instances = 6000
		lost := 0
		for seed := range instances {
			f := poolOfSeed(seed, class).FateOf(Dice(seed), cloud.Spot, usual, start)
			if f.Notice < start+30*Day {
				lost++
			}
			if f.Notice != Never && (f.Ends != f.Notice+2*Minute || f.Gone <= f.Ends || f.Notice < start) {
				t.Fatalf("fate %+v", f)
			}
		}
		near(t, fmt.Sprintf("class %d: share lost within 30 days", class), float64(lost)/instances, stated, 0.018)
	}
}

func TestOnDemandInstancesAreNeverInterrupted(t *testing.T) {
	for seed := range 500 {
		if f := poolOfSeed(seed, 4).FateOf(Dice(seed), cloud.OnDemand, usual, start); f.Notice != Never || f.Ends != Never || f.Signals != nil {
			t.Fatalf("fate %+v", f)
		}
	}
}

// TestLossesOfAPoolComeTogether launches fifty instances in each of many pools and looks at every reclaim of the first 90 days.
func TestLossesOfAPoolComeTogether(t *testing.T) {
	losses, together, reclaims, living := 0, 0, 0, 0
	for seed := range 300 {
		p := poolOfSeed(seed, 4)
		var notices []Instant
		for n := range 50 {
			if f := p.FateOf(Dice(seed).At(int64(n)), cloud.Spot, usual, start); f.Notice < start+90*Day {
				notices = append(notices, f.Notice)
			}
		}
		slices.Sort(notices)
		for left := 50; len(notices) > 0; reclaims++ {
			first := notices[0]
			group := slices.IndexFunc(notices, func(n Instant) bool { return n > first+15*Minute })
			if group < 0 {
				group = len(notices)
			}
			for _, n := range notices[:group] {
				if n <= first+3*Minute {
					together++
				}
			}
			losses += group
			living += left
			left -= group
			notices = notices[group:]
		}
	}
	near(t, "share of losses within three minutes of the pool's first", float64(together)/float64(losses), 0.95, 0.03)
	near(t, "share of a pool lost in a reclaim", float64(losses)/float64(living), hitShare, 0.05)
	if reclaims < 200 {
		t.Errorf("only %d reclaims were seen", reclaims)
	}
}

func TestRebalanceSignalsPrecedeMostInterruptions(t *testing.T) {
	interrupted, preceded, alarmed := 0, 0, 0
	for seed := range 4000 {
		f := poolOfSeed(seed, 4).FateOf(Dice(seed), cloud.Spot, usual, start)
		if f.Notice == Never {
			continue
		}
		interrupted++
		for _, signal := range f.Signals {
			if signal < f.Running || signal >= f.Notice {
				t.Fatalf("a signal at %d for %+v", signal, f)
			}
			if lead := f.Notice - signal; lead >= 2*Minute && lead <= 20*Minute {
				preceded++
			} else {
				alarmed++
			}
		}
	}
	near(t, "share of interruptions announced by a signal", float64(preceded)/float64(interrupted), announced, 0.03)
	near(t, "false alarms per interruption", float64(alarmed)/float64(interrupted), 1.0/3, 0.04)
}

func TestPoolsRefuseAsOftenAsStated(t *testing.T) {
	for class, stated := range map[int]float64{-1: 0.05, 0: 0.01, 1: 0.03, 2: 0.06, 3: 0.10, 4: 0.20} {
		const samples = 20_000
		var spot, onDemand float64
		for n := range samples {
			p, when := poolOfSeed(n%500, class), start+Instant(n)*7*Hour
			if p.IsDry(cloud.Spot, when) {
				spot += 1.0 / samples
			}
			if p.IsDry(cloud.OnDemand, when) {
				onDemand += 1.0 / samples
			}
		}
		near(t, fmt.Sprintf("class %d: share of the time that spot is refused", class), spot, stated, 0.006+0.08*stated)
		near(t, fmt.Sprintf("class %d: share of the time that on demand is refused", class), onDemand, stated/20, 0.003)
	}
}

func TestPoolsRecoverAsStated(t *testing.T) {
	var minutes []float64
	for seed := range 60 {
		p := poolOfSeed(seed, 1)
		length := 0
		for when := start; when < start+30*Day; when += Minute {
			if p.IsDry(cloud.Spot, when) {
				length++
			} else if length > 0 {
				minutes = append(minutes, float64(length))
				length = 0
			}
		}
	}
	near(t, "median minutes of a dry spell", quantile(minutes, 0.5), 25, 4)
	near(t, "nine in ten dry spells are shorter than", quantile(minutes, 0.9), 170, 25)
	if longest := quantile(minutes, 1); longest > 1.5*24*60 {
		t.Errorf("the longest spell took %v minutes", longest)
	}
}

func TestAReclaimedPoolIsDryAfterwards(t *testing.T) {
	seen := 0
	for seed := range 300 {
		p := poolOfSeed(seed, 4)
		for _, r := range p.reclaims("reclaim", start, start+90*Day) {
			seen++
			if !p.IsDry(cloud.Spot, r+Second) {
				t.Fatalf("pool %d grants spot a second after its reclaim at %d", seed, r)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d reclaims were seen", seen)
	}
}

func TestDeeperPoolsHaveCalmerClasses(t *testing.T) {
	for class, stated := range map[int]float64{-1: 1000, 0: 4000, 1: 2000, 2: 1000, 3: 500, 4: 250} {
		var spot, onDemand []float64
		for seed := range 2000 {
			spot = append(spot, float64(poolOfSeed(seed, class).Depth(cloud.Spot)))
			onDemand = append(onDemand, float64(poolOfSeed(seed, class).Depth(cloud.OnDemand)))
		}
		near(t, fmt.Sprintf("class %d: median depth in instances of two vCPUs", class), quantile(spot, 0.5), stated, stated/15)
		near(t, "on demand", quantile(onDemand, 0.5), 10*stated, stated)
	}
	if big := (Pool{class: 4, vcpus: 448}).Depth(cloud.Spot); big < 1 {
		t.Errorf("a pool of large instances holds %d", big)
	}
}

// TestASeedMeansTheSameWorldInEveryRelease draws prices, pools and fates and compares them with those of the first release. Whoever has to change the sum changes every existing world.
func TestASeedMeansTheSameWorldInEveryRelease(t *testing.T) {
	sum := fnv.New64a()
	for n := range 40 {
		tape := TapeOf(7, "us-east-1", "us-east-1a", fmt.Sprint("type", n))
		for k := range 50 {
			moment := tape.Changed(start + Instant(k)*7*Hour)
			fmt.Fprintf(sum, "%d %.9f\n", moment, tape.Factor(moment))
		}
		p := PoolOf(7, cloud.Market{Region: "us-east-1", Zone: "us-east-1a", Type: fmt.Sprint("type", n)}, n%6-1, 2)
		fmt.Fprintln(sum, p.Depth(cloud.Spot), p.Depth(cloud.OnDemand))
		for k := range 50 {
			when := start + Instant(k)*5*Hour
			fmt.Fprintln(sum, p.IsDry(cloud.Spot, when), p.IsDry(cloud.OnDemand, when))
			f := p.FateOf(Dice(7).On("instance").At(int64(k)), cloud.Spot, usual, when)
			fmt.Fprintln(sum, f.Running, f.OK, f.Notice, f.Ends, f.Gone, f.Signals)
		}
	}
	if got := sum.Sum64(); got != 0x22f0554e530d8684 {
		t.Errorf("the sum is %x", got)
	}
}

func TestDrySpellsAreWhenThePoolIsDry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := poolOfSeed(rapid.IntRange(0, 1<<30).Draw(t, "seed"), rapid.IntRange(-1, 4).Draw(t, "class"))
		lifecycle := rapid.SampledFrom([]cloud.Lifecycle{cloud.Spot, cloud.OnDemand}).Draw(t, "lifecycle")
		from := start + Instant(rapid.Int64Range(0, int64(40*Day)).Draw(t, "from"))
		until := from + Instant(rapid.Int64Range(1, int64(20*Day)).Draw(t, "length"))
		spells := p.Dry(lifecycle, from, until)
		var look []Instant
		for n, s := range spells {
			if s.From >= s.Until || s.Until <= from || s.From >= until || n > 0 && s.From <= spells[n-1].Until {
				t.Fatalf("spell %d of %v from %d to %d", n, spells, from, until)
			}
			look = append(look, s.From-1, s.From, s.Until-1, s.Until)
		}
		for range 20 {
			look = append(look, Instant(rapid.Int64Range(int64(from), int64(until)-1).Draw(t, "moment")))
		}
		for _, when := range look {
			listed := slices.ContainsFunc(spells, func(s Spell) bool { return s.From <= when && when < s.Until })
			if from <= when && when < until && listed != p.IsDry(lifecycle, when) {
				t.Fatalf("at %d: listed %v", when, listed)
			}
		}
	})
}
