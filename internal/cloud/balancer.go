package cloud

import "context"

// BalancerKind tells the kinds of things that instances are registered with.
type BalancerKind string

const (
	ClassicBalancer BalancerKind = "classic"
	TargetGroup     BalancerKind = "targetGroup"
)

// BalancerRef names something that instances are registered with.
type BalancerRef struct {
	Kind BalancerKind `json:"kind"`
	Key  string       `json:"key"` // a classic load balancer's name, a target group's ARN
}

// Balancer is the cloud's account of one of them.
type Balancer struct {
	BalancerRef
	Name    string   `json:"name"`
	Port    int      `json:"port,omitempty"`    // that targets are registered on unless they say another; 0 for a classic one
	Takes   string   `json:"takes,omitempty"`   // what its targets are, in the cloud's own words: "instance", "ip"
	Network string   `json:"network,omitempty"` // its targets have to be in
	Fronts  []string `json:"fronts,omitempty"`  // the ARNs of the load balancers that send to this target group; one without any gets no traffic
}

// Target is what is registered with a balancer: an instance, or where the target group takes addresses an IP.
type Target struct {
	ID   string `json:"id"`
	Port int    `json:"port,omitempty"` // 0 = the target group's own; classic ones have none
	Zone string `json:"zone,omitempty"` // only of an address outside of the balancer's network: its zone, or "all"
}

// TargetState is how a balancer sees a target.
type TargetState string

const (
	TargetHealthy   TargetState = "healthy"
	TargetUnhealthy TargetState = "unhealthy"
	TargetInitial   TargetState = "initial"  // just registered, checks are under way
	TargetDraining  TargetState = "draining" // deregistered, its connections are still served; classic ones do not tell
	TargetUnused    TargetState = "unused"   // not registered, or the balancer uses it not: Reason tells
	TargetUnknown   TargetState = "unknown"  // the balancer does not check, or does not know
)

// TargetHealth is a balancer's view of one target.
type TargetHealth struct {
	Target Target      `json:"target"`
	State  TargetState `json:"state"`
	Reason string      `json:"reason,omitempty"` // the cloud's own code: "Target.FailedHealthChecks"
	Text   string      `json:"text,omitempty"`   // for people
}

// Balancers is the ability to register instances with load balancers. One that is not there is a *Refusal of kind Unknown that says so by name.
type Balancers interface {
	// Balancers gives those that are there, in the order they were asked for; every one that is not there adds a *Refusal of kind Unknown to the joined error.
	Balancers(ctx context.Context, region string, refs []BalancerRef) ([]Balancer, error)
	// RegisterTargets registers targets; one that is registered already stays so. A target that cannot be registered (an instance that is not running, or of another
	// network) is a *Refusal of kind BadRequest. After an error some of more than 100 may be registered.
	RegisterTargets(ctx context.Context, region string, ref BalancerRef, targets []Target) error
	// DeregisterTargets begins to drain targets. One that isn't registered, or is gone, is no error.
	DeregisterTargets(ctx context.Context, region string, ref BalancerRef, targets []Target) error
	// TargetHealth tells about these targets in their order, or about all that are registered. One that isn't registered is TargetUnused.
	TargetHealth(ctx context.Context, region string, ref BalancerRef, targets []Target) ([]TargetHealth, error)
}
