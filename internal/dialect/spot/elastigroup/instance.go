package elastigroup

import (
	"context"
	"encoding/json"
	"time"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/op"
)

type instanceIn struct {
	Instance string `path:"instanceId"`
}

type lockIn struct {
	instanceIn
	TTL *int `query:"ttlInMinutes" doc:"Minutes, at least 1; protected until unlocked when left out."`
}

// longestLock is ten years in minutes: beyond it, a lock without an end says it better.
const longestLock = 10 * 365 * 24 * 60

func (d dialect) lock(ctx context.Context, in lockIn) (spot.Done, error) {
	var ttl *time.Duration
	if in.TTL != nil {
		if *in.TTL < 1 || *in.TTL > longestLock {
			return spot.Done{}, fault.Field("ttlInMinutes", "A lock lasts 1 to %d minutes; leave ttlInMinutes out to lock until unlocked.", longestLock)
		}
		length := time.Duration(*in.TTL) * time.Minute
		ttl = &length
	}
	if err := d.allowed(ctx, in.Instance); err != nil {
		return spot.Done{}, err
	}
	_, err := d.Fleet.Lock(ctx, op.CallOf(ctx).Account, in.Instance, ttl)
	return spot.Done{}, err
}

func (d dialect) unlock(ctx context.Context, in instanceIn) (spot.Done, error) {
	if err := d.allowed(ctx, in.Instance); err != nil {
		return spot.Done{}, err
	}
	_, err := d.Fleet.Unlock(ctx, op.CallOf(ctx).Account, in.Instance)
	return spot.Done{}, err
}

type instanceItem struct {
	ID    string `json:"instanceId"`
	State string `json:"lifeCycleState"`
}

func (d dialect) instance(ctx context.Context, in instanceIn) (spot.Items[instanceItem], error) {
	if err := d.allowed(ctx, in.Instance); err != nil {
		return nil, err
	}
	i, err := d.Fleet.Instance(ctx, op.CallOf(ctx).Account, in.Instance)
	if err != nil {
		return nil, err
	}
	state := "ACTIVE"
	if isLeaving(i) {
		state = "TERMINATING"
	}
	return spot.One(instanceItem{i.ID, state}), nil
}

func isLeaving(i fleet.Instance) bool {
	return i.Phase == plan.Draining || i.Phase == plan.Terminating || i.Phase == plan.Terminated
}

// statusItem is an instance, or an open request that has none yet: then its instanceId is null.
type statusItem struct {
	Request     *string   `json:"spotInstanceRequestId"`
	Instance    *string   `json:"instanceId"`
	Type        string    `json:"instanceType"`
	Product     string    `json:"product"`
	Group       string    `json:"groupId"`
	Zone        string    `json:"availabilityZone"`
	PrivateIP   *string   `json:"privateIp"`
	PublicIP    *string   `json:"publicIp"`
	Created     spot.Time `json:"createdAt"`
	Status      string    `json:"status"`
	LockStatus  string    `json:"lockStatus"`
	LockedUntil spot.Time `json:"protectedUntil"`
}

func (d dialect) status(ctx context.Context, in groupIn) (spot.Items[statusItem], error) {
	instances, err := d.Fleet.Instances(ctx, op.CallOf(ctx).Account, in.Group)
	if err != nil {
		return nil, err
	}
	items := make(spot.Items[statusItem], len(instances))
	for n, i := range instances {
		items[n] = statusOf(i, d.Clock.Now())
	}
	return items, nil
}

func statusOf(i fleet.Instance, now time.Time) statusItem {
	item := statusItem{
		Request: orNull(i.Request), Instance: orNull(i.ID), Type: i.Type, Product: i.Market.Product, Group: i.Group, Zone: i.Zone,
		PrivateIP: orNull(i.PrivateIP), PublicIP: orNull(i.PublicIP), Created: spot.Time(i.Created), LockStatus: "unlocked",
	}
	switch {
	case i.ID == "":
		item.Status = "pending-evaluation"
	case i.Phase == plan.Launching:
		item.Status = "pending-fulfillment"
	case isLeaving(i) || !i.InterruptAt.IsZero():
		item.Status = "marked-for-termination"
	default:
		item.Status = "fulfilled"
	}
	if i.LockedUntil.After(now) {
		item.LockStatus = "locked"
		if !i.IsLockedForever() {
			item.LockedUntil = spot.Time(i.LockedUntil)
		}
	}
	return item
}

type healthItem struct {
	Instance  string  `json:"instanceId"`
	Request   *string `json:"spotRequestId"`
	Group     string  `json:"groupId"`
	Zone      string  `json:"availabilityZone"`
	Lifecycle string  `json:"lifeCycle"`
	Health    string  `json:"healthStatus"` // clients crash on null
}

func (d dialect) health(ctx context.Context, in groupIn) (spot.Items[healthItem], error) {
	instances, err := d.Fleet.Instances(ctx, op.CallOf(ctx).Account, in.Group)
	var items spot.Items[healthItem]
	for _, i := range instances {
		if i.ID != "" {
			items = append(items, healthOf(i))
		}
	}
	return items, err
}

func healthOf(i fleet.Instance) healthItem {
	item := healthItem{Instance: i.ID, Request: orNull(i.Request), Group: i.Group, Zone: i.Zone, Lifecycle: "SPOT", Health: "UNKNOWN"}
	if i.Lifecycle == plan.OnDemand {
		item.Lifecycle = "ON_DEMAND"
	}
	switch {
	case i.Condition == plan.Healthy:
		item.Health = "HEALTHY"
	case i.Condition == plan.Unhealthy:
		item.Health = "UNHEALTHY"
	case i.Phase == plan.Launching:
		item.Health = "INSUFFICIENT_DATA"
	}
	return item
}

type detachIn struct {
	groupIn
	Body op.Document
}

func (d dialect) detach(ctx context.Context, in detachIn) (spot.Done, error) {
	var body struct {
		Instances []string `json:"instancesToDetach"`
		Terminate bool     `json:"shouldTerminateInstances"`
		Decrement bool     `json:"shouldDecrementTargetCapacity"`
		Drain     *count   `json:"drainingTimeout"`
	}
	if err := json.Unmarshal(in.Body, &body); err != nil {
		return spot.Done{}, unreadable(err)
	}
	detach := fleet.Detach{Instances: body.Instances, Terminate: body.Terminate, Decrement: body.Decrement}
	if body.Drain != nil {
		length := time.Duration(*body.Drain) * time.Second
		detach.Drain = &length
	}
	call := op.CallOf(ctx)
	return spot.Done{}, d.Fleet.Detach(ctx, call.Account, author(call), in.Group, detach)
}

type interruptIn struct{ Body op.Document }

func (d dialect) interrupt(ctx context.Context, in interruptIn) (spot.Done, error) {
	var body struct {
		Instances oneOrMany `json:"instancesToInterrupt"`
	}
	if err := json.Unmarshal(in.Body, &body); err != nil {
		return spot.Done{}, unreadable(err)
	}
	for _, id := range body.Instances {
		if err := d.allowed(ctx, id); err != nil {
			return spot.Done{}, err
		}
	}
	call := op.CallOf(ctx)
	return spot.Done{}, d.Fleet.Interrupt(ctx, call.Account, author(call), body.Instances)
}

// oneOrMany is a list of ids that old clients write as a single one.
type oneOrMany []string

// UnmarshalJSON reads a string or a list of them.
func (o *oneOrMany) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*o = oneOrMany{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(o))
}

type spotTypesIn struct {
	Region  string `query:"region" required:"true" doc:"Region, such as us-east-1."`
	Product string `query:"product" default:"Linux/UNIX" doc:"Operating system."`
}

type typeItem struct {
	Type string `json:"instanceType"`
}

func (d dialect) spotTypes(_ context.Context, in spotTypesIn) (spot.Items[typeItem], error) {
	if len(d.Catalog.Zones(in.Region)) == 0 {
		return nil, fault.Field("region", "There is no region %q; use one of %s.", in.Region, quoted(d.Catalog.Regions()))
	}
	var items spot.Items[typeItem]
	for _, offer := range d.Catalog.Offers(in.Region, in.Product) {
		if offer.Spot > 0 {
			items = append(items, typeItem{offer.Type.Name})
		}
	}
	return items, nil
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
