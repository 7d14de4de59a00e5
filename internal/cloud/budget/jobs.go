package budget

import (
	"context"

	"github.com/neap-cloud/neap/internal/cloud"
)

// jobQueues is the layer of that ability.
type jobQueues struct {
	layer
	inner cloud.JobQueues
}

func (j jobQueues) JobQueues(ctx context.Context, region string, names []string) ([]cloud.JobQueue, error) {
	return call(ctx, j.base.place(region), JobQueues, func(ctx context.Context) ([]cloud.JobQueue, error) { return j.inner.JobQueues(ctx, region, names) })
}

func (j jobQueues) SubmitJob(ctx context.Context, region string, spec cloud.JobSpec) (string, error) {
	return call(ctx, j.base.place(region), SubmitJob, func(ctx context.Context) (string, error) { return j.inner.SubmitJob(ctx, region, spec) })
}

func (j jobQueues) Jobs(ctx context.Context, q cloud.JobQuery) ([]cloud.Job, error) {
	return call(ctx, j.base.place(q.Region), Jobs, func(ctx context.Context) ([]cloud.Job, error) { return j.inner.Jobs(ctx, q) })
}

func (j jobQueues) EndJob(ctx context.Context, region, id, reason string) error {
	return j.base.do(ctx, EndJob, region, func(ctx context.Context) error { return j.inner.EndJob(ctx, region, id, reason) })
}

// page is what JobOutput answers.
type page struct {
	lines []cloud.JobLine
	next  string
}

func (j jobQueues) JobOutput(ctx context.Context, region, output, cursor string, limit int) ([]cloud.JobLine, string, error) {
	p, err := call(ctx, j.base.place(region), JobOutput, func(ctx context.Context) (p page, err error) {
		p.lines, p.next, err = j.inner.JobOutput(ctx, region, output, cursor, limit)
		return p, err
	})
	return p.lines, p.next, err
}

var _ cloud.JobQueues = jobQueues{}
