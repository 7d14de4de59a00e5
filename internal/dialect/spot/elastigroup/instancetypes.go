package elastigroup

import (
	"slices"
	"strconv"
	"strings"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
)

const typesPath = "compute.instanceTypes"

// product is the operating system in the catalogue's spelling: the wire's "(Amazon VPC)" tells nothing any more.
func (c *compiler) product() string {
	given := strings.TrimSuffix(c.doc.Compute.Product, " (Amazon VPC)")
	if given == "" {
		return catalog.Linux
	}
	if !slices.Contains(catalog.Products(), given) {
		c.wrong("compute.product", "There is no product %q; use one of %s.", given, quoted(catalog.Products()))
	}
	return given
}

// types reads the instance types. Listed spot types beat resourceRequirements; on-demand types that are left out are the spot types.
func (c *compiler) types(intent *fleet.Intent, p places) {
	given := c.doc.Compute.InstanceTypes
	choice := &intent.Choice
	choice.SpotTypes = c.sold(typesPath+".spot", given.Spot, p.region, intent.Product, true)
	if given.Requirements != nil {
		suiting := c.suiting(*given.Requirements, p, intent.Product)
		if len(given.Spot) == 0 {
			choice.SpotTypes = suiting
		} else {
			c.kept = append(c.kept, "group."+typesPath+".resourceRequirements")
		}
	}
	needsSpot := intent.Mix.OnDemandCount >= 0 || intent.Mix.SpotPercent > 0
	if needsSpot && len(given.Spot) == 0 && given.Requirements == nil {
		c.wrong(typesPath+".spot", "List the spot types to choose from, or describe them in resourceRequirements.")
	}

	if given.OnDemand != "" {
		choice.OnDemandTypes = c.sold(typesPath+".ondemand", []string{given.OnDemand}, p.region, intent.Product, false)
	}
	for _, name := range c.sold(typesPath+".onDemandTypes", given.OnDemandTypes, p.region, intent.Product, false) {
		if name != given.OnDemand {
			choice.OnDemandTypes = append(choice.OnDemandTypes, name)
		}
	}
	if given.OnDemand == "" && len(given.OnDemandTypes) == 0 {
		choice.OnDemandTypes = choice.SpotTypes
		if !needsSpot && len(choice.SpotTypes) == 0 {
			c.wrong(typesPath+".ondemand", "A group without spot needs an on-demand type.")
		}
	}
	c.preferredTypes(choice)
	c.weights(choice)
}

// sold keeps the types that are sold in the region; unknown ones are faults.
func (c *compiler) sold(path string, names []string, region, product string, onSpot bool) []string {
	var kept []string
	for i, name := range names {
		where := path
		if path != typesPath+".ondemand" {
			where = at(path, i, "")
		}
		if slices.Contains(kept, name) {
			continue
		}
		if _, known := c.catalog.HasType(name); !known {
			c.wrong(where, "There is no instance type %q; check its spelling.", name)
			continue
		}
		if region == "" {
			continue // that is a fault of its own
		}
		offer, found := c.catalog.Offer(region, product, name)
		switch {
		case !found:
			c.wrong(where, "%s is not sold in %s with %s; leave it out or choose another region.", name, region, product)
		case onSpot && offer.Spot == 0:
			c.wrong(where, "%s is not sold on spot in %s; leave it out of the spot types.", name, region)
		default:
			kept = append(kept, name)
		}
	}
	return kept
}

func (c *compiler) preferredTypes(choice *plan.Choice) {
	given := c.doc.Compute.InstanceTypes
	candidates := given.Spot
	if len(candidates) == 0 {
		candidates = choice.SpotTypes
	}
	for i, name := range given.PreferredSpot {
		if !slices.Contains(candidates, name) {
			c.wrong(at(typesPath+".preferredSpot", i, ""), "%q is none of the spot types; add it to instanceTypes.spot or leave it out.", name)
		} else if !slices.Contains(choice.PreferredTypes, name) {
			choice.PreferredTypes = append(choice.PreferredTypes, name)
		}
	}
}

func (c *compiler) weights(choice *plan.Choice) {
	given := c.doc.Compute.InstanceTypes.Weights
	if len(given) > 0 && c.doc.Strategy.Persistence.isOn() {
		c.wrong(typesPath+".weights", "A group that keeps its data can't be weighted; leave out weights or persistence.")
	}
	seen := map[string]bool{}
	for i, one := range given {
		path := at(typesPath+".weights", i, "instanceType")
		_, known := c.catalog.HasType(one.InstanceType)
		switch {
		case !known:
			c.wrong(path, "There is no instance type %q; check its spelling.", one.InstanceType)
		case seen[one.InstanceType]:
			c.wrong(path, "%s has a weight already; give each type one.", one.InstanceType)
		case one.Weight < 1 || one.Weight > maxCapacity:
			c.wrong(at(typesPath+".weights", i, "weightedCapacity"), "A weight is 1 or more, got %d.", one.Weight)
		default:
			choice.Weights = append(choice.Weights, plan.TypeWeight{Type: one.InstanceType, Units: int(one.Weight)})
		}
		seen[one.InstanceType] = true
	}
}

// suiting looks up the spot types that satisfy the requirements in at least one of the group's zones. Types with another processor
// architecture than x86_64, bare metal, and (unless asked for) GPUs are left out: one image would not run on them all, or nobody expects the bill.
func (c *compiler) suiting(r requirements, p places, product string) []string {
	path := typesPath + ".resourceRequirements"
	before := len(c.faults)
	vcpus := c.bounds(path+".requiredVCpu", &r.VCPU, 64)
	memory := c.bounds(path+".requiredMemory", &r.Memory, 512)
	gpus := limits{}
	if r.GPU != nil {
		gpus = c.bounds(path+".requiredGpu", r.GPU, 16)
	}
	for i, name := range r.ExcludedTypes {
		if _, known := c.catalog.HasType(name); !known {
			c.wrong(at(path+".excludedInstanceTypes", i, ""), "There is no instance type %q; check its spelling.", name)
		}
	}
	if len(c.faults) > before || p.region == "" {
		return nil
	}
	var names []string
	for _, offer := range c.catalog.Offers(p.region, product) {
		kind := offer.Type
		if offer.Spot > 0 && slices.ContainsFunc(p.zones, offer.Sells) && kind.Arch == "x86_64" && !kind.BareMetal &&
			vcpus.hold(kind.VCPUs*1024) && memory.hold(kind.MemoryMiB) && gpus.hold(kind.GPUs*1024) && !r.excludes(kind) {
			names = append(names, kind.Name)
		}
	}
	if len(names) == 0 {
		c.wrong(path, "No type that is sold on spot in %s suits these requirements; widen a range or exclude less.", p.region)
	}
	return names
}

// limits bound a quantity in units of 1/1024.
type limits struct{ from, to int }

func (l limits) hold(quantity int) bool { return l.from <= quantity && quantity <= l.to }

func (c *compiler) bounds(path string, given *span, highest int) limits {
	from, to := given.Minimum.or(1), given.Maximum.or(highest)
	switch {
	case from < 1 || from > highest:
		c.wrong(path+".minimum", "%d is outside of 1 to %d.", from, highest)
	case to < 1 || to > highest:
		c.wrong(path+".maximum", "%d is outside of 1 to %d.", to, highest)
	case from > to:
		c.wrong(path+".minimum", "The minimum %d is above the maximum %d, so that no type suits; swap them.", from, to)
	}
	return limits{from * 1024, to * 1024}
}

// excludes reports whether a type is ruled out by its name, its family ("c5", or the class "c" for all of c3, c4, c5 …) or its generation.
func (r requirements) excludes(kind catalog.Type) bool {
	class := strings.TrimRight(kind.Family[:strings.IndexAny(kind.Family+"0", "0123456789")], "-")
	return slices.Contains(r.ExcludedTypes, kind.Name) ||
		slices.Contains(r.ExcludedGenerations, strconv.Itoa(kind.Generation)) ||
		slices.ContainsFunc(r.ExcludedFamilies, func(family string) bool {
			return strings.EqualFold(family, kind.Family) || strings.EqualFold(family, class)
		})
}
