package capacity

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
)

// FormName is stored with every group that holds the machines of a lane.
const FormName = "batch/lane"

// Form reads the documents of lanes' groups. Nobody but this package writes them. Its methods are pure.
type Form struct{}

var _ fleet.Form = Form{}

// document is a lane's group as it is to be.
type document struct {
	Name      string          `json:"name"`
	Cloud     string          `json:"cloud"`
	Region    string          `json:"region"`
	Queue     string          `json:"queue"`
	Class     string          `json:"class,omitempty"`
	Lifecycle cloud.Lifecycle `json:"lifecycle"`
	Zones     []string        `json:"zones"`
	Types     []string        `json:"types,omitempty"`
	Capacity  numbers         `json:"capacity"` // in vCPUs
	Template  plan.Template   `json:"template"`
}

type numbers struct {
	Target  int `json:"target"`
	Maximum int `json:"maximum"`
}

// Name is FormName.
func (Form) Name() string { return FormName }

// Prefix is that of group ids.
func (Form) Prefix() string { return "lane" }

// leaveFor is how long work may go on when a machine has to leave: as long as the cloud's notice lasts.
const leaveFor = 2 * time.Minute

// Compile makes the intent. Machines with work are not moved, neither for their price nor for a signal: hence the rule that waits for real interruptions, and the consent that moves
// would need. What is on spot falls back to nothing: its jobs can wait, and those that can't are placed on demand.
func (Form) Compile(text json.RawMessage) (fleet.Intent, string, []string, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return fleet.Intent{}, "", nil, fault.Field("lane", "This is no document of a lane.").With(err)
	}
	if d.Region == "" || d.Capacity.Target < 0 || d.Capacity.Maximum < d.Capacity.Target {
		return fleet.Intent{}, "", nil, fault.Field("lane", "A lane needs a region, and a capacity from 0 to its maximum.")
	}
	intent := fleet.Intent{
		Region: d.Region, Product: product,
		Capacity:    fleet.Capacity{Target: d.Capacity.Target, Max: d.Capacity.Maximum, Unit: plan.Weight},
		Mix:         plan.Mix{OnDemandCount: -1, RoundSpotUp: true, IsAllPersisted: true},
		Choice:      plan.Choice{Rule: plan.AvailabilityOriented, Zones: d.Zones},
		Replacement: plan.Replacement{Revert: plan.RevertNever},
		Drain:       leaveFor,
		NewestFirst: true,
		Template:    d.Template,
	}
	if d.Lifecycle == cloud.Spot {
		intent.Mix.SpotPercent, intent.Choice.SpotTypes = 100, d.Types
	} else {
		intent.Choice.OnDemandTypes = d.Types
	}
	return intent, d.Name, nil, nil
}

// SetCapacity rewrites the target and the maximum.
func (Form) SetCapacity(text json.RawMessage, c fleet.Capacity) (json.RawMessage, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fault.Field("lane", "This is no document of a lane.").With(err)
	}
	d.Capacity = numbers{Target: c.Target, Maximum: max(c.Target, c.Max)}
	return d.encoded()
}

func (d document) encoded() (json.RawMessage, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode lane %s: %w", d.Name, err)
	}
	return text, nil
}

func read(text json.RawMessage) (d document, err error) {
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("read a lane's document: %w", err)
	}
	return d, nil
}

// isLike reports whether two documents say the same.
func (d document) isLike(other document) bool { return reflect.DeepEqual(d, other) }
