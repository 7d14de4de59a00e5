package fleet

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

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
	Launch    string // the action that launched it; "" when it was adopted
	Created   time.Time
	Ended     time.Time
	MissingAt time.Time // when the cloud first failed to show it; see observe.go
}

// move changes the phase, and says whether the table allows it; an instance never goes back.
func (i *Instance) move(to plan.Phase) bool {
	if !i.Phase.LeadsTo(to) {
		return false
	}
	i.Phase = to
	return true
}

// row wraps an instance for the store.
func row(i Instance) store.Doc[Instance] {
	return store.Doc[Instance]{Meta: store.Meta{ID: i.ID, Account: i.Account, Parent: i.Group, Name: i.Market.Region, State: string(i.Phase), At: i.Created}, Value: i}
}

// saveMember writes an instance back, with its phase as the row's state and its region as the row's name, by which a place finds its own.
func saveMember(ctx context.Context, tx *store.Tx, d store.Doc[Instance]) (store.Doc[Instance], error) {
	d.State, d.Name = string(d.Value.Phase), d.Value.Market.Region
	return members.Update(ctx, tx.Later(), d)
}

// merged is a list of living instances, oldest first, after some were written, perhaps more than once.
func merged(rows, written []store.Doc[Instance]) []store.Doc[Instance] {
	newest := map[string]store.Doc[Instance]{}
	for _, d := range slices.Concat(rows, written) {
		newest[d.ID] = d
	}
	maps.DeleteFunc(newest, func(_ string, d store.Doc[Instance]) bool { return !slices.Contains(plan.AliveStates(), d.State) })
	return slices.SortedFunc(maps.Values(newest), func(a, b store.Doc[Instance]) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID, b.ID)) })
}

// living lists a group's instances that have not ended, oldest first.
func (f *Fleet) living(ctx context.Context, s store.Session, group string) ([]store.Doc[Instance], error) {
	rows, _, err := members.List(ctx, s, store.Installation(), store.Query{Parent: group, States: plan.AliveStates()})
	return rows, err
}

// Instances are the group's members that have not ended, oldest first; open launches follow as instances without ID.
func (f *Fleet) Instances(ctx context.Context, account, id string) ([]Instance, error) {
	if _, err := f.load(ctx, f.DB, store.Account(account), id); err != nil {
		return nil, err
	}
	rows, err := f.living(ctx, f.DB, id)
	if err != nil {
		return nil, err
	}
	open, err := f.openActions(ctx, f.DB, id)
	if err != nil {
		return nil, err
	}
	list := make([]Instance, 0, len(rows))
	for _, r := range rows {
		list = append(list, r.Value)
	}
	for _, a := range open {
		l := a.Value.Launch
		for range a.Value.expected(a.ID, rows).Count {
			waiting := Instance{Group: id, Account: account, Market: l.Market, Launch: a.ID, Created: a.Value.Created}
			waiting.Type, waiting.Zone, waiting.Lifecycle, waiting.Phase = l.Market.Type, l.Market.Zone, plan.Lifecycle(l.Market.Lifecycle), plan.Launching
			list = append(list, waiting)
		}
	}
	return list, nil
}

// Stamp is a text that differs as soon as Instances would tell something else of a group. It costs much less to ask for.
func (f *Fleet) Stamp(ctx context.Context, account, id string) (string, error) {
	living, err := members.Stamp(ctx, f.DB, store.Account(account), store.Query{Parent: id, States: plan.AliveStates()})
	if err != nil {
		return "", err
	}
	open, err := actions.Stamp(ctx, f.DB, store.Account(account), store.Query{Parent: id, States: []string{pending}})
	return living + "/" + open, err
}

// Instance reads one member that has not ended.
func (f *Fleet) Instance(ctx context.Context, account, instance string) (Instance, error) {
	d, err := f.member(ctx, f.DB, store.Account(account), instance)
	return d.Value, err
}

// AccountOfInstance names the account of an instance, for authorisation.
func (f *Fleet) AccountOfInstance(ctx context.Context, instance string) (string, error) {
	d, err := f.member(ctx, f.DB, store.Installation(), instance)
	return d.Account, err
}

func (f *Fleet) member(ctx context.Context, s store.Session, sc store.Scope, id string) (store.Doc[Instance], error) {
	d, err := members.Get(ctx, s, sc, id)
	if err == nil && !d.Value.Phase.IsAlive() {
		err = fault.Missing("instance", id)
	}
	return d, err
}

// forever stands for "until unlocked".
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// IsLockedForever reports whether only Unlock ends the protection.
func (i Instance) IsLockedForever() bool { return !i.LockedUntil.Before(forever) }

// Lock protects an instance from scale-in and voluntary moves, for ttl or (nil) until Unlock.
func (f *Fleet) Lock(ctx context.Context, account, instance string, ttl *time.Duration) (Instance, error) {
	until := forever
	text := "until it is unlocked"
	if ttl != nil {
		until = f.Clock.Now().Add(*ttl)
		text = "for " + ttl.String()
	}
	return f.setLock(ctx, account, instance, until, "is locked "+text+": scale-in and voluntary moves leave it alone")
}

// Unlock ends an instance's protection.
func (f *Fleet) Unlock(ctx context.Context, account, instance string) (Instance, error) {
	return f.setLock(ctx, account, instance, time.Time{}, "is unlocked")
}

func (f *Fleet) setLock(ctx context.Context, account, instance string, until time.Time, what string) (Instance, error) {
	var locked Instance
	err := f.changeMember(ctx, account, instance, func(ctx context.Context, tx *store.Tx, doc store.Doc[record], d store.Doc[Instance]) error {
		d.Value.LockedUntil = until
		d, err := saveMember(ctx, tx, d)
		if err != nil {
			return err
		}
		locked = d.Value
		return f.Journal.Log(ctx, tx, doc.Account, doc.ID, f.line(journal.Info, "Instance %s %s.", instance, what))
	})
	return locked, err
}

// changeMember changes one instance and wakes its group's loop.
func (f *Fleet) changeMember(ctx context.Context, account, instance string, work func(context.Context, *store.Tx, store.Doc[record], store.Doc[Instance]) error) error {
	return f.change(ctx, func(ctx context.Context, tx *store.Tx) (changed, error) {
		d, err := f.member(ctx, tx, store.Account(account), instance)
		if err != nil {
			return changed{}, err
		}
		doc, err := f.load(ctx, tx, store.Account(account), d.Parent)
		if err != nil {
			return changed{}, err
		}
		if err := work(ctx, tx, doc, d); err != nil {
			return changed{}, err
		}
		intent, err := f.intent(doc)
		return changed{doc, intent}, err
	})
}

// Interrupt interrupts spot instances as their cloud would, notice first. Only clouds that can do that take it.
func (f *Fleet) Interrupt(ctx context.Context, account, author string, instances []string) error {
	if len(instances) == 0 {
		return fault.Field("instancesToInterrupt", "Name at least one instance.")
	}
	provider, err := f.provider(ctx, account)
	if err != nil {
		return err
	}
	interrupter, ok := cloud.As[cloud.Interrupter](provider)
	if !ok {
		return fault.Of(fault.Invalid, "interruption", "The cloud %s can't be asked to interrupt instances.", provider.Info().Name)
	}
	regions := map[string][]string{}
	for n, id := range instances {
		path := fmt.Sprintf("instancesToInterrupt[%d]", n)
		err := f.changeMember(ctx, account, id, func(ctx context.Context, tx *store.Tx, doc store.Doc[record], d store.Doc[Instance]) error {
			if d.Value.Lifecycle != plan.Spot {
				return fault.Field(path, "Instance %s is on demand; only spot instances are interrupted.", id)
			}
			regions[d.Value.Market.Region] = append(regions[d.Value.Market.Region], id)
			return f.Journal.Log(ctx, tx, doc.Account, doc.ID, f.line(journal.Info, "%s asked the cloud to interrupt instance %s.", author, id))
		})
		if err != nil {
			return err
		}
	}
	if store.IsDryRun(ctx) {
		return nil
	}
	for region, ids := range regions {
		slices.Sort(ids)
		if err := interrupter.Interrupt(ctx, region, slices.Compact(ids)); err != nil {
			return fault.Of(fault.Unavailable, "cloud", "The cloud did not take the interruption; try again.").With(err)
		}
	}
	return nil
}

// Size is how much is kept.
type Size struct{ Groups, Instances int }

// Size counts what is kept now in an account; "" = in all.
func (f *Fleet) Size(ctx context.Context, account string) (Size, error) {
	scope := store.Installation()
	if account != "" {
		scope = store.Account(account)
	}
	kept, err := groups.Count(ctx, f.DB, scope, store.Query{States: []string{active}})
	running, failed := members.Count(ctx, f.DB, scope, store.Query{States: plan.AliveStates()})
	return Size{kept, running}, cmp.Or(err, failed)
}
