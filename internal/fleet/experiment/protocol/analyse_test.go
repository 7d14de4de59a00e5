package protocol

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/money"
)

func TestStudentsBoundsAreThoseOfThePublishedTables(t *testing.T) {
	for _, c := range []struct{ tail, degrees, bound float64 }{
		{0.025, 1, 12.706}, {0.025, 2, 4.303}, {0.025, 5, 2.571}, {0.025, 6, 2.447}, {0.025, 13, 2.160}, {0.025, 30, 2.042}, {0.025, 120, 1.980},
		{0.20, 5, 0.920}, {0.20, 13, 0.870}, {0.005, 10, 3.169}, {0.025, 100_000, 1.960}, {0.20, 20_000, 0.8417},
	} {
		if got := studentBound(c.tail, c.degrees); math.Abs(got-c.bound) > 0.0006 {
			t.Errorf("tail %g with %g degrees: %.4f, not %.3f", c.tail, c.degrees, got, c.bound)
		}
	}
}

func TestTheSignFlipTestIsExactUnderTheNull(t *testing.T) {
	// If the policies do nothing, each sign is a fair coin. Over all draws p must be at most x in at most a share x of them, whatever the sizes are.
	rapid.Check(t, func(r *rapid.T) {
		sizes := rapid.SliceOfN(rapid.Float64Range(0, 100), 1, 9).Draw(r, "sizes")
		ways := 1 << len(sizes)
		var ps []float64
		for way := range ways {
			signed := make([]float64, len(sizes))
			for n, size := range sizes {
				signed[n] = size
				if way>>n&1 == 1 {
					signed[n] = -size
				}
			}
			p, exact := flip(signed, 0)
			if !exact || p <= 0 || p > 1 {
				r.Fatalf("p = %g, exact: %v", p, exact)
			}
			ps = append(ps, p)
		}
		for _, x := range append([]float64{0.05, 0.1, 0.5}, ps...) {
			below := 0
			for _, p := range ps {
				if p <= x+1e-12 {
					below++
				}
			}
			if float64(below)/float64(ways) > x+1e-9 {
				r.Fatalf("p ≤ %g in %d of %d draws", x, below, ways)
			}
		}
	})
}

func TestASampleOfDrawsComesNearToAllOfThem(t *testing.T) {
	differences := make([]float64, exactUpTo)
	random := rand.New(rand.NewPCG(1, 2))
	for n := range differences {
		differences[n] = random.NormFloat64() + 0.4
	}
	exact, is := flip(differences, 1)
	long := append(differences, 0) // one more, that changes nothing
	sampled, all := flip(long, 1)
	again, _ := flip(long, 1)
	if !is || all || math.Abs(exact-sampled) > 0.01 || sampled != again {
		t.Errorf("exactly %g, sampled %g and %g", exact, sampled, again)
	}
}

// found makes blocks whose pairs differ by the given logarithms of the cost.
func found(p Protocol, differences []float64) map[Key]Block {
	blocks := map[Key]Block{}
	for n, d := range differences {
		group := p.Groups[n%len(p.Groups)]
		pair := n / len(p.Groups)
		for _, block := range []int{2 * pair, 2*pair + 1} {
			cost := 10.0
			if p.Arm(group, block) == Model {
				cost *= math.Exp(d)
			}
			part := SecondsOf(p.Every - p.Washout)
			blocks[Key{group, block}] = Block{Cost: money.Amount(cost * float64(money.Dollar)), Running: 4 * part, Own: 4 * part, Fresh: part, Served: 4 * part, Covered: part}
		}
	}
	return blocks
}

// noises are ways in which pairs may differ by chance.
func noises() map[string]func(*rand.Rand) float64 {
	return map[string]func(*rand.Rand) float64{
		"normal":  func(r *rand.Rand) float64 { return 0.05 * r.NormFloat64() },
		"uniform": func(r *rand.Rand) float64 { return 0.2 * (r.Float64() - 0.5) },
		"laplace": func(r *rand.Rand) float64 { return 0.05 * (r.ExpFloat64() - r.ExpFloat64()) },
	}
}

func TestTheIntervalHoldsTheTruthAsOftenAsItSays(t *testing.T) {
	const seeds, pairs, truth = 20_000, 14, -0.04
	for name, noise := range noises() {
		random := rand.New(rand.NewPCG(5, 5))
		held := 0
		for range seeds {
			differences := make([]float64, pairs)
			for n := range differences {
				differences[n] = truth + noise(random)
			}
			mean, deviation := spread(differences)
			if low, high := interval(mean, deviation, pairs); low <= truth && truth <= high {
				held++
			}
		}
		if share := float64(held) / seeds; share < 0.93 || share > 0.97 {
			t.Errorf("%s noise: the interval holds the truth in %.1f %% of %d experiments", name, 100*share, seeds)
		}
	}
}

func TestAnExperimentWithoutAnyDifferenceSeldomFindsOne(t *testing.T) {
	const seeds = 1000
	for name, noise := range noises() {
		cried := 0
		for seed := range uint64(seeds) {
			random := rand.New(rand.NewPCG(seed, 5))
			d := draft("sig-a")
			d.Seed = seed
			p := made(t, d)
			differences := make([]float64, p.Pairs)
			for n := range differences {
				differences[n] = noise(random)
			}
			if Analyse(p, found(p, differences)).Estimates[0].isClear() {
				cried++
			}
		}
		if share := float64(cried) / seeds; share > 0.065 { // 5 % and two standard errors
			t.Errorf("%s noise: a difference was found in %.1f %% of %d experiments", name, 100*share, seeds)
		}
	}
}

func TestADetectableDifferenceIsDetectedInFourCasesOfFive(t *testing.T) {
	const seeds, deviation = 4000, 0.05
	truth, n := Detectable(deviation, 14), 14
	bound := studentBound(0.025, float64(n-1))
	seen := 0
	for seed := range uint64(seeds) {
		random := rand.New(rand.NewPCG(seed, 6))
		sample := make([]float64, n)
		for at := range sample {
			sample[at] = truth + deviation*random.NormFloat64()
		}
		mean, deviation := spread(sample)
		if math.Abs(mean) > bound*deviation/math.Sqrt(float64(n)) {
			seen++
		}
	}
	if share := float64(seen) / seeds; share < 0.77 || share > 0.84 {
		t.Errorf("seen in %.1f %% of cases", 100*share)
	}
}

func TestTheArithmeticOfAKnownExampleIsRight(t *testing.T) {
	d := draft("sig-a")
	d.For = 12 * 24 * time.Hour
	p := made(t, d)
	// −10 %, −20 %, −10 %, −20 %, −10 %, −20 % of cost.
	low, high := math.Log(0.9), math.Log(0.8)
	r := Analyse(p, found(p, []float64{low, high, low, high, low, high}))
	e := r.Estimates[0]
	mean := (low + high) / 2
	half := 2.5706 * math.Sqrt(6.0/5) * (low - high) / 2 / math.Sqrt(6)
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-4 }
	if !near(e.Difference, math.Exp(mean)-1) || !near(e.Low, math.Exp(mean-half)-1) || !near(e.High, math.Exp(mean+half)-1) || e.P != 2.0/64 || !e.Exact || !e.Primary {
		t.Errorf("%+v", e)
	}
	want := "Under Neap's model there was 15.1 % less cost per capacity hour than under price-capacity-optimized (9.2 % to 20.7 % less; 95 % interval, p = 0.031, 6 pairs)."
	if r.Verdict != want {
		t.Errorf("%s\nnot\n%s", r.Verdict, want)
	}
	if !near(e.Baseline, 10/(4*23.0)) || r.Counted != 6 || len(r.Caveats) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestWhatCannotBeToldIsSaid(t *testing.T) {
	p := made(t, draft("sig-a"))
	unclear := Analyse(p, found(p, []float64{0.1, -0.1, 0.02, -0.03, 0.05, -0.07, 0}))
	for _, c := range []struct{ name, got, says string }{
		{"no pair", Analyse(p, nil).Verdict, "no pair of blocks was measured"},
		{"one pair", Analyse(p, found(p, []float64{-0.5})).Verdict, "Not enough to tell: one pair"},
		{"all the same", Analyse(p, found(p, make([]float64, 7))).Verdict, "no difference from price-capacity-optimized at all"},
		{"noise", unclear.Verdict, "lies anywhere between"},
		{"noise", unclear.Verdict, "would most likely stay unseen"},
		{"no interruptions", unclear.Estimates[1].Words, "in all 7 pairs there was no difference"},
		{"no past", Foresee(p, nil).Words, "has only 0 pairs of such blocks."},
		{"little past", Foresee(p, Analyse(p, found(p, []float64{0.1, 0.2})).Pairs).Words, "Only 25 % of what ran was bought within the block"},
		{"a past", Foresee(p, Analyse(p, found(p, []float64{0.1, -0.1, 0.05, -0.05, 0.02, 0})).Pairs).Words, "a difference of 9."},
	} {
		if !strings.Contains(c.got, c.says) {
			t.Errorf("%s: %q does not say %q", c.name, c.got, c.says)
		}
	}
}

func TestPairsThatCannotBeComparedAreLeftOutAndCounted(t *testing.T) {
	p := made(t, draft("sig-a"))
	blocks := found(p, []float64{0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1})
	empty := blocks[Key{"sig-a", 3}]
	empty.Covered = SecondsOf(time.Minute)
	blocks[Key{"sig-a", 3}] = empty
	blocks[Key{"sig-a", 4}] = Block{LeftOut: "there was no price"}
	delete(blocks, Key{"sig-a", 13})
	r := Analyse(p, blocks)
	if len(r.Pairs) != 6 || r.Counted != 4 || r.Estimates[0].Pairs != 4 || !strings.Contains(fmt.Sprint(r.Caveats), "2 of 6 pairs do not count") {
		t.Errorf("%d pairs, %d count: %v", len(r.Pairs), r.Counted, r.Caveats)
	}
	if why := r.Pairs[2].LeftOut; !strings.HasSuffix(why, "there was no price") || !strings.Contains(r.Pairs[1].LeftOut, "nothing was in service") {
		t.Errorf("%q, %q", r.Pairs[1].LeftOut, why)
	}
}

func TestDifferencesThatComeFromBeforeTheSwitchAreNotPassedOverInSilence(t *testing.T) {
	p := made(t, draft("sig-a"))
	blocks := found(p, []float64{0.1, 0.2})
	for key, b := range blocks {
		b.Own = b.Running / 4
		blocks[key] = b
	}
	if r := Analyse(p, blocks); len(r.Caveats) != 2 || !strings.Contains(r.Caveats[0], "only 25 % of the metered time") {
		t.Error(r.Caveats)
	}
}

func TestSwappingTheArmsTurnsEverySignAround(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := made(t, draft("sig-a", "sig-b"))
		thousandths := rapid.SliceOfN(rapid.IntRange(-1000, 1000), 2, 14).Draw(r, "thousandths")
		differences, turned := make([]float64, len(thousandths)), make([]float64, len(thousandths))
		for n, d := range thousandths {
			differences[n], turned[n] = float64(d)/1000, -float64(d)/1000
		}
		a, b := Analyse(p, found(p, differences)).Estimates[0], Analyse(p, found(p, turned)).Estimates[0]
		near := func(x, y float64) bool { return math.Abs(x-y) < 1e-6*(1+math.Abs(x)) }
		if !near(math.Log1p(a.Difference), -math.Log1p(b.Difference)) || !near(math.Log1p(a.Low), -math.Log1p(b.High)) || math.Abs(a.P-b.P) > 1e-3 || a.isClear() != b.isClear() {
			r.Fatalf("%+v\n%+v", a, b)
		}
	})
}
