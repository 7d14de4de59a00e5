package mapsor

import (
	"context"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/batch/output"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// What one answer holds, and how much of it is asked for at once.
const (
	mostJobs  = 10_000
	mostLines = 10_000
	page      = 1_000
)

// keyed makes what may be sent twice happen once.
type keyed struct {
	Key string `header:"Idempotency-Key" minLength:"1" maxLength:"255" pattern:"^[ -~]*$" doc:"Neap's: the same job with the same key is submitted once, and answered with the same id"`
}

type newJob struct {
	keyed
	Body op.Document
}

type byID struct {
	ID string `path:"id" doc:"Job"`
}

type again struct {
	byID
	keyed
}

type made struct {
	ID string `json:"job_id"`
}

type told struct {
	Response string `json:"response"`
}

func (d Deps) submit(ctx context.Context, in newJob) (made, error) {
	s, err := submission(in.Body)
	if err != nil {
		return made{}, err
	}
	call := op.CallOf(ctx)
	job, err := d.Batch.Submit(ctx, call.Account, call.Caller.Subject, s, in.Key)
	return made{job.ID}, err
}

type status struct {
	Status batch.State `json:"status"`
}

func (d Deps) status(ctx context.Context, in byID) (status, error) {
	job, err := d.Batch.Get(ctx, op.CallOf(ctx).Account, in.ID)
	return status{job.State}, err
}

func (d Deps) cancel(ctx context.Context, in byID) (told, error) {
	call := op.CallOf(ctx)
	_, err := d.Batch.Cancel(ctx, call.Account, call.Caller.Subject, in.ID)
	return told{"Cancelled job"}, err
}

func (d Deps) retry(ctx context.Context, in again) (made, error) {
	call := op.CallOf(ctx)
	job, err := d.Batch.Retry(ctx, call.Account, call.Caller.Subject, in.ID, in.Key)
	return made{job.ID}, err
}

type query struct {
	Customer string  `query:"customer" required:"true" minLength:"1" doc:"Customer"`
	Start    float64 `query:"start_time" required:"true" doc:"First time of submission, in epoch milliseconds"`
	End      float64 `query:"end_time" required:"true" doc:"Last time of submission, in epoch milliseconds"`
	ID       string  `query:"id" doc:"The submitter's label"`
	Cloud    string  `query:"cloud" enum:"aws,azure"`
	Region   string  `query:"region"`
}

// listed is a job as lists show it. The last members are Neap's, and only there for jobs that were submitted with them.
type listed struct {
	JobID       string          `json:"job_id"`
	ID          string          `json:"id"`
	Customer    string          `json:"customer"`
	Cloud       string          `json:"cloud"`
	Region      string          `json:"region"`
	Status      batch.State     `json:"status"`
	Kind        string          `json:"kind"`
	Priority    *batch.Priority `json:"priority"`
	Queue       *string         `json:"queue"`
	Image       *string         `json:"image"`
	AMI         *string         `json:"ami"`
	Tags        map[string]any  `json:"tags"`
	SubmittedAt *int64          `json:"submitted_at"`
	StartedAt   *int64          `json:"started_at"`
	StoppedAt   *int64          `json:"stopped_at"`
	RetryOf     *string         `json:"retry_of"`
	Reason      *string         `json:"reason"`
	Deadline    *int64          `json:"deadline,omitempty"`
	Expected    float64         `json:"expected,omitempty"`
	Checkpoint  bool            `json:"checkpoint,omitempty"`
}

func shown(j batch.Job) listed {
	kind := j.Kind()
	if kind == batch.KindInstance {
		kind = "ec2"
	}
	return listed{
		JobID: j.ID, ID: j.Class, Customer: j.Customer, Cloud: j.Cloud, Region: j.Region, Status: j.State, Kind: kind,
		Priority: orNull(j.Priority), Queue: orNull(j.Queue), Image: orNull(j.Image), AMI: orNull(j.AMI), Tags: j.Tags,
		SubmittedAt: epoch(j.SubmittedAt), StartedAt: epoch(j.StartedAt), StoppedAt: epoch(j.StoppedAt), RetryOf: orNull(j.RetryOf), Reason: orNull(j.Reason),
		Deadline: epoch(j.Deadline), Expected: j.Expected.Seconds(), Checkpoint: j.Checkpoint,
	}
}

type found struct {
	Response []listed `json:"response"`
}

func (d Deps) list(ctx context.Context, in query) (found, error) {
	from, until, err := window("start_time", in.Start, "end_time", in.End)
	if err != nil {
		return found{}, err
	}
	account := op.CallOf(ctx).Account
	jobs, err := collect(mostJobs, func(after string, most int) ([]batch.Job, string, error) {
		return d.Batch.List(ctx, account, batch.ListQuery{
			Customer: in.Customer, Class: in.ID, Cloud: in.Cloud, Region: in.Region, From: from, Until: until, Limit: most, After: after,
		})
	}, func(j batch.Job) []listed { return []listed{shown(j)} })
	return found{jobs}, err
}

// window reads the two ends of a time.
func window(first string, start float64, last string, end float64) (from, until time.Time, err error) {
	if from, until = moment(start), moment(end); from.After(until) {
		err = fault.Field(first, "must not be after %s", last)
	}
	return from, until, err
}

// collect reads a list page by page, up to most entries. It is never nil.
func collect[From, To any](most int, read func(after string, most int) ([]From, string, error), show func(From) []To) ([]To, error) {
	all := []To{}
	for after := ""; len(all) < most; {
		entries, next, err := read(after, min(page, most-len(all)))
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			all = append(all, show(entry)...)
		}
		if next == "" || next == after {
			break
		}
		after = next
	}
	return all[:min(most, len(all))], nil
}

type line struct {
	Timestamp int64  `json:"timestamp"`
	Message   string `json:"message"`
}

type log struct {
	outcome
	Response []line `json:"response"`
}

func (d Deps) logs(ctx context.Context, in byID) (log, error) {
	account := op.CallOf(ctx).Account
	job, err := d.Batch.Get(ctx, account, in.ID)
	if err != nil {
		return log{}, err
	}
	if job.State == batch.Rejected {
		return log{}, fault.Of(fault.Conflict, "state", "Job %s was rejected, so there is no log of it: %s", in.ID, job.Reason)
	}
	lines, err := collect(mostLines, func(after string, most int) ([]output.Line, string, error) {
		return d.Batch.Output(ctx, account, in.ID, output.Query{After: after, Limit: most})
	}, written)
	return log{Response: lines}, err
}

// written is a line of output, after a remark where lines before it were not kept.
func written(l output.Line) []line {
	at := l.At.UnixMilli()
	this := line{at, l.Text}
	if l.Dropped == 0 {
		return []line{this}
	}
	return []line{{at, fmt.Sprintf("[lines that were not kept: %d]", l.Dropped)}, this}
}
