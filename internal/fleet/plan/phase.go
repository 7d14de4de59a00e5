package plan

import "slices"

// Phase is where one of our instances stands in its life. Order: Launching, Running, Draining, Terminating, Terminated.
type Phase string

const (
	Launching   Phase = "launching"   // the cloud has it, it is not running yet
	Running     Phase = "running"     // serving
	Draining    Phase = "draining"    // out of service, waiting for its drain time
	Terminating Phase = "terminating" // the cloud was told, or takes it
	Terminated  Phase = "terminated"
	Detached    Phase = "detached"    // alive, no longer ours
	Quarantined Phase = "quarantined" // it carries our tags, but no row of ours explains it: shown and never touched
)

// transitions is the life of an instance: from each phase, where it can go. It never goes back.
var transitions = map[Phase][]Phase{
	Launching:   {Running, Draining, Terminating, Terminated, Detached},
	Running:     {Draining, Terminating, Terminated, Detached},
	Draining:    {Terminating, Terminated, Detached},
	Terminating: {Terminated},
	Quarantined: {Terminated},
}

// Alive are the phases in which an instance may still cost money or serve.
func Alive() []Phase { return []Phase{Launching, Running, Draining, Terminating} }

// IsAlive reports whether an instance may still cost money or serve.
func (p Phase) IsAlive() bool { return slices.Contains(Alive(), p) }

// LeadsTo reports whether an instance can go from p to another phase.
func (p Phase) LeadsTo(to Phase) bool { return slices.Contains(transitions[p], to) }

// AliveStates are the phases of Alive, as rows are found by them.
func AliveStates() []string {
	states := make([]string, len(Alive()))
	for n, phase := range Alive() {
		states[n] = string(phase)
	}
	return states
}
