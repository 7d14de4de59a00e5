package capacity

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity/size"
	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/runtime"
)

// decideEvery is how late the next decision on a job, or the news of a loss, may come.
const decideEvery = time.Minute

// lifeAhead is how far ahead the risk of a pool is looked at, as the fleet room does.
const lifeAhead = 24 * time.Hour

// Market is what a task of a lane's region could be run on now: spot pools, and on demand. The prices are those of the share of a machine that the task asks for, of the machines that
// it would be given alone: what it costs in the end, too, where others use the rest. A *runtime.Refusal of kind Never when there is nothing.
func (f *Fleets) Market(ctx context.Context, at Lane, task runtime.Resources) (deadline.Market, error) {
	snapshot, err := f.snapshot(ctx, at)
	if err != nil {
		return deadline.Market{}, err
	}
	m, now := deadline.Market{Every: decideEvery}, f.Clock.Now()
	at.Queue = SpotQueue
	for _, p := range f.poolsFor(at, cloud.Spot, task, snapshot) {
		m.Pools = append(m.Pools, deadline.Pool{
			Type: p.Market.Type, Zone: p.Market.Zone, Price: p.share, Open: !p.CoolUntil.After(now), Hazard: p.Law.Rate(lifeAhead.Hours()),
		})
	}
	at.Queue = OnDemandQueue
	for _, p := range f.poolsFor(at, cloud.OnDemand, task, snapshot) {
		if m.OnDemand == 0 || p.share < m.OnDemand {
			m.OnDemand = p.share
		}
	}
	if m.OnDemand == 0 {
		return m, never("No machine on demand in %s holds %s.", at.Region, all(task))
	}
	return m, nil
}

// priced is a pool with what a task would pay of it.
type priced struct {
	market.Pool
	share money.Price
}

// poolsFor are the pools in which the machines would be bought that a task is given, by type and zone.
func (f *Fleets) poolsFor(at Lane, l cloud.Lifecycle, task runtime.Resources, snapshot market.Snapshot) (list []priced) {
	kinds := f.shelf(Queue{Lane: at, Lifecycle: l}).buyable(task)
	slices.SortFunc(kinds, func(a, b size.Kind) int { return strings.Compare(a.Name, b.Name) })
	for _, k := range kinds {
		for _, p := range snapshot.Of(k.Name) {
			if p.Market.Lifecycle == l && p.Price > 0 {
				list = append(list, priced{p, money.Price(math.Ceil(float64(p.Price) * share(task, k.Has)))})
			}
		}
	}
	return list
}

// share is the part of a machine that a task asks for: of what it asks most of.
func share(task, of runtime.Resources) float64 {
	part := 0.0
	for _, d := range [...]struct{ task, of int64 }{{task.MilliCPU, of.MilliCPU}, {task.MemoryMiB, of.MemoryMiB}, {task.GPUs, of.GPUs}} {
		if d.of > 0 {
			part = max(part, float64(d.task)/float64(d.of))
		}
	}
	return min(1, cmp.Or(part, 1))
}

// snapshot is the market of a lane's region.
func (f *Fleets) snapshot(ctx context.Context, l Lane) (market.Snapshot, error) {
	provider, err := f.Fleet.Clouds.For(ctx, l.Account)
	if err != nil {
		return market.Snapshot{}, err
	}
	return f.Fleet.Market.Snapshot(ctx, l.Account, provider.Info().Name, l.Region, catalog.Linux)
}
