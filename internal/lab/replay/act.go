package replay

import (
	"strconv"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/breaker"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/money"
)

// group is how the breaker's tally calls the only fleet there is.
const group = "replay"

// decide is what the planner wants and the breaker allows.
func (r *run) decide(intent plan.Intent) plan.Decision {
	r.tidy()
	offered := r.offered(intent)
	d := plan.Plan(intent, r.observed, offered, r.now)
	r.tripped = false
	if len(d.Actions) == 0 || r.isYardstick() {
		return d
	}
	own := breaker.ForGroup(group, breaker.Size{Target: intent.Capacity.Target, Living: len(r.machines)})
	breaker.Use(own, func(span time.Duration) (breaker.Churn, time.Time) { return r.tally.All(r.now, span) })
	price := func(a plan.Action) money.Price { return breaker.PriceOf(offered, a) }
	d, trips := breaker.Limit(d, own, r.observed, price, "")
	r.tripped = len(trips) > 0
	for _, t := range trips {
		if r.Note != nil {
			r.Note(r.now, t.String())
		}
	}
	return d
}

// act carries a decision out, and says whether the cloud refused a part of it, and whether anything has ended.
func (r *run) act(d plan.Decision) (refused, ended bool) {
	churn := breaker.Churn{Departures: breaker.Departures(d.Actions, r.observed.IsLeaving)}
	for _, a := range d.Actions {
		switch a.Verb {
		case plan.LaunchVerb:
			started := r.launch(a)
			if breaker.IsVoluntary(a.Reason) {
				churn.Moves += started
			} else {
				churn.Launches += started
			}
			refused = refused || started < a.Count
		case plan.DrainVerb:
			r.drain(a)
		case plan.TerminateVerb:
			ended = true
			r.terminate(a)
		}
	}
	r.settleStorms(d)
	r.plans++
	r.tally.Put(strconv.Itoa(r.plans), group, r.now, churn)
	return refused, ended
}

// launch asks the cloud, and says how many it started. What the pool has no room for is refused.
func (r *run) launch(a plan.Action) (started int) {
	s := r.byPlace[place{a.Type, a.Zone, a.Lifecycle}]
	r.books.out.Launches++
	var pairs []pair
	for room := s.room(a.Count, r.now); started < min(a.Count, room); {
		m := r.start(s, a.Reason)
		if started < len(a.Replaces) {
			if old := r.living[a.Replaces[started]]; old != nil {
				r.instance(old).ReplacedBy = m.id
				pairs = append(pairs, pair{old, m})
			}
		}
		started++
	}
	if started < a.Count {
		r.books.out.Refusals++
		r.past.Refused(&cloud.Refusal{
			Kind: cloud.NoCapacity, Scope: cloud.ScopePool, Key: s.in.PoolKey(), Code: "InsufficientInstanceCapacity", Message: "the pool has no more",
		}, r.now)
	}
	r.noteMove(a, s, pairs)
	return started
}

// drain takes a machine out of service.
func (r *run) drain(a plan.Action) {
	m := r.living[a.Instance]
	i := r.instance(m)
	r.countDeparture(m, i, a.Reason)
	i.Phase, i.DrainUntil, i.LeaveReason = plan.Draining, a.DrainUntil, string(a.Reason)
	r.leaveService(m)
}

func (r *run) terminate(a plan.Action) {
	m := r.living[a.Instance]
	r.countDeparture(m, r.instance(m), a.Reason)
	r.end(m)
}

// countDeparture counts what leaves by the policy's own wish while it serves. Scale-in is the workload's wish, and what the cloud takes is counted already.
func (r *run) countDeparture(m *machine, i *plan.Instance, why plan.Reason) {
	if i.Phase == plan.Running && !m.forced && why != plan.ReasonScaleIn {
		r.books.out.Voluntary++
	}
}
