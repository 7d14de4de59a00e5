package neap

import (
	"context"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/batch/form"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// jobRows are batch jobs, with what the published API of jobs has no words for: attempts, costs, output as it comes.
func (d Deps) jobRows() []op.Row {
	job := op.Target{Noun: "job", Param: "jobId", AccountOf: d.Batch.AccountOf}
	return []op.Row{
		{ID: "jobs.submit", Route: "POST /neap/v1/jobs", Need: "batch:submitJob", Title: "Submit a job", Mutates: true, Body: "job", Do: op.Func(d.submitJob)},
		{ID: "jobs.list", Route: "GET /neap/v1/jobs", Need: "batch:describeJobs", Title: "List jobs, newest first", Do: op.Func(d.jobs)},
		{ID: "jobs.read", Route: "GET /neap/v1/jobs/{jobId}", Need: "batch:describeJob", Title: "Read a job, its attempts and what it cost", Target: job, Do: op.Func(d.job)},
		{ID: "jobs.cancel", Route: "POST /neap/v1/jobs/{jobId}/cancel", Need: "batch:cancelJob", Title: "Cancel a job", Target: job, Mutates: true, Do: op.Func(d.cancelJob)},
		{ID: "jobs.retry", Route: "POST /neap/v1/jobs/{jobId}/retry", Need: "batch:retryJob", Title: "Submit a finished job again, as a new one", Target: job, Mutates: true, Do: op.Func(d.retryJob)},
		{ID: "jobs.logs", Route: "GET /neap/v1/jobs/{jobId}/logs", Need: "batch:readJobOutput", Title: "Read what a job wrote", Target: job, Do: op.Func(d.jobLogs)},
		{ID: "jobs.follow", Route: "GET /neap/v1/jobs/{jobId}/logs/follow", Need: "batch:readJobOutput", Title: "Follow what a job writes, as events", Target: job, Do: op.Events(d.followJob)},
		{ID: "jobs.history", Route: "GET /neap/v1/jobs/{jobId}/history", Need: "batch:describeJob", Title: "Read everything that happened to a job", Target: job, Do: op.Func(d.jobHistory)},
		{ID: "jobs.costs", Route: "GET /neap/v1/job-costs", Need: "batch:describeJobCosts", Title: "Read what the machines of jobs cost, by lane", Do: op.Func(d.jobCosts)},

		{ID: "queues.list", Route: "GET /neap/v1/job-queues", Need: "batch:describeQueues", Title: "List named queues of jobs", Do: op.Func(d.queues)},
		{ID: "queues.put", Route: "PUT /neap/v1/job-queues", Need: "batch:updateQueue", Title: "Make or change a named queue of jobs", Mutates: true, Body: "queue", Do: op.Func(d.putQueue)},
		{ID: "queues.delete", Route: "DELETE /neap/v1/job-queues", Need: "batch:deleteQueue", Title: "Remove a named queue of jobs", Mutates: true, Do: op.Func(d.deleteQueue)},
	}
}

// jobView is a job on the wire, without its environment and user data, which are never shown. Attempts and Cost come with a single read, Cost also with a list that asks for it.
type jobView struct {
	ID           string         `json:"id"`
	Class        string         `json:"class"` // "id" of the document that it was submitted with
	Customer     string         `json:"customer"`
	Kind         string         `json:"kind"`
	Cloud        string         `json:"cloud"`
	Region       string         `json:"region"`
	Queue        string         `json:"queue"` // of the lane that it was placed in
	Priority     batch.Priority `json:"priority"`
	Image        string         `json:"image,omitempty"`
	Command      []string       `json:"command,omitempty"`
	AMI          string         `json:"ami,omitempty"`
	InstanceType string         `json:"instanceType,omitempty"`
	Resources    resourcesView  `json:"resources"`
	Tags         map[string]any `json:"tags,omitempty"`
	Timeout      float64        `json:"timeout,omitempty"` // seconds
	Deadline     time.Time      `json:"deadline,omitzero"`
	Expected     float64        `json:"expected,omitempty"` // seconds
	Checkpoint   bool           `json:"checkpoint,omitempty"`
	State        batch.State    `json:"state"`
	Reason       string         `json:"reason,omitempty"`
	Author       string         `json:"author,omitempty"`
	RetryOf      string         `json:"retryOf,omitempty"`
	SubmittedAt  time.Time      `json:"submittedAt"`
	StartedAt    time.Time      `json:"startedAt,omitzero"`
	StoppedAt    time.Time      `json:"stoppedAt,omitzero"`
	AttemptCount int            `json:"attemptCount"`
	Attempts     []attemptView  `json:"attempts,omitempty"`
	Cost         *costView      `json:"cost,omitempty"`
	Ahead        *int           `json:"ahead,omitempty"` // jobs that have their turn before it, of one that waits for its turn; with a single read
}

// resourcesView is in the units of the document that jobs are submitted with.
type resourcesView struct {
	VCPUs  float64 `json:"vcpus"`
	Memory int64   `json:"memory"` // MiB
	GPU    int64   `json:"gpu,omitempty"`
}

type attemptView struct {
	N         int       `json:"n"`
	Runtime   string    `json:"runtime"`
	Machine   string    `json:"machine,omitempty"`
	Host      string    `json:"host,omitempty"`
	Type      string    `json:"type,omitempty"`
	Zone      string    `json:"zone,omitempty"`
	Group     string    `json:"group,omitempty"`
	Share     float64   `json:"share,omitempty"`
	At        time.Time `json:"at"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
	Outcome   string    `json:"outcome,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Exit      *exitView `json:"exit,omitempty"`
	Limits    string    `json:"limits,omitempty"`
	Lines     int64     `json:"lines"`
}

type exitView struct {
	Code        int    `json:"code"`
	Signal      string `json:"signal,omitempty"`
	TimedOut    bool   `json:"timedOut,omitempty"`
	OutOfMemory bool   `json:"outOfMemory,omitempty"`
	Stopped     bool   `json:"stopped,omitempty"`
	Reason      string `json:"reason,omitempty"`
}

// costView is in dollars.
type costView struct {
	Actual    float64 `json:"actual"`
	Potential float64 `json:"potential"` // on demand, at list price
	Running   float64 `json:"running"`   // seconds
}

func fromJob(j batch.Job) jobView {
	queue := j.Lane.Queue
	if queue == "" {
		queue = j.Submission.Queue
	}
	return jobView{
		ID: j.ID, Class: j.Class, Customer: j.Customer, Kind: j.Kind(), Cloud: j.Cloud, Region: j.Region, Queue: queue, Priority: j.Priority,
		Image: j.Image, Command: j.Command, AMI: j.AMI, InstanceType: j.InstanceType, Tags: j.Tags,
		Resources: resourcesView{float64(j.Resources.MilliCPU) / 1000, j.Resources.MemoryMiB, j.Resources.GPUs},
		Timeout:   j.Timeout.Seconds(), Deadline: j.Deadline, Expected: j.Expected.Seconds(), Checkpoint: j.Checkpoint,
		State: j.State, Reason: j.Reason, Author: j.Author, RetryOf: j.RetryOf,
		SubmittedAt: j.SubmittedAt, StartedAt: j.StartedAt, StoppedAt: j.StoppedAt, AttemptCount: len(j.Attempts),
	}
}

func fromAttempt(a batch.Attempt) attemptView {
	view := attemptView{
		N: a.N, Runtime: a.Runtime, Machine: a.Machine, Host: a.Host, Type: a.Type, Zone: a.Zone, Group: a.Group, Share: a.Share(),
		At: a.At, StartedAt: a.StartedAt, EndedAt: a.EndedAt, Outcome: a.Outcome, Reason: a.Reason, Limits: a.Limits, Lines: a.Lines,
	}
	if a.Exit != nil {
		exit := exitView(*a.Exit)
		view.Exit = &exit
	}
	return view
}

// cost adds what a job cost so far.
func (d Deps) cost(ctx context.Context, view *jobView) error {
	c, err := d.Batch.Cost(ctx, op.CallOf(ctx).Account, view.ID)
	view.Cost = &costView{c.Actual.Dollars(), c.Potential.Dollars(), c.Running.Seconds()}
	return err
}

// keyed makes what may be sent twice happen once.
type keyed struct {
	Key string `header:"Idempotency-Key" minLength:"1" maxLength:"255" pattern:"^[ -~]*$" doc:"The same job with the same key is submitted once, and answered with the same id"`
}

type submitJob struct {
	keyed
	Body op.Document
}

func (d Deps) submitJob(ctx context.Context, in submitJob) (jobView, error) {
	asked, err := form.Parse(in.Body)
	if err != nil {
		return jobView{}, err
	}
	call := op.CallOf(ctx)
	j, err := d.Batch.Submit(ctx, call.Account, call.Caller.Subject, asked, in.Key)
	call.Object = j.ID
	return fromJob(j), err
}

type listJobs struct {
	Customer string    `query:"customer"`
	Class    string    `query:"class" doc:"The submitter's own label"`
	State    []string  `query:"state" doc:"One or several of SUBMITTED, PENDING, RUNNABLE, STARTING, RUNNING, SUCCEEDED, FAILED, TIMED_OUT, CANCELLED, REJECTED"`
	Cloud    string    `query:"cloud" enum:"aws,azure"`
	Region   string    `query:"region"`
	Since    time.Time `query:"since" doc:"Submitted then or later, e.g. 2026-03-01T12:00:00Z"`
	Until    time.Time `query:"until" doc:"Submitted then or earlier"`
	Costs    bool      `query:"costs" doc:"With what each cost so far; a page then has at most 200 jobs"`
	Limit    int       `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Jobs on a page"`
	After    string    `query:"after" doc:"Next of the page before"`
}

// mostCosted is how many jobs of a page are added up.
const mostCosted = 200

func (d Deps) jobs(ctx context.Context, in listJobs) (page[jobView], error) {
	q := batch.ListQuery{Customer: in.Customer, Class: in.Class, Cloud: in.Cloud, Region: in.Region, From: in.Since, Until: in.Until, Limit: in.Limit, After: in.After}
	for _, name := range in.State {
		state := batch.State(strings.ToUpper(name))
		if !isState(state) {
			return page[jobView]{}, fault.Field("state", "must be a state of jobs, such as RUNNING or FAILED, got %.40q", name)
		}
		q.States = append(q.States, state)
	}
	if in.Costs {
		q.Limit = min(q.Limit, mostCosted)
	}
	list, next, err := d.Batch.List(ctx, op.CallOf(ctx).Account, q)
	items := make([]jobView, 0, len(list))
	for _, j := range list {
		items = append(items, fromJob(j))
		if in.Costs && err == nil {
			err = d.cost(ctx, &items[len(items)-1])
		}
	}
	return page[jobView]{items, next}, err
}

func isState(s batch.State) bool {
	switch s {
	case batch.Submitted, batch.Pending, batch.Runnable, batch.Starting, batch.Running:
		return true
	}
	return s.Final()
}

type oneJob struct {
	Job string `path:"jobId"`
}

func (d Deps) job(ctx context.Context, in oneJob) (jobView, error) {
	j, err := d.Batch.Get(ctx, op.CallOf(ctx).Account, in.Job)
	if err != nil {
		return jobView{}, err
	}
	view := fromJob(j)
	for _, a := range j.Attempts {
		view.Attempts = append(view.Attempts, fromAttempt(a))
	}
	if j.State == batch.Runnable {
		ahead, err := d.Batch.Ahead(ctx, op.CallOf(ctx).Account, j.ID)
		if err != nil {
			return view, err
		}
		view.Ahead = &ahead
	}
	return view, d.cost(ctx, &view)
}

func (d Deps) cancelJob(ctx context.Context, in oneJob) (jobView, error) {
	call := op.CallOf(ctx)
	j, err := d.Batch.Cancel(ctx, call.Account, call.Caller.Subject, in.Job)
	return fromJob(j), err
}

type retryJob struct {
	oneJob
	keyed
}

func (d Deps) retryJob(ctx context.Context, in retryJob) (jobView, error) {
	call := op.CallOf(ctx)
	j, err := d.Batch.Retry(ctx, call.Account, call.Caller.Subject, in.Job, in.Key)
	return fromJob(j), err
}

type period struct {
	From  time.Time `query:"from" required:"true" doc:"E.g. 2026-03-01T12:00:00Z"`
	Until time.Time `query:"until" required:"true"`
}

// laneView is what a lane's machines cost, in dollars: jobs + idle = fleet.
type laneView struct {
	Cloud    string  `json:"cloud"`
	Region   string  `json:"region"`
	Queue    string  `json:"queue"`
	Jobs     float64 `json:"jobs"`
	Idle     float64 `json:"idle"`
	Fleet    float64 `json:"fleet"`
	Attempts int     `json:"attempts"`
	Running  float64 `json:"running"` // seconds, of the machines
}

func (d Deps) jobCosts(ctx context.Context, in period) (page[laneView], error) {
	if in.Until.Before(in.From) {
		return page[laneView]{}, fault.Field("until", "must not be before from")
	}
	list, err := d.Batch.Costs(ctx, op.CallOf(ctx).Account, in.From, in.Until)
	items := make([]laneView, 0, len(list))
	for _, l := range list {
		items = append(items, laneView{
			l.Lane.Cloud, l.Lane.Region, l.Lane.Queue, l.Jobs.Dollars(), l.Idle.Dollars(), l.Fleet.Dollars(), l.Attempts, l.Running.Seconds(),
		})
	}
	return page[laneView]{Items: items}, err
}
