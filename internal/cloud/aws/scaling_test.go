package aws_test

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
	"github.com/neap-cloud/neap/internal/ident"
)

// groups is a region of moto's with what Auto Scaling groups are made of.
type groups struct {
	*testing.T
	scaling *autoscaling.Client
	ec2     *ec2.Client
	subnet  ec2types.Subnet
	image   string
	group   string // a security group
}

func groupsIn(t *testing.T, server awstest.Server, region string) groups {
	settings := owner(t, server, region)
	client := ec2.NewFromConfig(settings)
	return groups{t, autoscaling.NewFromConfig(settings), client, subnet(t, client), image(t, client), securityGroup(t, client)}
}

// template makes a launch template and gives its id.
func (g groups) template(kind ec2types.InstanceType) string {
	g.Helper()
	made, err := g.ec2.CreateLaunchTemplate(g.Context(), &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: awssdk.String("lt-" + ident.Hex(6)),
		LaunchTemplateData: &ec2types.RequestLaunchTemplateData{
			ImageId: &g.image, InstanceType: kind, KeyName: awssdk.String("ops"), SecurityGroupIds: []string{g.group}, UserData: awssdk.String("aGVsbG8="),
			IamInstanceProfile: &ec2types.LaunchTemplateIamInstanceProfileSpecificationRequest{Name: awssdk.String("web")},
			Monitoring:         &ec2types.LaunchTemplatesMonitoringRequest{Enabled: awssdk.Bool(true)},
			Placement:          &ec2types.LaunchTemplatePlacementRequest{Tenancy: ec2types.TenancyDefault, GroupName: awssdk.String("near")},
		},
	})
	if err != nil {
		g.Fatal(err)
	}
	return *made.LaunchTemplate.LaunchTemplateId
}

// make makes a group of a name of its own, with two instances unless it says another number.
func (g groups) make(in *autoscaling.CreateAutoScalingGroupInput) string {
	g.Helper()
	in.AutoScalingGroupName = awssdk.String("asg-" + ident.Hex(6))
	in.MinSize, in.MaxSize = awssdk.Int32(1), awssdk.Int32(50)
	if in.DesiredCapacity == nil {
		in.DesiredCapacity = awssdk.Int32(2)
	}
	in.VPCZoneIdentifier = g.subnet.SubnetId
	if _, err := g.scaling.CreateAutoScalingGroup(g.Context(), in); err != nil {
		g.Fatal(err)
	}
	return *in.AutoScalingGroupName
}

func oneGroup(t *testing.T, scaler cloud.Scaler, region, name string) cloud.ScalingGroup {
	t.Helper()
	found, err := scaler.ScalingGroups(t.Context(), region, []string{name})
	if err != nil || len(found) != 1 || found[0].Name != name || found[0].Region != region {
		t.Fatalf("%+v, %v", found, err)
	}
	return found[0]
}

func TestAGroupWithALaunchTemplateTellsWhatItLaunches(t *testing.T) {
	const region = "eu-west-3"
	server := awstest.Moto(t)
	made := groupsIn(t, server, region)
	name := made.make(&autoscaling.CreateAutoScalingGroupInput{
		LaunchTemplate:  &types.LaunchTemplateSpecification{LaunchTemplateId: awssdk.String(made.template("m5.large")), Version: awssdk.String("$Latest")},
		HealthCheckType: awssdk.String("ELB"), HealthCheckGracePeriod: awssdk.Int32(90),
		Tags: []types.Tag{{Key: awssdk.String("team"), Value: awssdk.String("web"), PropagateAtLaunch: awssdk.Bool(true)}},
	})
	got := oneGroup(t, account(t, server), region, name)
	want := cloud.Template{
		Image: made.image, KeyPair: "ops", SecurityGroups: []string{made.group}, Subnets: []string{*made.subnet.SubnetId}, UserData: "aGVsbG8=", Role: "web",
		Tenancy: "default", Monitoring: true, PlacementGroup: "near",
	}
	if !reflect.DeepEqual(got.Template, want) {
		t.Errorf("it launches\n%+v, want\n%+v", got.Template, want)
	}
	if got.ScalingSize != (cloud.ScalingSize{Min: 1, Max: 50, Desired: 2}) || !slices.Equal(got.Types, []string{"m5.large"}) || got.Mix != (cloud.ScalingMix{OnDemandPercent: 100}) {
		t.Errorf("it is of size %+v, types %v, mix %+v", got.ScalingSize, got.Types, got.Mix)
	}
	if !slices.Equal(got.Zones, []string{*made.subnet.AvailabilityZone}) || got.Tags["team"] != "web" || got.Health.Grace != 90*time.Second || !slices.Equal(got.Health.Checks, []string{"ELB"}) {
		t.Errorf("zones %v, tags %v, health %+v", got.Zones, got.Tags, got.Health)
	}
	if len(got.Members) != 2 || got.Members[0].State != "InService" || !got.Members[0].Healthy || got.Members[0].Zone != *made.subnet.AvailabilityZone {
		t.Errorf("its members are %+v", got.Members)
	}
}

func TestAGroupWithALaunchConfigurationTellsWhatItLaunches(t *testing.T) {
	const region = "eu-west-3"
	server := awstest.Moto(t)
	made := groupsIn(t, server, region)
	config := "lc-" + ident.Hex(6)
	if _, err := made.scaling.CreateLaunchConfiguration(t.Context(), &autoscaling.CreateLaunchConfigurationInput{
		LaunchConfigurationName: &config, ImageId: &made.image, InstanceType: awssdk.String("c5.xlarge"), KeyName: awssdk.String("ops"), SpotPrice: awssdk.String("0.1"),
		SecurityGroups: []string{made.group}, EbsOptimized: awssdk.Bool(true),
	}); err != nil {
		t.Fatal(err)
	}
	got := oneGroup(t, account(t, server), region, made.make(&autoscaling.CreateAutoScalingGroupInput{LaunchConfigurationName: &config}))
	if !slices.Equal(got.Types, []string{"c5.xlarge"}) || got.Mix.OnDemandPercent != 0 {
		t.Errorf("types %v, mix %+v", got.Types, got.Mix)
	}
	if g := got.Template; g.Image != made.image || g.KeyPair != "ops" || !slices.Equal(g.SecurityGroups, []string{made.group}) || !g.EBSOptimized {
		t.Errorf("it launches %+v", g)
	}
}

func TestAGroupOfSeveralTypesTellsTheirMixAndWeights(t *testing.T) {
	const region = "eu-west-3"
	server := awstest.Moto(t)
	made := groupsIn(t, server, region)
	name := made.make(&autoscaling.CreateAutoScalingGroupInput{MixedInstancesPolicy: &types.MixedInstancesPolicy{
		InstancesDistribution: &types.InstancesDistribution{
			OnDemandBaseCapacity: awssdk.Int32(1), OnDemandPercentageAboveBaseCapacity: awssdk.Int32(25), SpotAllocationStrategy: awssdk.String("capacity-optimized"),
		},
		LaunchTemplate: &types.LaunchTemplate{
			LaunchTemplateSpecification: &types.LaunchTemplateSpecification{LaunchTemplateId: awssdk.String(made.template("m5.large")), Version: awssdk.String("$Default")},
			Overrides: []types.LaunchTemplateOverrides{
				{InstanceType: awssdk.String("m5.xlarge"), WeightedCapacity: awssdk.String("4")}, {InstanceType: awssdk.String("m5.large")},
			},
		},
	}})
	got := oneGroup(t, account(t, server), region, name)
	if got.Mix != (cloud.ScalingMix{Base: 1, OnDemandPercent: 25, Strategy: "capacity-optimized"}) {
		t.Errorf("its mix is %+v", got.Mix)
	}
	if !slices.Equal(got.Types, []string{"m5.xlarge", "m5.large"}) || !reflect.DeepEqual(got.Weights, map[string]int{"m5.xlarge": 4}) || got.Template.Image != made.image {
		t.Errorf("types %v, weights %v, template %+v", got.Types, got.Weights, got.Template)
	}
}

func TestAllGroupsOfARegionAreListedByName(t *testing.T) {
	const region, count = "ap-south-1", 103 // two pages
	server := awstest.Moto(t)
	made := groupsIn(t, server, region)
	shared := made.template("m5.large")
	var names []string
	for n := range count {
		id := shared
		if n%10 == 0 {
			id = made.template("c5.large")
		}
		in := &autoscaling.CreateAutoScalingGroupInput{
			AutoScalingGroupName: awssdk.String(fmt.Sprintf("asg-%s-%d", ident.Hex(4), n)), MinSize: awssdk.Int32(0), MaxSize: awssdk.Int32(1), VPCZoneIdentifier: made.subnet.SubnetId,
			LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateId: &id, Version: awssdk.String("$Latest")},
		}
		if _, err := made.scaling.CreateAutoScalingGroup(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		names = append(names, *in.AutoScalingGroupName)
	}
	scaler := account(t, server)
	slices.Sort(names)
	for what, asked := range map[string][]string{"all": nil, "named": append([]string{"no such group"}, names...)} {
		found, err := scaler.ScalingGroups(t.Context(), region, asked)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		var got []string
		for _, g := range found {
			got = append(got, g.Name)
			if len(g.Types) != 1 || g.Template.Image != made.image {
				t.Fatalf("%s: %s launches %v from %q", what, g.Name, g.Types, g.Template.Image)
			}
		}
		if !slices.Equal(got, names) {
			t.Errorf("%s: %d groups, want %d by name", what, len(got), len(names))
		}
	}
	if found, err := scaler.ScalingGroups(t.Context(), "ap-south-2", nil); err != nil || len(found) != 0 {
		t.Errorf("another region has %d groups, %v", len(found), err)
	}
}

func TestAGroupIsTakenOver(t *testing.T) {
	const region = "eu-west-3"
	server := awstest.Moto(t)
	made := groupsIn(t, server, region)
	name := made.make(&autoscaling.CreateAutoScalingGroupInput{
		LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateId: awssdk.String(made.template("m5.large")), Version: awssdk.String("1")},
	})
	scaler := account(t, server)
	for range 2 {
		if err := scaler.SuspendScaling(t.Context(), region, name, []string{"Terminate", "Launch"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := oneGroup(t, scaler, region, name); !slices.Equal(got.Suspended, []string{"Launch", "Terminate"}) {
		t.Errorf("suspended: %v", got.Suspended)
	}
	if err := scaler.ResumeScaling(t.Context(), region, name, nil); err != nil {
		t.Fatal(err)
	}
	if err := scaler.ResizeScaling(t.Context(), region, name, cloud.ScalingSize{Max: 60, Desired: 45}); err != nil {
		t.Fatal(err)
	}
	grown := oneGroup(t, scaler, region, name)
	if len(grown.Suspended) != 0 || grown.ScalingSize != (cloud.ScalingSize{Max: 60, Desired: 45}) || len(grown.Members) != 45 {
		t.Fatalf("suspended %v, size %+v, %d members", grown.Suspended, grown.ScalingSize, len(grown.Members))
	}
	var leaving []string
	for _, m := range grown.Members[:43] { // three calls' worth
		leaving = append(leaving, m.Instance)
	}
	if err := scaler.DetachScaling(t.Context(), region, name, leaving, true); err != nil {
		t.Fatal(err)
	}
	left := oneGroup(t, scaler, region, name)
	if left.Desired != 2 || len(left.Members) != 2 || slices.ContainsFunc(left.Members, func(m cloud.ScalingMember) bool { return slices.Contains(leaving, m.Instance) }) {
		t.Errorf("%d of %d are left", len(left.Members), left.Desired)
	}
	if err := scaler.DetachScaling(t.Context(), region, name, []string{left.Members[0].Instance}, false); err != nil {
		t.Fatal(err)
	}
	if replaced := oneGroup(t, scaler, region, name); replaced.Desired != 2 || len(replaced.Members) != 2 {
		t.Errorf("without shrinking there are %d of %d", len(replaced.Members), replaced.Desired)
	}
	if err := scaler.DetachScaling(t.Context(), region, name, nil, true); err != nil {
		t.Errorf("nothing: %v", err)
	}
}

func TestAnUnknownGroupIsRefusedByName(t *testing.T) {
	scaler := account(t, awstest.Moto(t))
	err := scaler.ResizeScaling(t.Context(), "eu-west-3", "no-such-group", cloud.ScalingSize{Max: 1})
	if refusal := isRefused(t, err, cloud.Unknown); !strings.Contains(refusal.Message, "There is no Auto Scaling group no-such-group in eu-west-3") {
		t.Error(refusal.Message)
	}
}

// scalingAnswer is how Auto Scaling words a group that launches from a version of a template, with what moto has not: traffic sources.
func scalingAnswer(name, template, version string) string {
	return fmt.Sprintf(`<member><AutoScalingGroupName>%s</AutoScalingGroupName><MinSize>0</MinSize><MaxSize>1</MaxSize><DesiredCapacity>0</DesiredCapacity>
		<LoadBalancerNames><member>old</member></LoadBalancerNames>
		<TrafficSources><member><Identifier>old</Identifier><Type>elb</Type></member><member><Identifier>arn:tg</Identifier><Type>elbv2</Type></member></TrafficSources>
		<LaunchTemplate><LaunchTemplateId>%s</LaunchTemplateId><Version>%s</Version></LaunchTemplate></member>`, name, template, version)
}

// versionAnswer is how EC2 words one version of a launch template.
func versionAnswer(template string, number int, isDefault bool, kind string) string {
	return fmt.Sprintf(`<item><launchTemplateId>%s</launchTemplateId><versionNumber>%d</versionNumber><defaultVersion>%v</defaultVersion>
		<launchTemplateData><imageId>ami-%d</imageId><instanceType>%s</instanceType></launchTemplateData></item>`, template, number, isDefault, number, kind)
}

// What moto cannot show: pages of launch template versions, versions that are deleted, traffic sources, and refusals that have ValidationError for a group that is there.
func TestVersionsOfLaunchTemplatesAreFoundByNumberLatestAndDefault(t *testing.T) {
	var calls []string
	scaler := recorded(t, func(call url.Values) (int, string) {
		calls = append(calls, call.Get("Action")+call.Get("LaunchTemplateId")+call.Get("NextToken"))
		switch calls[len(calls)-1] {
		case "DescribeAutoScalingGroups":
			return http.StatusOK, `<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups>` + scalingAnswer("c-latest", "lt-1", "$Latest") +
				scalingAnswer("a-default", "lt-1", "$Default") + `</AutoScalingGroups><NextToken>2</NextToken></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>`
		case "DescribeAutoScalingGroups2":
			return http.StatusOK, `<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups>` + scalingAnswer("b-numbered", "lt-1", "2") +
				scalingAnswer("d-gone", "lt-2", "1") + `</AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>`
		case "DescribeLaunchTemplateVersionslt-1":
			return http.StatusOK, `<DescribeLaunchTemplateVersionsResponse><launchTemplateVersionSet>` + versionAnswer("lt-1", 10, false, "m5.large") +
				`</launchTemplateVersionSet><nextToken>2</nextToken></DescribeLaunchTemplateVersionsResponse>`
		case "DescribeLaunchTemplateVersionslt-12":
			return http.StatusOK, `<DescribeLaunchTemplateVersionsResponse><launchTemplateVersionSet>` + versionAnswer("lt-1", 2, false, "c5.large") +
				versionAnswer("lt-1", 1, true, "r5.large") + `</launchTemplateVersionSet></DescribeLaunchTemplateVersionsResponse>`
		}
		return http.StatusBadRequest, `<Response><Errors><Error><Code>InvalidLaunchTemplateId.NotFound</Code><Message>gone</Message></Error></Errors></Response>`
	})
	found, err := scaler.ScalingGroups(t.Context(), "us-east-1", nil)
	if err != nil || len(found) != 4 {
		t.Fatalf("%+v, %v", found, err)
	}
	for n, want := range []struct{ name, image, kind string }{
		{"a-default", "ami-1", "[r5.large]"}, {"b-numbered", "ami-2", "[c5.large]"}, {"c-latest", "ami-10", "[m5.large]"}, {"d-gone", "", "[]"},
	} {
		g := found[n]
		if g.Name != want.name || g.Template.Image != want.image || fmt.Sprint(g.Types) != want.kind {
			t.Errorf("%s launches %v from %q, want %v", g.Name, g.Types, g.Template.Image, want)
		}
		if !slices.Equal(g.Balancers, []string{"old"}) || !slices.Equal(g.Targets, []string{"arn:tg"}) {
			t.Errorf("%s: balancers %v, targets %v", g.Name, g.Balancers, g.Targets)
		}
	}
	if len(calls) != 5 {
		t.Errorf("it took %d calls: %v", len(calls), calls)
	}
}

func TestWhatAGroupsLimitsForbidIsNotAnUnknownGroup(t *testing.T) {
	scaler := recorded(t, func(call url.Values) (int, string) {
		if call.Get("Action") == "DescribeAutoScalingGroups" {
			return http.StatusOK, `<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups>` + scalingAnswer("web", "lt-1", "1") +
				`</AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>`
		}
		return http.StatusBadRequest, refusal("ValidationError", "web would fall below its least size")
	})
	err := scaler.DetachScaling(t.Context(), "us-east-1", "web", []string{"i-1"}, true)
	if r := isRefused(t, err, cloud.BadRequest); r.Message != "web would fall below its least size" {
		t.Error(r)
	}
}
