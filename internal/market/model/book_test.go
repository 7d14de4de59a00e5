package model

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// record is a book with a clock.
type record struct {
	Book
	now time.Time
}

func (r *record) law(at Place) Law { return r.Law(Usual(), at, Facts{Class: 4}, r.now) }

// hold runs something in a pool for so many hours.
func (r *record) hold(at Place, for_ float64) {
	end := r.now.Add(time.Duration(for_ * float64(time.Hour)))
	for ; r.now.Before(end); r.now = r.now.Add(min(HeldEvery, end.Sub(r.now))) {
		r.Held(Usual(), at, r.now)
	}
	r.Held(Usual(), at, r.now)
}

func (r *record) lose(at Place) { r.Trouble(Usual(), at, r.now) }

func (r *record) troubles(at Place) float64 { return r.of(at, r.now).troubles * r.fade(Usual(), r.now) }

var (
	here  = Place{"p3.2xlarge", "us-west-2a"}
	there = Place{"p3.2xlarge", "us-west-2b"}
	kin   = Place{"p3.8xlarge", "us-west-2a"}
	other = Place{"m5.large", "us-west-2c"}
)

func TestWithoutTroubleThePoolIsWhatItsClassSays(t *testing.T) {
	r := &record{now: noon}
	r.hold(here, 100)
	if got, want := r.law(here), Usual().Prior(Facts{Class: 4}); got != want {
		t.Errorf("after a quiet time the law is %+v, want %+v", got, want)
	}
}

func TestALossMakesAPoolScarceAndItsKinALittle(t *testing.T) {
	r := &record{now: noon}
	r.hold(here, 5)
	r.lose(here)
	own, sibling, family, stranger := r.law(here), r.law(there), r.law(kin), r.law(other)
	if own.Scarcity <= sibling.Scarcity || sibling.Scarcity <= family.Scarcity || family.Scarcity <= 0 || stranger.Scarcity != 0 {
		t.Errorf("scarcity here %v, same type %v, same family %v, elsewhere %v", own.Scarcity, sibling.Scarcity, family.Scarcity, stranger.Scarcity)
	}
	if own.Hazard() <= 5*sibling.Hazard() {
		t.Errorf("just lost, the hazard is %v here and %v in another zone", own.Hazard(), sibling.Hazard())
	}
}

func TestAPoolThatKeepsWhatIsInItGrowsSafer(t *testing.T) {
	r := &record{now: noon}
	r.lose(here)
	before := math.Inf(1)
	for range 20 {
		r.hold(here, 2)
		if now := r.law(here).Hazard(); now >= before {
			t.Fatalf("after %s the hazard is %v, it was %v", r.now.Sub(noon), now, before)
		} else {
			before = now
		}
	}
	for range 3 { // nobody looks: it is a stranger again
		r.now = r.now.Add(2 * time.Hour)
	}
	if age := r.law(here).Age; math.Abs(age-Usual().Strange-Usual().Youth) > 1e-9 {
		t.Errorf("a pool that nobody has looked at for long is %v h old", age)
	}
}

func TestAllTroublesOfADownSpellAreOne(t *testing.T) {
	r := &record{now: noon}
	r.hold(here, 3)
	for range 5 {
		r.lose(here)
		r.now = r.now.Add(10 * time.Minute)
	}
	if troubles := r.troubles(here); math.Abs(troubles-1) > 0.01 {
		t.Errorf("%v troubles, want one", troubles)
	}
	r.now = r.now.Add(2 * newSpell)
	r.lose(here)
	if troubles := r.troubles(here); math.Abs(troubles-2) > 0.1 {
		t.Errorf("%v troubles, want two", troubles)
	}
}

func TestEvidenceFades(t *testing.T) {
	r := &record{now: noon}
	r.hold(here, 3)
	r.lose(here)
	before := r.law(here).Scarcity
	r.now = r.now.Add(Usual().Memory)
	if after := r.law(here).Scarcity; after > 0.7*before || after < 0.4*before {
		t.Errorf("after a half-life the scarcity is %v, it was %v", after, before)
	}
}

// Where up spells follow the law with a known scarcity, the book finds it.
func TestTheScarcityOfAPoolIsFound(t *testing.T) {
	for _, want := range []float64{0.3, 0.6, 1.0} {
		random := rand.New(rand.NewPCG(7, uint64(want*10)))
		r := &record{now: noon}
		sum, count := 0.0, 0.0
		for r.now.Sub(noon) < 60*24*time.Hour {
			lasts := Usual().Youth * (math.Pow(1-random.Float64(), -1/want) - 1)
			r.hold(here, min(lasts, 1000))
			r.lose(here)
			r.now = r.now.Add(time.Hour)
			if r.now.Sub(noon) > 10*24*time.Hour {
				sum, count = sum+r.law(here).Scarcity, count+1
			}
		}
		if mean := sum / count; math.Abs(mean-want) > 0.25*want {
			t.Errorf("the book finds %v, want %v", mean, want)
		}
	}
}

func TestALawIsFiniteWhateverWasTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &record{now: noon}
		places := []Place{here, there, kin, other}
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			r.now = r.now.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(100*time.Hour)).Draw(t, "pass")))
			at := rapid.SampledFrom(places).Draw(t, "place")
			switch rapid.IntRange(0, 2).Draw(t, "event") {
			case 0:
				r.lose(at)
			case 1:
				r.Held(Usual(), at, r.now)
			default:
				r.Signal(Usual(), at, r.now)
			}
			facts := Facts{Class: rapid.IntRange(-1, 5).Draw(t, "class"), Price: rapid.Float64Range(0, 5).Draw(t, "price"), Usual: rapid.Float64Range(0, 5).Draw(t, "usual")}
			for _, place := range places {
				law := r.Law(Usual(), place, facts, r.now)
				if !(law.Base > 0) || !(law.Scarcity >= 0) || !(law.Age > 0) || math.IsInf(law.Hazard(), 0) || law.Risk() < 0 || law.Risk() > 1 {
					t.Fatalf("law %+v", law)
				}
			}
		}
	})
}

func BenchmarkLaw(b *testing.B) {
	r := &record{now: noon}
	r.hold(here, 5)
	r.lose(here)
	r.hold(there, 5)
	b.ReportAllocs()
	for b.Loop() {
		if r.law(there).Rate(24) <= 0 {
			b.Fatal("no hazard")
		}
	}
}
