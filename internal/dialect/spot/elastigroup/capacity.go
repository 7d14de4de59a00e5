package elastigroup

import (
	"context"
	"encoding/json"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/op"
)

type capacityIn struct {
	groupIn
	Body op.Document
}

type capacityItem struct {
	Capacity struct {
		Minimum int `json:"minimum"`
		Maximum int `json:"maximum"`
		Target  int `json:"target"`
	} `json:"capacity"`
}

func (d dialect) setCapacity(ctx context.Context, in capacityIn) (spot.Items[capacityItem], error) {
	var body struct {
		Capacity struct {
			Target  *count `json:"target"`
			Minimum *count `json:"minimum"`
			Maximum *count `json:"maximum"`
		} `json:"capacity"`
	}
	if err := json.Unmarshal(in.Body, &body); err != nil {
		return nil, unreadable(err)
	}
	call, wanted := op.CallOf(ctx), body.Capacity
	after, err := d.Fleet.SetCapacity(ctx, call.Account, author(call), in.Group, wanted.Target.number(), wanted.Minimum.number(), wanted.Maximum.number())
	if err != nil {
		return nil, err
	}
	var item capacityItem
	item.Capacity.Minimum, item.Capacity.Maximum, item.Capacity.Target = after.Min, after.Max, after.Target
	return spot.One(item), nil
}

type scaleIn struct {
	groupIn
	Adjustment *int `query:"adjustment" doc:"How many to add or remove, at least 1; 1 when left out."`
	AsyncScale bool `query:"asyncScale" doc:"Answer at once, before the engine has acted."`
	Body       op.Document
}

func (d dialect) scaleUp(ctx context.Context, in scaleIn) (spot.Items[scaleItem], error) {
	return d.scale(ctx, in, +1)
}

func (d dialect) scaleDown(ctx context.Context, in scaleIn) (spot.Items[scaleItem], error) {
	return d.scale(ctx, in, -1)
}

func (d dialect) scale(ctx context.Context, in scaleIn, sign int) (spot.Items[scaleItem], error) {
	step, err := in.step()
	if err != nil {
		return nil, err
	}
	call := op.CallOf(ctx)
	scaled, err := d.Fleet.Scale(ctx, call.Account, author(call), in.Group, sign*step, in.AsyncScale)
	if err != nil {
		return nil, err
	}
	return spot.One(scaleOf(scaled)), nil
}

// step is the adjustment of the query, else that of the body, else 1.
func (in scaleIn) step() (int, error) {
	var body struct {
		Adjustment *count `json:"adjustment"`
	}
	if len(in.Body) > 0 {
		if err := json.Unmarshal(in.Body, &body); err != nil {
			return 0, unreadable(err)
		}
	}
	step := body.Adjustment.or(1)
	if in.Adjustment != nil {
		step = *in.Adjustment
	}
	if step < 1 || step > maxCapacity {
		return 0, fault.Field("adjustment", "An adjustment is 1 to %d, got %d.", maxCapacity, step)
	}
	return step, nil
}

// scaleItem tells spot requests and on-demand instances apart, as clients expect.
type scaleItem struct {
	NewRequests     []scaledItem `json:"newSpotRequests"`
	NewInstances    []scaledItem `json:"newInstances"`
	VictimRequests  []scaledItem `json:"victimSpotRequests"`
	VictimInstances []scaledItem `json:"victimInstances"`
}

type scaledItem struct {
	Request  string `json:"spotInstanceRequestId,omitempty"`
	Instance string `json:"instanceId,omitempty"`
	Zone     string `json:"availabilityZone,omitempty"`
	Type     string `json:"instanceType,omitempty"`
}

func scaleOf(s fleet.Scaled) scaleItem {
	var item scaleItem
	item.NewRequests, item.NewInstances = byLifecycle(s.Launched)
	item.VictimRequests, item.VictimInstances = byLifecycle(s.Victims)
	return item
}

func byLifecycle(instances []fleet.Instance) (onSpot, onDemand []scaledItem) {
	onSpot, onDemand = []scaledItem{}, []scaledItem{}
	for _, i := range instances {
		item := scaledItem{Request: i.Request, Instance: i.ID, Zone: i.Zone, Type: i.Type}
		if i.Lifecycle == plan.Spot {
			onSpot = append(onSpot, item)
		} else {
			onDemand = append(onDemand, item)
		}
	}
	return onSpot, onDemand
}
