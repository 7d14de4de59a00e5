package cloud

import (
	"context"
	"time"
)

// ScalingGroup is a group of instances that the cloud itself keeps at a size, such as an Auto Scaling group.
type ScalingGroup struct {
	Name   string `json:"name"`
	Region string `json:"region"`
	ScalingSize
	Zones     []string          `json:"zones,omitempty"`
	Subnets   []string          `json:"subnets,omitempty"`
	Types     []string          `json:"types,omitempty"`   // that it may launch, the preferred ones first; none when the cloud picks them by attributes
	Weights   map[string]int    `json:"weights,omitempty"` // what one instance of a type counts for in the size; a type that is not here counts 1
	Template  Template          `json:"template"`          // empty when the group's own is deleted; what differs per type is left out
	Mix       ScalingMix        `json:"mix"`
	Health    ScalingHealth     `json:"health"`
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

// ScalingHealth is what a scaling group replaces its members by.
type ScalingHealth struct {
	Checks []string      `json:"checks,omitempty"` // in the cloud's own words: "EC2", "ELB", …
	Grace  time.Duration `json:"grace"`            // that a new member is left alone for
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

// Scaler is the ability to see the cloud's own scaling groups and to take over from them. To change a group that is not there is a *Refusal of kind Unknown; what
// a group's own limits do not allow, or an instance that is not a member, one of kind BadRequest.
type Scaler interface {
	// ScalingGroups lists the groups of a region by name, or those with these names; a name that the cloud does not know is left out.
	ScalingGroups(ctx context.Context, region string, names []string) ([]ScalingGroup, error)
	// ResizeScaling sets all three sizes at once.
	ResizeScaling(ctx context.Context, region, name string, size ScalingSize) error
	// SuspendScaling stops processes of a group, and ResumeScaling starts them again; none = all of them. What stands still, or runs, already is no error.
	SuspendScaling(ctx context.Context, region, name string, processes []string) error
	ResumeScaling(ctx context.Context, region, name string, processes []string) error
	// DetachScaling takes instances out of a group and lets them run; the group's desired size shrinks by as many, or else the group replaces them. After an error
	// some may be out already: the group's members tell.
	DetachScaling(ctx context.Context, region, name string, instances []string, shrink bool) error
}
