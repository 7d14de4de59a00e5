// Package deadline decides where a job that has to be done by a certain time runs now: in a spot pool, on demand, or nowhere for a while.
//
// It owns the rule: a safety net under which no market can make a job late, and above it what waiting, spot and on demand are worth in money. It must not know how
// an instance is bought or a job is stored: all it needs is handed in, and the same arguments give the same decision. Start reading at Decide.
package deadline

import (
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// Kind is a way to spend the next while.
type Kind string

// All kinds. Wait is nothing running and nothing paid.
const (
	Wait     Kind = "wait"
	Spot     Kind = "spot"
	OnDemand Kind = "on-demand"
)

// Where a job runs. Comparable.
type Where struct {
	Kind Kind
	Pool int // for Spot, its place in Market.Pools; else 0
}

// Job is a job as it stands. All of it runs on one instance.
type Job struct {
	Work       time.Duration // all of it, as it was when the job began
	Left       time.Duration // what is still to do if nothing more is lost
	Unsaved    time.Duration // what was done and would be lost with the current run; 0 with Checkpoint
	Began      time.Time
	Until      time.Time     // the deadline
	Restart    time.Duration // from the launch of an instance until work goes on in it: boot, and reading what was saved
	Checkpoint bool          // what was done stays done when an instance is lost or left
}

// Market is what can be bought now, and what is known of it.
type Market struct {
	Pools    []Pool
	OnDemand money.Price   // above zero; on demand is taken to be there always
	Every    time.Duration // how late the next decision, or the news of a loss, may come
	History  History
}

// Pool is spot capacity that the job could use.
type Pool struct {
	Type, Zone string
	Price      money.Price
	Open       bool
	Since      time.Time // when it was seen to open or shut; zero: it never changed since it was first seen
	Hazard     float64   // interruptions per hour of what is bought now, by the caller's own model; 0: go by Since and History
}

// History is what was seen of the pools, all together. The zero value is none.
type History struct {
	Open   time.Duration // for how long they were open, added up
	Losses int           // how often one that was open shut
}

// Decision is what to do now.
type Decision struct {
	Where
	Because string    // for people
	Terms   Terms     // what it was weighed by
	Next    time.Time // decide again then, or when a pool opens or shuts or the run is lost, whatever is first; zero: only when the run is lost
}

// Terms are what a decision was weighed by. Where there was nothing to weigh, all but Slack are zero and BestPool is -1.
type Terms struct {
	Slack    time.Duration // time that can be lost until on demand, started at once, is only just in time
	Ahead    time.Duration // work done beyond what the pace asks for by now; negative: behind
	BestPool int           // the place in Market.Pools of the open pool that does work at the lowest cost; -1: none is open and below on demand
	Useful   time.Duration // work that can be expected of an instance there before it is lost
	Moving   money.Amount  // what a move there is worth, less all it costs; 0 for a job that waits
}
