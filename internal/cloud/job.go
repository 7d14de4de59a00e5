package cloud

import (
	"context"
	"time"
)

// JobQueueState is whether a queue takes jobs.
type JobQueueState string

const (
	JobQueueOpen   JobQueueState = "open"
	JobQueueClosed JobQueueState = "closed" // its owner has switched it off: jobs that are in it go on
	JobQueueUnfit  JobQueueState = "unfit"  // it runs something else than containers on machines, or is broken
)

// JobQueue is a queue of the cloud's own, in which it runs jobs on machines that it keeps itself.
type JobQueue struct {
	Name   string
	State  JobQueueState
	Reason string // for people, when it is unfit
}

// JobSpec is a container to be run once, to its end.
type JobSpec struct {
	Token     string // names the job within its region: letters, digits, "-" and ".", at most 64
	Queue     string
	Image     string
	Command   []string          // without a shell; empty = the image's own
	Env       map[string]string // may hold secrets: kept nowhere but with the job itself
	MilliCPU  int64             // thousandths of a vCPU; clouds round up
	MemoryMiB int64
	GPUs      int64
	Timeout   time.Duration // from its start, 0 = none; a cloud may know none below a minute, and then ends the job later
	Tags      map[string]string
}

// JobState is how a job stands.
type JobState string

const (
	JobWaiting  JobState = "waiting"  // for its turn, or for a machine
	JobStarting JobState = "starting" // it has a machine, which makes it ready
	JobRunning  JobState = "running"
	JobEnded    JobState = "ended"
)

// JobEnd is why a job ended, as far as the cloud says.
type JobEnd string

const (
	JobExited      JobEnd = "exited"      // by itself: its exit code tells
	JobKilled      JobEnd = "killed"      // by EndJob or another such call; Reason is what that call gave
	JobTimedOut    JobEnd = "timedOut"    // its timeout ended it
	JobOutOfMemory JobEnd = "outOfMemory" // its memory limit ended it
	JobBroken      JobEnd = "broken"      // it could not begin: no such image, no such command
	JobDisplaced   JobEnd = "displaced"   // the cloud took its machine away or failed: not the job's own doing
)

// Job is the cloud's account of one job. Read-back may be stale for the provider's settle time.
type Job struct {
	ID      string
	Token   string
	State   JobState
	Reason  string    // the cloud's own words: why it waits, or how it ended
	Created time.Time // when it was submitted
	Started time.Time // zero while it waits or starts
	Ended   time.Time // zero until it has
	End     JobEnd    // once it has ended
	Code    *int      // the exit code; nil when the cloud tells none
	Output  string    // names what it writes, for JobOutput; "" = it has written nothing yet, or its output is kept elsewhere
}

// JobQuery selects jobs of one region: those with these ids, or those of one queue with this token.
type JobQuery struct {
	Region string
	IDs    []string
	Queue  string
	Token  string
}

// JobLine is one event of a job's output.
type JobLine struct {
	At   time.Time
	Text string
}

// JobQueues is the ability of a cloud to run jobs in queues of its own. What a caller acts on is a *Refusal: of SubmitJob it says that this call has begun nothing.
type JobQueues interface {
	// JobQueues lists queues of a region by name: those with these names, or all; a name that the cloud does not know is left out.
	JobQueues(ctx context.Context, region string, names []string) ([]JobQueue, error)
	// SubmitJob puts a job in its queue and returns the cloud's id for it; the same token again makes a second job. After an error that is no refusal it may be
	// there or not: look for its token, and take an absence for proof only Info().Settle later.
	SubmitJob(ctx context.Context, region string, spec JobSpec) (id string, err error)
	// Jobs lists what the query selects, the oldest first. A job that the cloud does not know, or no more, is left out; so is one that is not Neap's.
	Jobs(ctx context.Context, q JobQuery) ([]Job, error)
	// EndJob ends a job, or takes it out of its queue; it does not wait. One that has ended already, or that the cloud does not know, is no error.
	EndJob(ctx context.Context, region, id, reason string) error
	// JobOutput reads a page of at most limit events from a cursor on ("" = the beginning), oldest first, and gives the cursor behind it: the same one again when
	// there is nothing more for now. A cursor that has grown too old is a *Refusal of kind BadRequest: begin anew.
	JobOutput(ctx context.Context, region, output, cursor string, limit int) (page []JobLine, next string, err error)
}
