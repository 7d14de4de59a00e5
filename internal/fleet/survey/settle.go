package survey

import (
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan"
)

const (
	mostRounds = 5000           // of planning; a group is moved a tenth at a time, so that even a large one needs few
	patience   = 24 * time.Hour // what a plan waits for longer than this is not waited for here
)

// outcome is where plans lead, one carried out after the other.
type outcome struct {
	members []plan.Instance
	steps   int      // plans that replaced something
	moves   int      // instances that are replaced
	why     []string // of the first instance that is bought in each market
	notes   []string // what the last plan left undone, and why
	settled bool
}

// settle plans and carries out, in a cloud that answers at once and never refuses, until nothing is left to do. The members given are not changed.
func settle(intent plan.Intent, members []plan.Instance, market plan.Market, now time.Time) outcome {
	o := outcome{members: slices.Clone(members)}
	until, made := now.Add(patience), 0
	told := map[string]bool{}
	for range mostRounds {
		d := plan.Plan(intent, plan.Observed{Instances: o.members}, market, now)
		if len(d.Actions) == 0 && (d.Next.IsZero() || d.Next.After(until)) {
			o.notes, o.settled = d.Notes, true
			if len(o.why) == 0 {
				o.why = []string{d.Summary}
			}
			break
		}
		moves := o.moves
		for _, a := range d.Actions {
			if a.Verb != plan.LaunchVerb {
				o.members = slices.DeleteFunc(o.members, func(i plan.Instance) bool { return i.ID == a.Instance })
				continue
			}
			o.launch(a, vcpusOf(market, a.Type), now, &made)
			if key := a.Type + "/" + a.Zone; !told[key] {
				told[key] = true
				o.why = append(o.why, a.Because)
			}
		}
		if o.moves > moves {
			o.steps++
		}
		now = now.Add(time.Minute)
		if len(d.Actions) == 0 && d.Next.After(now) {
			now = d.Next
		}
	}
	return o
}

// launch starts what an action asks for, serving at once, and links it with what it takes the place of.
func (o *outcome) launch(a plan.Action, vcpus int, now time.Time, made *int) {
	o.moves += len(a.Replaces)
	for n := range a.Count {
		*made++
		fresh := plan.Instance{
			ID: fmt.Sprintf("planned-%d", *made), Type: a.Type, Zone: a.Zone, Lifecycle: a.Lifecycle, Phase: plan.Running, LaunchedAt: now,
			Condition: plan.Healthy, WasHealthy: true, LaunchReason: a.Reason, VCPUs: vcpus,
		}
		if n < len(a.Replaces) {
			for m := range o.members {
				if o.members[m].ID == a.Replaces[n] {
					o.members[m].ReplacedBy = fresh.ID
				}
			}
		}
		o.members = append(o.members, fresh)
	}
}

func vcpusOf(market plan.Market, typ string) int {
	at := slices.IndexFunc(market.Pools, func(p plan.Pool) bool { return p.Type == typ })
	if at < 0 {
		return 0
	}
	return market.Pools[at].VCPUs
}
