package cloud

import "context"

// ScalingGroup is a group of instances that the cloud itself keeps at a size, such as an Auto Scaling group.
type ScalingGroup struct {
	Name   string `json:"name"`
	Region string `json:"region"`
	ScalingSize
	Zones     []string          `json:"zones,omitempty"`
	Subnets   []string          `json:"subnets,omitempty"`
	Types     []string          `json:"types,omitempty"` // that it may launch, the preferred ones first
	Template  Template          `json:"template"`
	Mix       ScalingMix        `json:"mix"`
	Suspended []string          `json:"suspended,omitempty"` // processes that stand still: "Launch", "Terminate", "ReplaceUnhealthy", …
	Balancers []string          `json:"balancers,omitempty"` // classic load balancers, by name
	Targets   []string          `json:"targets,omitempty"`   // target groups, by ARN
	Members   []ScalingMember   `json:"members,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
}

// ScalingSize is how large a scaling group is to be.
type ScalingSize struct {
	Min     int `json:"min"`
	Max     int `json:"max"`
	Desired int `json:"desired"`
}

// ScalingMix is how a scaling group divides its capacity between on demand and spot.
type ScalingMix struct {
	Base            int    `json:"base"`               // instances that are on demand in any case
	OnDemandPercent int    `json:"onDemandPercent"`    // of those above the base
	Strategy        string `json:"strategy,omitempty"` // for spot, in the cloud's own words
}

// ScalingMember is one instance of a scaling group, as the group sees it.
type ScalingMember struct {
	Instance  string `json:"instance"`
	Zone      string `json:"zone"`
	Type      string `json:"type"`
	State     string `json:"state"` // the group's own life cycle: "InService", "Standby", …
	Healthy   bool   `json:"healthy"`
	Protected bool   `json:"protected,omitempty"` // from scale-in
}

// Scaler is the ability to see the cloud's own scaling groups and to take over from them. An unknown group is a *Refusal of kind Unknown.
type Scaler interface {
	// ScalingGroups lists the groups of a region, or those with these names, by name.
	ScalingGroups(ctx context.Context, region string, names []string) ([]ScalingGroup, error)
	ResizeScaling(ctx context.Context, region, name string, size ScalingSize) error
	// SuspendScaling stops processes of a group, and ResumeScaling starts them again; none = all of them.
	SuspendScaling(ctx context.Context, region, name string, processes []string) error
	ResumeScaling(ctx context.Context, region, name string, processes []string) error
	// DetachScaling takes instances out of a group and lets them run; the group's desired size shrinks by as many, or else the group replaces them.
	DetachScaling(ctx context.Context, region, name string, instances []string, shrink bool) error
}
