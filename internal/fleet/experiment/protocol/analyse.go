package protocol

import (
	"fmt"
	"math"
)

const (
	confidence = 0.95
	power      = 0.80
)

// Key names a block of a group.
type Key struct {
	Group string
	Block int
}

// Pair is two neighbouring blocks of a group, one of each arm.
type Pair struct {
	Group           string
	Pair            int
	First           Arm
	Model, Baseline Block
	LeftOut         string // why it does not count, "" when it does
}

// Estimate is what the pairs say of one measure. For Cost, Difference, Low, High and Detectable are shares: −0.05 is 5 % less under the model. For
// Interruptions they are per 1,000 instance hours.
type Estimate struct {
	Measure           Measure
	Primary           bool // the protocol is about this one
	Pairs             int
	Model, Baseline   float64 // of all the arm's blocks together, for orientation
	Difference        float64
	Low, High         float64 // the interval; only with HasInterval
	HasInterval       bool
	P                 float64
	Exact             bool    // P counts every draw there could have been
	Detectable        float64 // the smallest difference that so many pairs with this spread would probably show; only with HasInterval
	Words             string  // what it means
	deviation, center float64
}

// Result is everything that an experiment found.
type Result struct {
	Pairs     []Pair
	Counted   int // pairs that do
	Arms      map[Arm]Block
	Estimates []Estimate
	Verdict   string // the primary measure's words
	Caveats   []string
}

// Analyse pairs the blocks up and weighs them, exactly as the protocol said it would. Pairs of which a block is missing are left out.
func Analyse(p Protocol, blocks map[Key]Block) Result {
	r := Result{Arms: map[Arm]Block{Model: {}, Baseline: {}}}
	part := SecondsOf(p.Every - p.Washout)
	for _, group := range p.Groups {
		for n := range p.Pairs {
			pair, known := p.pair(group, n, blocks, part)
			if !known {
				continue
			}
			r.Pairs = append(r.Pairs, pair)
			if pair.LeftOut != "" {
				continue
			}
			r.Counted++
			for arm, block := range map[Arm]Block{Model: pair.Model, Baseline: pair.Baseline} {
				sum := r.Arms[arm]
				sum.add(block)
				r.Arms[arm] = sum
			}
		}
	}
	for _, m := range Measures() {
		e := estimate(p, m, r)
		r.Estimates = append(r.Estimates, e)
		if e.Primary {
			r.Verdict = e.Words
		}
	}
	r.Caveats = caveats(p, r)
	return r
}

func (p Protocol) pair(group string, n int, blocks map[Key]Block, part Seconds) (Pair, bool) {
	first, known := blocks[Key{group, 2 * n}]
	second, too := blocks[Key{group, 2*n + 1}]
	if !known || !too {
		return Pair{}, false
	}
	pair := Pair{Group: group, Pair: n, First: p.Arm(group, 2*n), Model: first, Baseline: second}
	if pair.First == Baseline {
		pair.Model, pair.Baseline = second, first
	}
	for _, arm := range []Arm{Model, Baseline} {
		block := map[Arm]Block{Model: pair.Model, Baseline: pair.Baseline}[arm]
		if why := block.objection(part); why != "" && pair.LeftOut == "" {
			pair.LeftOut = fmt.Sprintf("under %s, %s", p.Called(arm), why)
		}
	}
	return pair, true
}

// Difference is what a pair says: of Cost, how much the logarithms differ, so that a group counts by its share and not by its size.
func (pair Pair) Difference(m Measure) float64 {
	if m == Cost {
		return math.Log(pair.Model.UnitCost()) - math.Log(pair.Baseline.UnitCost())
	}
	return pair.Model.Rate() - pair.Baseline.Rate()
}

// level is what a measure comes to over many blocks.
func (m Measure) level(b Block) float64 {
	if m == Cost {
		return b.UnitCost()
	}
	return b.Rate()
}

// shown turns a mean of differences into what people read.
func (m Measure) shown(x float64) float64 {
	if m == Cost {
		return math.Expm1(x)
	}
	return x
}

func estimate(p Protocol, m Measure, r Result) Estimate {
	var differences []float64
	for _, pair := range r.Pairs {
		if pair.LeftOut == "" {
			differences = append(differences, pair.Difference(m))
		}
	}
	e := Estimate{Measure: m, Primary: m == p.Measure, Pairs: len(differences), P: 1, Model: m.level(r.Arms[Model]), Baseline: m.level(r.Arms[Baseline])}
	if e.Pairs > 0 {
		e.center, e.deviation = spread(differences)
		e.Difference = m.shown(e.center)
		e.P, e.Exact = flip(differences, p.Seed)
	}
	if e.Pairs > 1 {
		low, high := interval(e.center, e.deviation, e.Pairs)
		e.Low, e.High, e.HasInterval = m.shown(low), m.shown(high), true
		e.Detectable = m.shown(Detectable(e.deviation, e.Pairs))
	}
	e.Words = words(p, e)
	return e
}

// spread is the mean and the standard deviation of a sample.
func spread(sample []float64) (mean, deviation float64) {
	for _, x := range sample {
		mean += x / float64(len(sample))
	}
	if len(sample) < 2 {
		return mean, 0
	}
	for _, x := range sample {
		deviation += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(deviation / float64(len(sample)-1))
}

// interval is where the true mean lies, as far as n pairs can tell.
func interval(mean, deviation float64, n int) (low, high float64) {
	half := studentBound((1-confidence)/2, float64(n-1)) * deviation / math.Sqrt(float64(n))
	return mean - half, mean + half
}

// Detectable is the smallest true mean that n pairs of a spread would show at 5 % in four cases of five.
func Detectable(deviation float64, n int) float64 {
	degrees := float64(n - 1)
	return (studentBound((1-confidence)/2, degrees) + studentBound(1-power, degrees)) * deviation / math.Sqrt(float64(n))
}

// Outlook is what can be expected of a protocol before it begins, from how much pairs of blocks differed when nothing was switched.
type Outlook struct {
	Pairs      int     // that the protocol has
	Past       int     // pairs of blocks that were looked at; with fewer than FewestPairs nothing is said
	Deviation  float64 // of their differences: of the logarithm of the cost, or per 1,000 instance hours
	Detectable float64 // as in Estimate; 0 = nobody knows
	Fresh      float64 // share of what ran in the past that was bought within the block that it ran in; only with Past
	Words      string
}

// Foresee tells what a protocol can be expected to show, given pairs of such blocks of the past that no switch fell into.
func Foresee(p Protocol, pairs []Pair) Outlook {
	var past []float64
	var sum Block
	for _, pair := range pairs {
		past = append(past, pair.Difference(p.Measure))
		sum.add(pair.Model)
		sum.add(pair.Baseline)
	}
	o := Outlook{Pairs: len(p.Groups) * p.Pairs, Past: len(past)}
	if sum.Running > 0 {
		o.Fresh = float64(sum.Fresh) / float64(sum.Running)
	}
	if o.Past >= FewestPairs {
		_, o.Deviation = spread(past)
		o.Detectable = p.Measure.shown(Detectable(o.Deviation, o.Pairs))
	}
	o.Words = o.words(p.Measure)
	return o
}
