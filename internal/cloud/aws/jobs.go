package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/batch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws/calls"
	"github.com/neap-cloud/neap/internal/cloud/aws/jobs"
)

// batches gives a region's queues of AWS Batch.
func (a *Account) batches(settings awssdk.Config) *jobs.Region {
	return jobs.New(jobs.Config{
		Name: settings.Region, Refused: refused, Careful: afterAnswer,
		Batch: calls.BatchOf(batch.NewFromConfig(settings, func(o *batch.Options) { o.BaseEndpoint = a.at("batch") })),
		Logs:  calls.LogsOf(cloudwatchlogs.NewFromConfig(settings, func(o *cloudwatchlogs.Options) { o.BaseEndpoint = a.at("logs") })),
	})
}

// JobQueues is cloud.JobQueues'.
func (a *Account) JobQueues(ctx context.Context, region string, names []string) ([]cloud.JobQueue, error) {
	return a.in(region).jobs.Queues(ctx, names)
}

// SubmitJob is cloud.JobQueues'.
func (a *Account) SubmitJob(ctx context.Context, region string, spec cloud.JobSpec) (string, error) {
	return a.in(region).jobs.Submit(ctx, spec)
}

// Jobs is cloud.JobQueues'.
func (a *Account) Jobs(ctx context.Context, q cloud.JobQuery) ([]cloud.Job, error) {
	return a.in(q.Region).jobs.Jobs(ctx, q)
}

// EndJob is cloud.JobQueues'.
func (a *Account) EndJob(ctx context.Context, region, id, reason string) error {
	return a.in(region).jobs.End(ctx, id, reason)
}

// JobOutput is cloud.JobQueues'.
func (a *Account) JobOutput(ctx context.Context, region, output, cursor string, limit int) ([]cloud.JobLine, string, error) {
	return a.in(region).jobs.Output(ctx, output, cursor, limit)
}

var _ cloud.JobQueues = (*Account)(nil)
