package jobs

import (
	"context"
	"errors"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/smithy-go"

	"github.com/neap-cloud/neap/internal/cloud"
)

const (
	group      = "/aws/batch/job" // of the log, where a definition names none
	mostEvents = 10_000           // of one call
	emptyPages = 10               // that are read on in one call: CloudWatch gives pages without events in the midst of a log
)

// Output reads a page of a job's log. A log that is not there yet is an empty one.
func (r *Region) Output(ctx context.Context, stream, cursor string, limit int) (page []cloud.JobLine, next string, err error) {
	if stream == "" {
		return nil, cursor, nil
	}
	for range emptyPages {
		in := &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: awssdk.String(group), LogStreamName: &stream, StartFromHead: awssdk.Bool(true), Limit: awssdk.Int32(int32(min(max(limit, 1), mostEvents))),
		}
		if cursor != "" {
			in.NextToken = &cursor
		}
		out, err := r.Logs.GetLogEvents(ctx, in)
		if answer, is := errors.AsType[smithy.APIError](err); is && answer.ErrorCode() == "ResourceNotFoundException" {
			return nil, cursor, nil
		}
		if err != nil {
			return nil, "", r.Refused("GetLogEvents", r.Name, err)
		}
		before := cursor
		cursor = awssdk.ToString(out.NextForwardToken)
		for _, e := range out.Events {
			page = append(page, cloud.JobLine{At: at(e.Timestamp), Text: awssdk.ToString(e.Message)})
		}
		if len(page) > 0 || cursor == before {
			break
		}
	}
	return page, cursor, nil
}
