package order

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// hall is a room with slots, in which jobs of one vCPU wait and run.
type hall struct {
	Order
	waiting map[Line][]time.Time
	running []Line
	now     time.Time
}

func newHall(slots int64) *hall {
	return &hall{Order: Order{Slots: slots * 1000}, waiting: map[Line][]time.Time{}, now: noon}
}

func (h *hall) add(customer string, low bool, n int, age time.Duration) {
	l := Line{Lane: "a", Low: low, Customer: customer}
	for range n {
		h.waiting[l] = append(h.waiting[l], h.now.Add(-age))
	}
}

func (h *hall) head(l Line) Waiter { return Waiter{Line: l, Since: h.waiting[l][0], CPU: 1000} }

func (h *hall) heads() (heads []Waiter) {
	for l, since := range h.waiting {
		if len(since) > 0 {
			heads = append(heads, h.head(l))
		}
	}
	return heads
}

// begin fills the slots.
func (h *hall) begin() (begun []Line) {
	round := h.Round(h.now)
	for _, w := range h.heads() {
		round.Join(w)
	}
	for int64(len(h.running))*1000 < h.Slots {
		w, passed, ok := round.Next()
		if !ok {
			return begun
		}
		l := w.Line
		h.waiting[l] = h.waiting[l][1:]
		h.Began(l, 1000, passed)
		h.running = append(h.running, l)
		begun = append(begun, l)
		if len(h.waiting[l]) > 0 {
			round.Join(h.head(l))
		}
	}
	return begun
}

// end ends the job that has run longest.
func (h *hall) end() {
	h.Ended(h.running[0], 1000)
	h.running = h.running[1:]
}

func count(lines []Line, is func(Line) bool) (n int) {
	for _, l := range lines {
		if is(l) {
			n++
		}
	}
	return n
}

func TestHighGoesBeforeLow(t *testing.T) {
	h := newHall(10)
	h.add("a", true, 50, 0)
	h.add("b", false, 8, 0)
	begun := h.begin()
	if high := count(begun[:8], func(l Line) bool { return !l.Low }); high != 8 {
		t.Errorf("of the first eight %d are HIGH: %v", high, begun)
	}
}

func TestOldLowJobsGetFivePercentOfTheSlotsHoweverManyHighOnesWait(t *testing.T) {
	h := newHall(100)
	h.add("a", false, 10_000, 0)
	h.add("b", true, 10_000, 11*time.Minute)
	for range 5_000 {
		h.begin()
		if low := count(h.running, func(l Line) bool { return l.Low }); low != 5 {
			t.Fatalf("%d of 100 slots run LOW, want 5", low)
		}
		h.end()
	}
}

func TestYoungLowJobsAreOwedNothing(t *testing.T) {
	h := newHall(100)
	h.add("a", false, 1_000, 0)
	h.add("b", true, 1_000, 9*time.Minute)
	if low := count(h.begin(), func(l Line) bool { return l.Low }); low != 0 {
		t.Errorf("%d LOW jobs were begun before HIGH ones", low)
	}
}

func TestWhereFivePercentIsLessThanASlotOneStartInTwentyIsAnOldLowJobs(t *testing.T) {
	h := newHall(2)
	h.add("a", false, 10_000, 0)
	h.add("b", true, 10_000, 11*time.Minute)
	low := 0
	for range 2_100 {
		low += count(h.begin(), func(l Line) bool { return l.Low })
		h.end()
	}
	if low < 95 || low > 105 {
		t.Errorf("%d of 2,100 starts were LOW, want one in 21", low)
	}
}

func TestCustomersOfAPriorityShareFairlyHoweverManyJobsOneHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.Int64Range(1, 40).Draw(t, "slots")
		customers := rapid.IntRange(2, 6).Draw(t, "customers")
		h := newHall(slots)
		for i := range customers {
			h.add(fmt.Sprint("c", i), false, rapid.IntRange(600, 3_000).Draw(t, "jobs"), time.Duration(i)*time.Second)
		}
		had := map[string]int{}
		for range 500 {
			for _, l := range h.begin() {
				had[l.Customer]++
			}
			h.end()
		}
		least, most := 1<<30, 0
		for i := range customers {
			n := had[fmt.Sprint("c", i)]
			least, most = min(least, n), max(most, n)
		}
		if most-least > 2 {
			t.Fatalf("starts by customer: %v", had)
		}
	})
}

func TestANewcomerIsServedAtOnceButDoesNotPushTheOthersOutForWhatTheyHadBefore(t *testing.T) {
	h := newHall(1)
	h.add("old", false, 1_000, 0)
	for range 300 {
		h.begin()
		h.end()
	}
	h.add("new", false, 1_000, 0)
	fresh := 0
	for range 100 {
		fresh += count(h.begin(), func(l Line) bool { return l.Customer == "new" })
		h.end()
	}
	if fresh < 49 || fresh > 51 {
		t.Errorf("the newcomer got %d of 100 starts", fresh)
	}
}

func TestTheOrderDoesNotDependOnHowTheWaitersAreListed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Order{Slots: 20_000}
		var waiters []Waiter
		for i := range rapid.IntRange(1, 12).Draw(t, "waiters") {
			waiters = append(waiters, Waiter{
				Line:  Line{Lane: fmt.Sprint(i % 3), Low: rapid.Bool().Draw(t, "low"), Customer: fmt.Sprint("c", i)},
				Since: noon.Add(-time.Duration(rapid.IntRange(0, 20).Draw(t, "age")) * time.Minute), CPU: 1000, Place: i,
			})
		}
		want := drained(&o, waiters)
		if got := drained(&o, rapid.Permutation(waiters).Draw(t, "shuffled")); !slices.Equal(got, want) {
			t.Fatalf("%v instead of %v", got, want)
		}
	})
}

// drained are the places of waiters in the order of their turns, if nobody were ever begun.
func drained(o *Order, waiters []Waiter) (places []int) {
	round := o.Round(noon)
	for _, w := range waiters {
		round.Join(w)
	}
	for {
		w, _, ok := round.Next()
		if !ok {
			return places
		}
		places = append(places, w.Place)
	}
}

// model is the rule as it is written down: of all waiters, every time anew.
func model(o *Order, waiters []Waiter) (best int, passed bool) {
	best, old := -1, -1
	for i := range waiters {
		w := &waiters[i]
		w.standing = *o.of(w.Line)
		if best < 0 || before(w, &waiters[best]) {
			best = i
		}
		if w.Low && noon.Sub(w.Since) > Patience && (old < 0 || before(w, &waiters[old])) {
			old = i
		}
	}
	if best >= 0 && old >= 0 && !waiters[best].Low && o.owes(waiters[old].CPU) {
		return old, true
	}
	return best, old >= 0
}

func TestARoundGivesTurnsAsIfItLookedAtEverybodyEveryTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Order{Slots: rapid.SampledFrom([]int64{0, 5_000, 20_000, 400_000}).Draw(t, "slots")}
		draw := func(place int) Waiter {
			return Waiter{
				Line: Line{
					Lane: fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "lane")), Low: rapid.Bool().Draw(t, "low"),
					Customer: fmt.Sprint("c", rapid.IntRange(0, 4).Draw(t, "customer")),
				},
				Since: noon.Add(-time.Duration(rapid.IntRange(0, 20).Draw(t, "age")) * time.Minute),
				CPU:   rapid.Int64Range(0, 4_000).Draw(t, "cpu"), Place: place,
			}
		}
		for range rapid.IntRange(0, 5).Draw(t, "running") {
			w := draw(0)
			o.Resumed(w.Line, w.CPU)
		}
		for range rapid.IntRange(1, 3).Draw(t, "rounds") {
			round, waiters, n := o.Round(noon), []Waiter(nil), 0
			for range rapid.IntRange(1, 60).Draw(t, "steps") {
				if len(waiters) == 0 || rapid.Bool().Draw(t, "joins") {
					n++
					w := draw(n)
					round.Join(w)
					waiters = append(waiters, w)
					continue
				}
				want, wantPassed := model(&o, waiters)
				got, passed, ok := round.Next()
				if !ok || before(&waiters[want], &got) && got.Place != waiters[want].Place || passed != wantPassed {
					t.Fatalf("%+v (%v, %v) instead of %+v", got, passed, ok, waiters[want])
				}
				waiters = slices.DeleteFunc(waiters, func(w Waiter) bool { return w.Place == got.Place })
				if rapid.Bool().Draw(t, "begins") {
					o.Began(got.Line, got.CPU, passed)
				}
			}
		}
	})
}

func BenchmarkARoundOfManyCustomers(b *testing.B) {
	for range b.N {
		o := Order{}
		round := o.Round(noon)
		for i := range 10_000 {
			round.Join(Waiter{Line: Line{Lane: "a", Low: i%2 == 0, Customer: fmt.Sprint("c", i)}, Since: noon, CPU: 1000})
		}
		for range 256 {
			w, passed, _ := round.Next()
			o.Began(w.Line, w.CPU, passed)
			round.Join(w)
		}
	}
}

func TestAccountsOfThoseWhoAreGoneAreForgotten(t *testing.T) {
	h := newHall(1)
	h.add("a", false, 1, 0)
	h.add("b", true, 1, 0)
	h.begin()
	h.end()
	h.Forget(func(name string, low bool) bool { return name == "b" && low })
	if len(h.accounts) > 1 {
		t.Errorf("kept: %v", h.accounts)
	}
}
