package jobs

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/batch"
	"github.com/aws/aws-sdk-go-v2/service/batch/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

// Jobs lists what a query selects, the oldest first: a hundred ids a call.
func (r *Region) Jobs(ctx context.Context, q cloud.JobQuery) ([]cloud.Job, error) {
	ids := q.IDs
	if q.Token != "" {
		var err error
		if ids, err = r.named(ctx, q.Queue, nameOf(q.Token)); err != nil {
			return nil, err
		}
	}
	jobs := []cloud.Job{}
	for part := range slices.Chunk(ids, idsAtOnce) {
		out, err := r.Batch.DescribeJobs(ctx, &batch.DescribeJobsInput{Jobs: part})
		if err != nil {
			return nil, r.Refused("DescribeJobs", r.Name, err)
		}
		for _, j := range out.Jobs {
			if shown := job(j); shown.Token != "" {
				jobs = append(jobs, shown)
			}
		}
	}
	slices.SortFunc(jobs, func(a, b cloud.Job) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return jobs, nil
}

// named are the jobs of a queue with a name, whatever their state. Batch's filter takes upper and lower case for the same.
func (r *Region) named(ctx context.Context, queue, name string) (ids []string, err error) {
	found, err := pages(func(token *string) ([]types.JobSummary, *string, error) {
		page, err := r.Batch.ListJobs(ctx, &batch.ListJobsInput{
			JobQueue: &queue, NextToken: token, Filters: []types.KeyValuesPair{{Name: awssdk.String("JOB_NAME"), Values: []string{name}}},
		})
		if err != nil {
			return nil, nil, r.Refused("ListJobs", r.Name, err)
		}
		return page.JobSummaryList, page.NextToken, nil
	})
	for _, j := range found {
		if awssdk.ToString(j.JobName) == name {
			ids = append(ids, awssdk.ToString(j.JobId))
		}
	}
	return ids, err
}

// End ends a job or takes it out of its queue. Whether Batch minds a job that has ended, or that it does not know, is not documented.
func (r *Region) End(ctx context.Context, id, reason string) error {
	_, err := r.Batch.TerminateJob(ctx, &batch.TerminateJobInput{JobId: &id, Reason: &reason})
	if err = r.Refused("TerminateJob", r.Name, err); !isKind(err, cloud.BadRequest) {
		return err
	}
	if found, failed := r.Jobs(ctx, cloud.JobQuery{IDs: []string{id}}); failed == nil && (len(found) == 0 || found[0].State == cloud.JobEnded) {
		return nil
	}
	return err
}

func job(j types.JobDetail) cloud.Job {
	shown := cloud.Job{
		ID: awssdk.ToString(j.JobId), Token: tokenOf(awssdk.ToString(j.JobName)), State: cloud.JobWaiting, Reason: awssdk.ToString(j.StatusReason),
		Created: at(j.CreatedAt), Started: at(j.StartedAt),
	}
	container := types.ContainerDetail{}
	if j.Container != nil {
		container = *j.Container
	}
	shown.Output = awssdk.ToString(container.LogStreamName)
	switch j.Status {
	case types.JobStatusStarting:
		shown.State = cloud.JobStarting
	case types.JobStatusRunning:
		shown.State = cloud.JobRunning
	case types.JobStatusSucceeded, types.JobStatusFailed:
		shown.State, shown.Ended = cloud.JobEnded, at(j.StoppedAt)
		shown.End, shown.Reason, shown.Code = end(j, container)
	}
	return shown
}

// at is a moment in milliseconds; the epoch stands for none.
func at(millis *int64) time.Time {
	if awssdk.ToInt64(millis) <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(*millis).UTC()
}

// displaced is what Batch and ECS say when a job ended for its machine's sake.
var displaced = regexp.MustCompile(`^Host EC2 .*terminated|^DockerTimeoutError|^Task stopped.*host`)

// end tells how a job ended, by the words that AWS Batch and ECS have for it.
func end(j types.JobDetail, container types.ContainerDetail) (how cloud.JobEnd, reason string, code *int) {
	status, own := awssdk.ToString(j.StatusReason), awssdk.ToString(container.Reason)
	if container.ExitCode != nil {
		code = awssdk.Int(int(*container.ExitCode))
	}
	both := strings.Join(slices.DeleteFunc([]string{status, own}, func(s string) bool { return s == "" }), ": ")
	switch {
	case j.Status == types.JobStatusSucceeded:
		if code == nil {
			code = awssdk.Int(0)
		}
		return cloud.JobExited, both, code
	case awssdk.ToBool(j.IsTerminated) || awssdk.ToBool(j.IsCancelled):
		return cloud.JobKilled, status, code
	case displaced.MatchString(status), displaced.MatchString(own):
		return cloud.JobDisplaced, both, code
	case strings.HasPrefix(status, "Job attempt duration exceeded timeout"):
		return cloud.JobTimedOut, status, code
	case strings.HasPrefix(own, "OutOfMemoryError"):
		return cloud.JobOutOfMemory, own, code
	case code != nil:
		return cloud.JobExited, both, code
	}
	return cloud.JobBroken, both, nil
}
