package elastigroup

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
)

// with is the small document with some changes, as the engine stores it.
func with(t testing.TB, changes ...bad) json.RawMessage {
	t.Helper()
	body := decoded(t, string(read(t, "group-small.json")))
	for _, c := range changes {
		body = change(t, body, c.set, c.to)
	}
	return groupOf(t, encoded(t, body))
}

func compiled(t testing.TB, document json.RawMessage) (fleet.Intent, []string) {
	t.Helper()
	intent, _, kept, err := form().Compile(document)
	if err != nil {
		t.Fatal(err)
	}
	return intent, kept
}

func TestASmallDocumentBecomesThisIntent(t *testing.T) {
	got, kept := compiled(t, with(t))
	want := plan.Intent{
		Region: "us-east-1", Product: catalog.Linux,
		Capacity: plan.Capacity{Target: 2, Min: 1, Max: 5, Unit: plan.Instances},
		Mix:      plan.Mix{OnDemandCount: -1, SpotPercent: 100, RoundSpotUp: true, FallbackToOD: true},
		Choice: plan.Choice{
			Rule: plan.Balanced, SpotTypes: []string{"m5.large", "m5a.large", "c5.large"}, OnDemandTypes: []string{"m5.large"},
			PreferredTypes: []string{"m5.large"}, Zones: []string{"us-east-1a", "us-east-1b"}, PreferredZones: []string{"us-east-1a"},
		},
		Replacement: plan.Replacement{Revert: plan.RevertAlways},
		Health:      plan.Health{Source: plan.HealthInstance, Grace: 300 * time.Second, UnhealthyFor: 120 * time.Second, Heal: true},
		Drain:       120 * time.Second,
		Template: plan.Template{
			Image: "ami-0123456789abcdef0", SecurityGroups: []string{"sg-0123456789abcdef0"}, UserData: "IyEvYmluL3NoCg==",
			Subnets: []plan.ZoneSubnets{{Zone: "us-east-1a", Subnets: []string{"subnet-0a"}}, {Zone: "us-east-1b", Subnets: []string{"subnet-0b"}}},
			Tags:    []plan.Tag{{Key: "team", Value: "web"}},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if len(kept) > 0 {
		t.Errorf("everything in it is acted on, but the log would warn of %v", kept)
	}
}

func TestWhatIsLeftOutHasItsDocumentedStandard(t *testing.T) {
	intent, _ := compiled(t, with(t,
		bad{set: "group.capacity", to: `{"target":3}`}, bad{set: "group.strategy", to: `{}`}, bad{set: "group.compute.product", to: `-`},
		bad{set: "group.compute.launchSpecification.healthCheckType", to: `-`}, bad{set: "group.compute.instanceTypes.ondemand", to: `-`},
	))
	if want := (plan.Capacity{Target: 3, Min: 0, Max: 3, Unit: plan.Instances}); intent.Capacity != want {
		t.Errorf("capacity %+v, want %+v", intent.Capacity, want)
	}
	if want := (plan.Mix{OnDemandCount: -1, SpotPercent: 100, RoundSpotUp: true, FallbackToOD: true}); intent.Mix != want {
		t.Errorf("mix %+v, want %+v", intent.Mix, want)
	}
	if intent.Choice.Rule != plan.Balanced || intent.Product != catalog.Linux || intent.Health.Source != plan.HealthNone {
		t.Errorf("got %+v", intent)
	}
	if !slices.Equal(intent.Choice.OnDemandTypes, intent.Choice.SpotTypes) {
		t.Errorf("on-demand types %v are not the spot types", intent.Choice.OnDemandTypes)
	}
}

func TestNullReadsAsAbsent(t *testing.T) {
	full := map[string]string{
		"group.strategy.risk": `null`, "group.strategy.onDemandCount": `null`, "group.strategy.persistence": `null`, "group.scaling": `null`,
		"group.strategy.revertToSpot": `null`, "group.strategy.drainingTimeout": `null`, "group.compute.preferredAvailabilityZones": `null`,
		"group.compute.launchSpecification.tags": `null`, "group.compute.launchSpecification.images": `null`, "group.description": `null`,
		"group.compute.instanceTypes.resourceRequirements": `null`, "group.compute.instanceTypes.weights": `null`, "group.capacity.unit": `null`,
		"group.thirdPartiesIntegration.kubernetes": `null`, "group.compute.launchSpecification.userData": `null`, "group.region": `null`,
	}
	body := decoded(t, string(read(t, "group-small.json")))
	absent := decoded(t, string(read(t, "group-small.json")))
	for path, to := range full {
		body, absent = change(t, body, path, to), change(t, absent, path, "-")
	}
	if err := check(t, encoded(t, body)); err != nil {
		t.Fatal(err)
	}
	got, _ := compiled(t, groupOf(t, encoded(t, body)))
	want, _ := compiled(t, groupOf(t, encoded(t, absent)))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestOnDemandCountBeatsRisk(t *testing.T) {
	intent, _ := compiled(t, with(t, bad{set: "group.strategy.risk", to: `30`}, bad{set: "group.strategy.onDemandCount", to: `1`}))
	if intent.Mix.OnDemandCount != 1 {
		t.Errorf("mix %+v", intent.Mix)
	}
	intent, _ = compiled(t, with(t, bad{set: "group.strategy.risk", to: `30`}))
	if intent.Mix.OnDemandCount != -1 || intent.Mix.SpotPercent != 30 {
		t.Errorf("mix %+v", intent.Mix)
	}
}

func TestAGroupWithoutSpotNeedsNoSpotTypes(t *testing.T) {
	document := with(t, bad{set: "group.strategy.risk", to: `0`}, bad{set: "group.compute.instanceTypes", to: `{"ondemand":"m5.large","onDemandTypes":["c5.large","m5.large"]}`})
	intent, _ := compiled(t, document)
	if !slices.Equal(intent.Choice.OnDemandTypes, []string{"m5.large", "c5.large"}) || len(intent.Choice.SpotTypes) != 0 {
		t.Errorf("got %+v", intent.Choice)
	}
	_, _, _, err := form().Compile(with(t, bad{set: "group.strategy.risk", to: `0`}, bad{set: "group.compute.instanceTypes", to: `{}`}))
	if !slices.Equal(fieldsOf(err), []string{"group.compute.instanceTypes.ondemand"}) {
		t.Errorf("without any type: %v", err)
	}
}

func TestTheRegionMayComeFromTheZones(t *testing.T) {
	intent, _ := compiled(t, with(t, bad{set: "group.region", to: `-`}))
	if intent.Region != "us-east-1" {
		t.Errorf("region %q", intent.Region)
	}
	_, _, _, err := form().Compile(with(t, bad{set: "group.region", to: `-`}, bad{set: "group.compute.availabilityZones", to: `-`}, bad{set: "group.compute.subnetIds", to: `["subnet-1"]`}))
	if !slices.Contains(fieldsOf(err), "group.region") {
		t.Errorf("neither region nor zones: %v", err)
	}
}

func TestSubnetsAloneMayLieInAnyZoneOfTheRegion(t *testing.T) {
	intent, _ := compiled(t, with(t, bad{set: "group.compute.availabilityZones", to: `-`}, bad{set: "group.compute.preferredAvailabilityZones", to: `-`},
		bad{set: "group.compute.subnetIds", to: `["subnet-1","subnet-2"]`}))
	zones := catalog.AWS().Zones("us-east-1")
	if !slices.Equal(intent.Choice.Zones, zones) || len(intent.Template.Subnets) != len(zones) {
		t.Fatalf("zones %v, subnets %v", intent.Choice.Zones, intent.Template.Subnets)
	}
	for _, z := range intent.Template.Subnets {
		if !slices.Equal(z.Subnets, []string{"subnet-1", "subnet-2"}) {
			t.Errorf("zone %s has %v", z.Zone, z.Subnets)
		}
	}
}

func TestZonesWithoutSubnetsUseTheGroups(t *testing.T) {
	intent, _ := compiled(t, with(t, bad{set: "group.compute.subnetIds", to: `["subnet-9"]`},
		bad{set: "group.compute.availabilityZones", to: `[{"name":"us-east-1a","subnetId":"subnet-1"},{"name":"us-east-1b"},{"name":"us-east-1a","subnetIds":["subnet-2"]}]`}))
	want := []plan.ZoneSubnets{{Zone: "us-east-1a", Subnets: []string{"subnet-1", "subnet-2"}}, {Zone: "us-east-1b", Subnets: []string{"subnet-9"}}}
	if !reflect.DeepEqual(intent.Template.Subnets, want) || !slices.Equal(intent.Choice.Zones, []string{"us-east-1a", "us-east-1b"}) {
		t.Errorf("got %v in %v", intent.Template.Subnets, intent.Choice.Zones)
	}
}

func TestRequirementsBecomeTypesOfTheCatalogue(t *testing.T) {
	intent, kept := compiled(t, with(t, bad{set: "group.compute.instanceTypes", to: `{"resourceRequirements":{
		"requiredVCpu":{"minimum":2,"maximum":4},"requiredMemory":{"minimum":4,"maximum":16},
		"excludedInstanceTypes":["m5.large"],"excludedInstanceFamilies":["c","M6i"],"excludedInstanceGenerations":["1","2","3","4"]}}`}))
	if len(kept) > 0 {
		t.Errorf("kept %v", kept)
	}
	types := intent.Choice.SpotTypes
	if len(types) < 10 || !slices.Contains(types, "m5.xlarge") {
		t.Errorf("only %v", types)
	}
	for _, name := range types {
		kind, _ := catalog.AWS().HasType(name)
		if kind.VCPUs < 2 || kind.VCPUs > 4 || kind.MemoryMiB < 4096 || kind.MemoryMiB > 16384 || kind.GPUs > 0 || kind.Arch != "x86_64" ||
			name == "m5.large" || kind.Generation < 5 || kind.Family == "m6i" || strings.HasPrefix(name, "c5") {
			t.Errorf("%s does not suit: %+v", name, kind)
		}
	}
}

func TestListedTypesBeatRequirementsAndTheLogSaysSo(t *testing.T) {
	intent, kept := compiled(t, with(t, bad{set: "group.compute.instanceTypes.resourceRequirements", to: `{"requiredVCpu":{},"requiredMemory":{}}`}))
	if len(intent.Choice.SpotTypes) != 3 || !slices.Contains(kept, "group.compute.instanceTypes.resourceRequirements") {
		t.Errorf("types %v, kept %v", intent.Choice.SpotTypes, kept)
	}
}

func TestPersistentGroupsMayPutOffTheReturnToSpot(t *testing.T) {
	for _, persistence := range []string{`{"shouldPersistRootDevice":true}`, `[{"shouldPersistRootDevice":true}]`} {
		intent, kept := compiled(t, with(t, bad{set: "group.strategy.persistence", to: persistence},
			bad{set: "group.strategy.revertToSpot", to: `{"performAt":"timeWindow","timeWindows":["Mon:03:00-Wed:02:30","Sun:23:00-Mon:01:00"]}`}))
		want := plan.Replacement{Revert: plan.RevertWindow, RevertWindows: []plan.Window{{From: 180, To: 2*1440 + 150}, {From: 6*1440 + 1380, To: 60}}}
		if !reflect.DeepEqual(intent.Replacement, want) || !intent.Mix.IsAllPersisted || !slices.Contains(kept, "group.strategy.persistence") {
			t.Errorf("got %+v, %+v, kept %v", intent.Replacement, intent.Mix, kept)
		}
	}
}

func TestTheWarningsNameEveryFieldWithoutEffectOnce(t *testing.T) {
	_, kept := compiled(t, with(t,
		bad{set: "group.scaling.up", to: `[{"metricName":"a"},{"metricName":"b"}]`}, bad{set: "group.scaling.down", to: `[]`},
		bad{set: "group.strategy.utilizeReservedInstances", to: `true`}, bad{set: "group.strategy.utilizeCommitments", to: `false`},
		bad{set: "group.compute.launchSpecification.networkInterfaces", to: `[{"deviceIndex":0,"associatePublicIpAddress":true,"description":"x"},{"deviceIndex":1,"description":"y"}]`},
		bad{set: "group.brandNew", to: `{"a":1}`}, bad{set: "group.compute.launchSpecification.healthCheckType", to: `"ELB"`},
		bad{set: "group.strategy.maxReplacementsPercentage", to: `0`},
	))
	want := []string{
		"group.brandNew", "group.compute.launchSpecification.healthCheckType", "group.compute.launchSpecification.networkInterfaces[].description",
		"group.scaling.up", "group.strategy.maxReplacementsPercentage", "group.strategy.utilizeReservedInstances",
	}
	slices.Sort(kept)
	if !slices.Equal(kept, want) {
		t.Errorf("warned of %v\nwant      %v", kept, want)
	}
}

func TestSettingTheCapacityLeavesTheRestByteForByte(t *testing.T) {
	document := json.RawMessage(`{"z":1.50,"name":"a\u0062","capacity":{"unit":"weight","maximum":5,"target":2,"minimum":1},"list":[1,{"b":2e1}]}`)
	got, err := form().SetCapacity(document, fleet.Capacity{Target: 4, Min: 2, Max: 9})
	want := `{"z":1.50,"name":"a\u0062","capacity":{"unit":"weight","maximum":9,"target":4,"minimum":2},"list":[1,{"b":2e1}]}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s\nwant %s (%v)", got, want, err)
	}
}

func TestAnUpdateMergesAndChecksTheWhole(t *testing.T) {
	d := dialect{Deps{Schemas: checker(t), Catalog: catalog.AWS()}, form()}
	old := with(t, bad{set: "group.strategy.signals", to: `[{"name":"INSTANCE_READY"}]`})

	merged, err := d.patched(old, json.RawMessage(`{"id":"sig-other","name":"new","strategy":{"signals":null},"capacity":{"target":3},"compute":{"preferredAvailabilityZones":["us-east-1b"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	after := decoded(t, string(merged)).(map[string]any)
	strategy, capacity := after["strategy"].(map[string]any), after["capacity"].(map[string]any)
	_, hasSignals := strategy["signals"]
	_, hasID := after["id"]
	if hasSignals || hasID || after["name"] != "new" || capacity["target"] != 3.0 || capacity["maximum"] != 5.0 || strategy["risk"] != 100.0 {
		t.Errorf("merged into %s", merged)
	}

	for name, c := range map[string]struct{ patch, field string }{
		"the unit is for life":               {`{"capacity":{"unit":"weight"}}`, "group.capacity.unit"},
		"so is the product":                  {`{"compute":{"product":"Windows"}}`, "group.compute.product"},
		"and the region, even through zones": {`{"region":null,"compute":{"availabilityZones":[{"name":"us-west-2a"}],"preferredAvailabilityZones":null}}`, "group.region"},
		"required members can't be cleared":  {`{"compute":null}`, "group.compute"},
		"types are checked":                  {`{"capacity":{"maximum":"9"}}`, "group.capacity.maximum"},
		"rules hold for the whole":           {`{"capacity":{"maximum":1}}`, "group.capacity.target"},
	} {
		if _, err := d.patched(old, json.RawMessage(c.patch)); err == nil || !slices.Contains(fieldsOf(err), c.field) || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWithoutAWordOnRevertingTheRuleDecides(t *testing.T) {
	for set, want := range map[string]plan.RevertMode{`{}`: plan.RevertByRule, `{"performAt":"always"}`: plan.RevertAlways, `{"performAt":"never"}`: plan.RevertNever} {
		intent, _ := compiled(t, with(t, bad{set: "group.strategy.availabilityVsCost", to: `"availabilityOriented"`}, bad{set: "group.strategy.revertToSpot", to: set}))
		if intent.Replacement.Revert != want {
			t.Errorf("%s: %q, want %q", set, intent.Replacement.Revert, want)
		}
	}
}
