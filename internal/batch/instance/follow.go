package instance

import (
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// wish is what is to be done about a task's group.
type wish int

const (
	nothing   wish = iota
	endGroup       // have it wound down
	terminate      // end the instance that somebody stopped in place: it would stay so for ever
)

// follow brings a living task up to date with its group, and says what is to be done. It is pure. A task comes to its end only when its group is gone, so that nothing
// of it runs by then, or ever will.
func follow(d store.Doc[task], c fleet.Course, now time.Time) (store.Doc[task], wish) {
	t, i := &d.Value, newest(c.Instances)
	if i != nil {
		t.Instance = i.ID
	}
	if d.State == string(runtime.Starting) && i != nil && (i.Phase == plan.Running || i.Phase == plan.Draining) {
		d.State, t.Started, t.Reason = string(runtime.Running), now, ""
		t.ConsoleAt = now.Add(consoleFirst)
	}
	if t.isOverdue(d.State, now) {
		t.Ending = timedOut
	}
	switch {
	case c.IsGone:
		conclude(&d, i, now)
		return d, nothing
	case c.IsKept && (t.Ending != "" || i != nil && !i.Phase.IsAlive()):
		return d, endGroup
	case i != nil && i.Phase == plan.Terminating && (i.Cloud == cloud.Stopped || i.Cloud == cloud.Stopping):
		return d, terminate
	}
	return d, nothing
}

// newest is the instance that a task has or had. Those that no launch of ours explains are not it.
func newest(list []fleet.Instance) (found *fleet.Instance) {
	for n := range list {
		if list[n].Phase != plan.Quarantined {
			found = &list[n]
		}
	}
	return found
}

func (t *task) isOverdue(state string, now time.Time) bool {
	return state == string(runtime.Running) && t.Ending == "" && t.Timeout > 0 && !now.Before(t.Started.Add(t.Timeout))
}

// Reasons of ends, for people.
const (
	interrupted = "interrupted by the cloud"
	fromOutside = "terminated from outside"
	byItself    = "the instance shut itself down, or failed"
	neverRan    = "the instance failed before it ran"
	vanished    = "the cloud does not know the instance any more"
	unlaunched  = "its group was deleted before there was an instance"
)

// conclude says how a task whose group is gone has ended.
func conclude(d *store.Doc[task], i *fleet.Instance, now time.Time) {
	t := &d.Value
	t.Ended, t.Reason = now, ""
	if i != nil && !i.Ended.IsZero() {
		t.Ended = i.Ended
	}
	end := func(exit runtime.Exit) { d.State, t.Exit = string(runtime.Ended), exit }
	lose := func(why string) { d.State, t.Reason = string(runtime.Lost), why }
	switch {
	case t.Ending == stopped:
		end(runtime.Exit{Stopped: true})
	case t.Ending == timedOut:
		end(runtime.Exit{Code: 1, TimedOut: true})
	case i == nil:
		end(runtime.Exit{Code: 1, Reason: unlaunched})
	case i.LeaveReason == cloud.EndedByInterruption:
		lose(interrupted)
	case i.HasVanished():
		lose(vanished)
	case i.LeaveReason == cloud.EndedByFailure && t.Started.IsZero():
		lose(neverRan)
	case i.LeaveReason == cloud.EndedByFailure:
		end(runtime.Exit{Code: 1, Reason: byItself})
	default:
		end(runtime.Exit{Code: 1, Reason: fromOutside})
	}
}
