package experiment

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/experiment/protocol"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/money"
)

func minute(n int) time.Time {
	return time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
}

func happened(t *testing.T, at int, kind string, reason plan.Reason, instances ...string) journal.Event {
	t.Helper()
	h := fleet.Happening{Reason: string(reason)}
	for _, i := range instances {
		h.Instances = append(h.Instances, fleet.Subject{Instance: i})
	}
	data, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	return journal.Event{At: minute(at), Type: kind, Data: data}
}

func TestEachInterruptionCountsOnceAndOnlyMovesOfOurOwnWishAreMoves(t *testing.T) {
	told, err := read([]journal.Event{
		happened(t, -20, "interruptionNotice", plan.ReasonInterruption, "i-before"),
		happened(t, 1, "terminated", plan.ReasonInterruption, "i-before"), // it was warned of, and counted, before the block
		happened(t, 2, "interruptionNotice", plan.ReasonInterruption, "i-1"),
		happened(t, 3, "leaving", plan.ReasonInterruption, "i-1"),
		happened(t, 4, "launched", plan.ReasonInterruption, "i-2"),
		happened(t, 5, "terminated", plan.ReasonInterruption, "i-1"),
		happened(t, 6, "terminated", plan.ReasonInterruption, "i-3"), // without a notice
		happened(t, 7, "launched", plan.ReasonCheaper, "i-4", "i-5"),
		happened(t, 8, "launched", plan.ReasonRebalance, "i-6"),
		happened(t, -1, "launched", plan.ReasonRevert, "i-7"),
		happened(t, 9, "rebalanceSignal", plan.ReasonRebalance, "i-2"),
		{At: minute(10), Type: "updated", Data: json.RawMessage(`{}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := told.interruptions(minute(0)); n != 2 {
		t.Errorf("%d interruptions, not those of i-1 and i-3", n)
	}
	if n := told.moves(minute(0)); n != 3 {
		t.Errorf("%d moves, not i-4, i-5 and i-6", n)
	}
	if at := told.left["i-1"]; !at.Equal(minute(3)) {
		t.Errorf("i-1 left service at %s", at)
	}
	if _, err := read([]journal.Event{{Type: "launched", Data: json.RawMessage(`7`)}}); err == nil {
		t.Error("an event that cannot be read is passed over")
	}
}

func TestLinesAreAddedUpByWhoBoughtThemAndWhatTheyServed(t *testing.T) {
	s := protocol.Schedule{Seed: 1, Baseline: plan.ByLowestPrice, From: minute(0), Every: time.Hour, Pairs: 2}
	n := 0
	if s.Arm("sig-1", n) == protocol.Model {
		n = 1 // the baseline's
	}
	begin := s.Begin(n)
	line := func(instance, typ string, lifecycle cloud.Lifecycle, launched, from, to time.Time) ledger.Line {
		return ledger.Line{
			Meter: ledger.Meter{Instance: instance, From: launched, Market: cloud.Market{Type: typ, Lifecycle: lifecycle}}, From: from, To: to, Actual: 3 * money.Dollar, Potential: 10 * money.Dollar,
		}
	}
	lines := []ledger.Line{
		line("i-old", "m5.large", cloud.Spot, minute(-60), begin, begin.Add(30*time.Minute)), // the model bought it
		line("i-new", "m5.xlarge", cloud.OnDemand, begin, begin, begin.Add(20*time.Minute)),
	}
	history := []fleet.Since{{At: minute(-90), Intent: fleet.Intent{Capacity: fleet.Capacity{Target: 9, Unit: plan.Weight}}}}
	var b protocol.Block
	stays := add(&b, lines, history, map[string]time.Time{"i-old": begin.Add(10 * time.Minute)}, s, "sig-1", n)
	if b.Cost != 6*money.Dollar || b.OnDemand != 20*money.Dollar || b.Running != 3000 || b.Spot != 1800 || b.Own != 1200 || b.Fresh != 1200 {
		t.Errorf("%+v", b)
	}
	if b.Serve(stays, wanted(history), begin, s.Begin(n+1)); b.Served != 2*600+4*1200 {
		t.Errorf("served %d units × seconds: two vCPUs for ten minutes and four for twenty are %d", b.Served, 2*600+4*1200)
	}
}
