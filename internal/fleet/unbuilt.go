// Package fleet keeps groups of instances as they are intended to be.
//
// It owns groups, their revisions, instances and actions, and the loop that plans and acts; fleet/plan is its pure core. It must not know any
// dialect's documents: a Form compiles them. Start reading at Fleet and turn.go.
package fleet

import (
	"context"
	"encoding/json"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/plan"
)

// The nouns of the pure core.
type (
	Intent   = plan.Intent
	Capacity = plan.Capacity
)

// Form is one dialect's way to write a group down. All methods are pure.
type Form interface {
	// Name is stored with each group: "spot/elastigroup/aws".
	Name() string
	// Prefix is that of new ids: "sig".
	Prefix() string
	// Compile reads a complete, schema-valid document. Every fault is a *fault.Error with the field's path as the client writes it. unbuilt lists the paths of fields
	// that are kept and echoed but not acted on yet.
	Compile(document json.RawMessage) (intent Intent, name string, unbuilt []string, err error)
	// SetCapacity rewrites the document's capacity and nothing else.
	SetCapacity(document json.RawMessage, c Capacity) (json.RawMessage, error)
}

// Group is a fleet as its owner wrote it down.
type Group struct {
	ID       string
	Account  string
	Name     string
	Form     string
	Document json.RawMessage // as sent, with every later change merged in
	Revision int
	Author   string
	Deleting bool
	Created  time.Time // engine time
	Updated  time.Time
}

// Instance is one member as the engine knows it.
type Instance struct {
	plan.Instance
	Group     string
	Account   string
	Request   string // spot request id, "" on demand
	Market    cloud.Market
	Cloud     cloud.State
	PrivateIP string
	PublicIP  string
	Subnet    string
	Launch    string // the action that launched it
	Created   time.Time
	Ended     time.Time
}

// Fleet is the room's face. Every method takes the caller's account and reads like a missing object when the thing is another's.
// Methods that change something honour store.WithDryRun and leave the plan's id in op.CallOf(ctx).Decision.
type Fleet struct{}

func (f *Fleet) Create(ctx context.Context, account, author, form string, document json.RawMessage) (Group, error) {
	panic("unbuilt")
}
func (f *Fleet) Get(ctx context.Context, account, id string) (Group, error) { panic("unbuilt") }

// List gives all groups of a form, oldest first.
func (f *Fleet) List(ctx context.Context, account, form string) ([]Group, error) { panic("unbuilt") }

// Update replaces the document by what edit makes of it, as a new revision. edit may run more than once.
func (f *Fleet) Update(ctx context.Context, account, author, id string, edit func(json.RawMessage) (json.RawMessage, error)) (Group, error) {
	panic("unbuilt")
}

// Delete winds the group down; it reads as missing from then on.
func (f *Fleet) Delete(ctx context.Context, account, author, id string) error { panic("unbuilt") }

// AccountOf and AccountOfInstance serve authorisation.
func (f *Fleet) AccountOf(ctx context.Context, id string) (string, error) { panic("unbuilt") }
func (f *Fleet) AccountOfInstance(ctx context.Context, instance string) (string, error) {
	panic("unbuilt")
}

// Instances are the group's members that have not ended, oldest first; with open launches as instances without ID.
func (f *Fleet) Instances(ctx context.Context, account, id string) ([]Instance, error) {
	panic("unbuilt")
}
func (f *Fleet) Instance(ctx context.Context, account, instance string) (Instance, error) {
	panic("unbuilt")
}

// SetCapacity changes the numbers that are given.
func (f *Fleet) SetCapacity(ctx context.Context, account, author, id string, target, min, max *int) (Capacity, error) {
	panic("unbuilt")
}

// Scaled is what a scale call set in motion.
type Scaled struct {
	Launched []Instance
	Victims  []Instance
}

// Scale moves the target by delta, clamped to the bounds; fault.Invalid when nothing can change. Unless async it waits, up to a few seconds, for the engine's answer.
func (f *Fleet) Scale(ctx context.Context, account, author, id string, delta int, async bool) (Scaled, error) {
	panic("unbuilt")
}

// Lock protects an instance from scale-in and voluntary moves, for ttl or (nil) until Unlock.
func (f *Fleet) Lock(ctx context.Context, account, instance string, ttl *time.Duration) (Instance, error) {
	panic("unbuilt")
}
func (f *Fleet) Unlock(ctx context.Context, account, instance string) (Instance, error) {
	panic("unbuilt")
}

// Detach takes instances out of a group.
type Detach struct {
	Instances []string
	Terminate bool
	Decrement bool           // lower the target by as many, so that nothing replaces them
	Drain     *time.Duration // nil = the group's
}

func (f *Fleet) Detach(ctx context.Context, account, author, id string, d Detach) error {
	panic("unbuilt")
}

// Interrupt interrupts spot instances as the cloud would. Only clouds that can (cloud.Interrupter) take it.
func (f *Fleet) Interrupt(ctx context.Context, account, author string, instances []string) error {
	panic("unbuilt")
}
