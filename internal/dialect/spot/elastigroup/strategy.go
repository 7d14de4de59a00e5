package elastigroup

import (
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
)

// maxCapacity bounds one group; it keeps a slip of the finger from ordering a data centre.
const maxCapacity = 100_000

// capacity reads the numbers. A minimum that is left out is 0, a maximum that is left out is the target.
func (c *compiler) capacity() fleet.Capacity {
	given := c.doc.Capacity
	target := given.Target.or(0)
	capacity := fleet.Capacity{Target: target, Min: given.Minimum.or(0), Max: given.Maximum.or(target), Unit: plan.Unit(given.Unit)}
	if capacity.Unit == "" {
		capacity.Unit = plan.Instances
	}
	refuse := func(path, format string, args ...any) {
		wrong := fault.Field("group.capacity."+path, format, args...)
		wrong.Noun = "capacity"
		c.faults = append(c.faults, wrong)
	}
	if given.Target == nil {
		refuse("target", "Say how many %ss the group should have.", capacity.Unit)
	}
	switch {
	case capacity.Min < 0:
		refuse("minimum", "The minimum can't be negative; use 0 or more.")
	case capacity.Min > capacity.Max:
		refuse("minimum", "The minimum %d is above the maximum %d; lower it or raise capacity.maximum.", capacity.Min, capacity.Max)
	case target < capacity.Min:
		refuse("target", "The target %d is below the minimum %d; raise it or lower capacity.minimum.", target, capacity.Min)
	case target > capacity.Max:
		refuse("target", "The target %d is above the maximum %d; lower it or raise capacity.maximum.", target, capacity.Max)
	case capacity.Max > maxCapacity:
		refuse("maximum", "A group holds at most %d %ss; split the work over several groups.", maxCapacity, capacity.Unit)
	}
	switch capacity.Unit {
	case plan.Instances:
	case plan.Weight:
		for _, party := range c.sizers() {
			if party != "dockerSwarm" {
				refuse("unit", "A group that thirdPartiesIntegration.%s sizes counts instances; use \"instance\" or switch that autoScale off.", party)
			}
		}
	default:
		refuse("unit", "Capacity counts \"instance\" or \"weight\", not %q.", capacity.Unit)
	}
	return capacity
}

// sizers names the container schedulers that size this group.
func (c *compiler) sizers() []string {
	var names []string
	p := c.doc.Parties
	for _, one := range []struct {
		name string
		scheduler
	}{{"kubernetes", p.Kubernetes}, {"ecs", p.ECS}, {"nomad", p.Nomad}, {"dockerSwarm", p.DockerSwarm}} {
		if one.sizesGroup() {
			names = append(names, one.name)
		}
	}
	return names
}

// strategy reads everything under group.strategy.
func (c *compiler) strategy(intent *fleet.Intent) {
	given := c.doc.Strategy
	intent.Choice.Rule = c.rule()
	intent.Mix = c.mix()
	intent.Replacement = c.revert(intent.Choice.Rule)
	intent.Drain = 120 * time.Second
	if c.doc.Parties.ECS.AutoScale != nil {
		intent.Drain = 900 * time.Second
	}
	if given.DrainingTimeout != nil {
		intent.Drain = c.seconds("strategy.drainingTimeout", given.DrainingTimeout, 0)
	}
	intent.NewestFirst = given.ScalingStrategy.TerminationPolicy == "newestInstance"

	intent.MaxMovesPart = given.MaxReplacements.or(0)
	switch {
	case intent.MaxMovesPart < 0 || intent.MaxMovesPart > 100:
		c.wrong("strategy.maxReplacementsPercentage", "%d is no percentage; use 0 to 100.", intent.MaxMovesPart)
	case given.MaxReplacements != nil && intent.MaxMovesPart == 0:
		c.kept = append(c.kept, "group.strategy.maxReplacementsPercentage") // a limit of nothing at all is not built
	}
	if hours := given.MinimumLifetime.or(0); given.MinimumLifetime != nil {
		if !slices.Contains([]int{1, 3, 6, 12, 24}, hours) {
			c.wrong("strategy.minimumInstanceLifetime", "%d hours can't be asked for; use 1, 3, 6, 12 or 24.", hours)
		}
		intent.MinLifetime = time.Duration(hours) * time.Hour
	}
	if p := given.Persistence; p.IsGiven && !p.isOn() {
		c.wrong("strategy.persistence", "Nothing is kept; set at least one of the shouldPersist members to true, or leave persistence out.")
	}
}

func (c *compiler) rule() plan.Rule {
	rule := plan.Rule(c.doc.Strategy.AvailabilityVsCost)
	switch rule {
	case "":
		return plan.Balanced
	case plan.Balanced, plan.CostOriented, plan.AvailabilityOriented, plan.Cheapest:
	case plan.EqualZones:
		for _, other := range []struct {
			name string
			isOn bool
		}{{"utilizeReservedInstances", c.doc.Strategy.UtilizeReservedInstances}, {"utilizeCommitments", c.doc.Strategy.UtilizeCommitments}} {
			if other.isOn {
				c.wrong("strategy."+other.name, "An equalAzDistribution can't prefer reserved capacity; set %s to false or choose another availabilityVsCost.", other.name)
			}
		}
		for _, party := range c.sizers() {
			c.wrong("strategy.availabilityVsCost", "A group that thirdPartiesIntegration.%s sizes can't keep its zones equal; choose another rule or switch that autoScale off.", party)
		}
	default:
		c.wrong("strategy.availabilityVsCost", "There is no rule %q; use balanced, costOriented, availabilityOriented, cheapest or equalAzDistribution.", rule)
	}
	return rule
}

// mix is the split between spot and on demand: all spot when nothing is said, and onDemandCount beats risk.
func (c *compiler) mix() plan.Mix {
	given := c.doc.Strategy
	mix := plan.Mix{
		OnDemandCount:  given.OnDemandCount.or(-1),
		SpotPercent:    given.Risk.or(100),
		RoundSpotUp:    true,
		FallbackToOD:   given.FallbackToOD == nil || *given.FallbackToOD,
		ConsiderOD:     given.ConsiderODPricing,
		RestrictOneAZ:  given.RestrictSingleAZ,
		IsAllPersisted: given.Persistence.isOn(),
	}
	if mix.SpotPercent < 0 || mix.SpotPercent > 100 {
		c.wrong("strategy.risk", "%d is no percentage; use 0 (all on demand) to 100 (all spot).", mix.SpotPercent)
	}
	if given.OnDemandCount != nil && mix.OnDemandCount < 0 {
		c.wrong("strategy.onDemandCount", "A count can't be negative; use 0 or more.")
	}
	return mix
}

// revert says when on-demand fallbacks return to spot. Only groups that put availability or their data first may put it off.
func (c *compiler) revert(rule plan.Rule) plan.Replacement {
	given := c.doc.Strategy.RevertToSpot
	mode := plan.RevertMode(given.PerformAt)
	replacement := plan.Replacement{Revert: mode}
	switch mode {
	case plan.RevertByRule, plan.RevertAlways:
	case plan.RevertNever, plan.RevertWindow:
		if rule != plan.AvailabilityOriented && !c.doc.Strategy.Persistence.isOn() {
			c.wrong("strategy.revertToSpot.performAt", "%q goes with availabilityVsCost availabilityOriented or with persistence; use \"always\" with %s.", mode, rule)
		}
	default:
		c.wrong("strategy.revertToSpot.performAt", "%q is unknown; use always, never or timeWindow.", mode)
	}
	if mode == plan.RevertWindow && len(given.TimeWindows) == 0 {
		c.wrong("strategy.revertToSpot.timeWindows", "performAt timeWindow needs at least one window such as \"Mon:03:00-Mon:05:00\".")
	}
	for i, text := range given.TimeWindows {
		window, err := plan.ParseWindow(text)
		if err != nil {
			c.wrong(at("strategy.revertToSpot.timeWindows", i, ""), "%q is no weekly window; write ddd:hh:mm-ddd:hh:mm in UTC, such as \"Mon:03:00-Wed:02:30\".", text)
			continue
		}
		replacement.RevertWindows = append(replacement.RevertWindows, window)
	}
	return replacement
}

// seconds reads a duration that must not be negative.
func (c *compiler) seconds(path string, given *count, standard int) time.Duration {
	length := given.or(standard)
	if length < 0 || length >= countLimit {
		c.wrong(path, "%d seconds is no length of time to wait; use 0 or more.", length)
	}
	return time.Duration(length) * time.Second
}
