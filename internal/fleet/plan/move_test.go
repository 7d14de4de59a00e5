package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// onFallback is a fleet of n of which the first instance fell back to on demand.
func onFallback(n int) []Instance {
	list := fleetOf(n)
	list[0].Lifecycle, list[0].LaunchReason = OnDemand, ReasonFallback
	return list
}

func TestAFallbackGoesBackToSpotOnceThatIsOpen(t *testing.T) {
	in := intentOf(3)
	w := &world{intent: in, observed: Observed{Instances: onFallback(3)}, market: marketOf(in), now: noon}
	d := w.plan()
	a := d.actions(LaunchVerb)
	if len(d.Actions) != 1 || a[0].Lifecycle != Spot || a[0].Reason != ReasonRevert || !slices.Equal(a[0].Replaces, []string{"i-0"}) {
		t.Fatalf("got %+v", d.Actions)
	}
	w.apply(d)
	w.settle()
	w.boot()
	if d = w.plan(); !slices.Equal(d.instances(DrainVerb), []string{"i-0"}) || d.Actions[0].Reason != ReasonRevert {
		t.Errorf("once spot serves: %+v", d.Actions)
	}
}

func TestWhoMayGoBackToSpotAndWhen(t *testing.T) {
	saturday := Window{From: 5 * minutesPerDay, To: 6 * minutesPerDay}
	sunday := Window{From: 6 * minutesPerDay, To: 0}
	for _, c := range []struct {
		name   string
		change func(*Intent, *Observed, *Market)
		moves  bool
		next   time.Time
	}{
		{"by default", func(*Intent, *Observed, *Market) {}, true, time.Time{}},
		{"never", func(in *Intent, _ *Observed, _ *Market) { in.Replacement.Revert = RevertNever }, false, time.Time{}},
		{"in its window", func(in *Intent, _ *Observed, _ *Market) {
			in.Replacement = Replacement{RevertWindow, []Window{sunday, saturday}}
		}, true, time.Time{}},
		{"out of its window", func(in *Intent, _ *Observed, _ *Market) { in.Replacement = Replacement{RevertWindow, []Window{sunday}} }, false, noon.Add(12 * time.Hour)},
		{"availabilityOriented by default", func(in *Intent, _ *Observed, _ *Market) { in.Choice.Rule = AvailabilityOriented }, false, time.Time{}},
		{"availabilityOriented with consent", func(in *Intent, _ *Observed, _ *Market) {
			in.Choice.Rule, in.Replacement.Revert = AvailabilityOriented, RevertAlways
		}, true, time.Time{}},
		{"keeps data", func(in *Intent, _ *Observed, _ *Market) { in.Mix.IsAllPersisted = true }, false, time.Time{}},
		{"stale prices", func(_ *Intent, _ *Observed, m *Market) { m.Stale = true }, false, time.Time{}},
		{"locked", func(_ *Intent, o *Observed, _ *Market) { o.Instances[0].LockedUntil = noon.Add(time.Hour) }, false, noon.Add(time.Hour)},
		{"standby", func(_ *Intent, o *Observed, _ *Market) { o.Instances[0].Standby = true }, false, time.Time{}},
		{"just launched", func(_ *Intent, o *Observed, _ *Market) { o.Instances[0].LaunchedAt = noon.Add(-time.Minute) }, false, noon.Add(time.Minute)},
		{"being deleted", func(_ *Intent, o *Observed, _ *Market) { o.Deleting = true }, false, noon.Add(2 * time.Minute)},
		{"spot is dearer", func(_ *Intent, _ *Observed, m *Market) {
			for n := range m.Pools {
				if m.Pools[n].Lifecycle == Spot {
					m.Pools[n].Price = 200_000
				}
			}
		}, false, time.Time{}},
		{"spot cools", func(_ *Intent, _ *Observed, m *Market) {
			for n := range m.Pools {
				m.Pools[n].CoolUntil = noon.Add(time.Duration(n+1) * time.Minute)
			}
		}, false, noon.Add(time.Minute)},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := intentOf(3)
			observed, m := Observed{Instances: onFallback(3)}, marketOf(in)
			c.change(&in, &observed, &m)
			d := Plan(in, observed, m, noon)
			if spot, _ := d.launched(); (spot == 1) != c.moves || !d.Next.Equal(c.next) {
				t.Errorf("launched %d, next %s: %+v %q", spot, d.Next, d.Actions, d.Notes)
			}
		})
	}
}

func TestALowerSpotShareConvertsNothingAndAHigherOneDoes(t *testing.T) {
	in := intentOf(4)
	in.Mix.SpotPercent = 50
	observed := Observed{Instances: fleetOf(6)}
	in.Capacity.Target = 6
	if d := Plan(in, observed, marketOf(in), noon); len(d.Actions) != 0 {
		t.Errorf("running spot was converted: %+v", d.Actions)
	}
	for n := range observed.Instances {
		observed.Instances[n].Lifecycle = OnDemand
	}
	in.MaxMovesPart = 100
	if spot, _ := Plan(in, observed, marketOf(in), noon).launched(); spot != 3 {
		t.Errorf("%d of 6 on demand go to spot at 50 %%, want 3", spot)
	}
	in.MaxMovesPart, in.Mix.SpotPercent = 0, 100
	if spot, _ := Plan(in, observed, marketOf(in), noon).launched(); spot != 6 {
		t.Errorf("%d of 6 go back at one time by default, want all", spot)
	}
	in.MaxMovesPart = 10
	if spot, _ := Plan(in, observed, marketOf(in), noon).launched(); spot != 1 {
		t.Errorf("%d of 6 move at one time at 10 %%, want 1", spot)
	}
}

func TestEqualZonesGoBackToSpotInsideTheZone(t *testing.T) {
	in := intentOf(4)
	in.Choice.Rule = EqualZones
	observed := Observed{Instances: fleetOf(4)}
	observed.Instances[1].Lifecycle = OnDemand
	m := marketOf(in)
	m.pool("m5.large", "us-east-1a", Spot).Price = 10_000
	if a := Plan(in, observed, m, noon).actions(LaunchVerb); len(a) != 1 || a[0].Zone != "us-east-1b" {
		t.Errorf("got %+v", a)
	}
}

func TestACheaperMarketIsWorthAMoveOnlyForThoseWhoLookAtThePriceAndOnlyIfItSaves(t *testing.T) {
	for _, c := range []struct {
		rule    Rule
		percent money.Price // of what is paid
		moves   bool
	}{{CostOriented, 95, true}, {Cheapest, 95, true}, {Cheapest, 96, false}, {Balanced, 10, false}, {AvailabilityOriented, 10, false}, {EqualZones, 10, false}} {
		in := intentOf(1)
		in.Choice.Rule, in.Choice.Zones = c.rule, []string{"us-east-1a"}
		m := marketOf(in)
		for n := range m.Pools {
			if m.Pools[n].Lifecycle == Spot {
				m.Pools[n].Price = 40_000
			}
		}
		m.pool("r5.large", "us-east-1a", Spot).Price = 400 * c.percent
		d := Plan(in, Observed{Instances: fleetOf(1)}, m, noon)
		if a := d.actions(LaunchVerb); (len(a) == 1) != c.moves || c.moves && (a[0].Reason != ReasonCheaper || a[0].Type != "r5.large") {
			t.Errorf("%s at %d %%: %+v", c.rule, c.percent, d.Actions)
		}
	}
}

func TestANewcomerIsNotMovedForItsPrice(t *testing.T) {
	in := intentOf(1)
	in.Choice.Rule = Cheapest
	m := marketOf(in)
	m.pool("r5.large", "us-east-1a", Spot).Price = 1_000
	observed := Observed{Instances: fleetOf(1)}
	observed.Instances[0].LaunchedAt = noon.Add(-20 * time.Minute)
	if d := Plan(in, observed, m, noon); len(d.Actions) != 0 || !d.Next.Equal(noon.Add(40*time.Minute)) {
		t.Errorf("got %+v, next %s", d.Actions, d.Next)
	}
}

func TestNoMoveSavesMoneyWhileSomethingIsMissing(t *testing.T) {
	in := intentOf(3)
	in.Mix.OnDemandCount = 1
	m := marketOf(in)
	for _, zone := range in.Choice.Zones {
		m.pool("m5.large", zone, OnDemand).CoolUntil = noon.Add(time.Hour)
	}
	in.Choice.Rule = Cheapest
	m.pool("r5.large", "us-east-1a", Spot).Price = 1_000
	d := Plan(in, Observed{Instances: fleetOf(2)}, m, noon)
	if len(d.Actions) != 0 || d.Short != 1 {
		t.Errorf("got %+v, short %d", d.Actions, d.Short)
	}
	if !slices.ContainsFunc(d.Notes, func(n string) bool { return strings.Contains(n, "while 1 units are missing") }) {
		t.Errorf("the record does not say why nothing moves: %q", d.Notes)
	}
}

func TestAMoveThatCannotBeCompletedUnderTheMaximumIsNotBegun(t *testing.T) {
	in := intentOf(3)
	in.Capacity = Capacity{Target: 3, Max: 3, Unit: Weight}
	in.Choice.SpotTypes, in.Choice.OnDemandTypes = []string{"c5.large"}, []string{"m5.large"}
	in.Choice.Weights = []TypeWeight{{"m5.large", 3}, {"c5.large", 2}}
	observed := Observed{Instances: onFallback(1)}
	if d := Plan(in, observed, marketOf(in), noon); len(d.Actions) > 0 || d.Short > 0 {
		t.Errorf("two instances of two units would exceed the maximum of three: %+v", d.Actions)
	}
	in.Capacity.Max = 4
	if spot, _ := Plan(in, observed, marketOf(in), noon).launched(); spot != 2 {
		t.Errorf("%d instances take the place of three units, want 2", spot)
	}
}
