package batch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/batch/batchtest"
	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/batch/output"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// inert is a runtime that keeps what it is asked to begin, and cannot stop anything as often as told.
type inert struct {
	batchtest.Instant
	mu       sync.Mutex
	failures int
	stops    int
}

func (*inert) Start(context.Context, runtime.Spec) error { return nil }
func (*inert) Forget(context.Context, string, string) error {
	return nil
}
func (*inert) Known(context.Context) ([]string, error)                 { return nil, nil }
func (*inert) Tasks(context.Context, []string) ([]runtime.Task, error) { return nil, nil }
func (*inert) Check(context.Context, runtime.Spec) error               { return nil }
func (r *inert) Stop(_ context.Context, _ string, _ time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stops++
	if r.failures > 0 {
		r.failures--
		return errors.New("the daemon does not answer")
	}
	return nil
}

func (r *inert) asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stops
}

// shrinking is a capacity whose queue may come to hold less than it did.
type shrinking struct {
	*batchtest.Fixed
	gone bool
}

func (s *shrinking) Fits(_ context.Context, _ capacity.Lane, needs runtime.Resources) error {
	if s.gone && needs.MilliCPU > s.Each.MilliCPU {
		return &runtime.Refusal{Kind: runtime.Never, Message: "No machine of the queue is as large as that any more."}
	}
	return nil
}

// stage is a dispatcher whose turns the test takes itself.
type stage struct {
	*dispatcher
	testing.TB
	clock    *clock.Manual
	machines *shrinking
	runtime  *inert
	n        int
}

func newStage(t testing.TB, machines int, each, room runtime.Resources) *stage {
	c := clock.NewManual(morning)
	s := &stage{TB: t, clock: c, machines: &shrinking{Fixed: &batchtest.Fixed{Machines: machines, Each: each}}, runtime: &inert{}}
	db := storetest.Open(t, store.Config{Memory: true})
	b := &Batch{c: Config{
		DB: db, Clock: c, Capacity: s.machines, Hosted: []runtime.Runtime{s.runtime}, Room: room, Machine: "here", Meter: unheard{},
		Output: &output.Collector{Book: &output.Book{DB: db}}, Log: slog.New(slog.DiscardHandler),
	}, desk: newDesk(), ended: make(chan struct{})}
	s.dispatcher = newDispatcher(b)
	b.desk.lead(true)
	return s
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// turns takes some turns, and as many more as it takes until nothing is left to be done at once.
func (s *stage) turns() {
	s.Helper()
	for i := 0; ; i++ {
		select {
		case <-s.desk.rung:
		default:
			if i >= 3 {
				return
			}
		}
		s.due["look"] = time.Time{}
		s.must(s.turn(s.Context()))
	}
}

func (s *stage) ask(account, customer string, p Priority, milliCPU int64) string {
	s.Helper()
	return s.askIn(hosted, account, customer, p, milliCPU)
}

func (s *stage) askIn(how, account, customer string, p Priority, milliCPU int64) string {
	s.Helper()
	s.n++
	l := line{Lane: capacity.Lane{Account: account, Cloud: cloudAWS, Region: "us-east-1", Queue: "spot"}, how: how, low: p == Low, customer: customer}
	id := fmt.Sprintf("job-%06d", s.n)
	sub := Submission{Customer: customer, Cloud: cloudAWS, Image: "host", Priority: p, Resources: runtime.Resources{MilliCPU: milliCPU, MemoryMiB: 1}}
	at := s.clock.Now()
	_, err := jobs.Insert(s.Context(), s.c.DB, document{
		Meta:  store.Meta{ID: id, Account: account, Parent: l.parent(), Name: customer, State: waiting, At: at},
		Value: record{Job: Job{Submission: sub, Lane: l.Lane, State: Runnable, SubmittedAt: at}},
	})
	s.must(err)
	s.desk.joined(l)
	return id
}

func (s *stage) get(id string) Job {
	s.Helper()
	d, err := jobs.Get(s.Context(), s.c.DB, store.Installation(), id)
	s.must(err)
	return job(d)
}

// finish ends a job's attempt by itself.
func (s *stage) finish(id string) {
	s.Helper()
	s.desk.saw([]runtime.Task{{ID: taskID(id, len(s.get(id).Attempts)), State: runtime.Ended}})
}

// running counts what runs, by account and customer.
func (s *stage) running() map[string]int {
	by := map[string]int{}
	for _, r := range s.active {
		by[r.line.ordered().Customer]++
	}
	return by
}

func vcpus(n int64) runtime.Resources {
	return runtime.Resources{MilliCPU: n * 1000, MemoryMiB: n * 1000}
}

func TestCustomersAndAccountsShareTheRoomFairlyWhoeverAskedFirst(t *testing.T) {
	s := newStage(t, 6, vcpus(2), vcpus(12))
	for _, customer := range []string{"a", "b", "c"} {
		for range 300 {
			s.ask("act-1", customer, Low, 1000)
		}
	}
	for range 300 {
		s.ask("act-2", "a", Low, 1000)
	}
	s.turns()
	for who, n := range s.running() {
		if n != 3 {
			t.Errorf("%s runs %d of 12: %v", who, n, s.running())
		}
	}
	for range 3 { // those who end make room for their own customer's next
		var ended []string
		for _, r := range s.active {
			if r.line.customer == "b" {
				ended = append(ended, r.doc.ID)
			}
		}
		for _, id := range ended {
			s.finish(id)
		}
		s.turns()
	}
	if by := s.running(); by["act-1|b"] != 3 || by["act-2|a"] != 3 {
		t.Errorf("%v", by)
	}
	for _, q := range s.lines {
		if len(q.docs) > window {
			t.Errorf("%d jobs of a line are held in memory", len(q.docs))
		}
	}
}

func TestACustomersJobsAreBegunInTheOrderInWhichTheyCame(t *testing.T) {
	s := newStage(t, 1, vcpus(1), vcpus(1))
	var ids []string
	for range window + 20 { // more than is read ahead
		ids = append(ids, s.ask("act-1", "a", Low, 1000))
	}
	s.turns()
	for i, id := range ids {
		s.turns()
		if j := s.get(id); j.State != Starting {
			t.Fatalf("job %d is %s", i, j.State)
		}
		s.finish(id)
	}
}

func TestALargeJobIsNotPassedOverForEver(t *testing.T) {
	s := newStage(t, 2, vcpus(4), vcpus(8))
	s.turns()
	var small []string
	for range 8 {
		small = append(small, s.ask("act-1", "small", Low, 1000))
	}
	s.turns()
	large := s.ask("act-1", "large", Low, 4000)
	for i := 0; s.get(large).State == Runnable; i++ {
		if i == 60 {
			t.Fatal("the large job still waits after ten minutes, in which small ones were begun")
		}
		small = append(small, s.ask("act-1", "small", Low, 1000))
		s.clock.Advance(10 * time.Second)
		for len(small) > 0 && s.get(small[0]).State != Starting {
			small = small[1:]
		}
		if len(small) > 0 {
			s.finish(small[0])
		}
		s.turns()
	}
}

func TestAJobThatNoMachineCanHoldAnyMoreFailsAndStopsNobody(t *testing.T) {
	s := newStage(t, 1, vcpus(2), vcpus(8))
	first := s.ask("act-1", "a", High, 4000)
	small := s.ask("act-1", "b", Low, 1000)
	s.turns()
	s.machines.gone = true
	s.clock.Advance(standBack + time.Second)
	s.turns()
	if j := s.get(first); j.State != Failed || j.Reason != "No machine of the queue is as large as that any more." {
		t.Errorf("%s: %s", j.State, j.Reason)
	}
	if j := s.get(small); j.State != Starting {
		t.Errorf("the small job is %s", j.State)
	}
	huge := s.ask("act-1", "a", High, 16_000) // more than is lent, since settings have changed
	other := s.ask("act-1", "c", Low, 1000)
	s.turns()
	s.clock.Advance(standBack + time.Second)
	s.turns()
	if j, o := s.get(huge), s.get(other); j.State != Failed || o.State != Starting {
		t.Errorf("%s (%s), the small one %s", j.State, j.Reason, o.State)
	}
}

func TestTheRoomOfThisMachineIsNoLimitForWhatRunsElsewhere(t *testing.T) {
	s := newStage(t, 1, vcpus(2), vcpus(2))
	s.c.Remote = s.runtime
	var ids []string
	for range 3 {
		ids = append(ids, s.askIn(remote, "act-1", "a", Low, 64_000))
	}
	s.turns()
	for _, id := range ids {
		if j := s.get(id); j.State != Starting {
			t.Errorf("%s: %s", j.State, j.Reason)
		}
	}
}

func TestATaskThatCannotBeStoppedAtOnceIsStoppedLaterAndKeepsNobodyWaiting(t *testing.T) {
	s := newStage(t, 1, vcpus(2), vcpus(2))
	id := s.ask("act-1", "a", Low, 1000)
	s.turns()
	s.runtime.failures = 1
	_, err := s.Cancel(t.Context(), "act-1", "usr-1", id)
	s.must(err)
	other := s.ask("act-1", "b", Low, 1000)
	s.turns()
	if j := s.get(other); j.State != Starting {
		t.Errorf("the other job is %s", j.State)
	}
	for s.runtime.asked() < 2 {
		select {
		case <-s.desk.rung:
		case <-time.After(10 * time.Second):
			t.Fatal("nobody asks again")
		}
		s.must(s.turn(t.Context()))
	}
}

func TestAMarketThatIsNotThereKeepsOnlyItsOwnJobsWaiting(t *testing.T) {
	s := newStage(t, 1, vcpus(2), vcpus(2))
	s.c.Market = func(context.Context, capacity.Lane, runtime.Resources) (deadline.Market, error) {
		return deadline.Market{}, fault.Of(fault.Unavailable, "market", "Nobody answers.")
	}
	l := line{Lane: capacity.Lane{Account: "act-1", Cloud: cloudAWS, Region: "us-east-1", Queue: "spot"}, how: hosted, low: true, timed: true, customer: "t"}
	_, err := jobs.Insert(t.Context(), s.c.DB, document{
		Meta:  store.Meta{ID: "timed", Account: "act-1", Parent: l.parent(), Name: "t", State: held, At: morning},
		Value: record{Job: Job{Submission: Submission{Customer: "t", Deadline: morning.Add(time.Hour)}, Lane: l.Lane, State: Pending}, Timed: true, Until: morning},
	})
	s.must(err)
	id := s.ask("act-1", "a", Low, 1000)
	s.turns()
	if j := s.get(id); j.State != Starting {
		t.Errorf("the job without a deadline is %s", j.State)
	}
	s.c.Market = nil
	s.clock.Advance(decideEvery)
	s.turns()
	if j := s.get("timed"); j.State == Pending {
		t.Error("the job with a deadline was forgotten")
	}
}

func TestRoomThatAnotherReplicasTasksTakeIsNotGivenTwice(t *testing.T) {
	s := newStage(t, 1, vcpus(2), vcpus(8))
	s.turns()
	id := s.ask("act-1", "a", Low, 2000)
	s.turns()
	first := s.get(id)
	if first.State != Starting {
		t.Fatal(first.State)
	}
	s.c.Machine = "there" // another replica takes the lead
	s.dispatcher = newDispatcher(s.Batch)
	second := s.ask("act-1", "b", Low, 1000)
	s.turns()
	if j := s.get(second); j.State != Runnable {
		t.Errorf("the second job is %s on %s, which is full", j.State, first.Attempts[0].Host)
	}
	s.c.Alive = func(string) bool { return false }
	s.due["bury"] = time.Time{}
	s.due["share"], s.due["alone"] = time.Time{}, time.Time{}
	s.turns()
	if j := s.get(id); j.Attempts[0].Outcome != outcomeLost {
		t.Fatalf("%+v", j.Attempts)
	}
	s.turns()
	if n := len(s.active); n == 0 {
		t.Error("the room was not given back")
	}
}

func TestWhoComesBackIsNotOwedWhatOthersHadInTheMeantime(t *testing.T) {
	s := newStage(t, 1, vcpus(1), vcpus(1))
	id := s.ask("act-1", "seldom", Low, 1000)
	s.turns()
	s.finish(id)
	s.turns()
	s.due["customers"] = time.Time{}
	s.turns()
	last := ""
	for range 40 {
		id := s.ask("act-1", "often", Low, 1000)
		s.turns()
		if last != "" {
			s.finish(last)
			s.turns()
		}
		last = id
	}
	for range 10 {
		s.ask("act-1", "seldom", Low, 1000)
		s.ask("act-1", "often", Low, 1000)
	}
	s.turns()
	turns := map[string]int{}
	for range 10 {
		for _, r := range s.active {
			turns[r.line.customer]++
			s.finish(r.doc.ID)
		}
		s.turns()
	}
	if turns["often"] < 4 {
		t.Errorf("of ten turns: %v", turns)
	}
}

// BenchmarkATurn is one turn with 10,000 customers who wait, 1,000 machines and 5,000 attempts that run; in each, 50 attempts end and as many are begun.
func BenchmarkATurn(b *testing.B) {
	s := newStage(b, 1000, vcpus(5), vcpus(5_000))
	for i := range 5_000 {
		s.ask("act-1", fmt.Sprint("c", i%100), Low, 1000)
	}
	s.turns()
	for len(s.active) < 5_000 {
		s.due["look"] = time.Time{}
		s.must(s.turn(b.Context()))
	}
	for i := range 10_000 {
		s.ask("act-1", fmt.Sprint("c", i), Low, 1000)
	}
	began := time.Now()
	s.turns()
	first := time.Since(began)
	b.ResetTimer()
	for range b.N {
		n := 0
		for task := range s.active {
			if n++; n > 50 {
				break
			}
			s.desk.saw([]runtime.Task{{ID: task, State: runtime.Ended}})
		}
		s.due["look"] = time.Time{}
		s.must(s.turn(b.Context()))
	}
	b.ReportMetric(float64(first.Milliseconds()), "ms/first")
}
