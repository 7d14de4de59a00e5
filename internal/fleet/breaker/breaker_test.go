package breaker

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/money"
)

var morning = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// madhouse is an account whose cloud, health checks and prices tell whatever a seed wants, minute after minute.
type madhouse struct {
	random *rand.Rand
	now    time.Time
	spend  money.Price
	groups []*patient
	done   []deed // of all groups
	next   int
}

type patient struct {
	id       string
	intent   plan.Intent
	observed plan.Observed
}

// deed is what was really done, as the test counts it for itself.
type deed struct {
	group string
	at    time.Time
	Churn
}

func newMadhouse(seed uint64) *madhouse {
	m := &madhouse{random: rand.New(rand.NewPCG(seed, 7)), now: morning}
	if m.random.IntN(3) == 0 {
		m.spend = money.Price(1_000_000 * (1 + m.random.IntN(5)))
	}
	for n := range 2 {
		m.groups = append(m.groups, &patient{id: fmt.Sprint("sig-", n), intent: plan.Intent{
			Region: "us-east-1", Product: "Linux/UNIX",
			Capacity:    plan.Capacity{Target: 1 + m.random.IntN(60), Max: 100, Unit: plan.Instances},
			Mix:         plan.Mix{OnDemandCount: -1, SpotPercent: 100, FallbackToOD: true},
			Choice:      plan.Choice{Rule: plan.Cheapest, SpotTypes: []string{"a", "b", "c"}, OnDemandTypes: []string{"a"}, Zones: []string{"z1", "z2"}},
			Health:      plan.Health{Source: plan.HealthInstance, Heal: true},
			Replacement: plan.Replacement{Revert: plan.RevertAlways},
		}})
	}
	return m
}

// offers have absurd prices as often as not.
func (m *madhouse) offers() plan.Market {
	market := plan.Market{}
	for _, typ := range []string{"a", "b", "c"} {
		for _, zone := range []string{"z1", "z2"} {
			for _, lifecycle := range []plan.Lifecycle{plan.Spot, plan.OnDemand} {
				price := money.Price([]int64{1, 20_000, 50_000, 90_000, 1 << 40}[m.random.IntN(5)])
				market.Pools = append(market.Pools, plan.Pool{Type: typ, Zone: zone, Lifecycle: lifecycle, Price: price, OnDemand: 100_000, VCPUs: 2})
			}
		}
	}
	return market
}

// lie changes what is seen of a group.
func (m *madhouse) lie(p *patient) {
	switch m.random.IntN(4) {
	case 0: // everything is gone
		p.observed.Instances = nil
	case 1: // everything is sick
		for n := range p.observed.Instances {
			i := &p.observed.Instances[n]
			i.Condition, i.ConditionAt, i.WasHealthy = plan.Unhealthy, m.now.Add(-time.Hour), true
		}
	case 2: // everything is at risk, but for its age
		for n := range p.observed.Instances {
			p.observed.Instances[n].RebalanceAt = m.now
			p.observed.Instances[n].LaunchedAt = m.now.Add(-3 * time.Hour)
		}
	case 3: // all is well and old enough to be moved
		for n := range p.observed.Instances {
			i := &p.observed.Instances[n]
			i.Condition, i.RebalanceAt, i.LaunchedAt = plan.Healthy, time.Time{}, m.now.Add(-3*time.Hour)
		}
	}
}

// used adds up what was done within the span before now; group "" stands for the account.
func (m *madhouse) used(group string, span time.Duration) (c Churn, opens time.Time) {
	for _, d := range m.done {
		if d.at.Add(span).After(m.now) && (group == "" || d.group == group) {
			if opens.IsZero() {
				opens = d.at.Add(span)
			}
			c.Add(d.Churn)
		}
	}
	return c, opens
}

func (m *madhouse) budgets(p *patient) []Allowance {
	target := 0
	for _, g := range m.groups {
		target += g.intent.Capacity.Target
	}
	own := ForGroup(p.id, Size{Target: p.intent.Capacity.Target, Spend: m.spend / 2})
	Use(own, func(span time.Duration) (Churn, time.Time) { return m.used(p.id, span) })
	all := ForAccount("act-1", Size{Target: target, Spend: m.spend})
	Use(all, func(span time.Duration) (Churn, time.Time) { return m.used("", span) })
	return append(own, all...)
}

// treat plans for a group and does what the breaker leaves.
func (m *madhouse) treat(p *patient, market plan.Market) (plan.Decision, []Trip) {
	price := func(a plan.Action) money.Price { return PriceOf(market, a) }
	d, trips := Limit(plan.Plan(p.intent, p.observed, market, m.now), m.budgets(p), p.observed, price, "")
	did := deed{group: p.id, at: m.now}
	for _, a := range d.Actions {
		at := slices.IndexFunc(p.observed.Instances, func(i plan.Instance) bool { return i.ID == a.Instance })
		switch {
		case a.Verb == plan.LaunchVerb:
			for n := range a.Count {
				m.next++
				i := plan.Instance{ID: fmt.Sprint("i-", m.next), Type: a.Type, Zone: a.Zone, Lifecycle: a.Lifecycle, Phase: plan.Running, LaunchedAt: m.now, LaunchReason: a.Reason}
				p.observed.Instances = append(p.observed.Instances, i)
				if n < len(a.Replaces) {
					for k := range p.observed.Instances {
						if p.observed.Instances[k].ID == a.Replaces[n] {
							p.observed.Instances[k].ReplacedBy = i.ID
						}
					}
				}
			}
			did.Spend += price(a) * money.Price(a.Count)
			if IsVoluntary(a.Reason) {
				did.Moves += a.Count
			} else {
				did.Launches += a.Count
			}
		case at < 0:
		case a.Verb == plan.DrainVerb:
			p.observed.Instances[at].Phase, p.observed.Instances[at].DrainUntil, p.observed.Instances[at].LeaveReason = plan.Draining, a.DrainUntil, string(a.Reason)
			did.Departures++
		default:
			if p.observed.Instances[at].Phase != plan.Draining {
				did.Departures++
			}
			p.observed.Instances = slices.Delete(p.observed.Instances, at, at+1)
		}
	}
	if did.Churn != (Churn{}) {
		m.done = append(m.done, did)
	}
	return d, trips
}

// excess tells what was done beyond a budget.
func excess(b Allowance) string {
	used, limit := b.Used, b.Limit
	switch {
	case used.Launches > limit.Launches, b.Span == 0 && (used.Moves > limit.Moves || used.Departures > limit.Departures), limit.Spend > 0 && used.Spend > limit.Spend:
		return fmt.Sprintf("did %+v within %s of %+v", used, b.span(), limit)
	}
	return ""
}

func TestWhateverItIsToldTheEngineNeverDoesMoreThanItsBudgets(t *testing.T) {
	t.Parallel()
	tripped, moves := map[time.Duration]int{}, 0
	for seed := range uint64(1000) {
		m := newMadhouse(seed)
		for range 25 {
			m.now = m.now.Add(time.Duration(1+m.random.IntN([]int{10, 10, 900}[m.random.IntN(3)])) * time.Second)
			for _, p := range m.groups {
				m.lie(p)
				_, trips := m.treat(p, m.offers())
				for _, trip := range trips {
					tripped[trip.Budget.span()]++
				}
				for _, b := range m.budgets(p) {
					if wrong := excess(b); wrong != "" {
						t.Fatalf("seed %d, %s, %s: %s", seed, m.now.Format(time.TimeOnly), b.Scope, wrong)
					}
				}
			}
		}
		for _, d := range m.done {
			moves += d.Moves
		}
	}
	if tripped[Hour] < 1000 || tripped[Minute] < 1000 || moves < 1000 {
		t.Errorf("the breaker was put to the test only so often: %v; moves were made %d times", tripped, moves)
	}
}

// free is a price that no limit on spending minds.
func free(plan.Action) money.Price { return 0 }

// spent is a scope's allowances with the same used of each span.
func spent(list []Allowance, used Churn) []Allowance {
	Use(list, func(time.Duration) (Churn, time.Time) { return used, morning.Add(time.Minute) })
	return list
}

func TestARecoveryOfAWholeFleetIsNeverHeldBack(t *testing.T) {
	t.Parallel()
	for target := 1; target <= 200; target++ {
		lost := plan.Decision{Actions: []plan.Action{{Verb: plan.LaunchVerb, Count: target, Reason: plan.ReasonInterruption}}}
		for _, size := range [][]Allowance{ForGroup("sig-1", Size{Target: target, Living: target}), ForAccount("act-1", Size{Target: target, Living: target})} {
			hour, minute := spent(size[:1], Churn{Launches: 5 * target, Departures: 5 * target}), spent(size[1:], Churn{Launches: target})
			if _, trips := Limit(lost, slices.Concat(hour, minute), plan.Observed{}, free, ""); len(trips) > 0 {
				t.Fatalf("a fleet of %d that starts and is lost five times within an hour, and as a whole within the minute in which it started: %s", target, trips[0])
			}
		}
	}
}

func TestNobodyLaunchesTheHoursBudgetInOneMinute(t *testing.T) {
	t.Parallel()
	d := plan.Decision{Actions: []plan.Action{{Verb: plan.LaunchVerb, Count: 30, Reason: plan.ReasonUnhealthy}}}
	after, trips := Limit(d, spent(ForGroup("sig-1", Size{Target: 40}), Churn{Launches: 70}), plan.Observed{}, free, "")
	want := "The breaker holds back 20 more: group sig-1 has used 70 of the 80 launches that it may make within a minute, which opens again from 09:01:00 on."
	if len(trips) != 1 || trips[0].String() != want || after.Actions[0].Count != 10 || !after.Next.Equal(morning.Add(time.Minute)) {
		t.Errorf("trips %v, left %+v, next look %s", trips, after.Actions, after.Next)
	}
}

func TestADecisionOfATimeWithoutMinutesIsLimitedAsItWas(t *testing.T) {
	t.Parallel()
	const kept = `[{"scope":"group sig-1","limit":{"moves":10,"launches":20,"departures":20},"used":{"launches":12}},
		{"scope":"account act-1","limit":{"moves":50,"launches":100,"departures":100,"spend":1000000},"used":{"launches":12,"spend":700000}}]`
	var budgets []Allowance
	if err := json.Unmarshal([]byte(kept), &budgets); err != nil {
		t.Fatal(err)
	}
	d := plan.Decision{Actions: []plan.Action{{Verb: plan.LaunchVerb, Count: 20, Reason: plan.ReasonCapacity}}}
	after, trips := Limit(d, budgets, plan.Observed{}, func(plan.Action) money.Price { return 100_000 }, "")
	if len(trips) != 2 || trips[0].Left != 12 || trips[1].Left != 5 || after.Actions[0].Count != 3 {
		t.Errorf("trips %+v, left %+v", trips, after.Actions)
	}
	if again, err := json.Marshal(budgets); err != nil || strings.Contains(string(again), "span") {
		t.Errorf("written again: %s, %v", again, err)
	}
}

func TestMovesFreezeWhileRecoveryGoesOn(t *testing.T) {
	t.Parallel()
	b := spent(ForGroup("sig-1", Size{Target: 10, Living: 10}), Churn{Moves: 28})
	d := plan.Decision{Actions: []plan.Action{
		{Verb: plan.LaunchVerb, Count: 5, Reason: plan.ReasonCheaper, Replaces: []string{"i-1", "i-2", "i-3", "i-4", "i-5"}},
		{Verb: plan.LaunchVerb, Count: 10, Reason: plan.ReasonUnhealthy},
	}}
	after, trips := Limit(d, b, plan.Observed{}, free, "")
	if after.Actions[0].Count != 2 || len(after.Actions[0].Replaces) != 2 || after.Actions[1].Count != 10 {
		t.Errorf("what is left: %+v", after.Actions)
	}
	want := "The breaker holds back 3 more: group sig-1 has used 28 of the 30 moves that it may make within an hour, which opens again from 09:01:00 on."
	if len(trips) != 1 || trips[0].String() != want || !after.Next.Equal(morning.Add(time.Minute)) {
		t.Errorf("trips %v, next look %s", trips, after.Next)
	}
	if d.Actions[0].Count != 5 {
		t.Error("the planner's own decision was changed")
	}
}

func TestWhatTheCloudTakesAndThePersonWantsGoesWhateverTheBudget(t *testing.T) {
	t.Parallel()
	b := []Allowance{{Scope: "group sig-1"}} // nothing is left of anything
	d := plan.Decision{Actions: []plan.Action{
		{Verb: plan.DrainVerb, Instance: "i-1", Reason: plan.ReasonInterruption},
		{Verb: plan.DrainVerb, Instance: "i-2", Reason: plan.ReasonDetach},
		{Verb: plan.TerminateVerb, Instance: "i-3", Reason: plan.ReasonUnhealthy}, // it drains already
		{Verb: plan.DrainVerb, Instance: "i-4", Reason: plan.ReasonUnhealthy},
		{Verb: plan.LaunchVerb, Count: 1, Reason: plan.ReasonUnhealthy},
	}}
	seen := plan.Observed{Instances: []plan.Instance{{ID: "i-3", Phase: plan.Draining}, {ID: "i-4", Phase: plan.Running}}}
	after, trips := Limit(d, b, seen, free, "")
	var left []string
	for _, a := range after.Actions {
		left = append(left, a.Instance)
	}
	if got := strings.Join(left, " "); got != "i-1 i-2 i-3" || len(trips) != 2 {
		t.Errorf("left %s, trips %v", got, trips)
	}
}

func TestALimitOnSpendingStopsTheLaunchThatWouldPassIt(t *testing.T) {
	t.Parallel()
	size := Size{Target: 10, Living: 10, Spend: 1_000_000}
	for scope, list := range map[string][]Allowance{
		"account act-1": slices.Concat(ForGroup("sig-1", Size{Target: 10}), ForAccount("act-1", size)),
		"group sig-1":   slices.Concat(ForGroup("sig-1", size), ForAccount("act-1", Size{Target: 10})),
	} {
		for _, why := range []plan.Reason{plan.ReasonCapacity, plan.ReasonCheaper} {
			d := plan.Decision{Actions: []plan.Action{{Verb: plan.LaunchVerb, Count: 10, Reason: why}}}
			after, trips := Limit(d, spent(list, Churn{Spend: 700_000}), plan.Observed{}, func(plan.Action) money.Price { return 100_000 }, "")
			want := "The breaker holds back 7 more: " + scope + " has used $0.70/h of the $1.00/h new cost that it may make within an hour, which opens again from 09:01:00 on."
			if after.Actions[0].Count != 3 || len(trips) != 1 || trips[0].String() != want {
				t.Errorf("launches %d: %v", after.Actions[0].Count, trips)
			}
		}
	}
}

func TestMovesThatAreHeldSayWhyAndNothingElseChanges(t *testing.T) {
	t.Parallel()
	d := plan.Decision{Summary: "before", Actions: []plan.Action{{Verb: plan.LaunchVerb, Count: 2, Reason: plan.ReasonRevert}}}
	open := ForGroup("sig-1", Size{Target: 10, Living: 10})
	after, trips := Limit(d, open, plan.Observed{}, free, "the reason.")
	if len(after.Actions) != 0 || len(trips) != 0 || !strings.Contains(after.Summary, "2 moves that would save money wait: the reason.") {
		t.Errorf("%+v %v", after, trips)
	}
	if same, _ := Limit(d, open, plan.Observed{}, free, ""); same.Summary != "before" {
		t.Errorf("a decision within its budget was changed: %+v", same)
	}
}
