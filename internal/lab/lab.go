// Package lab is the laboratory: it replays markets, recorded or simulated, and measures what a policy makes of them.
//
// It owns the nouns that its rooms share: Workload, Outcome and what they consist of. The rooms: trace reads recordings, world turns them into capacity that can
// be bought and lost, replay runs a fleet in a world through the production planner, job runs work that ends, optimum knows the future, report shows outcomes,
// study composes them all.
// It must not know stores, dialects or real clouds. Start reading at Workload and Outcome.
package lab

import (
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// Policies that a replay may compare, as they are spelled on the command line.
const (
	PolicyNeap                   = "neap"                     // the production planner with the model
	PolicyLowestPrice            = "lowest-price"             // the cheapest open market at the moment
	PolicyCapacityOptimized      = "capacity-optimized"       // the deepest market, whatever it costs
	PolicyPriceCapacityOptimized = "price-capacity-optimized" // the cheapest among the deepest
	PolicyAutoSpotting           = "autospotting"             // types at least as large, by price; back from on demand every few minutes
	PolicyOnDemand               = "on-demand"                // never spot
	PolicyUniformProgress        = "uniform-progress"         // jobs only: NSDI'24
	PolicyHindsight              = "hindsight"                // sees the whole future: a bound, not a policy anybody could follow
)

// Outcome is what a policy made of a workload in a world.
type Outcome struct {
	Policy string
	Bound  bool // no run but a bound: Cost is what no policy can undercut, and whatever else is zero is unknown

	Cost     money.Amount // what the instances cost, by the second, at the price of the moment
	OnDemand money.Amount // what the target alone would have cost on demand, of the cheapest type that the workload may use

	CapacityHours float64 // instance-hours that served
	TargetHours   float64 // instance-hours that were wanted
	ShortHours    float64 // of these, without an instance that served
	SpotHours     float64 // instance-hours paid for on spot …
	DemandHours   float64 // … and on demand

	Forced    int // instances that the cloud took
	Voluntary int // instances that the policy replaced by its own wish while they served
	Moves     []Move
	Launches  int
	Refusals  int // launches that found no capacity

	Jobs, Missed int // jobs, and those that missed their deadline

	Timeline []Sample
	Worst    []Storm // every loss of a pool, as its replacements came
}

// Move is one voluntary move: what it promised and what became of it.
type Move struct {
	At               time.Time
	From, To         string       // "type zone lifecycle"
	Count            int          // instances
	Promised, AtRisk money.Amount // as the planner stated them
	Saved            money.Amount // over the horizon that the planner stated, or until the new instance ended; negative when it cost
}

// Storm is the loss of instances of one pool within minutes of each other.
type Storm struct {
	At     time.Time
	Pool   string
	Lost   int
	Lowest int           // instances that served at the worst moment
	Floor  int           // instances on demand that the intent keeps
	Slow   time.Duration // longest time between a notice and the request for a replacement
}

// Sample is the state at one moment; a timeline has about a thousand.
type Sample struct {
	At           time.Time
	Target       int
	Serving      int
	Spot, Demand int         // instances that are paid for
	Price        money.Price // of all of them
}

// Interruptions are forced and voluntary ones together.
func (o Outcome) Interruptions() int { return o.Forced + o.Voluntary }

// PerThousandHours is how many interruptions an instance-hour met, times 1,000.
func (o Outcome) PerThousandHours() float64 {
	if hours := o.SpotHours + o.DemandHours; hours > 0 {
		return float64(o.Interruptions()) * 1000 / hours
	}
	return 0
}

// DemandShare is the part of the paid instance-hours that was on demand.
func (o Outcome) DemandShare() float64 {
	if hours := o.SpotHours + o.DemandHours; hours > 0 {
		return o.DemandHours / hours
	}
	return 0
}
