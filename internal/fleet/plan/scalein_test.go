package plan

import (
	"slices"
	"testing"
	"time"
)

func TestVictimsAreChosenInTheirOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Intent, []Instance, *Market)
		want   string
	}{
		{"oldest first", func(_ *Intent, l []Instance, _ *Market) { l[2].LaunchedAt = noon.Add(-48 * time.Hour) }, "i-2"},
		{"newest first if so wished", func(in *Intent, l []Instance, _ *Market) {
			in.NewestFirst = true
			l[3].LaunchedAt = noon.Add(-time.Hour)
		}, "i-3"},
		{"older image before age", func(_ *Intent, l []Instance, _ *Market) {
			l[2].LaunchedAt, l[3].Image = noon.Add(-48*time.Hour), "ami-0"
		}, "i-3"},
		{"spot before on demand", func(in *Intent, l []Instance, _ *Market) {
			in.Mix.OnDemandCount = 1
			l[0].Lifecycle, l[0].Image, l[3].LaunchedAt = OnDemand, "ami-0", noon.Add(-48*time.Hour)
		}, "i-3"},
		{"on demand first beyond its share", func(_ *Intent, l []Instance, _ *Market) {
			l[1].Lifecycle, l[3].Image = OnDemand, "ami-0"
		}, "i-1"},
		{"volatile market before lifecycle", func(_ *Intent, l []Instance, m *Market) {
			l[0].Lifecycle, l[2].Type = OnDemand, "r5.large"
			m.pool("r5.large", "us-east-1a", Spot).Risk = 0.25
		}, "i-2"},
		{"unhealthy before all", func(in *Intent, l []Instance, m *Market) {
			in.Health = Health{Source: HealthInstance, UnhealthyFor: time.Hour, Heal: true}
			l[2].Type, l[3].Condition, l[3].ConditionAt = "r5.large", Unhealthy, noon
			m.pool("r5.large", "us-east-1a", Spot).Risk = 0.25
		}, "i-3"},
		{"never a locked one", func(_ *Intent, l []Instance, _ *Market) { l[0].LockedUntil = noon.Add(time.Hour) }, "i-1"},
		{"never one on standby", func(_ *Intent, l []Instance, _ *Market) { l[0].Standby = true }, "i-1"},
		{"fullest zone first when zones are to be equal", func(in *Intent, l []Instance, _ *Market) {
			in.Choice.Rule = EqualZones
			l[2].Zone, l[0].Image = "us-east-1b", "ami-0"
		}, "i-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := intentOf(4)
			in.Capacity.Target = 3
			list, m := fleetOf(4), marketOf(in)
			c.change(&in, list, &m)
			d := Plan(in, Observed{Instances: list}, m, noon)
			if got := d.instances(DrainVerb); !slices.Equal(got, []string{c.want}) {
				t.Errorf("takes %v, want %s: %+v", got, c.want, d.Actions)
			}
		})
	}
}

func TestScaleInNeverTakesTheOnDemandFloor(t *testing.T) {
	in := intentOf(3)
	in.Mix.OnDemandCount, in.Capacity.Target = 2, 2
	list := fleetOf(4)
	list[0].Lifecycle, list[1].Lifecycle, list[2].Lifecycle = OnDemand, OnDemand, OnDemand
	list[3].LockedUntil = noon.Add(time.Hour)
	d := Plan(in, Observed{Instances: list}, marketOf(in), noon)
	if got := d.instances(DrainVerb); len(got) != 1 || !d.Next.Equal(noon.Add(2*time.Minute)) {
		t.Errorf("takes %v, next %s: only one of three on demand may go, and the spot instance is locked", got, d.Next)
	}
}

func TestScaleInOfWeightsNeverEndsBelowTheTarget(t *testing.T) {
	in := intentOf(10)
	in.Capacity = Capacity{Target: 10, Max: 20, Unit: Weight}
	in.Choice.Weights = []TypeWeight{{"m5.large", 4}, {"r5.large", 1}}
	list := fleetOf(3)
	list = append(list, running("i-9", "r5.large", "us-east-1a", Spot))
	d := Plan(in, Observed{Instances: list}, marketOf(in), noon)
	if got := d.instances(DrainVerb); !slices.Equal(got, []string{"i-9"}) {
		t.Errorf("of 13 units for 10 it takes %v, want only the one of 1 unit", got)
	}
}

func TestNobodyWhoServesGoesBeforeTheLaunchesServe(t *testing.T) {
	in := intentOf(4)
	in.Capacity.Target = 3
	list := fleetOf(4)
	list[2].Phase, list[3].Phase = Launching, Launching
	d := Plan(in, Observed{Instances: list}, marketOf(in), noon)
	if got := d.instances(TerminateVerb); !slices.Equal(got, []string{"i-2"}) || len(d.actions(DrainVerb)) != 0 {
		t.Errorf("got %+v", d.Actions)
	}
}
