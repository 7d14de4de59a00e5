package feeds

import (
	"context"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws/calls"
)

// oldRequest is how long after its interruption a spot request is not news any more: AWS shows it for hours.
const oldRequest = 15 * time.Minute

// interrupting are the states of spot requests whose instance is being taken, or was taken, by AWS.
var interrupting = []string{
	"marked-for-termination", "marked-for-stop",
	"instance-terminated-by-price", "instance-terminated-no-capacity", "instance-terminated-capacity-oversubscribed",
	"instance-stopped-by-price", "instance-stopped-no-capacity", "instance-stopped-capacity-oversubscribed",
}

// askRequests takes in what the spot requests tell of interruptions. Requests of others in the account are among them: whoever takes notices in knows its instances.
func (r *Region) askRequests(ctx context.Context, now time.Time) error {
	pages := ec2.NewDescribeSpotInstanceRequestsPaginator(spotRequests{r.EC2}, &ec2.DescribeSpotInstanceRequestsInput{
		MaxResults: awssdk.Int32(1000), Filters: []types.Filter{{Name: awssdk.String("status-code"), Values: interrupting}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return r.requestsFailed(err)
		}
		for _, request := range page.SpotInstanceRequests {
			if n, is := interruption(r.Name, request, now); is {
				r.take(n, now, "", "")
			}
		}
	}
	r.works("requests")
	return nil
}

// requestsFailed tells of a failure once, while the queue tells the notices; without one nobody does.
func (r *Region) requestsFailed(err error) error {
	r.mu.Lock()
	haveQueue := r.inbox.url != "" && !r.inbox.isMute
	r.mu.Unlock()
	if !haveQueue {
		return r.Refused("DescribeSpotInstanceRequests", r.Name, err)
	}
	r.lacks("requests", "Spot requests, the second source of interruption notices, can't be read; the queue goes on. Allow ec2:DescribeSpotInstanceRequests.",
		r.Cause("DescribeSpotInstanceRequests", err))
	return nil
}

// interruption is the notice that a spot request amounts to. A warning gives two minutes from its moment; where no warning was seen, the end has come.
func interruption(region string, request types.SpotInstanceRequest, now time.Time) (cloud.Notice, bool) {
	instance, status := awssdk.ToString(request.InstanceId), request.Status
	if instance == "" || status == nil || status.Code == nil {
		return cloud.Notice{}, false
	}
	at := now
	if status.UpdateTime != nil {
		at = status.UpdateTime.UTC()
	}
	if now.Sub(at) > oldRequest {
		return cloud.Notice{}, false
	}
	n := cloud.Notice{ID: awssdk.ToString(request.SpotInstanceRequestId) + "/" + *status.Code, Kind: cloud.Interruption, Region: region, Instance: instance, IssuedAt: at, Deadline: at}
	if strings.HasPrefix(*status.Code, "marked-") {
		n.Deadline = at.Add(notice)
	}
	return n, true
}

// spotRequests is the one operation that the pages come from.
type spotRequests struct{ client *calls.EC2 }

// DescribeSpotInstanceRequests is ec2.DescribeSpotInstanceRequestsAPIClient's.
func (s spotRequests) DescribeSpotInstanceRequests(ctx context.Context, in *ec2.DescribeSpotInstanceRequestsInput, options ...func(*ec2.Options)) (*ec2.DescribeSpotInstanceRequestsOutput, error) {
	return s.client.DescribeSpotInstanceRequests(ctx, in, options...)
}
