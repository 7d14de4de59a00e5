package batch

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/batch/batchtest"
	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// dear is a price book whose prices change every seven minutes and some.
type dear struct{}

func (dear) Prices(_ context.Context, _ string, _ cloud.Market, from, until time.Time) (held []market.Segment, err error) {
	const every = 7*time.Minute + 300*time.Millisecond
	for at := from.Truncate(every); at.Before(until); at = at.Add(every) {
		n := at.UnixMilli() / every.Milliseconds() % 5
		held = append(held, market.Segment{From: at, Until: at.Add(every), Price: money.Price(30_001 + 7_777*n), OnDemand: 96_000, Source: "feed"})
	}
	return held, nil
}

// till is a room with machines that are metered, and jobs whose attempts are written as they were.
type till struct {
	*Batch
	testing.TB
	clock   *clock.Manual
	db      *store.DB
	account string
	n       int
}

type lanesOnly struct {
	*batchtest.Fixed
	lanes map[string]capacity.Lane
}

func (l lanesOnly) Lanes(context.Context, string) (map[string]capacity.Lane, error) {
	return l.lanes, nil
}

func newTill(t testing.TB) *till {
	db := storetest.Open(t, store.Config{Memory: true})
	c := clock.NewManual(morning)
	lanes := map[string]capacity.Lane{}
	for i, queue := range []string{"media", "on-demand", "spot"} {
		lanes[fmt.Sprint("g-", i)] = capacity.Lane{Account: "act-1", Cloud: "aws", Region: "us-east-1", Queue: queue}
	}
	lanes["g-9"] = lanes["g-2"] // a lane with two groups
	return &till{
		Batch: &Batch{c: Config{DB: db, Clock: c, Ledger: ledger.New(ledger.Config{DB: db, Clock: c, Market: dear{}}), Capacity: lanesOnly{lanes: lanes}}},
		TB:    t, clock: c, db: db, account: "act-1",
	}
}

func (l *till) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// meter notes that a machine ran; until zero = it runs on.
func (l *till) meter(id, group string, from, until time.Time) {
	l.Helper()
	l.must(l.db.Tx(l.Context(), func(ctx context.Context, tx *store.Tx) error {
		err := l.c.Ledger.Open(ctx, tx, ledger.Meter{Instance: id, Account: l.account, Group: group, Provider: "sim", Market: cloud.Market{Type: "c5.large"}, From: from})
		if err != nil || until.IsZero() {
			return err
		}
		return l.c.Ledger.Close(ctx, tx, l.account, id, until)
	}))
}

// put stores a job with the attempts that it had.
func (l *till) put(customer string, attempts ...Attempt) string {
	l.Helper()
	l.n++
	id := fmt.Sprintf("job-%06d", l.n)
	j := Job{Submission: Submission{Customer: customer, Cloud: "aws", Region: "us-east-1"}.usual(), State: Running, SubmittedAt: morning, Attempts: attempts}
	_, err := jobs.Insert(l.Context(), l.db, document{Meta: store.Meta{ID: id, Account: l.account, State: j.standing(), At: morning}, Value: record{Job: j}})
	l.must(err)
	return id
}

func (l *till) costs(from, until time.Time) map[string]LaneCost {
	l.Helper()
	list, err := l.Costs(l.Context(), l.account, from, until)
	l.must(err)
	by := map[string]LaneCost{}
	for _, c := range list {
		if c.Jobs+c.Idle != c.Fleet || c.Idle < 0 || c.Jobs < 0 {
			l.Fatalf("%s: jobs %d + idle %d of %d", c.Lane.Queue, c.Jobs, c.Idle, c.Fleet)
		}
		by[c.Lane.Queue] = c
	}
	return by
}

func TestPartsOfWhatFitsOnAMachineNeverExceedIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		has := runtime.Resources{
			MilliCPU: rapid.Int64Range(0, 1_000_000).Draw(t, "cpu"), MemoryMiB: rapid.Int64Range(0, 1<<26).Draw(t, "memory"), GPUs: rapid.Int64Range(0, 16).Draw(t, "gpus"),
		}
		left, sum := has, int64(0)
		for range rapid.IntRange(1, 40).Draw(t, "tasks") {
			needs := runtime.Resources{
				MilliCPU: rapid.Int64Range(0, left.MilliCPU).Draw(t, "c"), MemoryMiB: rapid.Int64Range(0, left.MemoryMiB).Draw(t, "m"), GPUs: rapid.Int64Range(0, left.GPUs).Draw(t, "g"),
			}
			left = minus(left, needs)
			sum += part(needs, has)
		}
		if sum += part(left, has); sum > whole || has != (runtime.Resources{}) && sum < whole-200 {
			t.Fatalf("the parts of all that fits add up to %d billionths", sum)
		}
	})
	third := part(runtime.Resources{MilliCPU: 1000, MemoryMiB: 1024}, runtime.Resources{MilliCPU: 3000, MemoryMiB: 3072})
	if third != 333_333_333 {
		t.Errorf("a third is %d", third)
	}
	if p := part(runtime.Resources{MilliCPU: 1 << 50, MemoryMiB: 1 << 50}, runtime.Resources{MilliCPU: 1, MemoryMiB: 1}); p != whole {
		t.Errorf("more than the machine is %d", p)
	}
}

func TestWhatJobsAndIdleTimeCostIsExactlyWhatTheMachinesCost(t *testing.T) {
	l := newTill(t)
	l.clock.Advance(5 * time.Hour)
	now, round := l.clock.Now(), 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		l.account = fmt.Sprint("act-", round) // with nothing of its own yet
		span := func(name string, most time.Duration) time.Duration {
			return time.Duration(rapid.Int64Range(0, most.Milliseconds()).Draw(rt, name)) * time.Millisecond
		}
		var attempts []Attempt
		for m := range rapid.IntRange(0, 3).Draw(rt, "machines") {
			host, group := fmt.Sprintf("i-%d-%d", round, m), fmt.Sprint("g-", rapid.SampledFrom([]int{0, 1, 2, 9}).Draw(rt, "group"))
			from, until := morning.Add(span("from", time.Hour)), time.Time{}
			if rapid.Bool().Draw(rt, "ended") {
				until = from.Add(span("ran", 3*time.Hour))
			}
			l.meter(host, group, from, until)
			slots := rapid.IntRange(1, 4).Draw(rt, "slots") // each as much of the machine as the others
			for range slots {
				at := from.Add(span("first", time.Minute))
				for range rapid.IntRange(0, 4).Draw(rt, "jobs") {
					a := Attempt{N: 1, Host: host, Group: group, At: at, StartedAt: at, Part: part(runtime.Resources{MilliCPU: 1000}, runtime.Resources{MilliCPU: int64(slots) * 1000})}
					at = at.Add(span("took", rapid.SampledFrom([]time.Duration{time.Second, time.Minute, 2 * time.Hour}).Draw(rt, "about")))
					if at.Before(now) && rapid.IntRange(0, 5).Draw(rt, "goes on") > 0 {
						a.EndedAt, a.Outcome = at, outcomeSucceeded
					} else {
						at = now
					}
					attempts = append(attempts, a)
					if at.Equal(now) {
						break
					}
				}
			}
		}
		var ids []string
		for len(attempts) > 0 { // some jobs had several, on machines of several lanes
			n := min(len(attempts), rapid.IntRange(1, 3).Draw(rt, "attempts"))
			ids = append(ids, l.put("a", attempts[:n]...))
			attempts = attempts[n:]
		}
		all := l.costs(morning.Add(-time.Hour), now)
		begin := morning.Add(span("begin", 4*time.Hour))
		cut := begin.Add(span("cut", time.Hour))
		l.costs(begin, cut)
		l.costs(cut, cut)
		var whole, jobs, each money.Amount
		for _, c := range all {
			whole += c.Fleet
			jobs += c.Jobs
		}
		for _, some := range []map[string]LaneCost{l.costs(morning.Add(-time.Hour), cut), l.costs(cut, now)} {
			for _, c := range some {
				whole -= c.Fleet
			}
		}
		if whole != 0 {
			rt.Fatalf("the fleet's cost in two halves differs by %d from the whole", whole)
		}
		for _, id := range ids {
			c, err := l.Cost(l.Context(), l.account, id)
			l.must(err)
			each += c.Actual
		}
		if each != jobs {
			rt.Fatalf("the jobs cost %d one by one and %d together", each, jobs)
		}
	})
}

func TestMachinesThatWereBookedTwiceAreStillPaidForOnce(t *testing.T) {
	l := newTill(t)
	l.meter("i-1", "g-0", morning, time.Time{})
	for range 3 {
		l.put("a", Attempt{N: 1, Host: "i-1", Group: "g-0", At: morning, Part: whole / 2})
	}
	l.clock.Advance(time.Hour)
	if c := l.costs(morning, l.clock.Now())["media"]; c.Idle != 0 || c.Fleet == 0 || c.Attempts != 3 {
		t.Errorf("%+v", c)
	}
}

func TestAJobThatIsOverWithinASecondCostsWhatItTook(t *testing.T) {
	l := newTill(t)
	l.meter("i-1", "g-0", morning, time.Time{})
	at := morning.Add(10*time.Second + 200*time.Millisecond)
	id := l.put("a", Attempt{N: 1, Host: "i-1", Group: "g-0", At: at, StartedAt: at.Add(100 * time.Millisecond), EndedAt: at.Add(600 * time.Millisecond), Part: whole / 4})
	l.clock.Advance(time.Hour)
	lines, err := l.c.Ledger.Lines(t.Context(), l.account, "g-0", morning.Add(10*time.Second), morning.Add(11*time.Second))
	l.must(err)
	want := lines[0].Actual * 600 / 1000 / 4
	if c, err := l.Cost(t.Context(), l.account, id); err != nil || c.Actual != want || want == 0 || c.Running != 500*time.Millisecond || c.Potential != lines[0].Potential*600/4000 {
		t.Errorf("%+v, %v; want %d", c, err, want)
	}
}

func TestUsageIsClippedToItsTimeAndThePriceIsSplitToTheLastUnit(t *testing.T) {
	l := newTill(t)
	ran := func(customer string, from, until time.Duration) {
		a := Attempt{N: 1, At: morning.Add(from), StartedAt: morning.Add(from)}
		if until > 0 {
			a.EndedAt, a.Outcome = morning.Add(until), outcomeSucceeded
		}
		l.put(customer, a)
	}
	ran("before", time.Minute, 10*time.Minute)
	ran("cut", 50*time.Minute, 70*time.Minute)
	ran("open", 90*time.Minute, 0)
	ran("after", 3*time.Hour, 0)
	l.put("never", Attempt{N: 1, At: morning.Add(time.Hour), EndedAt: morning.Add(2 * time.Hour), Outcome: outcomeLost})
	l.put("twice", Attempt{N: 1, StartedAt: morning.Add(time.Hour), EndedAt: morning.Add(61 * time.Minute), Outcome: outcomeLost},
		Attempt{N: 2, StartedAt: morning.Add(62 * time.Minute), EndedAt: morning.Add(64 * time.Minute), Outcome: outcomeSucceeded})
	l.clock.Advance(100 * time.Minute)
	price := int64(100)
	got, err := l.Usage(t.Context(), l.account, UsageQuery{Cloud: "aws", Region: "us-east-1", From: morning.Add(time.Hour), Until: morning.Add(2 * time.Hour), Price: &price})
	l.must(err)
	want := map[string][2]int64{"cut": {600_000, 44}, "open": {600_000, 43}, "twice": {180_000, 13}} // of 23 minutes
	for customer, w := range want {
		if u := got[customer]; u.Jobs != 1 || u.RuntimeMS != w[0] || u.VCPUMS != w[0] || u.Cost == nil || *u.Cost != w[1] {
			t.Errorf("%s: %+v, want %v", customer, u, w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
}

// BenchmarkCostsOfManyJobs reads the costs of a day with 100,000 jobs.
func BenchmarkCostsOfManyJobs(b *testing.B) {
	l := newTill(b)
	for m := range 100 {
		l.meter(fmt.Sprint("i-", m), fmt.Sprint("g-", m%3), morning, time.Time{})
	}
	l.must(l.db.Tx(b.Context(), func(ctx context.Context, tx *store.Tx) error {
		for i := range 100_000 {
			at := morning.Add(time.Duration(i/100) * 80 * time.Second)
			j := Job{Submission: Submission{Customer: fmt.Sprint("c", i%50), Cloud: "aws", Region: "us-east-1"}.usual(), State: Succeeded, SubmittedAt: at, Attempts: []Attempt{{
				N: 1, Host: fmt.Sprint("i-", i%100), Group: fmt.Sprint("g-", i%100%3), At: at, StartedAt: at, EndedAt: at.Add(time.Minute), Outcome: outcomeSucceeded, Part: whole,
			}}}
			doc := document{Meta: store.Meta{ID: fmt.Sprintf("job-%06d", i), Account: l.account, State: done, At: at}, Value: record{Job: j}}
			if _, err := jobs.Insert(ctx, tx, doc); err != nil {
				return err
			}
		}
		return nil
	}))
	l.clock.Advance(24 * time.Hour)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		l.costs(morning, l.clock.Now())
	}
}
