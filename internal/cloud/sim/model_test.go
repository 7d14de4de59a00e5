package sim

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/neap-cloud/neap/internal/cloud"
)

// start of the model tests: 2026-05-12.
const start = instant(20_585) * day

func poolOfSeed(seed, class int) pool {
	return pool{key: fmt.Sprint(seed), dice: dice(seed).on("pool"), class: class, vcpus: 2}
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
			f := poolOfSeed(seed, class).fateOf(dice(seed), cloud.Spot, Usual(), start)
			if f.notice < start+30*day {
				lost++
			}
			if f.notice != never && (f.ends != f.notice+2*minute || f.gone <= f.ends || f.notice < start) {
				t.Fatalf("fate %+v", f)
			}
		}
		near(t, fmt.Sprintf("class %d: share lost within 30 days", class), float64(lost)/instances, stated, 0.018)
	}
}

func TestOnDemandInstancesAreNeverInterrupted(t *testing.T) {
	for seed := range 500 {
		if f := poolOfSeed(seed, 4).fateOf(dice(seed), cloud.OnDemand, Usual(), start); f.notice != never || f.ends != never || f.signals != nil {
			t.Fatalf("fate %+v", f)
		}
	}
}

// TestLossesOfAPoolComeTogether launches fifty instances in each of many pools and looks at every reclaim of the first 90 days.
func TestLossesOfAPoolComeTogether(t *testing.T) {
	losses, together, reclaims, living := 0, 0, 0, 0
	for seed := range 300 {
		p := poolOfSeed(seed, 4)
		var notices []instant
		for n := range 50 {
			if f := p.fateOf(dice(seed).at(int64(n)), cloud.Spot, Usual(), start); f.notice < start+90*day {
				notices = append(notices, f.notice)
			}
		}
		slices.Sort(notices)
		for left := 50; len(notices) > 0; reclaims++ {
			first := notices[0]
			group := slices.IndexFunc(notices, func(n instant) bool { return n > first+15*minute })
			if group < 0 {
				group = len(notices)
			}
			for _, n := range notices[:group] {
				if n <= first+3*minute {
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
		f := poolOfSeed(seed, 4).fateOf(dice(seed), cloud.Spot, Usual(), start)
		if f.notice == never {
			continue
		}
		interrupted++
		for _, signal := range f.signals {
			if signal < f.running || signal >= f.notice {
				t.Fatalf("a signal at %d for %+v", signal, f)
			}
			if lead := f.notice - signal; lead >= 2*minute && lead <= 20*minute {
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
			p, when := poolOfSeed(n%500, class), start+instant(n)*7*hour
			if p.isDry(cloud.Spot, when) {
				spot += 1.0 / samples
			}
			if p.isDry(cloud.OnDemand, when) {
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
		for when := start; when < start+30*day; when += minute {
			if p.isDry(cloud.Spot, when) {
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
		for _, r := range p.reclaims("reclaim", start, start+90*day) {
			seen++
			if !p.isDry(cloud.Spot, r+second) {
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
			spot = append(spot, float64(poolOfSeed(seed, class).depth(cloud.Spot)))
			onDemand = append(onDemand, float64(poolOfSeed(seed, class).depth(cloud.OnDemand)))
		}
		near(t, fmt.Sprintf("class %d: median depth in instances of two vCPUs", class), quantile(spot, 0.5), stated, stated/15)
		near(t, "on demand", quantile(onDemand, 0.5), 10*stated, stated)
	}
	if big := (pool{class: 4, vcpus: 448}).depth(cloud.Spot); big < 1 {
		t.Errorf("a pool of large instances holds %d", big)
	}
}

func TestInstancesBootWithinTheStatedTimes(t *testing.T) {
	tuning := Usual()
	for seed := range 500 {
		f := poolOfSeed(seed, 0).fateOf(dice(seed), cloud.OnDemand, tuning, start)
		if f.running < start+2*second || f.running > start+5*second || f.ok < f.running+second || f.ok > f.running+3*second {
			t.Fatalf("fate %+v", f)
		}
	}
}
