package experiment

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/breaker"
	"github.com/neap-cloud/neap/internal/fleet/experiment/protocol"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/ledger"
)

// lookBack is how long before a block an instance may have left service that is metered in it still: longer than anything drains.
const lookBack = 24 * time.Hour

// measure adds up the measured part of a group's block: what was paid from the ledger, what was in service from the ledger and the journal, and what was wanted
// from the group's revisions. An instance serves from its launch until it is taken out of service, or ends.
func (x *Experiments) measure(ctx context.Context, account, group string, s protocol.Schedule, n int) (b protocol.Block, err error) {
	from, to := s.Measured(n)
	history, err := x.Fleet.History(ctx, account, group, from, to)
	if fault.Is(err, fault.NotFound) {
		return protocol.Block{LeftOut: "the group was gone"}, nil
	}
	if err != nil {
		return b, err
	}
	lines, err := x.Ledger.Lines(ctx, account, group, from, to)
	if err != nil {
		return b, err
	}
	events, err := x.Journal.Events(ctx, account, group, from.Add(-lookBack), to)
	if err != nil {
		return b, err
	}
	told, err := read(events)
	if err != nil {
		return b, err
	}
	b.Interruptions, b.Moves = told.interruptions(from), told.moves(from)
	b.Serve(add(&b, lines, history, told.left, s, group, n), wanted(history), from, to)
	return b, nil
}

// add counts the lines into b, and gives the times during which their instances served.
func add(b *protocol.Block, lines []ledger.Line, history []fleet.Since, left map[string]time.Time, s protocol.Schedule, group string, n int) (stays []protocol.Stay) {
	for _, l := range lines {
		ran := protocol.SecondsOf(l.To.Sub(l.From))
		b.Cost += l.Actual
		b.OnDemand += l.Potential
		b.Running += ran
		if l.Meter.Market.Lifecycle == cloud.Spot {
			b.Spot += ran
		}
		if s.ArmAt(group, l.Meter.From) == s.Arm(group, n) {
			b.Own += ran
		}
		if !l.Meter.From.Before(s.Begin(n)) {
			b.Fresh += ran
		}
		end := l.To
		if gone, is := left[l.Meter.Instance]; is && gone.Before(end) {
			end = gone
		}
		stays = append(stays, protocol.Stay{Units: units(history, l), From: l.From, To: end})
	}
	return stays
}

// units is what an instance counts for in the group's capacity, as it was meant when the line began.
func units(history []fleet.Since, l ledger.Line) int {
	var intent fleet.Intent
	for n, h := range history {
		if n == 0 || !h.At.After(l.From) {
			intent = h.Intent
		}
	}
	known, _ := catalog.AWS().HasType(l.Meter.Market.Type)
	return intent.UnitsOf(l.Meter.Market.Type, known.VCPUs)
}

func wanted(history []fleet.Since) (list []protocol.Wanted) {
	for _, h := range history {
		list = append(list, protocol.Wanted{Since: h.At, Units: h.Intent.Capacity.Target})
	}
	return list
}

// tidings are what the journal says of a group's instances.
type tidings struct {
	left    map[string]time.Time // when each was taken out of service, or ended
	noticed map[string]time.Time // when the cloud took it, or said that it would
	moved   []time.Time          // when one was launched in another's place of our own wish, one entry each
}

func read(events []journal.Event) (tidings, error) {
	t := tidings{left: map[string]time.Time{}, noticed: map[string]time.Time{}}
	first := func(times map[string]time.Time, h fleet.Happening, at time.Time) {
		for _, i := range h.Instances {
			if _, known := times[i.Instance]; !known { // events come in order of time
				times[i.Instance] = at
			}
		}
	}
	for _, e := range events {
		if !slices.Contains([]string{"launched", "leaving", "terminating", "terminated", "detached", "interruptionNotice"}, e.Type) {
			continue
		}
		var h fleet.Happening
		if err := json.Unmarshal(e.Data, &h); err != nil {
			return t, fault.Of(fault.Internal, "event", "An event %q of a group can't be read.", e.Type).With(err)
		}
		reason := plan.Reason(h.Reason)
		switch {
		case e.Type == "launched":
			if breaker.IsVoluntary(reason) || reason == plan.ReasonRebalance {
				t.moved = append(t.moved, slices.Repeat([]time.Time{e.At}, len(h.Instances))...)
			}
			continue
		case e.Type == "interruptionNotice":
			first(t.noticed, h, e.At)
			continue
		case e.Type == "terminated" && reason == plan.ReasonInterruption:
			first(t.noticed, h, e.At) // without a notice
		}
		first(t.left, h, e.At)
	}
	return t, nil
}

func (t tidings) interruptions(from time.Time) (n int) {
	for _, at := range t.noticed {
		if !at.Before(from) {
			n++
		}
	}
	return n
}

func (t tidings) moves(from time.Time) (n int) {
	for _, at := range t.moved {
		if !at.Before(from) {
			n++
		}
	}
	return n
}
