package survey

import (
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/plan"
)

// What a group is planned in.
const (
	byInstance = "instance"
	byWeight   = "weight" // the group's own
	byVCPU     = "vCPU"
)

// intentOf reads a scaling group as what Neap would be asked to keep. The target is what is there, not what is desired, so that the plan is for the same
// capacity as the baseline.
func (s *site) intentOf(g cloud.ScalingGroup, product string, members []plan.Instance) plan.Intent {
	own := ownTypes(g, members)
	intent := plan.Intent{
		Region: s.Name, Product: product,
		Mix: plan.Mix{FallbackToOD: true, ConsiderOD: true},
		Choice: plan.Choice{
			Rule: plan.Balanced, SpotTypes: s.candidates(g, members, product), OnDemandTypes: own, Zones: zonesOf(g, members),
		},
		Template: plan.Template{Image: g.Template.Image},
	}
	of := s.weigh(&intent, g, own)
	target := 0
	for n := range members {
		target += intent.UnitsOf(members[n].Type, members[n].VCPUs)
	}
	intent.Capacity.Target, intent.Capacity.Min, intent.Capacity.Max = target, min(g.Min*of, target), target
	if intent.Capacity.Unit == plan.Instances {
		intent.Capacity.Max = max(g.Max, target)
	}
	size := len(members)
	if len(g.Weights) > 0 {
		size = target
	}
	intent.Mix.OnDemandCount = min(onDemandOf(g.Mix, size)*of, target)
	return intent
}

// weigh says what an instance of each type counts for: what the group says; or its vCPUs, where the types differ in them, so that no plan makes a group smaller;
// or one. It returns how many units the plan takes for one unit of the group's sizes, at most.
func (s *site) weigh(intent *plan.Intent, g cloud.ScalingGroup, own []string) (of int) {
	all := append(slices.Clone(own), intent.Choice.SpotTypes...)
	slices.Sort(all)
	all = slices.Compact(all)
	largest, differ := s.sizes(all)
	if len(g.Weights) == 0 && !differ {
		intent.Capacity.Unit = plan.Instances
		return 1
	}
	intent.Capacity.Unit = plan.Weight
	for _, name := range all {
		units := s.weightOf(g, name)
		if len(g.Weights) == 0 {
			t, _ := s.catalog.HasType(name)
			units = max(1, t.VCPUs)
		}
		intent.Choice.Weights = append(intent.Choice.Weights, plan.TypeWeight{Type: name, Units: units})
	}
	if len(g.Weights) > 0 {
		return 1
	}
	return largest
}

// weightOf is what a group counts an instance of a type for: as it says, as for a type that this one stands in for, or one.
func (s *site) weightOf(g cloud.ScalingGroup, name string) int {
	if units, ok := g.Weights[name]; ok {
		return units
	}
	t, _ := s.catalog.HasType(name)
	for _, listed := range g.Types {
		if own, ok := s.catalog.HasType(listed); ok && name != listed && !slices.Contains(g.Types, name) && standsIn(t, own) {
			return max(1, g.Weights[listed])
		}
	}
	return 1
}

// onDemandOf is how many of n instances stay on demand: the base, and above it the group's own share. A group that is on demand altogether has never been
// asked for a share: only its base binds.
func onDemandOf(mix cloud.ScalingMix, n int) int {
	above := max(0, n-mix.Base)
	if mix.OnDemandPercent >= 100 {
		return min(n, mix.Base)
	}
	return min(n, mix.Base+(above*mix.OnDemandPercent+99)/100)
}

// ownTypes are those that the group may launch and those that it has, sorted.
func ownTypes(g cloud.ScalingGroup, members []plan.Instance) []string {
	list := slices.Clone(g.Types)
	for n := range members {
		list = append(list, members[n].Type)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func zonesOf(g cloud.ScalingGroup, members []plan.Instance) []string {
	list := slices.Clone(g.Zones)
	for n := range members {
		list = append(list, members[n].Zone)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// candidates are the types that may be bought on spot, sorted: what the group may launch (when it does not say, what it has), and what can stand in for that.
func (s *site) candidates(g cloud.ScalingGroup, members []plan.Instance, product string) []string {
	list := slices.Clone(g.Types)
	if len(list) == 0 {
		list = ownTypes(g, members)
	}
	var own []catalog.Type
	for _, name := range list {
		if t, ok := s.catalog.HasType(name); ok {
			own = append(own, t)
		}
	}
	for _, offer := range s.catalog.Offers(s.Name, product) {
		if slices.ContainsFunc(own, func(t catalog.Type) bool { return standsIn(offer.Type, t) }) {
			list = append(list, offer.Type.Name)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// standsIn reports whether a type can take the place of another one without anybody noticing: the rule that Report.Rule tells.
func standsIn(t, other catalog.Type) bool {
	return t.Current && isFlex(t.Name) == isFlex(other.Name) && t.Generation >= other.Generation && line(t.Name) == line(other.Name) && isPlain(line(t.Name)) &&
		t.Arch == other.Arch && t.VCPUs == other.VCPUs && t.MemoryMiB == other.MemoryMiB && t.GPUs == 0 && other.GPUs == 0 &&
		t.BareMetal == other.BareMetal && t.Burstable == other.Burstable && t.LocalNVMeGiB >= other.LocalNVMeGiB
}

// isFlex tells the types that have all of their CPU only most of the time.
func isFlex(name string) bool { return strings.Contains(name, "-flex.") }

// line is what comes before the digits: "m" of m5a.large, "im" of im4gn.large.
func line(name string) string {
	if at := strings.IndexAny(name, "0123456789"); at >= 0 {
		return name[:at]
	}
	return name
}

// isPlain leaves out the lines with accelerators: what runs there needs just those.
func isPlain(line string) bool {
	return slices.Contains([]string{"a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "x", "z"}, line)
}

// sizes are the most vCPUs of the types, and whether they differ.
func (s *site) sizes(types []string) (largest int, differ bool) {
	for _, name := range types {
		t, ok := s.catalog.HasType(name)
		if !ok {
			continue
		}
		differ = differ || largest > 0 && t.VCPUs != largest
		largest = max(largest, t.VCPUs)
	}
	return max(1, largest), differ
}

// members are the instances of a group that cost something now and whose price is known; the others are told with the reason.
func (s *site) members(g cloud.ScalingGroup) (list []plan.Instance, product string, left []LeftOut) {
	for _, m := range g.Members {
		i, known := s.byID[m.Instance]
		if known && product == "" && costs(i) {
			product = i.Market.Product
		}
		if why := s.unfit(g, i, known, product); why != "" {
			left = append(left, LeftOut{m.Instance, why})
			continue
		}
		if !costs(i) || strings.HasPrefix(m.State, "Terminat") || strings.HasPrefix(m.State, "Detach") {
			continue // it is leaving, or waits stopped
		}
		pool, _ := s.price(i.Market)
		one := plan.Instance{
			ID: i.ID, Type: i.Market.Type, Zone: i.Market.Zone, Lifecycle: plan.Lifecycle(i.Market.Lifecycle), Phase: plan.Running, Image: g.Template.Image,
			LaunchedAt: i.LaunchedAt, Standby: m.State == "Standby", Condition: plan.Healthy, WasHealthy: true, VCPUs: pool.VCPUs,
		}
		if m.Protected {
			one.LockedUntil = s.at.Add(protection)
		}
		list = append(list, one)
	}
	return list, product, left
}

// protection outlasts every plan: nobody has said when it ends.
const protection = 100 * 365 * 24 * time.Hour

// unfit is why a member cannot be counted, "" when it can.
func (s *site) unfit(g cloud.ScalingGroup, i cloud.Instance, known bool, product string) string {
	switch {
	case !known:
		return "The group names it, and the list of instances does not show it, so its type and price are not known."
	case !costs(i):
		return ""
	case g.Template.Tenancy != "" && g.Template.Tenancy != "default":
		return "It has " + g.Template.Tenancy + " tenancy, which the catalogue has no prices for."
	case i.Market.Product != product:
		return "It runs " + i.Market.Product + ", and the others of its group " + product + "."
	}
	if _, ok := s.price(i.Market); !ok {
		return noPrice(i.Market)
	}
	return ""
}
