package feeds

import (
	"context"
	"slices"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud/aws/calls"
)

// soldFor is how long a region's types are remembered: new ones come a few times a month.
const soldFor = 24 * time.Hour

// offerings are what a region sells.
type offerings struct {
	at   time.Time
	sold []catalog.Sold
}

// Offerings are the types that the region sells to this account, in the region's own zones.
func (r *Region) Offerings(ctx context.Context) ([]catalog.Sold, error) {
	now := r.Clock.Now()
	r.mu.Lock()
	known := r.sold
	r.mu.Unlock()
	if known.sold != nil && now.Sub(known.at) < soldFor {
		return known.sold, nil
	}
	zones, err := r.zonesOfTypes(ctx)
	if err != nil {
		return nil, err
	}
	sold, err := r.types(ctx, zones)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sold = offerings{now, sold}
	return sold, nil
}

func (r *Region) zonesOfTypes(ctx context.Context) (map[types.InstanceType][]string, error) {
	pages := ec2.NewDescribeInstanceTypeOfferingsPaginator(typeOfferings{r.EC2}, &ec2.DescribeInstanceTypeOfferingsInput{
		LocationType: types.LocationTypeAvailabilityZone, MaxResults: awssdk.Int32(1000),
	})
	zones := map[types.InstanceType][]string{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, r.Refused("DescribeInstanceTypeOfferings", r.Name, err)
		}
		for _, o := range page.InstanceTypeOfferings {
			if zone := awssdk.ToString(o.Location); r.hasZone(zone) {
				zones[o.InstanceType] = append(zones[o.InstanceType], zone)
			}
		}
	}
	return zones, nil
}

func (r *Region) types(ctx context.Context, zones map[types.InstanceType][]string) ([]catalog.Sold, error) {
	pages := ec2.NewDescribeInstanceTypesPaginator(typeOfferings{r.EC2}, &ec2.DescribeInstanceTypesInput{MaxResults: awssdk.Int32(100)})
	list := []catalog.Sold{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, r.Refused("DescribeInstanceTypes", r.Name, err)
		}
		for _, t := range page.InstanceTypes {
			if in := zones[t.InstanceType]; len(in) > 0 {
				list = append(list, sold(t, in))
			}
		}
	}
	return list, nil
}

// sold says of a type what the catalogue says of those that it knows.
func sold(t types.InstanceTypeInfo, zones []string) catalog.Sold {
	slices.Sort(zones)
	s := catalog.Sold{Zones: slices.Compact(zones), Spot: slices.Contains(t.SupportedUsageClasses, types.UsageClassTypeSpot), Type: catalog.Type{
		Name: string(t.InstanceType), Current: awssdk.ToBool(t.CurrentGeneration), BareMetal: awssdk.ToBool(t.BareMetal),
		Burstable: awssdk.ToBool(t.BurstablePerformanceSupported), GPUs: gpus(t.GpuInfo), Arch: architecture(t.ProcessorInfo),
	}}
	if t.VCpuInfo != nil {
		s.VCPUs = int(awssdk.ToInt32(t.VCpuInfo.DefaultVCpus))
	}
	if t.MemoryInfo != nil {
		s.MemoryMiB = int(awssdk.ToInt64(t.MemoryInfo.SizeInMiB))
	}
	if t.InstanceStorageInfo != nil {
		s.LocalNVMeGiB = int(awssdk.ToInt64(t.InstanceStorageInfo.TotalSizeInGB))
	}
	if n := t.NetworkInfo; n != nil {
		for _, card := range n.NetworkCards {
			s.NetworkGbps += awssdk.ToFloat64(card.PeakBandwidthInGbps)
		}
		if interfaces, each := awssdk.ToInt32(n.MaximumNetworkInterfaces), awssdk.ToInt32(n.Ipv4AddressesPerInterface); interfaces > 0 && each > 0 {
			s.MaxPods = int(interfaces*(each-1) + 2) // one address of each interface is its own; two pods share the machine's
		}
	}
	return s
}

func architecture(p *types.ProcessorInfo) string {
	switch {
	case p == nil:
		return ""
	case slices.ContainsFunc(p.SupportedArchitectures, func(a types.ArchitectureType) bool {
		return a == types.ArchitectureTypeArm64 || a == types.ArchitectureTypeArm64Mac
	}):
		return "arm64"
	}
	return "x86_64"
}

// gpus counts whole ones; a share of one counts as one.
func gpus(info *types.GpuInfo) (count int) {
	if info == nil {
		return 0
	}
	for _, g := range info.Gpus {
		count += int(awssdk.ToInt32(g.Count))
	}
	return max(1, count)
}

// typeOfferings are the two operations that the pages come from.
type typeOfferings struct{ client *calls.EC2 }

// DescribeInstanceTypes is ec2.DescribeInstanceTypesAPIClient's.
func (o typeOfferings) DescribeInstanceTypes(ctx context.Context, in *ec2.DescribeInstanceTypesInput, options ...func(*ec2.Options)) (*ec2.DescribeInstanceTypesOutput, error) {
	return o.client.DescribeInstanceTypes(ctx, in, options...)
}

// DescribeInstanceTypeOfferings is ec2.DescribeInstanceTypeOfferingsAPIClient's.
func (o typeOfferings) DescribeInstanceTypeOfferings(ctx context.Context, in *ec2.DescribeInstanceTypeOfferingsInput, options ...func(*ec2.Options)) (*ec2.DescribeInstanceTypeOfferingsOutput, error) {
	return o.client.DescribeInstanceTypeOfferings(ctx, in, options...)
}
