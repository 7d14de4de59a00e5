package instance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/store"
)

// FormName is stored with every group that a task has.
const FormName = "batch/instance"

const prefix = "job"

// Sealer encrypts secrets for the database; identity satisfies it.
type Sealer interface {
	Seal(plain []byte, use string) ([]byte, error)
	Open(sealed []byte, use string) ([]byte, error)
}

// Form is how tasks' groups are written down. Their user data stand in no document: the fleet room asks for them when it launches.
type Form struct {
	DB      *store.DB
	Secrets Sealer
}

// document is a task's group, small and without secrets.
type document struct {
	Task     string   `json:"task"`
	Region   string   `json:"region"`
	Zones    []string `json:"zones"`
	Image    string   `json:"image"`
	Type     string   `json:"type"`
	OnDemand bool     `json:"onDemand,omitempty"`
	FallBack bool     `json:"fallBack,omitempty"`
	Tags     []tag    `json:"tags,omitempty"` // by key
}

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// wanted is what the cloud is asked for, for people.
func (d document) wanted() string {
	kind := "a spot"
	if d.OnDemand {
		kind = "an on-demand"
	}
	return fmt.Sprintf("%s %s in %s", kind, d.Type, d.Region)
}

// Name is FormName.
func (Form) Name() string { return FormName }

// Prefix is that of the groups' ids, behind which the task's stands.
func (Form) Prefix() string { return prefix }

// Compile reads a document of this package's own; whoever changes it otherwise is refused.
func (Form) Compile(text json.RawMessage) (fleet.Intent, string, []string, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return fleet.Intent{}, "", nil, fault.Of(fault.Invalid, "group", "This is not the group of a job's instance.").With(err)
	}
	if d.Task == "" || d.Region == "" || len(d.Zones) == 0 || d.Image == "" || d.Type == "" {
		return fleet.Intent{}, "", nil, fault.Of(fault.Invalid, "group", "The group of a job's instance needs a task, a region with zones, an image and a type.")
	}
	intent := fleet.Intent{
		Region: d.Region, Product: catalog.Linux, OneTime: true,
		Capacity: plan.Capacity{Target: 1, Max: 1, Unit: plan.Instances},
		Mix:      plan.Mix{OnDemandCount: -1, SpotPercent: 100, FallbackToOD: d.FallBack},
		Choice:   plan.Choice{Rule: plan.Balanced, SpotTypes: []string{d.Type}, OnDemandTypes: []string{d.Type}, Zones: d.Zones},
		Template: plan.Template{Image: d.Image, Shutdown: cloud.ShutdownTerminates},
	}
	if d.OnDemand {
		intent.Mix = plan.Mix{OnDemandCount: 1}
	}
	for _, t := range d.Tags {
		intent.Template.Tags = append(intent.Template.Tags, plan.Tag{Key: t.Key, Value: t.Value})
	}
	return intent, d.Task, nil, nil
}

// SetCapacity refuses: a job has one instance.
func (Form) SetCapacity(json.RawMessage, fleet.Capacity) (json.RawMessage, error) {
	return nil, fault.Of(fault.Conflict, "capacity", "This is the instance of a job: there is one, once. Submit another job instead.")
}

// use binds sealed user data to their task.
func use(task string) string { return "user data of task " + task }

func (f Form) seal(task, userData string) ([]byte, error) {
	return f.Secrets.Seal([]byte(userData), use(task))
}

// UserData are those of the group's task.
func (f Form) UserData(ctx context.Context, account, group string) ([]byte, error) {
	id, is := taskOf(group)
	if !is {
		return nil, fmt.Errorf("%s is no group of a task", group)
	}
	d, err := secrets.Get(ctx, f.DB, store.Account(account), secretID(id))
	if err != nil {
		return nil, err
	}
	return f.Secrets.Open(d.Value.Sealed, use(id))
}

// tagsOf are labels in the order of their keys.
func tagsOf(labels map[string]string) (tags []tag) {
	for key, value := range labels {
		tags = append(tags, tag{key, value})
	}
	slices.SortFunc(tags, func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
	return tags
}

var (
	_ fleet.Form      = Form{}
	_ fleet.Confidant = Form{}
)
