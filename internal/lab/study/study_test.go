package study

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/report"
	"github.com/neap-cloud/neap/internal/lab/world"
)

const day = 24 * time.Hour

// recording is the shipped one, or a part of it by its names.
func recording(t *testing.T, prices, availability string) Recording {
	t.Helper()
	r, err := Open(prices, availability, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// days is the beginning of the shipped recording.
func days(t *testing.T, n int) world.Options {
	from, _ := recording(t, "", "").Availability.Span()
	return world.Options{From: from, Until: from.Add(time.Duration(n) * day)}
}

func run(t *testing.T, s Study) report.Report {
	t.Helper()
	r, err := Run(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAFleetIsComparedWithHindsightWhetherOrNotThatWasAskedFor(t *testing.T) {
	r := run(t, Study{Recording: recording(t, "", ""), Part: days(t, 3), Workload: "steady:5", Policies: []string{lab.PolicyOnDemand, lab.PolicyNeap}, Seed: 1})
	if len(r.Policies) != 2 || r.Policies[0].Name != lab.PolicyOnDemand || !r.World.Shipped || !r.World.Simulated || len(r.Pools) == 0 || len(r.Data) != 2 || r.Rule != "balanced" || r.Hindsight == "" {
		t.Errorf("%+v", r.Policies)
	}
	raw, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var shown struct {
		Policies []struct {
			Cost, Interruptions float64
			Ratio               float64 `json:"cost_over_hindsight"`
		}
	}
	if err := json.Unmarshal(raw, &shown); err != nil {
		t.Fatal(err)
	}
	if demand := shown.Policies[0]; demand.Cost <= 0 || demand.Ratio <= 1 || demand.Interruptions != 0 {
		t.Errorf("%+v", shown)
	}
	if len(r.Frontier) < 2 {
		t.Fatalf("%d points of the frontier", len(r.Frontier))
	}
	for i := 1; i < len(r.Frontier); i++ {
		if a, b := r.Frontier[i-1], r.Frontier[i]; b.Cost < a.Cost || b.Interruptions() > a.Interruptions() {
			t.Errorf("minding interruptions more gives %s with %d after %s with %d", b.Cost, b.Interruptions(), a.Cost, a.Interruptions())
		}
	}
}

func TestTheSameStudyGivesTheSameReport(t *testing.T) {
	page := func() []byte {
		var out bytes.Buffer
		if err := run(t, Study{Recording: recording(t, world.ShippedPrices, ""), Part: days(t, 2), Workload: "diurnal:2-5", Seed: 3, Seeds: 2}).Page(&out); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	if !bytes.Equal(page(), page()) {
		t.Error("two runs differ")
	}
}

func TestWithoutAvailabilityLossesAreDrawnWithEachSeed(t *testing.T) {
	r := run(t, Study{Recording: recording(t, world.ShippedPrices, ""), Part: days(t, 2), Workload: "steady:5", Policies: []string{lab.PolicyNeap}, Seed: 7, Seeds: 3})
	if r.World.Recorded || !slices.Equal(r.Seeds, []uint64{7, 8, 9}) || len(r.Policies[0].Runs) != 3 || len(r.Data) != 1 {
		t.Errorf("%+v %v", r.World, r.Seeds)
	}
}

func TestWithoutPricesTheUsualOnesAreTakenAndSaidSo(t *testing.T) {
	r := run(t, Study{Recording: recording(t, "", world.ShippedAvailability), Part: days(t, 2), Workload: "steady:5", Policies: []string{lab.PolicyOnDemand}, Seed: 1})
	if !r.World.Recorded || len(r.Notes) == 0 || !strings.Contains(r.Notes[0], "the usual price") {
		t.Errorf("%+v %q", r.World, r.Notes)
	}
}

func TestTypesOfDifferentSizesAreToldOf(t *testing.T) {
	r := recording(t, "", "")
	for n, kind := range []string{"c6i.xlarge", "c6i.8xlarge"} {
		r.Prices.Series[n].Type, r.Availability.Series[n].Type = kind, kind
	}
	part := days(t, 1)
	part.Types = []string{"c6i.xlarge", "c6i.8xlarge"}
	notes := run(t, Study{Recording: r, Part: part, Workload: "steady:5", Policies: []string{lab.PolicyOnDemand}}).Notes
	if !slices.Contains(notes, "Every instance counts as one, whatever its size: the types have 4 to 32 vCPUs.") {
		t.Errorf("%q", notes)
	}
}

func TestJobsRunUnderTheirOwnPolicies(t *testing.T) {
	for _, workload := range []string{"deadline:6h/9h", "batch:4x30m"} {
		r := run(t, Study{Recording: recording(t, "", ""), Part: days(t, 5), Workload: workload, Seed: 1})
		if len(r.Policies) < 4 || r.Policies[0].Name != lab.PolicyNeap || r.Rule != "" || len(r.Frontier) > 0 {
			t.Errorf("%s: %+v", workload, r.Policies)
		}
		for _, p := range r.Policies {
			if p.Runs[0].Cost <= 0 {
				t.Errorf("%s: %s cost %s", workload, p.Name, p.Runs[0].Cost)
			}
		}
	}
}

func TestWhatCannotBeIsRefusedWithWhatThereIs(t *testing.T) {
	for _, c := range []struct {
		field, want string
		wrong       Study
	}{
		{"workload", "steady:20, diurnal:10-40", Study{Workload: "stedy:20"}},
		{"policy", "there are neap, lowest-price, capacity-optimized, price-capacity-optimized, autospotting, on-demand, hindsight", Study{Workload: "steady:20", Policies: []string{"cheapest"}}},
		{"policy", "uniform-progress", Study{Workload: "deadline:1h/2h", Policies: []string{lab.PolicyAutoSpotting}}},
		{"policy", "named twice", Study{Workload: "steady:20", Policies: []string{lab.PolicyNeap, lab.PolicyNeap}}},
		{"rule", "there are balanced, costOriented, availabilityOriented, cheapest, equalAzDistribution", Study{Workload: "steady:20", Rule: "cost"}},
		{"floor", "between 0 and the 20", Study{Workload: "steady:20", Floor: 21}},
		{"floor", "only fleets", Study{Workload: "deadline:1h/2h", Floor: 1}},
		{"seeds", "the same with every seed", Study{Workload: "steady:20", Seeds: 2}},
		{"", "m5", Study{Workload: "steady:20", Part: world.Options{Types: []string{"m5.huge"}}}},
	} {
		c.wrong.Recording = recording(t, "", "")
		_, err := Run(context.Background(), c.wrong)
		known := fault.As(err)
		if known == nil || known.Kind != fault.Invalid || known.Field != c.field || !strings.Contains(known.Message, c.want) {
			t.Errorf("%s: %v", c.field, err)
		}
	}
	if _, err := Open("nowhere.csv", "", ""); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
}

func TestProgressGoesForwardOnly(t *testing.T) {
	last, told := 0.0, map[string]bool{}
	run(t, Study{Recording: recording(t, world.ShippedPrices, ""), Part: days(t, 2), Workload: "steady:5", Policies: []string{lab.PolicyNeap, lab.PolicyHindsight, lab.PolicyOnDemand}, Seed: 1, Seeds: 2, Progress: func(part float64, what string) {
		if part < last || part > 1 {
			t.Errorf("%g after %g", part, last)
		}
		last, told[what] = part, true
	}})
	if !told["neap, seed 2 of 2"] || last < 0.9 {
		t.Errorf("%g %v", last, told)
	}
}

func TestAStudyStopsWhenItIsTold(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Run(ctx, Study{Recording: recording(t, "", ""), Part: days(t, 2), Workload: "steady:5"}); err == nil {
		t.Error("it went on")
	}
}

// The command line knows no room of the laboratory, so its help has these names in its own words.
func TestTheReferenceNamesEveryPolicyAndRule(t *testing.T) {
	page, err := os.ReadFile("../../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	_, about, _ := strings.Cut(string(page), "## `neap replay`\n")
	about, _, _ = strings.Cut(about, "\n## ")
	for kind, line := range map[string]string{lab.Steady: "Policies for fleets: ", lab.Deadline: "Policies for jobs: "} {
		if want := line + strings.Join(Policies(lab.Workload{Kind: kind}), ", ") + "."; !strings.Contains(about, want) {
			t.Errorf("the reference lacks %q", want)
		}
	}
	for _, rule := range rules() {
		if !strings.Contains(about, rule) {
			t.Errorf("the reference lacks the rule %s", rule)
		}
	}
}
