package jobs

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/batch"
	"github.com/aws/aws-sdk-go-v2/service/batch/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

// Queues lists the region's queues by name: those with these names, or all for nil.
func (r *Region) Queues(ctx context.Context, names []string) ([]cloud.JobQueue, error) {
	parts := [][]string{nil}
	if names != nil {
		parts = slices.Collect(slices.Chunk(names, queuesAtOnce))
	}
	queues := []cloud.JobQueue{}
	for _, part := range parts {
		found, err := pages(func(token *string) ([]types.JobQueueDetail, *string, error) {
			page, err := r.Batch.DescribeJobQueues(ctx, &batch.DescribeJobQueuesInput{JobQueues: part, NextToken: token})
			if err != nil {
				return nil, nil, r.Refused("DescribeJobQueues", r.Name, err)
			}
			return page.JobQueues, page.NextToken, nil
		})
		if err != nil {
			return nil, err
		}
		for _, q := range found {
			queues = append(queues, queue(q))
		}
	}
	slices.SortFunc(queues, func(a, b cloud.JobQueue) int { return cmp.Compare(a.Name, b.Name) })
	return queues, nil
}

// otherwise are the kinds of queues whose jobs are described in other words than containers on machines.
var otherwise = map[types.JobQueueType]string{
	types.JobQueueTypeEks:               "it runs pods on Kubernetes",
	types.JobQueueTypeEcsFargate:        "it runs on Fargate, which needs a role for every job",
	types.JobQueueTypeSagemakerTraining: "it runs training jobs of SageMaker",
}

func queue(q types.JobQueueDetail) cloud.JobQueue {
	shown := cloud.JobQueue{Name: awssdk.ToString(q.JobQueueName), State: cloud.JobQueueOpen}
	switch why := otherwise[q.JobQueueType]; {
	case why != "":
		shown.State, shown.Reason = cloud.JobQueueUnfit, why
	case q.State == types.JQStateDisabled:
		shown.State = cloud.JobQueueClosed
	case q.Status != "" && q.Status != types.JQStatusValid && q.Status != types.JQStatusUpdating && q.Status != types.JQStatusCreating:
		shown.State = cloud.JobQueueUnfit
		shown.Reason = fmt.Sprintf("AWS Batch calls it %s: %s", q.Status, cmp.Or(awssdk.ToString(q.StatusReason), "no reason is given"))
	}
	return shown
}
