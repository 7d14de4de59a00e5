// Package batch runs jobs to their end, each exactly once as far as anybody can see, on whatever capacity is cheapest and safe.
//
// It owns jobs, their attempts, their order, and what they cost. It must not know any wire format, nor how a task is run: a runtime does that. The package capacity keeps
// the machines. Start reading at Batch; dispatch.go is the heart, states.go says what may follow what.
package batch

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/batch/output"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/money"
)

// Batch is the room's face. Every method takes the caller's account, and another account's job reads like a missing one. Methods that change something honour
// store.WithDryRun.
type Batch struct{}

var errUnbuilt = fault.Of(fault.Unavailable, "batch", "Jobs cannot be run yet.")

// Submit checks and places a job; key makes it idempotent ("" = it is not): the same key with the same submission gives the job that the first call made, with
// another one fault.Conflict. fault.Invalid when it is malformed. What is well-formed and can never be placed becomes a job in the state Rejected.
func (b *Batch) Submit(ctx context.Context, account, author string, s Submission, key string) (Job, error) {
	return Job{}, errUnbuilt
}

// Get reads a job.
func (b *Batch) Get(ctx context.Context, account, id string) (Job, error) { return Job{}, errUnbuilt }

// AccountOf names the account of a job, for authorisation.
func (b *Batch) AccountOf(ctx context.Context, id string) (string, error) { return "", errUnbuilt }

// Cancel ends a job wherever it stands; fault.Conflict when it is in a final state.
func (b *Batch) Cancel(ctx context.Context, account, author, id string) (Job, error) {
	return Job{}, errUnbuilt
}

// Retry submits a finished job again, as a new one; fault.Conflict when it is not finished.
func (b *Batch) Retry(ctx context.Context, account, author, id, key string) (Job, error) {
	return Job{}, errUnbuilt
}

// ListQuery selects jobs. Zero fields don't restrict.
type ListQuery struct {
	Customer, Class, Cloud, Region string
	States                         []State
	From, Until                    time.Time // both included, by submission
	Limit                          int
	After                          string // cursor of the page before
}

// List gives jobs newest first.
func (b *Batch) List(ctx context.Context, account string, q ListQuery) (jobs []Job, next string, err error) {
	return nil, "", errUnbuilt
}

// Output reads what a job wrote.
func (b *Batch) Output(ctx context.Context, account, id string, q output.Query) (lines []output.Line, next string, err error) {
	return nil, "", errUnbuilt
}

// Follow hands what a job writes to take, from the cursor after on ("" = from its first line), as it comes, until the job has come to its end and everything was
// handed over, take fails, or ctx ends. next is the cursor behind the last line of the batch.
func (b *Batch) Follow(ctx context.Context, account, id, after string, take func(lines []output.Line, next string) error) error {
	return errUnbuilt
}

// Transition is one change of a job's state.
type Transition struct {
	At      time.Time
	From    State
	To      State
	Attempt int // 0 = none
	Host    string
	Because string // one sentence
}

// History is everything that happened to a job, oldest first.
func (b *Batch) History(ctx context.Context, account, id string) ([]Transition, error) {
	return nil, errUnbuilt
}

// Cost is what a job cost so far: of each machine that it ran on, its share of every second.
type Cost struct {
	Actual    money.Amount
	Potential money.Amount // the same seconds at the on-demand list price of the same type
	Running   time.Duration
}

// Cost adds up what the job's attempts cost.
func (b *Batch) Cost(ctx context.Context, account, id string) (Cost, error) {
	return Cost{}, errUnbuilt
}

// LaneCost is what a lane's machines cost in a time, exactly: Jobs + Idle = Fleet.
type LaneCost struct {
	Queue                 string
	Cloud, Region         string
	Jobs, Idle, Fleet     money.Amount
	Attempts              int
	Running, IdleMachines time.Duration // of the attempts, and of the machines weighed by what of them was idle
}

// Costs are the lanes' costs from … until, by cloud, region and queue.
func (b *Batch) Costs(ctx context.Context, account string, from, until time.Time) ([]LaneCost, error) {
	return nil, errUnbuilt
}

// Usage is one customer's part of what ran.
type Usage struct {
	Jobs     int
	Runtime  time.Duration
	MilliCPU int64 // milliseconds × thousandths of a vCPU; see VCPU
	Cost     *int64
}

// UsageQuery selects the jobs of a region whose runs overlap a time; they count as far as they do.
type UsageQuery struct {
	Cloud, Region string
	From, Until   time.Time
	Price         *int64 // to be split; nil = nothing is
}

// Usage tells who used how much, by customer.
func (b *Batch) Usage(ctx context.Context, account string, q UsageQuery) (map[string]Usage, error) {
	return nil, errUnbuilt
}

// Announce is called by an instance job's own machine when it has booted: its job runs from now on. The same answer on repeat. fault.Invalid when the instance is no
// running instance job's.
func (b *Batch) Announce(ctx context.Context, account, region, instance, peer string) (Job, error) {
	return Job{}, errUnbuilt
}

// Release is called by an instance job's own machine when its work is done: the instance is terminated, and its job has succeeded. fault.Invalid as for Announce, and for
// the second call.
func (b *Batch) Release(ctx context.Context, account, region, instance, peer string) (Job, error) {
	return Job{}, errUnbuilt
}
