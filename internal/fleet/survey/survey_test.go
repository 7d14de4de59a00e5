package survey

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const region = "us-east-1"

// sold is the market of the catalogue, each spot price as told by change; 0 = not sold on spot.
func sold(change func(cloud.Market, money.Price) (money.Price, string)) market.Snapshot {
	s := market.Snapshot{Region: region, Product: catalog.Linux}
	for _, offer := range catalog.AWS().Offers(region, catalog.Linux) {
		for _, zone := range offer.Zones {
			m := cloud.Market{Region: region, Zone: zone, Type: offer.Type.Name, Product: catalog.Linux, Lifecycle: cloud.OnDemand}
			p := market.Pool{Market: m, Price: offer.OnDemand, OnDemand: offer.OnDemand, VCPUs: offer.Type.VCPUs, Source: market.SourceCatalogue}
			s.Pools = append(s.Pools, p)
			p.Market.Lifecycle, p.Risk = cloud.Spot, 0.025
			if p.Price, p.Source = change(p.Market, offer.Spot); p.Price > 0 {
				s.Pools = append(s.Pools, p)
			}
		}
	}
	return s
}

func live(_ cloud.Market, p money.Price) (money.Price, string)      { return p, market.SourceFeed }
func catalogue(_ cloud.Market, p money.Price) (money.Price, string) { return p, market.SourceCatalogue }
func nowhere(cloud.Market, money.Price) (money.Price, string)       { return 0, "" }

// account is a region in the making.
type account struct{ Region }

func newAccount() *account { return &account{Region{Name: region}} }

func (a *account) instance(typ, zone string, l cloud.Lifecycle) string {
	id := fmt.Sprintf("i-%03d", len(a.Instances))
	a.Instances = append(a.Instances, cloud.Instance{
		ID: id, State: cloud.Running, LaunchedAt: noon.Add(-24 * time.Hour), Tags: map[string]string{"Name": "box " + id},
		Market: cloud.Market{Region: region, Zone: zone, Type: typ, Product: catalog.Linux, Lifecycle: l},
	})
	return id
}

// group holds these many instances over its zones, all of the first type.
func (a *account) group(name string, mix cloud.ScalingMix, types []string, zones []string, onDemand, spot int) *cloud.ScalingGroup {
	g := cloud.ScalingGroup{Name: name, Region: region, Zones: zones, Types: types, Mix: mix, ScalingSize: cloud.ScalingSize{Max: onDemand + spot, Desired: onDemand + spot}}
	for n := range onDemand + spot {
		l := cloud.OnDemand
		if n >= onDemand {
			l = cloud.Spot
		}
		zone := zones[n%len(zones)]
		g.Members = append(g.Members, cloud.ScalingMember{Instance: a.instance(types[0], zone, l), Zone: zone, Type: types[0], State: "InService", Healthy: true})
	}
	a.Groups = append(a.Groups, g)
	return &a.Groups[len(a.Groups)-1]
}

func (a *account) survey(s market.Snapshot) Report {
	a.Snapshots = []market.Snapshot{s}
	return Of(Input{At: noon, Catalog: catalog.AWS(), Regions: []Region{a.Region}})
}

var (
	onDemandOnly = cloud.ScalingMix{OnDemandPercent: 100}
	twoZones     = []string{"us-east-1a", "us-east-1b"}
)

func kinds(r Row) []string {
	var list []string
	for _, o := range r.Obstacles {
		list = append(list, o.Kind)
	}
	return list
}

func TestAnEmptyAccountGivesAnEmptyReport(t *testing.T) {
	r := newAccount().survey(sold(live))
	if len(r.Groups)+len(r.Singles)+len(r.Gaps) != 0 || r.Total != (Total{}) || r.Apart != (Apart{}) {
		t.Errorf("%+v", r)
	}
	raw, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(raw), `"groups":[]`) || !strings.Contains(string(raw), `"singles":[]`) {
		t.Errorf("%s %v", raw, err)
	}
}

func TestAGroupOnDemandGoesToSpotDownToItsBase(t *testing.T) {
	a := newAccount()
	g := a.group("web", cloud.ScalingMix{Base: 1, OnDemandPercent: 100}, []string{"m5.large"}, twoZones, 6, 0)
	g.Min = 2
	r := a.survey(sold(live)).Groups[0]
	if r.Present.OnDemand != 6 || r.Future.OnDemand != 1 || r.Future.Instances != 6 || r.Moves != 5 {
		t.Errorf("%+v", r)
	}
	list, _ := catalog.AWS().Offer(region, catalog.Linux, "m5.large")
	if r.OnDemand.Hour != 6*list.OnDemand || r.Now.Hour != 6*list.OnDemand || r.SavingBaseline.Percent < 30 {
		t.Errorf("list price %s: %+v", list.OnDemand, r.Figures)
	}
	if len(r.Why) == 0 || !strings.Contains(r.Why[0], "interruption risk 2.5% in 30 days") {
		t.Errorf("%q", r.Why)
	}
	if r.Steps != 1 {
		t.Errorf("a group goes to spot at once, and this one in %d steps", r.Steps)
	}
	if got := kinds(r); !slices.Contains(got, Consent) || slices.Contains(got, CataloguePrices) {
		t.Errorf("%v", got)
	}
}

func TestAShareAboveTheBaseIsKept(t *testing.T) {
	for _, c := range []struct {
		mix  cloud.ScalingMix
		n    int
		want int
	}{
		{cloud.ScalingMix{Base: 2, OnDemandPercent: 50}, 10, 6},
		{cloud.ScalingMix{Base: 2, OnDemandPercent: 0}, 10, 2},
		{cloud.ScalingMix{OnDemandPercent: 25}, 5, 2}, // rounded up, as the cloud does
		{cloud.ScalingMix{Base: 4, OnDemandPercent: 100}, 10, 4},
		{cloud.ScalingMix{Base: 40, OnDemandPercent: 50}, 10, 10},
	} {
		if got := onDemandOf(c.mix, c.n); got != c.want {
			t.Errorf("%+v of %d: %d stay on demand, not %d", c.mix, c.n, got, c.want)
		}
	}
}

func TestWhatStandsInTheWayIsNamed(t *testing.T) {
	for _, c := range []struct {
		name  string
		kind  string
		set   func(a *account) *cloud.ScalingGroup
		sells func(cloud.Market, money.Price) (money.Price, string)
	}{
		{"the catalogue's prices", CataloguePrices, nil, catalogue},
		{"no spot market", NoSpotMarket, nil, nowhere},
		{"an instance store", InstanceStore, func(a *account) *cloud.ScalingGroup {
			return a.group("g", onDemandOnly, []string{"m5d.large"}, twoZones, 2, 0)
		}, live},
		{"a single zone", OneZone, func(a *account) *cloud.ScalingGroup {
			return a.group("g", onDemandOnly, []string{"m5.large"}, twoZones[:1], 2, 0)
		}, live},
		{"a type that nobody sells", NotSold, func(a *account) *cloud.ScalingGroup {
			return a.group("g", onDemandOnly, []string{"m5.large", "m99.large"}, twoZones, 2, 0)
		}, live},
		{"protected members", Protected, func(a *account) *cloud.ScalingGroup {
			g := a.group("g", onDemandOnly, []string{"m5.large"}, twoZones, 2, 0)
			g.Members[0].Protected = true
			return g
		}, live},
		{"a group that is not full", NotFull, func(a *account) *cloud.ScalingGroup {
			g := a.group("g", onDemandOnly, []string{"m5.large"}, twoZones, 2, 0)
			g.Desired = 3
			return g
		}, live},
		{"suspended processes", Suspended, func(a *account) *cloud.ScalingGroup {
			g := a.group("g", onDemandOnly, []string{"m5.large"}, twoZones, 2, 0)
			g.Suspended = []string{"Launch"}
			return g
		}, live},
		{"nothing there", NoMembers, func(a *account) *cloud.ScalingGroup {
			return a.group("g", onDemandOnly, []string{"m5.large"}, twoZones, 0, 0)
		}, live},
	} {
		a := newAccount()
		if c.set == nil {
			a.group("g", onDemandOnly, []string{"m5.large"}, twoZones, 2, 0)
		} else {
			c.set(a)
		}
		r := a.survey(sold(c.sells)).Groups[0]
		if !slices.Contains(kinds(r), c.kind) {
			t.Errorf("%s: %+v", c.name, r.Obstacles)
		}
		if c.kind == NoSpotMarket && r.Moves != 0 {
			t.Errorf("%d moves to a market that does not exist", r.Moves)
		}
	}
}

func TestAProtectedMemberStays(t *testing.T) {
	a := newAccount()
	g := a.group("g", onDemandOnly, []string{"m5.large"}, twoZones, 3, 0)
	g.Members[1].Protected = true
	if r := a.survey(sold(live)).Groups[0]; r.Future.OnDemand != 1 || r.Moves != 2 || r.Bounds.Protected != 1 {
		t.Errorf("%+v", r)
	}
}

func TestTypesThatStandInAreOfTheSameKind(t *testing.T) {
	a := newAccount()
	a.group("g", onDemandOnly, []string{"m5.large"}, twoZones, 1, 0)
	got := a.survey(sold(live)).Groups[0].Bounds.Candidates
	for _, wanted := range []string{"m5.large", "m5a.large", "m6a.large"} {
		if !slices.Contains(got, wanted) {
			t.Errorf("%s is missing in %q", wanted, got)
		}
	}
	for _, unwanted := range []string{"m4.large", "m7i-flex.large", "m6g.large", "t3.large", "m5.xlarge", "r5.large", "inf1.xlarge"} {
		if slices.Contains(got, unwanted) {
			t.Errorf("%s is in %q", unwanted, got)
		}
	}
}

func TestAGroupWhoseTypesDifferInSizeKeepsItsVCPUs(t *testing.T) {
	a := newAccount()
	a.group("g", onDemandOnly, []string{"m5.xlarge", "m5.large"}, twoZones, 4, 0)
	r := a.survey(sold(live)).Groups[0]
	vcpus := 0
	for _, p := range r.Future.Parts {
		typ, _ := catalog.AWS().HasType(p.Type)
		vcpus += p.Count * typ.VCPUs
	}
	if r.Bounds.Unit != "vCPU" || r.Bounds.Target != 16 || vcpus != 16 || r.SavingNow.Hour <= 0 {
		t.Errorf("%d vCPUs: %+v", vcpus, r)
	}
}

func TestAGroupWithWeightsKeepsItsWeight(t *testing.T) {
	a := newAccount()
	g := a.group("g", cloud.ScalingMix{Base: 2, OnDemandPercent: 100}, []string{"m5.xlarge", "m5.large"}, twoZones, 4, 0)
	g.Weights, g.Desired = map[string]int{"m5.xlarge": 3}, 12
	r := a.survey(sold(live)).Groups[0]
	weight, onDemand := 0, 0
	for _, p := range r.Future.Parts {
		typ, _ := catalog.AWS().HasType(p.Type)
		units := p.Count * map[int]int{4: 3, 2: 1}[typ.VCPUs]
		weight += units
		if p.Lifecycle == cloud.OnDemand {
			onDemand += units
		}
	}
	if r.Bounds.Unit != "weight" || r.Bounds.Target != 12 || r.Bounds.OnDemand != 2 || weight != 12 || onDemand < 2 || slices.Contains(kinds(r), NotFull) {
		t.Errorf("weight %d, on demand %d: %+v", weight, onDemand, r)
	}
}

func TestWhatCannotBeCountedIsCountedApart(t *testing.T) {
	a := newAccount()
	g := a.group("g", onDemandOnly, []string{"m5.large"}, twoZones, 2, 0)
	g.Members = append(g.Members, cloud.ScalingMember{Instance: "i-unseen", State: "InService"},
		cloud.ScalingMember{Instance: a.instance("m99.large", "us-east-1a", cloud.OnDemand), State: "InService"})
	alone := a.instance("m5.large", "us-east-1a", cloud.Spot)
	a.instance("m99.huge", "us-east-1a", cloud.OnDemand)
	a.Instances = append(a.Instances, cloud.Instance{ID: "i-stopped", State: cloud.Stopped}, cloud.Instance{ID: "i-dead", State: cloud.Terminated})
	a.Gaps = []Gap{{Region: region, Needs: []string{"ec2:DescribeSpotPriceHistory"}, Reason: "denied", LeftOut: "prices"}}
	r := a.survey(sold(live))
	if r.Total.Instances != 2 || r.Apart.LeftOut != 2 || r.Apart.Singles != 2 || r.Apart.Unpriced != 1 || r.Apart.Stopped != 1 || len(r.Gaps) != 1 {
		t.Errorf("%+v %+v", r.Total, r.Apart)
	}
	if one := r.Singles[0]; one.Instance != alone || one.Price <= 0 || one.Price >= one.OnDemand || one.Name != "box "+alone || r.Apart.Now.Hour != one.Price {
		t.Errorf("%+v", r.Singles)
	}
	if one := r.Singles[1]; one.Why == "" || one.Price != 0 {
		t.Errorf("%+v", one)
	}
}

func TestOneGroupCanBeAskedFor(t *testing.T) {
	a := newAccount()
	a.group("one", onDemandOnly, []string{"m5.large"}, twoZones, 1, 0)
	a.group("two", onDemandOnly, []string{"m5.large"}, twoZones, 1, 0)
	a.instance("m5.large", "us-east-1a", cloud.OnDemand)
	a.Snapshots = []market.Snapshot{sold(live)}
	r := Of(Input{At: noon, Catalog: catalog.AWS(), Regions: []Region{a.Region}, Group: "two"})
	if len(r.Groups) != 1 || r.Groups[0].Name != "two" || len(r.Singles) != 0 {
		t.Errorf("%+v", r)
	}
}

// drawn is any account, with prices that need not be sensible.
func drawn(r *rapid.T) (*account, market.Snapshot) {
	a := newAccount()
	types := []string{"m5.large", "m5a.large", "c5.large", "m5.xlarge", "t3.micro", "m5d.large", "m99.large"}
	zones := []string{"us-east-1a", "us-east-1b", "us-east-1c"}
	lifecycles := []cloud.Lifecycle{cloud.OnDemand, cloud.Spot}
	for n := range rapid.IntRange(0, 3).Draw(r, "groups") {
		g := cloud.ScalingGroup{
			Name: fmt.Sprintf("g%d", n), Zones: rapid.SliceOfNDistinct(rapid.SampledFrom(zones), 1, 3, rapid.ID).Draw(r, "zones"),
			Types: rapid.SliceOfNDistinct(rapid.SampledFrom(types), 0, 3, rapid.ID).Draw(r, "types"),
			Mix:   cloud.ScalingMix{Base: rapid.IntRange(0, 4).Draw(r, "base"), OnDemandPercent: rapid.SampledFrom([]int{0, 30, 50, 100}).Draw(r, "percent")},
		}
		for range rapid.IntRange(0, 8).Draw(r, "members") {
			m := cloud.ScalingMember{Zone: rapid.SampledFrom(g.Zones).Draw(r, "zone"), Type: rapid.SampledFrom(types).Draw(r, "type"), State: "InService", Protected: rapid.IntRange(0, 4).Draw(r, "protected") == 0}
			m.Instance = a.instance(m.Type, m.Zone, rapid.SampledFrom(lifecycles).Draw(r, "lifecycle"))
			g.Members = append(g.Members, m)
		}
		if rapid.Bool().Draw(r, "weighs") {
			g.Weights = map[string]int{"m5.xlarge": rapid.IntRange(1, 5).Draw(r, "weight"), "c5.large": 2}
		}
		g.Desired = len(g.Members)
		g.Min, g.Max = rapid.IntRange(0, g.Desired).Draw(r, "min"), g.Desired+rapid.IntRange(0, 3).Draw(r, "more")
		a.Groups = append(a.Groups, g)
	}
	for range rapid.IntRange(0, 3).Draw(r, "singles") {
		a.instance(rapid.SampledFrom(types).Draw(r, "type"), rapid.SampledFrom(zones).Draw(r, "zone"), rapid.SampledFrom(lifecycles).Draw(r, "lifecycle"))
	}
	percent := rapid.SliceOfN(rapid.IntRange(0, 250), 5, 5).Draw(r, "prices")
	return a, sold(func(m cloud.Market, p money.Price) (money.Price, string) {
		return p * money.Price(percent[(len(m.Type)+int(m.Zone[len(m.Zone)-1]))%len(percent)]) / 100, market.SourceFeed
	})
}

func TestEveryFigureFollowsFromTheParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, prices := drawn(t)
		r := a.survey(prices)
		var sum Figures
		for _, g := range r.Groups {
			onDemand, now := g.Present.costs()
			_, planned := g.Future.costs()
			if g.OnDemand.Hour != onDemand || g.Now.Hour != now || g.Planned.Hour != planned {
				t.Fatalf("%+v is not what the parts cost: %s, %s, %s", g.Figures, onDemand, now, planned)
			}
			if g.SavingBaseline.Hour != onDemand-planned || g.SavingNow.Hour != now-planned || g.SavingBaseline.Month != 730*(onDemand-planned) {
				t.Fatalf("a saving is no difference: %+v", g.Figures)
			}
			sum.OnDemand.Hour += onDemand
			sum.Now.Hour += now
			sum.Planned.Hour += planned
		}
		if want := figuresOf(sum.OnDemand.Hour, sum.Now.Hour, sum.Planned.Hour); r.Total.Figures != want {
			t.Fatalf("the rows sum up to %+v, the total is %+v", want, r.Total.Figures)
		}
		if again := a.survey(prices); !reflect.DeepEqual(r, again) {
			t.Fatal("the same account gives another report")
		}
	})
}

type weight struct{ all, onDemand int }

// weight counts a composition as its group does.
func (s *site) weight(g cloud.ScalingGroup, c Composition) (w weight) {
	for _, p := range c.Parts {
		units := p.Count * s.weightOf(g, p.Type)
		w.all += units
		if p.Lifecycle == cloud.OnDemand {
			w.onDemand += units
		}
	}
	return w
}

func TestNoPlanGoesBelowTheGroupOrAboveItsCost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, prices := drawn(t)
		for n, g := range a.survey(prices).Groups {
			asked := a.Groups[n]
			counted := g.Present.Instances
			if asked.Weights == nil && g.Future.Instances < counted || len(g.LeftOut) == 0 && g.Future.Instances < asked.Min {
				t.Fatalf("%d instances become %d: %+v", counted, g.Future.Instances, g)
			}
			s := newSite(Input{Catalog: catalog.AWS()}, a.Region)
			now, then := s.weight(asked, g.Present), s.weight(asked, g.Future)
			if floor := min(asked.Mix.Base, now.onDemand); then.onDemand < floor {
				t.Fatalf("%d on demand, with a base of %d and %d now", then.onDemand, asked.Mix.Base, now.onDemand)
			}
			if asked.Weights != nil && then.all < now.all {
				t.Fatalf("a weight of %d becomes %d", now.all, then.all)
			}
			if g.SavingNow.Hour < 0 {
				t.Fatalf("the plan costs more than now: %+v", g)
			}
			if len(asked.Members) != counted+len(g.LeftOut) {
				t.Fatalf("%d members, %d counted, %d left out", len(asked.Members), counted, len(g.LeftOut))
			}
		}
	})
}
