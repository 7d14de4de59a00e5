package model

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// drawn is any law that evidence may lead to.
func drawn(t *rapid.T) Law {
	return Law{
		Base:     math.Exp(rapid.Float64Range(-12, -5).Draw(t, "base")),
		Scarcity: rapid.SampledFrom([]float64{0, 0.001, 0.01, 0.1, 0.5, 0.9, 1, 1.5, 3}).Draw(t, "scarcity"),
		Age:      math.Exp(rapid.Float64Range(-3, 6).Draw(t, "age")),
	}
}

// rounding is how far the two ways in which Lasts is worked out may lie from each other.
const rounding = 1e-3

func TestALawIsAChance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawn(t)
		near := math.Exp(rapid.Float64Range(-3, 5).Draw(t, "near"))
		far := near * rapid.Float64Range(1, 10).Draw(t, "times")
		if s, later := l.Survives(near), l.Survives(far); s <= 0 || s > 1 || later > s {
			t.Fatalf("%+v survives %v h with %v and %v h with %v", l, near, s, far, later)
		}
		if lasts, longer := l.Lasts(near), l.Lasts(far); lasts <= 0 || lasts > near || longer < lasts*(1-rounding) || longer-lasts > (far-near)*(1+rounding) {
			t.Fatalf("%+v lasts %v of %v h and %v of %v h", l, lasts, near, longer, far)
		}
		if rate, hazard := l.Rate(near), l.Hazard(); rate < 0 || rate > hazard*(1+rounding) {
			t.Fatalf("%+v: the mean rate %v is above the hazard %v, which only falls", l, rate, hazard)
		}
	})
}

// The closed form of the time that an instance lasts is held against a plain sum.
func TestLastsIsTheAreaUnderSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawn(t)
		until := math.Exp(rapid.Float64Range(-2, 3.5).Draw(t, "until"))
		const steps = 20_000
		sum := 0.0
		// Steps that grow: the curve falls steeply at first.
		for n := range steps {
			from, to := until*math.Pow(float64(n)/steps, 3), until*math.Pow(float64(n+1)/steps, 3)
			sum += (to - from) * l.Survives((from+to)/2)
		}
		if got := l.Lasts(until); math.Abs(got-sum) > 0.02*sum {
			t.Fatalf("%+v lasts %v of %v h, the sum is %v", l, got, until, sum)
		}
	})
}

func TestEveryVendorClassHasItsMidPoint(t *testing.T) {
	for class, want := range map[int]float64{0: 0.025, 1: 0.075, 2: 0.125, 3: 0.175, 4: 0.25, -1: unknownRisk, 9: unknownRisk} {
		if got := Usual().Prior(Facts{Class: class}).Risk(); math.Abs(got-want) > 1e-12 {
			t.Errorf("class %d has risk %v, want %v", class, got, want)
		}
	}
}
