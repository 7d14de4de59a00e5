package optimum

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// held is an instance of the exhaustive search.
type held struct {
	pool  int // OnDemand, or a place
	boots int // minutes until it serves
	end   int // minute at which it is taken; 0 = never
}

// crew is who is held at a minute, in order; the search keeps the best way to each.
type crew [4]held

// search tries out every launch and every termination at every minute, by the rules of the world alone: what Room, Fate and PriceAt say.
type search struct {
	w     *world.World
	list  money.Price
	price money.Amount
	boot  int
	most  int // instances at a time
}

// nobody is an empty place.
var nobody = held{pool: -2}

func (s *search) least(t interface{ Fatal(...any) }, target []int) score {
	known := map[crew]score{{nobody, nobody, nobody, nobody}: {}}
	for now := range target {
		next := map[crew]score{}
		for c, so := range known {
			s.lose(c, so, now, target, next)
		}
		known = next
	}
	least := hopeless()
	for _, so := range known {
		if so.before(least) {
			least = so
		}
	}
	if !least.before(hopeless()) {
		t.Fatal("no schedule covers the target")
	}
	return least
}

// lose takes whom the cloud takes at a minute, and lets the rest be decided.
func (s *search) lose(c crew, so score, now int, target []int, next map[crew]score) {
	forced := 0
	for n, h := range c {
		if h != nobody && h.end == now && now > 0 {
			if c[n] = nobody; h.boots == 0 {
				forced++
			}
		}
	}
	s.decide(c, 0, so, forced, 0, now, target, next)
}

// decide keeps, ends or launches at every place, one after the other.
func (s *search) decide(c crew, n int, so score, forced, wished, now int, target []int, next map[crew]score) {
	if n == s.most {
		s.pay(c, so, forced, wished, now, target, next)
		return
	}
	s.decide(c, n+1, so, forced, wished, now, target, next)
	if c[n] != nobody {
		if c[n].boots == 0 {
			wished++
		}
		c[n] = nobody
		s.decide(c, n+1, so, forced, wished, now, target, next)
	}
	c[n] = held{pool: OnDemand, boots: s.boot}
	s.decide(c, n+1, so, forced, wished, now, target, next)
	for p := range s.w.Pools {
		if fates := s.w.Pools[p].Fates; fates.Room(0, minute(now)) > 0 {
			c[n] = held{pool: p, boots: s.boot}
			if end := fates.Fate(0, minute(now)).End; !end.IsZero() {
				c[n].end = int(end.Sub(s.w.From) / time.Minute)
			}
			s.decide(c, n+1, so, forced, wished, now, target, next)
		}
	}
}

// pay lets the minute pass if the target is covered.
func (s *search) pay(c crew, so score, forced, wished, now int, target []int, next map[crew]score) {
	serving := 0
	for n := range c {
		if c[n] == nobody {
			continue
		}
		price := s.list
		if c[n].pool != OnDemand {
			price = s.w.Pools[c[n].pool].PriceAt(minute(now))
		}
		so.cost += price.For(time.Minute)
		if c[n].boots == 0 {
			serving++
		} else {
			c[n].boots--
		}
	}
	if now >= s.boot && serving < target[now] {
		return
	}
	if now > 0 { // whom a falling target sends away, is not interrupted
		free := max(0, target[now-1]-target[now])
		wished, free = max(0, wished-free), max(0, free-wished)
		forced = max(0, forced-free)
	}
	so.forced, so.wished = so.forced+int32(forced), so.wished+int32(wished)
	so.cost += s.price * money.Amount(forced+wished)
	slices.SortFunc(c[:], func(a, b held) int {
		if a.pool != b.pool {
			return b.pool - a.pool
		}
		return (a.boots-b.boots)*1000 + a.end - b.end
	})
	if known, ok := next[c]; !ok || so.before(known) {
		next[c] = so
	}
}

func exhaustive(t *rapid.T, w *world.World, price money.Amount, target []int) score {
	least, err := list(w)
	if err != nil {
		t.Fatal(err)
	}
	s := search{w, least, price, int(w.Boot / time.Minute), min(len(crew{}), slices.Max(target)+2)}
	return s.least(t, target)
}

func drawPrice(t *rapid.T) money.Amount {
	return money.Amount(rapid.SampledFrom([]int{0, 1, 60, 200, 1000}).Draw(t, "price of an interruption"))
}

func TestASteadyFleetCostsWhatAnExhaustiveSearchFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := tiny(t, rapid.IntRange(1, 3).Draw(t, "pools"), rapid.IntRange(4, 12).Draw(t, "minutes"), rapid.IntRange(1, 2).Draw(t, "boot"))
		price := drawPrice(t)
		got, err := Fleet(w, steadyFleet(1), price)
		if err != nil || !got.Exact {
			t.Fatal(got.Why, err)
		}
		want := exhaustive(t, w, price, slices.Repeat([]int{1}, int(w.Until.Sub(w.From)/time.Minute)))
		o := got.Outcome
		if cost := o.Cost + price*money.Amount(o.Interruptions()); cost != want.cost || o.Interruptions() != int(want.forced+want.wished) {
			t.Fatalf("%d with %d interruptions, an exhaustive search finds %d with %d", cost, o.Interruptions(), want.cost, want.forced+want.wished)
		}
		check(t, w, got)
	})
}

// check holds the schedule of a result to the rules of the world: launches in open pools, nobody outlives his fate, no gap, and the bill is that of its instances.
func check(t *rapid.T, w *world.World, r Result) {
	var bill money.Amount
	serves := w.From.Add(w.Boot)
	for n, s := range r.Stays {
		if start := s.Launched.Add(w.Boot); start.After(serves) {
			t.Fatalf("nobody serves from %s to %s", serves, start)
		}
		serves = s.Until
		price, _ := list(w)
		if s.Pool != OnDemand {
			pool := w.Pools[s.Pool]
			if pool.Fates.Room(0, s.Launched) == 0 {
				t.Fatalf("instance %d was launched into a shut pool", n)
			}
			if end := pool.Fates.Fate(0, s.Launched).End; !end.IsZero() && end.Before(s.Until) {
				t.Fatalf("instance %d outlives its fate", n)
			}
		}
		for at := s.Launched; at.Before(s.Until); at = at.Add(time.Minute) {
			if s.Pool != OnDemand {
				price = w.Pools[s.Pool].PriceAt(at)
			}
			bill += price.For(time.Minute)
		}
	}
	if serves.Before(w.Until) || bill != r.Outcome.Cost {
		t.Fatalf("the schedule ends at %s and costs %d; the outcome says %d", serves, bill, r.Outcome.Cost)
	}
}

func TestADiurnalFleetIsNeverToldToCostMoreThanAnExhaustiveSearchFinds(t *testing.T) {
	same, all := 0, 0
	var got0, want0 money.Amount
	rapid.Check(t, func(t *rapid.T) {
		minutes := rapid.IntRange(4, 8).Draw(t, "minutes")
		w := tiny(t, rapid.IntRange(1, 2).Draw(t, "pools"), minutes, 1)
		price := drawPrice(t)
		target := []int{rapid.IntRange(0, 2).Draw(t, "target")}
		changes := []change{{0, target[0]}}
		for n := 1; n < minutes; n++ {
			target = append(target, max(0, min(2, target[n-1]+rapid.IntRange(-1, 1).Draw(t, "step"))))
			if by := target[n] - target[n-1]; by != 0 {
				changes = append(changes, change{int64(n) * 60, by})
			}
		}
		got, err := fleet(w, changes, price)
		if err != nil {
			t.Fatal(err)
		}
		want := exhaustive(t, w, price, target)
		cost := got.Outcome.Cost + price*money.Amount(got.Outcome.Interruptions())
		if cost > want.cost || got.Exact && cost != want.cost {
			t.Fatalf("%d with %d interruptions, an exhaustive search finds %d with %d", cost, got.Outcome.Interruptions(), want.cost, want.forced+want.wished)
		}
		all++
		got0, want0 = got0+cost, want0+want.cost
		if cost == want.cost {
			same++
		}
	})
	t.Logf("%d of %d bounds are the optimum; all together %.1f %% of it", same, all, money.Percent(got0, want0))
}

func TestOnDemandAloneCostsTheTargetAtItsListPrice(t *testing.T) {
	w := &world.World{From: monday(), Until: monday().Add(72 * time.Hour), Boot: 3 * time.Minute, Pools: []world.Pool{alwaysUp(96_000, 30_000), alwaysUp(90_000, 30_000)}}
	for n := range w.Pools {
		w.Pools[n].Fates = spells(10_000)
	}
	got, err := Fleet(w, steadyFleet(20), money.Dollar)
	if want := 20 * money.Price(90_000).For(72*time.Hour); err != nil || got.Outcome.Cost != want || got.Outcome.OnDemand != want || !got.Exact || got.Outcome.Interruptions() != 0 {
		t.Errorf("%+v, %s wanted; %v", got, want, err)
	}
	// A diurnal fleet pays one boot for each of its rises on top: 30 in each of the three days.
	got, err = Fleet(w, lab.Workload{Kind: lab.Diurnal, Least: 10, Most: 40}, money.Dollar)
	want := got.Outcome.OnDemand + 90*money.Price(90_000).For(w.Boot)
	// The fleet of the first midnight is launched before anybody can serve.
	if err != nil || got.Outcome.Cost != want || got.Outcome.Interruptions() != 0 {
		t.Errorf("%+v, %s wanted; %v", got, want, err)
	}
}

func TestMoreToChooseFromIsNeverDearer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := tiny(t, 3, rapid.IntRange(4, 30).Draw(t, "minutes"), rapid.IntRange(1, 3).Draw(t, "boot"))
		fewer, price := *w, drawPrice(t)
		fewer.Pools = w.Pools[:2]
		w.Pools[2].OnDemand = max(w.Pools[0].OnDemand, w.Pools[2].OnDemand)
		all, err := Fleet(w, steadyFleet(3), price)
		some, err2 := Fleet(&fewer, steadyFleet(3), price)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if weigh(all, price) > weigh(some, price) {
			t.Fatalf("%+v with a third pool, %+v without", all.Outcome, some.Outcome)
		}
	})
}

// weigh is the bill and the price of the interruptions.
func weigh(r Result, price money.Amount) money.Amount {
	return r.Outcome.Cost + price*money.Amount(r.Outcome.Interruptions())
}

func TestTheDearerAnInterruptionTheFewerAndTheHigherTheBill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := tiny(t, 3, rapid.IntRange(4, 30).Draw(t, "minutes"), rapid.IntRange(1, 3).Draw(t, "boot"))
		var before Result
		for n, price := range []money.Amount{0, 1, 30, 100, 400, 1e6} {
			got, err := Fleet(w, steadyFleet(2), price)
			if err != nil {
				t.Fatal(err)
			}
			if n > 0 && (got.Outcome.Cost < before.Outcome.Cost || got.Outcome.Interruptions() > before.Outcome.Interruptions()) {
				t.Fatalf("at %d: %+v, before %+v", price, got.Outcome, before.Outcome)
			}
			before = got
		}
		if before.Outcome.Interruptions() != 0 {
			t.Fatalf("%d interruptions although they are dearer than everything", before.Outcome.Interruptions())
		}
	})
}

func TestPoolsWhoseFatesAreDrawnGiveABound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := tiny(t, 2, rapid.IntRange(4, 10).Draw(t, "minutes"), 1)
		for n := range w.Pools {
			w.Pools[n].Fates = drawn{w.Pools[n].Fates.(world.Spells)}
		}
		price := drawPrice(t)
		got, err := Fleet(w, steadyFleet(1), price)
		if err != nil || got.Exact || !got.Outcome.Bound {
			t.Fatal(got, err)
		}
		want := exhaustive(t, w, price, slices.Repeat([]int{1}, int(w.Until.Sub(w.From)/time.Minute)))
		if weigh(got, price) > want.cost {
			t.Fatalf("%+v, an exhaustive search finds %d", got.Outcome, want.cost)
		}
	})
}

func TestInstancesThatServeBeforeTheirLeastTimeIsPaidGiveABound(t *testing.T) {
	w := &world.World{From: monday(), Until: minute(10), Boot: 10 * time.Second, Pools: []world.Pool{alwaysUp(90_000, 30_000), alwaysUp(90_000, 60_000)}}
	if got, err := Fleet(w, steadyFleet(1), 0); err != nil || !got.Exact {
		t.Errorf("one long stay: %+v; %v", got, err)
	}
	// For half a minute the other pool is cheaper by more than a boot.
	w.Pools[1].Prices = append(w.Pools[1].Prices, world.Change{At: minute(5), Price: 0}, world.Change{At: minute(5).Add(40 * time.Second), Price: 60_000})
	if got, err := Fleet(w, steadyFleet(1), 0); err != nil || got.Exact || !got.Outcome.Bound {
		t.Errorf("a short stay: %+v; %v", got, err)
	}
}

func TestWhatFleetCanNotWeighIsRefused(t *testing.T) {
	w := &world.World{From: monday(), Until: minute(10), Boot: time.Minute, Pools: []world.Pool{alwaysUp(90_000, 30_000)}}
	short, bare := *w, *w
	short.Boot = 10 * time.Minute
	bare.Pools = nil
	for name, c := range map[string]struct {
		w     *world.World
		load  lab.Workload
		price money.Amount
	}{
		"a batch":                {w, lab.Workload{Kind: lab.Batch}, 0},
		"a price below zero":     {w, steadyFleet(1), -1},
		"no time to boot":        {&short, steadyFleet(1), 0},
		"no price to start from": {&bare, steadyFleet(1), 0},
	} {
		if got, err := Fleet(c.w, c.load, c.price); err == nil {
			t.Errorf("%s passed: %+v", name, got)
		}
	}
}

func TestTheTargetOfADayIsFoundToTheSecond(t *testing.T) {
	load := lab.Workload{Kind: lab.Diurnal, Least: 10, Most: 40}
	w := &world.World{From: monday().Add(7*time.Hour + 13*time.Second), Until: monday().Add(60 * time.Hour)}
	changes, target, n := targets(w, load), 0, 0
	for at := int64(0); at < second(w, w.Until); at++ {
		if n < len(changes) && changes[n].at == at {
			target, n = target+changes[n].by, n+1
		}
		if want := load.Target(moment(w, at)); target != want {
			t.Fatalf("%d at second %d, %d wanted", target, at, want)
		}
	}
}
