package mishap

import (
	"context"
	"math/rand/v2"

	"github.com/neap-cloud/neap/internal/cloud"
)

// jobQueues is the layer of that ability.
type jobQueues struct{ around[cloud.JobQueues] }

func (j jobQueues) JobQueues(ctx context.Context, region string, names []string) ([]cloud.JobQueue, error) {
	return call(ctx, j.base, "JobQueues", region, func(Plan, *rand.Rand) ([]cloud.JobQueue, error) { return j.inner.JobQueues(ctx, region, names) })
}

func (j jobQueues) SubmitJob(ctx context.Context, region string, spec cloud.JobSpec) (string, error) {
	return call(ctx, j.base, "SubmitJob", region, func(Plan, *rand.Rand) (string, error) { return j.inner.SubmitJob(ctx, region, spec) })
}

func (j jobQueues) Jobs(ctx context.Context, q cloud.JobQuery) ([]cloud.Job, error) {
	return call(ctx, j.base, "Jobs", q.Region, func(Plan, *rand.Rand) ([]cloud.Job, error) { return j.inner.Jobs(ctx, q) })
}

func (j jobQueues) EndJob(ctx context.Context, region, id, reason string) error {
	return j.base.do(ctx, "EndJob", region, func() error { return j.inner.EndJob(ctx, region, id, reason) })
}

func (j jobQueues) JobOutput(ctx context.Context, region, output, cursor string, limit int) (lines []cloud.JobLine, next string, err error) {
	_, err = call(ctx, j.base, "JobOutput", region, func(Plan, *rand.Rand) (struct{}, error) {
		lines, next, err = j.inner.JobOutput(ctx, region, output, cursor, limit)
		return struct{}{}, err
	})
	if err != nil {
		return nil, "", err
	}
	return lines, next, nil
}

var _ cloud.JobQueues = jobQueues{}
