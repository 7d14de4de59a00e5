package instance

import (
	"context"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// Machine is the living instance of a task. All of it is the task's.
type Machine struct {
	Task      string
	Instance  string
	Group     string // that the ledger books it under
	Region    string
	Zone      string
	Type      string
	Lifecycle cloud.Lifecycle
	PrivateIP string
	PublicIP  string // "" = it has none
	Has       runtime.Resources
}

// MachineOf is the living instance of a task, if it has one.
func (r *Runtime) MachineOf(ctx context.Context, id string) (Machine, bool, error) {
	d, err := get(ctx, r.DB, id)
	if err != nil || d.Value.Instance == "" {
		return Machine{}, false, unlessMissing(err)
	}
	return r.Find(ctx, d.Account, d.Value.Region, d.Value.Instance)
}

// Find tells whose an instance is that lives, in an account and a region: its task has not come to its end either.
func (r *Runtime) Find(ctx context.Context, account, region, instance string) (Machine, bool, error) {
	i, err := r.Fleet.Instance(ctx, account, instance)
	if err != nil {
		return Machine{}, false, unlessMissing(err)
	}
	id, is := taskOf(i.Group)
	if !is || i.Market.Region != region {
		return Machine{}, false, nil
	}
	d, err := tasks.Get(ctx, r.DB, store.Account(account), id)
	if err != nil || !isLiving(d.State) {
		return Machine{}, false, unlessMissing(err)
	}
	kind, _ := r.Catalog.HasType(i.Type)
	return Machine{
		Task: id, Instance: i.ID, Group: i.Group, Region: region, Zone: i.Zone, Type: i.Type, Lifecycle: i.Market.Lifecycle, PrivateIP: i.PrivateIP, PublicIP: i.PublicIP,
		Has: resourcesOf(kind),
	}, true, nil
}

func resourcesOf(t catalog.Type) runtime.Resources {
	return runtime.Resources{MilliCPU: int64(t.VCPUs) * 1000, MemoryMiB: int64(t.MemoryMiB), GPUs: int64(t.GPUs)}
}
