package fleet

import (
	"context"
	"slices"
	"strconv"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/offer"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/store"
)

// Tags by which the cloud remembers whose an instance is.
const (
	tagInstallation = "neap:installation" // the database that launched it
	tagGeneration   = "neap:generation"   // of that database: a higher one than the database's own means an old copy is running
	tagOwner        = "neap:owner"        // group id
	tagAction       = "neap:action"       // the launch that started it
	tagState        = "neap:state"        // "detached" once it left its group alive
)

// sign puts the ownership tags on a launch.
func (f *Fleet) sign(ctx context.Context, doc store.Doc[record], launch *cloud.Launch) error {
	inst, err := f.Installation(ctx)
	if err != nil {
		return err
	}
	tags := map[string]string{}
	for k, v := range launch.Tags {
		tags[k] = v
	}
	tags[tagInstallation], tags[tagGeneration] = inst.ID, strconv.FormatInt(inst.Generation, 10)
	tags[tagOwner], tags[tagAction] = doc.ID, launch.Token
	launch.Tags = tags
	return nil
}

// generationOf reads an instance's generation; 0 when it carries none.
func generationOf(i cloud.Instance) int64 {
	n, err := strconv.ParseInt(i.Tags[tagGeneration], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// launchRequest turns a planned launch into the cloud's words, without the subnets that are full.
func launchRequest(intent Intent, a plan.Action, full map[string]market.Cooling) *cloud.Launch {
	asked := offer.Template(intent, a.Zone)
	asked.Subnets = slices.DeleteFunc(asked.Subnets, func(id string) bool { _, isFull := full[id]; return isFull })
	tags := map[string]string{}
	for _, tag := range intent.Template.Tags {
		tags[tag.Key] = tag.Value
	}
	return &cloud.Launch{
		Market:   cloud.Market{Region: intent.Region, Zone: a.Zone, Type: a.Type, Product: intent.Product, Lifecycle: cloud.Lifecycle(a.Lifecycle)},
		Count:    a.Count,
		Template: asked,
		Tags:     tags,
	}
}
