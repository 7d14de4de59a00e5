// Package plan decides what a fleet should do next. It is pure: no I/O, no clock, no randomness, no dependence on map order.
//
// It owns Intent (what is wanted), Observed (what is), Market (where one can buy), and Decision (what to do and why).
// It imports layer 0 only and must not know dialects, stores or clouds. Start reading at Plan in plan.go.
package plan

import (
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// Intent is a fleet as it should be, whatever dialect asked for it. It is compiled from a stored document and never stored itself.
type Intent struct {
	Region       string
	Product      string // "Linux/UNIX", "Windows", …
	Capacity     Capacity
	Mix          Mix
	Choice       Choice
	Replacement  Replacement
	Health       Health
	Drain        time.Duration // between leaving the balancers and termination
	NewestFirst  bool          // scale-in takes the newest instead of the oldest
	Template     Template
	MinLifetime  time.Duration // prefer markets that are likely to last this long; never a guarantee
	OneTime      bool          `json:",omitempty"` // one instance, launched once: nothing replaces, moves or evacuates it, and the cloud alone ends it early
	MaxMovesPart int           // percent of active instances that may be replaced at one time, at least one; 0 = the planner's own budgets, see budget.go
}

// Unit is what capacity counts.
type Unit string

const (
	Instances Unit = "instance"
	Weight    Unit = "weight"
)

// Capacity is in instances or in weight units. 0 ≤ Min ≤ Target ≤ Max.
//
// What serves and what is on its way, less what leaves, never exceeds Max: instances that wait for their replacement are counted as leaving, so during a
// replacement more may run for a while. Max is a promise about money, so where no allowed type fits under it the fleet stays short of Target and says so.
type Capacity struct {
	Target, Min, Max int
	Unit             Unit
}

// Mix is the split between spot and on demand.
type Mix struct {
	OnDemandCount  int  // units that stay on demand; -1 = SpotPercent rules
	SpotPercent    int  // 0–100
	RoundSpotUp    bool // AWS rounds the spot share up, Azure down
	FallbackToOD   bool // buy on demand when no spot market is available
	ConsiderOD     bool // on demand wins where it is cheaper than spot
	RestrictOneAZ  bool // the whole fleet in one zone, chosen while nothing runs
	IsAllPersisted bool // the fleet keeps data: revert and moves need consent
}

// Rule is one of the five ways to choose a market.
type Rule string

const (
	Balanced             Rule = "balanced"
	CostOriented         Rule = "costOriented"
	AvailabilityOriented Rule = "availabilityOriented"
	Cheapest             Rule = "cheapest"
	EqualZones           Rule = "equalAzDistribution"
)

// Policy is who weighs the markets.
type Policy string

// The model, and the yardsticks that it is measured against. A yardstick chooses where to buy and nothing else: it moves nothing before the cloud takes it, except back
// to spot; Rule says nothing to it.
const (
	ByModel                  Policy = ""                         // expected cost, by Rule
	ByLowestPrice            Policy = "lowest-price"             // the cheapest open market
	ByCapacityOptimized      Policy = "capacity-optimized"       // the deepest open market
	ByPriceCapacityOptimized Policy = "price-capacity-optimized" // the cheapest of the deepest
)

// Choice is where the fleet may buy and by which rule.
type Choice struct {
	Policy         Policy `json:",omitempty"`
	Rule           Rule
	SpotTypes      []string // in the caller's order
	OnDemandTypes  []string
	PreferredTypes []string // tier 1 of SpotTypes
	Zones          []string
	PreferredZones []string
	Weights        []TypeWeight // units that one instance of a type counts for; unlisted types count VCPUs
}

// TypeWeight is how many capacity units a type is worth.
type TypeWeight struct {
	Type  string
	Units int
}

// RevertMode is when an on-demand fallback goes back to spot.
type RevertMode string

const (
	RevertByRule RevertMode = "" // nothing was said: always, except under AvailabilityOriented and where the fleet keeps data
	RevertAlways RevertMode = "always"
	RevertNever  RevertMode = "never"
	RevertWindow RevertMode = "timeWindow"
)

// Replacement governs voluntary moves.
type Replacement struct {
	Revert        RevertMode
	RevertWindows []Window
}

// Window is a weekly span in UTC, in minutes since Monday 00:00; From > To wraps the end of the week.
type Window struct{ From, To int }

// HealthSource is whose word counts on an instance's health.
type HealthSource string

const (
	HealthNone     HealthSource = ""         // never replaced for health
	HealthInstance HealthSource = "instance" // the cloud's own instance status
)

// Health governs auto-healing.
type Health struct {
	Source       HealthSource
	Grace        time.Duration // after launch; ends early at the first healthy report
	UnhealthyFor time.Duration // how long a once-healthy instance must be unhealthy before it is replaced
	Heal         bool          // false: report only
}

// Template is what every instance gets; Subnets are by zone.
type Template struct {
	Image          string
	KeyPair        string
	SecurityGroups []string
	Subnets        []ZoneSubnets
	UserData       string
	Role           string
	Tenancy        string
	Monitoring     bool
	EBSOptimized   bool
	PublicIP       *bool
	Shutdown       string `json:",omitempty"` // what a shutdown from inside does, in the cloud's words; "" = as the cloud does on its own
	Tags           []Tag  // in the caller's order
}

// ZoneSubnets are the subnets to use in a zone.
type ZoneSubnets struct {
	Zone    string
	Subnets []string
}

// Tag is a key and a value.
type Tag struct{ Key, Value string }

// Lifecycle is how an instance was bought.
type Lifecycle string

const (
	Spot     Lifecycle = "spot"
	OnDemand Lifecycle = "on-demand"
)

// Condition is an instance's health as the source tells it.
type Condition string

const (
	ConditionUnknown Condition = "unknown"
	Healthy          Condition = "healthy"
	Unhealthy        Condition = "unhealthy"
)

// Observed is the fleet as it is.
type Observed struct {
	Deleting  bool          // wind everything down
	Spent     bool          `json:",omitempty"` // of a one-time fleet: its instance has been launched, whatever became of it
	SeenAt    time.Time     `json:",omitzero"`  // when the cloud was asked for it; zero = now
	Notice    time.Duration `json:",omitempty"` // how long before an interruption the cloud tells of it; 0 = usualNotice
	Unseen    []string      `json:",omitempty"` // of Instances, those that it did not show then: what it has not said is not held against them
	Instances []Instance
	Launches  []PendingLaunch
}

// IsLeaving tells instances that are on the way out already.
func (o Observed) IsLeaving(id string) bool {
	return slices.ContainsFunc(o.Instances, func(i Instance) bool { return i.ID == id && (i.Phase == Draining || i.Phase == Terminating) })
}

// Instance is one member as the engine knows it.
type Instance struct {
	ID           string
	Type         string
	Zone         string
	Lifecycle    Lifecycle
	Phase        Phase
	Image        string
	LaunchedAt   time.Time // by the cloud's clock
	KnownAt      time.Time // by ours, when it became known; zero = as LaunchedAt
	LockedUntil  time.Time // protected from scale-in and voluntary moves before this; zero = not locked
	Standby      bool
	Condition    Condition
	ConditionAt  time.Time // since when
	WasHealthy   bool      // was healthy at least once
	InterruptAt  time.Time // announced end; zero = none announced
	RebalanceAt  time.Time // when a rebalance signal came; zero = none
	DrainUntil   time.Time // when a draining instance may be terminated; set beforehand on one that IsLeaving, it overrules Intent.Drain
	ReplacedBy   string    // id of the launch or instance that takes its place, "" = none; it stops counting when that one is gone
	IsLeaving    bool      // detach with termination was asked for: drain and terminate it, no question
	LeaveReason  string    // why it drains or ends: a Reason, or the cloud's word
	SkipReplace  bool      // the target was lowered for it already, so no launch takes its place
	LaunchReason Reason
	VCPUs        int // for weighing a type that is no longer in the market; 0 = unknown
}

// PendingLaunch is a launch that was written down and has not settled.
type PendingLaunch struct {
	Action    string
	Type      string
	Zone      string
	Lifecycle Lifecycle
	Count     int
	Replaces  []string
	Reason    Reason
	VCPUs     int // as in Instance
}

// Market is what can be bought, as one immutable snapshot that holds only the pools this intent may use.
type Market struct {
	Stale bool // prices too old to justify a voluntary move
	Pools []Pool
}

// Pool is one market with what is known about it.
type Pool struct {
	Type      string
	Zone      string
	Lifecycle Lifecycle
	Price     money.Price // current
	OnDemand  money.Price // list price of the same type, the baseline of savings
	VCPUs     int
	Risk      float64   // chance of interruption within 30 days, 0–1; 0 on demand
	Hazard    float64   `json:",omitempty"` // interruptions per hour that an instance bought now may expect; 0 = as Risk says
	Depth     int       `json:",omitempty"` // instances that the pool could still give, as the provider tells; 0 = it does not
	CoolUntil time.Time // refuse to buy before this; zero = open
	Why       string    // why it cools, for people
}

// UnitsOf is what an instance of a type counts for in the capacity: one, or where capacity is in weight units the type's weight as listed, else its vCPUs.
func (i Intent) UnitsOf(typ string, vcpus int) int {
	if i.Capacity.Unit != Weight {
		return 1
	}
	for _, w := range i.Choice.Weights {
		if w.Type == typ {
			return w.Units
		}
	}
	return max(1, vcpus)
}
