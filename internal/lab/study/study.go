// Package study composes the laboratory's rooms: recordings become a world, policies run in it beside hindsight, and a report tells what came of it.
//
// It owns what a study asks for, what is usual where it says nothing, and which policies go with which workload. It must not know how anything is shown, nor
// the command line. Start reading at Study and Run.
package study

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/job"
	"github.com/neap-cloud/neap/internal/lab/report"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// Study is what is to be replayed.
type Study struct {
	Recording Recording
	Part      world.Options // of the recording; its seed is the study's
	Workload  string        // as lab.ParseWorkload reads it
	Policies  []string      // none = the usual ones for the workload
	Rule      string        // by which PolicyNeap chooses markets; "" = balanced
	Floor     int           // instances of a fleet that stay on demand
	Step      time.Duration // how often prices and the target are looked at; 0 = as usual
	Seed      uint64        // of everything that is drawn …
	Seeds     int           // … and how many seeds from it on are tried; 0 = 1

	Progress func(part float64, what string) // is called now and then; nil = nobody wants to know
}

// Run replays every policy in the world of each seed. What is asked for wrongly is fault.Invalid, with the name of the field.
func Run(ctx context.Context, s Study) (report.Report, error) {
	load, err := s.complete()
	if err != nil {
		return report.Report{}, err
	}
	r := report.Report{Workload: load, Floor: s.Floor, Data: s.Recording.sources()}
	if slices.Contains(s.Policies, lab.PolicyNeap) && isFleet(load) {
		r.Rule = s.Rule
	}
	var outcomes [][]lab.Outcome
	var best []lab.Outcome
	for n := range s.Seeds {
		t := trial{Study: s, load: load, number: n, seed: s.Seed + uint64(n)}
		if t.world, err = s.world(t.seed); err != nil {
			return report.Report{}, err
		}
		ran, optimum, err := t.run(ctx)
		if err != nil {
			return report.Report{}, err
		}
		outcomes, best, r.Seeds = append(outcomes, ran), append(best, optimum.Outcome), append(r.Seeds, t.seed)
		if n == 0 {
			r.World, r.Pools, r.Notes = s.Recording.shown(t.world), pools(t.world), notes(t.world)
			if r.Frontier, err = t.frontier(); err != nil {
				return report.Report{}, err
			}
		}
		if n == 0 || !optimum.Exact {
			r.Hindsight = t.worth(optimum)
		}
	}
	r.Policies = report.Compare(outcomes, best)
	return r, nil
}

// complete fills in what is usual, and says all that is wrong.
func (s *Study) complete() (lab.Workload, error) {
	load, err := lab.ParseWorkload(s.Workload)
	if err != nil {
		return load, fault.Field("workload", "%s", err.Error()+".")
	}
	known := Policies(load)
	if len(s.Policies) == 0 {
		s.Policies = usualPolicies(load)
	}
	var faults []*fault.Error
	for i, name := range s.Policies {
		switch {
		case !slices.Contains(known, name):
			faults = append(faults, fault.Field("policy", "%q is none that can run %s; there are %s.", name, load, strings.Join(known, ", ")))
		case slices.Contains(s.Policies[:i], name):
			faults = append(faults, fault.Field("policy", "%q is named twice.", name))
		}
	}
	if s.Rule == "" {
		s.Rule = string(plan.Balanced)
	}
	if !slices.Contains(rules(), s.Rule) {
		faults = append(faults, fault.Field("rule", "%q is no rule; there are %s.", s.Rule, strings.Join(rules(), ", ")))
	}
	if s.Floor < 0 || s.Floor > load.Most {
		faults = append(faults, fault.Field("floor", "%d is not between 0 and the %d instances of the workload.", s.Floor, load.Most))
	}
	if s.Floor > 0 && !isFleet(load) {
		faults = append(faults, fault.Field("floor", "only fleets keep instances on demand, and %s is none.", load))
	}
	s.Seeds = max(1, s.Seeds)
	if s.Seeds > 1 && s.Recording.Availability != nil {
		faults = append(faults, fault.Field("seeds", "recorded losses are the same with every seed; leave it out, or leave out the availability so that losses are drawn."))
	}
	return load, fault.All(faults)
}

func isFleet(load lab.Workload) bool { return load.Kind == lab.Steady || load.Kind == lab.Diurnal }

// Policies are those that can run a workload.
func Policies(load lab.Workload) []string {
	if isFleet(load) {
		return []string{
			lab.PolicyNeap, lab.PolicyLowestPrice, lab.PolicyCapacityOptimized, lab.PolicyPriceCapacityOptimized, lab.PolicyAutoSpotting, lab.PolicyOnDemand, lab.PolicyHindsight,
		}
	}
	return append(job.Policies(), lab.PolicyHindsight)
}

func usualPolicies(load lab.Workload) []string {
	if isFleet(load) {
		return []string{lab.PolicyNeap, lab.PolicyLowestPrice, lab.PolicyPriceCapacityOptimized, lab.PolicyOnDemand, lab.PolicyHindsight}
	}
	return Policies(load)
}

func rules() []string {
	var all []string
	for _, r := range []plan.Rule{plan.Balanced, plan.CostOriented, plan.AvailabilityOriented, plan.Cheapest, plan.EqualZones} {
		all = append(all, string(r))
	}
	return all
}
