package plan

import (
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// Version names the planner's rules. Raise it whenever the same inputs may give another plan: replay says which version decided.
const Version = "2"

// Reason is why an action is taken; each has one sentence for people and one spelling for the wire.
type Reason string

const (
	ReasonCapacity     Reason = "capacity"     // below target
	ReasonScaleIn      Reason = "scaleIn"      // above target
	ReasonInterruption Reason = "interruption" // the cloud took or is taking the instance
	ReasonRebalance    Reason = "rebalance"    // preventive: risk is elevated
	ReasonUnhealthy    Reason = "unhealthy"    // failed its health check
	ReasonRevert       Reason = "revertToSpot" // fixing strategy: on demand where spot is wanted
	ReasonCheaper      Reason = "cheaperSpot"  // a cheaper spot market opened
	ReasonDetach       Reason = "detach"       // asked for by the user
	ReasonReplaced     Reason = "replaced"     // its replacement is in service
	ReasonDelete       Reason = "delete"       // the fleet is being deleted
	ReasonFallback     Reason = "fallback"     // no spot market was available
	ReasonVolatile     Reason = "volatileSpot" // spot is lost so often that it would cost more than on demand
	ReasonEvacuation   Reason = "evacuation"   // the cloud takes others of its pool, at short notice
	ReasonLost         Reason = "lost"         // it ended without our wish: from outside, or on its own
)

// Verb is what an action does.
type Verb string

const (
	LaunchVerb    Verb = "launch"
	DrainVerb     Verb = "drain"
	TerminateVerb Verb = "terminate"
)

// Action is one thing to do. Launches have a pool and a count; drain and terminate have an instance.
type Action struct {
	Verb       Verb      `json:"verb"`
	Type       string    `json:"type,omitempty"`
	Zone       string    `json:"zone,omitempty"`
	Lifecycle  Lifecycle `json:"lifecycle,omitempty"`
	Count      int       `json:"count,omitempty"`
	Replaces   []string  `json:"replaces,omitempty"` // instances whose place this launch takes, at most Count
	Instance   string    `json:"instance,omitempty"`
	DrainUntil time.Time `json:"drainUntil,omitzero"`
	Reason     Reason    `json:"reason"`
	Because    string    `json:"because"`         // one sentence for a person
	Worth      *Worth    `json:"worth,omitempty"` // of a voluntary move
}

// Worth is what the voluntary move of one instance promises, and what it may lose, within Within.
type Worth struct {
	Saves  money.Amount  `json:"saves"`
	Risks  money.Amount  `json:"risks"` // above zero: at worst it costs so much more than to stay
	Within time.Duration `json:"within"`
}

// Option is a market that was weighed, with the terms of its expected cost, cheapest first.
type Option struct {
	Type      string      `json:"type"`
	Zone      string      `json:"zone"`
	Lifecycle Lifecycle   `json:"lifecycle"`
	Price     money.Price `json:"price"`
	Risk      float64     `json:"risk"`             // chance of interruption within 30 days
	Hazard    float64     `json:"hazard,omitempty"` // interruptions per hour that an instance bought now may expect
	Cost      money.Price `json:"cost"`             // the sum of Costs, before anything was bought in this plan
	Costs     Costs       `json:"costs"`
	Last      bool        `json:"last,omitempty"`     // it is taken only when no other is left, whatever it costs
	Chosen    int         `json:"chosen,omitempty"`   // how many were taken here
	Rejected  string      `json:"rejected,omitempty"` // why it could not be taken
}

// Costs are the terms of an expected cost, per unit and hour; see cost.go.
type Costs struct {
	Price  money.Price `json:"price"`  // of a unit, now
	Loss   money.Price `json:"loss"`   // what interruptions cost: for a while old and new are both paid
	Care   money.Price `json:"care"`   // what the rule would pay to be spared them
	Spread money.Price `json:"spread"` // what the rule would pay not to hold more here
}

// Decision is a plan with its reasons. The same inputs give the same bytes.
type Decision struct {
	Version string    `json:"version"`
	Summary string    `json:"summary"`           // one sentence: what is done and why; or why nothing is done
	Actions []Action  `json:"actions"`           // in the order they are to be carried out
	Options []Option  `json:"options,omitempty"` // weighed only when something is bought; the best 20, and every one that was chosen
	Short   int       `json:"short,omitempty"`   // units that could not be bought anywhere
	Notes   []string  `json:"notes,omitempty"`   // what was skipped, and why
	Next    time.Time `json:"next,omitzero"`     // when to plan again although nothing changed
}
