package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// noon is a Saturday.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// intentOf is a balanced fleet of spot instances in two zones.
func intentOf(target int) Intent {
	return Intent{
		Region: "us-east-1", Product: "Linux/UNIX",
		Capacity: Capacity{Target: target, Min: 0, Max: 2*target + 10, Unit: Instances},
		Mix:      Mix{OnDemandCount: -1, SpotPercent: 100, RoundSpotUp: true, FallbackToOD: true},
		Choice: Choice{
			Rule: Balanced, SpotTypes: []string{"m5.large", "c5.large", "r5.large"}, OnDemandTypes: []string{"m5.large"},
			Zones: []string{"us-east-1a", "us-east-1b"},
		},
		Replacement: Replacement{},
		Drain:       2 * time.Minute,
		Template:    Template{Image: "ami-1"},
	}
}

// marketOf has every type of the intent in every zone, spot at about a third of the price.
func marketOf(in Intent) Market {
	m := Market{}
	types := slices.Clone(in.Choice.SpotTypes)
	for _, t := range in.Choice.OnDemandTypes {
		if !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	slices.Sort(types)
	for n, typ := range types {
		for z, zone := range in.Choice.Zones {
			list := money.Price(96_000 + 1_000*n)
			if slices.Contains(in.Choice.OnDemandTypes, typ) {
				m.Pools = append(m.Pools, Pool{Type: typ, Zone: zone, Lifecycle: OnDemand, Price: list, OnDemand: list, VCPUs: 2})
			}
			if slices.Contains(in.Choice.SpotTypes, typ) {
				m.Pools = append(m.Pools, Pool{Type: typ, Zone: zone, Lifecycle: Spot, Price: 35_000 + money.Price(500*n+200*z), OnDemand: list, VCPUs: 2, Risk: 0.025})
			}
		}
	}
	return m
}

// pool finds a pool to change it.
func (m Market) pool(typ, zone string, l Lifecycle) *Pool {
	for n := range m.Pools {
		if p := &m.Pools[n]; p.Type == typ && p.Zone == zone && p.Lifecycle == l {
			return p
		}
	}
	panic(fmt.Sprintf("no pool %s %s %s", typ, zone, l))
}

// running is a healthy member that has been there for a day.
func running(id, typ, zone string, l Lifecycle) Instance {
	return Instance{
		ID: id, Type: typ, Zone: zone, Lifecycle: l, Phase: Running, Image: "ami-1", LaunchedAt: noon.Add(-24 * time.Hour),
		Condition: Healthy, ConditionAt: noon.Add(-23 * time.Hour), WasHealthy: true,
	}
}

// fleetOf is n running spot instances over the zones.
func fleetOf(n int) []Instance {
	var list []Instance
	for i := range n {
		list = append(list, running(fmt.Sprintf("i-%d", i), "m5.large", "us-east-1"+string(rune('a'+i%2)), Spot))
	}
	return list
}

// actions are those of one verb.
func (d Decision) actions(v Verb) []Action {
	return slices.DeleteFunc(slices.Clone(d.Actions), func(a Action) bool { return a.Verb != v })
}

// launched counts instances that a decision launches, by lifecycle.
func (d Decision) launched() (spot, onDemand int) {
	for _, a := range d.actions(LaunchVerb) {
		if a.Lifecycle == Spot {
			spot += a.Count
		} else {
			onDemand += a.Count
		}
	}
	return spot, onDemand
}

// instances are those that a verb names.
func (d Decision) instances(v Verb) []string {
	var ids []string
	for _, a := range d.actions(v) {
		ids = append(ids, a.Instance)
	}
	return ids
}

// world is a tiny cloud: it carries out decisions to the letter and answers at once.
type world struct {
	intent   Intent
	observed Observed
	market   Market
	now      time.Time
	made     int
}

func (w *world) plan() Decision { return Plan(w.intent, w.observed, w.market, w.now) }

// apply writes a decision's effects into what is observed, as launches that have not settled.
func (w *world) apply(d Decision) {
	for _, a := range d.Actions {
		if a.Verb == LaunchVerb {
			w.made++
			w.observed.Launches = append(w.observed.Launches, PendingLaunch{
				Action: fmt.Sprintf("act-%d", w.made), Type: a.Type, Zone: a.Zone, Lifecycle: a.Lifecycle, Count: a.Count, Replaces: a.Replaces, Reason: a.Reason, VCPUs: 2,
			})
			continue
		}
		for n := range w.observed.Instances {
			if i := &w.observed.Instances[n]; i.ID == a.Instance {
				i.LeaveReason = string(a.Reason)
				i.Phase, i.DrainUntil = Draining, a.DrainUntil
				if a.Verb == TerminateVerb {
					i.Phase = Terminating
				}
			}
		}
	}
}

// settle starts what was launched: the instances exist, and launch.
func (w *world) settle() {
	for _, l := range w.observed.Launches {
		for n := range l.Count {
			w.made++
			i := Instance{
				ID: fmt.Sprintf("new-%d", w.made), Type: l.Type, Zone: l.Zone, Lifecycle: l.Lifecycle, Phase: Launching, Image: w.intent.Template.Image,
				LaunchedAt: w.now, Condition: ConditionUnknown, ConditionAt: w.now, LaunchReason: l.Reason, VCPUs: 2,
			}
			if n < len(l.Replaces) {
				for o := range w.observed.Instances {
					if w.observed.Instances[o].ID == l.Replaces[n] {
						w.observed.Instances[o].ReplacedBy = i.ID
					}
				}
			}
			w.observed.Instances = append(w.observed.Instances, i)
		}
	}
	w.observed.Launches = nil
}

// boot brings what launches into service, and buries what was terminated.
func (w *world) boot() {
	for n := range w.observed.Instances {
		if i := &w.observed.Instances[n]; i.Phase == Launching {
			i.Phase, i.Condition, i.ConditionAt, i.WasHealthy = Running, Healthy, w.now, true
		}
	}
	w.observed.Instances = slices.DeleteFunc(w.observed.Instances, func(i Instance) bool {
		return i.Phase == Terminating || !i.InterruptAt.IsZero() && !i.InterruptAt.After(w.now)
	})
}
