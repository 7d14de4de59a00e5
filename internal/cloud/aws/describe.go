package aws

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

// What EC2 takes in one call.
const (
	pageSize     = 1000
	filterValues = 200
	statusIDs    = 100
)

// Describe reads a whole region's worth in a chain of pages, and the status checks of those that run in another: of n instances by tag it makes ⌈n/1000⌉ calls of
// each kind, never one per instance. By ids it is ⌈n/200⌉, and one call for the checks of up to 100.
func (a *Account) Describe(ctx context.Context, q cloud.Query) ([]cloud.Instance, error) {
	r := a.in(q.Region)
	var filters []types.Filter
	for _, key := range slices.Sorted(maps.Keys(q.Tags)) {
		if value := q.Tags[key]; value == "" {
			filters = append(filters, types.Filter{Name: awssdk.String("tag-key"), Values: literal([]string{key})})
		} else {
			filters = append(filters, types.Filter{Name: awssdk.String("tag:" + key), Values: literal([]string{value})})
		}
	}
	found, err := r.find(ctx, q.IDs, filters)
	if err != nil {
		return nil, err
	}
	return found, r.addStatus(ctx, found)
}

// find lists what filters and ids select. Ids go as a filter: named as ids, one that EC2 doesn't know would refuse the whole call.
func (r *region) find(ctx context.Context, ids []string, filters []types.Filter) ([]cloud.Instance, error) {
	if ids == nil {
		return r.list(ctx, filters...)
	}
	var all []cloud.Instance
	for chunk := range slices.Chunk(ids, filterValues) {
		found, err := r.list(ctx, append(slices.Clone(filters), types.Filter{Name: awssdk.String("instance-id"), Values: chunk})...)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// list reads all pages, in order of launch.
func (r *region) list(ctx context.Context, filters ...types.Filter) ([]cloud.Instance, error) {
	var all []cloud.Instance
	in := &ec2.DescribeInstancesInput{Filters: filters, MaxResults: awssdk.Int32(pageSize)}
	for {
		out, err := r.ec2.DescribeInstances(ctx, in)
		if err != nil {
			return nil, refused("DescribeInstances", r.name, err)
		}
		for _, reservation := range out.Reservations {
			all = append(all, r.showAll(reservation.Instances)...)
		}
		if awssdk.ToString(out.NextToken) == "" {
			slices.SortStableFunc(all, func(a, b cloud.Instance) int { return a.LaunchedAt.Compare(b.LaunchedAt) })
			return all, nil
		}
		in.NextToken = out.NextToken
	}
}

// literal keeps EC2 from taking signs in a filter's values for wildcards.
func literal(values []string) []string {
	quoted := make([]string, len(values))
	for n, value := range values {
		quoted[n] = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(value)
	}
	return quoted
}

func (r *region) showAll(instances []types.Instance) []cloud.Instance {
	shown := make([]cloud.Instance, len(instances))
	for n, i := range instances {
		shown[n] = r.show(i)
	}
	return shown
}

// show is an instance in Neap's words.
func (r *region) show(i types.Instance) cloud.Instance {
	shown := cloud.Instance{
		ID:         awssdk.ToString(i.InstanceId),
		Request:    awssdk.ToString(i.SpotInstanceRequestId),
		Market:     cloud.Market{Region: r.name, Type: string(i.InstanceType), Product: productNamed(awssdk.ToString(i.PlatformDetails), i.Platform), Lifecycle: cloud.OnDemand},
		Image:      awssdk.ToString(i.ImageId),
		KeyPair:    awssdk.ToString(i.KeyName),
		Subnet:     awssdk.ToString(i.SubnetId),
		PrivateIP:  awssdk.ToString(i.PrivateIpAddress),
		PublicIP:   awssdk.ToString(i.PublicIpAddress),
		PrivateDNS: awssdk.ToString(i.PrivateDnsName),
		PublicDNS:  awssdk.ToString(i.PublicDnsName),
		LaunchedAt: awssdk.ToTime(i.LaunchTime).UTC(),
	}
	if i.InstanceLifecycle == types.InstanceLifecycleTypeSpot {
		shown.Market.Lifecycle = cloud.Spot
	}
	if i.Placement != nil {
		shown.Market.Zone, shown.PlacementGroup = awssdk.ToString(i.Placement.AvailabilityZone), awssdk.ToString(i.Placement.GroupName)
	}
	if i.State != nil {
		shown.State = cloud.State(i.State.Name) // the words are the same
	}
	if len(i.Tags) > 0 {
		shown.Tags = make(map[string]string, len(i.Tags))
	}
	for _, tag := range i.Tags {
		shown.Tags[awssdk.ToString(tag.Key)] = awssdk.ToString(tag.Value)
	}
	if shown.State == cloud.ShuttingDown || shown.State == cloud.Terminated {
		shown.Ended, shown.EndedAt = endOf(i)
	}
	return shown
}

var (
	products       = []string{"Linux/UNIX", "Windows", "SUSE Linux", "Red Hat Enterprise Linux"}
	transitionTime = regexp.MustCompile(`\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)`)
)

// productOf is a market's product; Linux goes without saying.
func productOf(m cloud.Market) string { return cmp.Or(m.Product, products[0]) }

// productNamed is the product behind EC2's platform details. Whoever brings a licence along pays for Linux alone; databases and the like are priced apart.
func productNamed(details string, platform types.PlatformValues) string {
	switch {
	case strings.Contains(details, "BYOL"):
		return products[0]
	case strings.HasPrefix(details, products[1]) || details == "" && strings.EqualFold(string(platform), products[1]):
		return products[1]
	case strings.HasPrefix(details, products[2]):
		return products[2]
	case strings.HasPrefix(details, products[3]):
		return products[3]
	}
	return products[0]
}

// endOf says why and when an instance ended. EC2 dates only what somebody asked for, and only in its text; an end without a date has the zero time, and counts from
// when it is first seen.
func endOf(i types.Instance) (why string, at time.Time) {
	transition, reason := awssdk.ToString(i.StateTransitionReason), ""
	if i.StateReason != nil {
		reason = awssdk.ToString(i.StateReason.Code)
	}
	switch {
	case reason == "Server.SpotInstanceTermination" || reason == "Server.SpotInstanceShutdown" || strings.HasPrefix(transition, "Server.SpotInstance"):
		why = cloud.EndedByInterruption
	case strings.HasPrefix(reason, "Client.UserInitiated") || strings.HasPrefix(transition, "User initiated"):
		why = cloud.EndedByUser
	default:
		why = cloud.EndedByFailure
	}
	if dated := transitionTime.FindStringSubmatch(transition); dated != nil {
		at, _ = time.Parse(time.DateTime, dated[1]) // digits that are no date are no date
	}
	return why, at
}

// addStatus writes down how the running instances pass AWS's checks.
func (r *region) addStatus(ctx context.Context, instances []cloud.Instance) error {
	var running []string
	for _, i := range instances {
		if i.State == cloud.Running {
			running = append(running, i.ID)
		}
	}
	if len(running) == 0 {
		return nil
	}
	in := &ec2.DescribeInstanceStatusInput{MaxResults: awssdk.Int32(pageSize)}
	if len(running) <= statusIDs {
		in = &ec2.DescribeInstanceStatusInput{InstanceIds: running}
	}
	found := map[string]cloud.Status{}
	for {
		out, err := r.ec2.DescribeInstanceStatus(ctx, in)
		if err != nil {
			return refused("DescribeInstanceStatus", r.name, err)
		}
		for _, s := range out.InstanceStatuses {
			found[awssdk.ToString(s.InstanceId)] = statusOf(s)
		}
		if awssdk.ToString(out.NextToken) == "" {
			break
		}
		in.NextToken = out.NextToken
	}
	for n := range instances {
		instances[n].Status = found[instances[n].ID]
	}
	return nil
}

// statusOf is the worse of the two checks, the machine's and the instance's own.
func statusOf(s types.InstanceStatus) cloud.Status {
	checks := map[types.SummaryStatus]bool{}
	for _, check := range []*types.InstanceStatusSummary{s.SystemStatus, s.InstanceStatus} {
		if check != nil {
			checks[check.Status] = true
		}
	}
	switch {
	case checks[types.SummaryStatusImpaired]:
		return cloud.StatusImpaired
	case checks[types.SummaryStatusInitializing]:
		return cloud.StatusInitializing
	case checks[types.SummaryStatusOk] && len(checks) == 1:
		return cloud.StatusOK
	}
	return cloud.StatusUnknown
}
