package replay

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/breaker"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/market/model"
)

const (
	product = "Linux/UNIX"
	drain   = 2 * time.Minute // as groups have it that say nothing
)

// run is the state of one run.
type run struct {
	Setup
	intent  plan.Intent
	now     time.Time
	past    *market.Experience
	stalls  []*stall      // by type, zone, lifecycle …
	shelf   []market.Pool // … with what everybody knows of them
	view    []market.Pool // … and with what the account has gone through
	room    []plan.Pool   // for what the planner is offered
	byPlace map[place]*stall

	observed plan.Observed
	machines []*machine // of observed.Instances, each at the same place
	living   map[string]*machine
	lives    []*machine // all there ever were

	happenings happenings
	tickAt     time.Time // when somebody looks next
	wakeAt     time.Time // when a plan asked to be made again; zero = not at all
	toldAt     time.Time // when the experience was told last what is held
	revertedAt time.Time // by PolicyAutoSpotting
	turnsNow   int       // that asked to be made again in this very moment
	changed    bool      // something, since the last plan
	littered   bool      // some of machines have ended

	tally   *breaker.Tally
	tripped bool // the breaker holds back a part of the newest plan
	plans   int
	books   books
	moves   []transfer
	storm   stormWatch
}

func newRun(s Setup) (*run, error) {
	if err := s.complete(); err != nil {
		return nil, err
	}
	r := &run{
		Setup: s, now: s.From, tickAt: s.From, past: market.NewExperience(s.Model), living: map[string]*machine{}, byPlace: map[place]*stall{}, tally: breaker.NewTally(),
	}
	if err := r.furnish(); err != nil {
		return nil, err
	}
	if err := r.setIntent(); err != nil {
		return nil, err
	}
	r.observed.Notice = r.World.Notice
	r.books = newBooks(&r.Setup, r.cheapest().OnDemand)
	return r, nil
}

// complete fills in what is usual, and says what is wrong.
func (s *Setup) complete() error {
	if s.World == nil || len(s.World.Pools) == 0 {
		return fmt.Errorf("the world has no pools: there is nothing to buy in it")
	}
	if s.Workload.Kind != lab.Steady && s.Workload.Kind != lab.Diurnal {
		return fmt.Errorf("the workload %s is no fleet; only %s and %s can be replayed as one", s.Workload, lab.Steady, lab.Diurnal)
	}
	if s.From.IsZero() {
		s.From = s.World.From
	}
	if s.Until.IsZero() {
		s.Until = s.World.Until
	}
	if s.From.Before(s.World.From) || s.Until.After(s.World.Until) || !s.From.Before(s.Until) {
		return fmt.Errorf("the span from %s until %s does not lie in the world %s, which lasts from %s until %s",
			moment(s.From), moment(s.Until), s.World.Name, moment(s.World.From), moment(s.World.Until))
	}
	s.Step, s.Rule, s.Model = cmp.Or(s.Step, usualStep), cmp.Or(s.Rule, plan.Balanced), cmp.Or(s.Model, model.Usual())
	if s.Step < time.Second {
		return fmt.Errorf("a step of %s is too short: take a second at least", s.Step)
	}
	s.From, s.Until = s.From.UTC(), s.Until.UTC()
	return nil
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// setIntent is the fleet as a user would ask for it. Where no spot can be had, every policy buys on demand: else the cheapest one would be to run nothing.
func (r *run) setIntent() error {
	types, zones := r.places()
	in := plan.Intent{
		Region: r.World.Pools[0].Region, Product: product, Drain: drain,
		Capacity: plan.Capacity{Target: r.Workload.Target(r.From), Max: r.Workload.Most, Unit: plan.Instances},
		Mix:      plan.Mix{OnDemandCount: -1, SpotPercent: 100, RoundSpotUp: true, FallbackToOD: true},
		Choice:   plan.Choice{Rule: r.Rule, SpotTypes: types, OnDemandTypes: types, Zones: zones},
	}
	if r.Floor > 0 {
		in.Mix.OnDemandCount = r.Floor
	}
	switch r.Policy {
	case lab.PolicyNeap:
		in.Mix.ConsiderOD = true
	case lab.PolicyLowestPrice:
		in.Choice.Policy = plan.ByLowestPrice
	case lab.PolicyCapacityOptimized:
		in.Choice.Policy = plan.ByCapacityOptimized
	case lab.PolicyPriceCapacityOptimized:
		in.Choice.Policy = plan.ByPriceCapacityOptimized
	case lab.PolicyAutoSpotting:
		in.Choice.Policy = plan.ByLowestPrice
		in.Choice.OnDemandTypes, in.Choice.SpotTypes = r.atLeastAsLarge(types)
	case lab.PolicyOnDemand:
		in.Mix.SpotPercent, in.Mix.OnDemandCount, in.Choice.SpotTypes = 0, -1, nil
	default:
		return fmt.Errorf("the policy %q can't be replayed with a fleet; take one of %s, %s, %s, %s, %s, %s", r.Policy, lab.PolicyNeap, lab.PolicyLowestPrice,
			lab.PolicyCapacityOptimized, lab.PolicyPriceCapacityOptimized, lab.PolicyAutoSpotting, lab.PolicyOnDemand)
	}
	if r.Adjust != nil {
		r.Adjust(&in)
	}
	r.intent = in
	return nil
}

// places are the types and zones of what is sold, in order.
func (r *run) places() (types, zones []string) {
	for _, s := range r.stalls {
		types, zones = append(types, s.in.Type), append(zones, s.in.Zone)
	}
	slices.Sort(zones)
	return slices.Compact(types), slices.Compact(zones)
}

// cheapest is the type that costs least on demand.
func (r *run) cheapest() market.Pool {
	return slices.MinFunc(r.shelf, func(a, b market.Pool) int { return cmp.Compare(a.OnDemand, b.OnDemand) })
}

// atLeastAsLarge are the type of a scaling group, and what may stand in for it on spot.
func (r *run) atLeastAsLarge(types []string) (base, larger []string) {
	own := r.cheapest()
	larger = slices.DeleteFunc(slices.Clone(types), func(typ string) bool {
		return market.Snapshot{Pools: r.shelf}.Of(typ)[0].VCPUs < own.VCPUs
	})
	return []string{own.Market.Type}, larger
}

// autoEvery is how often PolicyAutoSpotting looks for something cheaper than on demand: the tool's own default.
const autoEvery = 5 * time.Minute

// asked is the intent between such looks: the scaling group itself knows on demand only.
func (r *run) asked() plan.Intent {
	in := r.intent
	if r.Policy == lab.PolicyAutoSpotting {
		in.Choice.SpotTypes = nil
	}
	return in
}

func (r *run) isTimeToRevert() bool {
	return r.Policy == lab.PolicyAutoSpotting && !r.now.Before(r.revertedAt.Add(autoEvery))
}

// isYardstick tells policies of others. They get what a provider knows of its pools, and have no breaker.
func (r *run) isYardstick() bool { return r.Policy != lab.PolicyNeap }
