package aws_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
	"github.com/neap-cloud/neap/internal/ident"
)

// network is one of a test's own: two subnets in one zone, one in another, and a security group.
type network struct{ id, first, second, elsewhere, group, groupName string }

func build(t *testing.T, server awstest.Server) network {
	t.Helper()
	made := func(form string, parameters ...string) string {
		values := url.Values{"Action": {parameters[0]}}
		for n := 1; n < len(parameters); n += 2 {
			values.Set(parameters[n], parameters[n+1])
		}
		return regexp.MustCompile(form).FindString(string(server.EC2(t, region, values)))
	}
	n := network{groupName: "web-" + ident.Hex(4)}
	n.id = made(`vpc-[0-9a-f]{17}`, "CreateVpc", "CidrBlock", "10.9.0.0/16")
	n.first = made(`subnet-[0-9a-f]{17}`, "CreateSubnet", "VpcId", n.id, "CidrBlock", "10.9.1.0/24", "AvailabilityZone", region+"a")
	n.second = made(`subnet-[0-9a-f]{17}`, "CreateSubnet", "VpcId", n.id, "CidrBlock", "10.9.2.0/24", "AvailabilityZone", region+"a")
	n.elsewhere = made(`subnet-[0-9a-f]{17}`, "CreateSubnet", "VpcId", n.id, "CidrBlock", "10.9.3.0/24", "AvailabilityZone", region+"b")
	n.group = made(`sg-[0-9a-f]{17}`, "CreateSecurityGroup", "VpcId", n.id, "GroupName", n.groupName, "GroupDescription", "test")
	return n
}

// ids are the instances', in their order.
func ids(instances []cloud.Instance) (all []string) {
	for _, i := range instances {
		all = append(all, i.ID)
	}
	return all
}

// must is the refusal that err has to be.
func must(t *testing.T, err error, kind cloud.RefusalKind) *cloud.Refusal {
	t.Helper()
	var refusal *cloud.Refusal
	if !errors.As(err, &refusal) || refusal.Kind != kind || refusal.Code == "" || refusal.Message == "" {
		t.Fatalf("%v, want a refusal of kind %s with a code and a message", err, kind)
	}
	return refusal
}

func (p place) start(t *testing.T, l cloud.Launch) []cloud.Instance {
	t.Helper()
	started, err := p.account.Launch(t.Context(), l)
	if err != nil || len(started) != l.Count {
		t.Fatalf("started %d of %d: %v", len(started), l.Count, err)
	}
	return started
}

func expect(t *testing.T, form url.Values, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if form.Get(name) != value {
			t.Errorf("%s is %q, want %q, in %v", name, form.Get(name), value, form)
		}
	}
}

func TestALaunchSaysEverythingThatTheTemplateHolds(t *testing.T) {
	p := arrive(t)
	n := build(t, p.server)
	p.server.EC2(t, region, url.Values{"Action": {"CreateKeyPair"}, "KeyName": {n.groupName}})
	public := true
	l := p.launch(2)
	l.Least, l.Tags = 2, map[string]string{"b": "2", "a": "1"}
	l.Market.Lifecycle = cloud.OnDemand
	l.Template = cloud.Template{
		Image: p.image, KeyPair: n.groupName, SecurityGroups: []string{n.groupName}, Subnets: []string{n.first}, UserData: base64.StdEncoding.EncodeToString([]byte("#!/bin/sh")),
		Tenancy: "dedicated", Monitoring: true, EBSOptimized: true, PublicIP: &public, PlacementGroup: n.groupName, Shutdown: cloud.ShutdownTerminates,
	}
	started := p.start(t, l)
	if i := started[0]; i.Subnet != n.first || i.KeyPair != n.groupName || i.Market != l.Market || i.Request != "" {
		t.Errorf("started %+v", i)
	}
	expect(t, p.front.Requests("RunInstances")[0], map[string]string{
		"MinCount": "2", "MaxCount": "2", "ClientToken": l.Token, "KeyName": n.groupName, "UserData": "IyEvYmluL3No", "Placement.Tenancy": "dedicated", "Placement.GroupName": n.groupName,
		"Monitoring.Enabled": "true", "EbsOptimized": "true", "InstanceInitiatedShutdownBehavior": "terminate", "NetworkInterface.1.SubnetId": n.first,
		"NetworkInterface.1.AssociatePublicIpAddress": "true", "NetworkInterface.1.SecurityGroupId.1": n.group, "SubnetId": "", "InstanceMarketOptions.MarketType": "",
		"TagSpecification.1.ResourceType": "instance", "TagSpecification.1.Tag.1.Key": "a", "TagSpecification.2.ResourceType": "volume", "TagSpecification.3.ResourceType": "",
	})
}

func TestASpotLaunchAsksOnceAndEndsWhenInterrupted(t *testing.T) {
	p := arrive(t)
	l := p.launch(1)
	l.Tags, l.Template.Shutdown, l.Template.SecurityGroups = map[string]string{"a": "1"}, cloud.ShutdownStops, []string{"default"}
	if i := p.start(t, l)[0]; !strings.HasPrefix(i.Request, "sir-") || i.Market != l.Market {
		t.Errorf("started %+v", i)
	}
	expect(t, p.front.Requests("RunInstances")[0], map[string]string{
		"InstanceMarketOptions.MarketType": "spot", "InstanceMarketOptions.SpotOptions.SpotInstanceType": "one-time", "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior": "terminate",
		"InstanceInitiatedShutdownBehavior": "", "Placement.AvailabilityZone": region + "a", "SecurityGroup.1": "default", "TagSpecification.3.ResourceType": "spot-instances-request",
	})
}

func TestARoleIsAnInstanceProfileByNameOrByARN(t *testing.T) {
	p := arrive(t)
	for role, name := range map[string]string{"web": "IamInstanceProfile.Name", "arn:aws:iam::123456789012:instance-profile/web": "IamInstanceProfile.Arn"} {
		l := p.launch(1)
		l.Template.Role = role
		_, err := p.account.Launch(t.Context(), l)
		must(t, err, cloud.BadRequest) // there is none
		asked := p.front.Requests("RunInstances")
		expect(t, asked[len(asked)-1], map[string]string{name: role})
	}
}

func TestAWishAboutPublicAddressesWithoutASubnetTakesTheZonesDefaultOne(t *testing.T) {
	p := arrive(t)
	public := false
	l := p.launch(1)
	l.Template.PublicIP = &public
	i := p.start(t, l)[0]
	expect(t, p.front.Requests("RunInstances")[0], map[string]string{"NetworkInterface.1.SubnetId": i.Subnet, "NetworkInterface.1.AssociatePublicIpAddress": "false"})
	if i.Market.Zone != l.Market.Zone {
		t.Errorf("started in %s", i.Market.Zone)
	}
}

func TestASubnetInAnotherZoneIsNoPlaceForALaunch(t *testing.T) {
	p := arrive(t)
	n := build(t, p.server)
	l := p.launch(1)
	l.Template.Subnets = []string{n.elsewhere}
	_, err := p.account.Launch(t.Context(), l)
	if r := must(t, err, cloud.NoCapacity); r.Scope != cloud.ScopePool || r.Key != l.Market.PoolKey() {
		t.Errorf("%+v", r)
	}
	l.Template.Subnets = []string{"subnet-00000000000000000"}
	_, err = p.account.Launch(t.Context(), l)
	if r := must(t, err, cloud.BadRequest); !strings.Contains(r.Message, "subnet-00000000000000000") {
		t.Errorf("%+v", r)
	}
	l.Template.Subnets, l.Template.SecurityGroups = []string{n.first}, []string{"nobody"}
	_, err = p.account.Launch(t.Context(), l)
	if r := must(t, err, cloud.BadRequest); !strings.Contains(r.Message, "nobody") || !strings.Contains(r.Message, n.id) {
		t.Errorf("%+v", r)
	}
	if calls := p.front.Calls(); calls["RunInstances"] != 0 {
		t.Errorf("calls: %v", calls)
	}
}

func TestOfSeveralSubnetsAFleetTakesOneOfTheZone(t *testing.T) {
	p := arrive(t)
	n := build(t, p.server)
	for _, lifecycle := range []cloud.Lifecycle{cloud.Spot, cloud.OnDemand} {
		l := p.launch(2)
		l.Market.Lifecycle, l.Least, l.Tags = lifecycle, 2, map[string]string{"a": "1"}
		l.Template.Subnets, l.Template.SecurityGroups = []string{n.first, n.second, n.elsewhere}, []string{n.groupName}
		for _, i := range p.start(t, l) {
			if i.Market != l.Market || i.Tags["a"] != "1" || (i.Subnet != n.first && i.Subnet != n.second) || i.Image != p.image {
				t.Errorf("started %+v", i)
			}
		}
	}
	asked, templates := p.front.Requests("CreateFleet"), p.front.Requests("CreateLaunchTemplate")
	const places = "LaunchTemplateConfigs.1.Overrides."
	common := map[string]string{
		"Type": "instant", "TargetCapacitySpecification.TotalTargetCapacity": "2", places + "1.SubnetId": n.first, places + "1.Priority": "0",
		places + "2.SubnetId": n.second, places + "2.Priority": "1", places + "3.SubnetId": "",
	}
	expect(t, asked[0], common)
	expect(t, asked[1], common)
	expect(t, asked[0], map[string]string{"SpotOptions.AllocationStrategy": "capacity-optimized-prioritized", "SpotOptions.MinTargetCapacity": "2", "SpotOptions.SingleAvailabilityZone": "true"})
	expect(t, asked[1], map[string]string{"OnDemandOptions.AllocationStrategy": "prioritized", "OnDemandOptions.MinTargetCapacity": "2", "OnDemandOptions.SingleAvailabilityZone": "true"})
	expect(t, templates[0], map[string]string{"LaunchTemplateData.ImageId": p.image, "LaunchTemplateData.SecurityGroupId.1": n.group, "TagSpecification.1.ResourceType": "launch-template"})
	if calls := p.front.Calls(); calls["RunInstances"] != 0 || calls["DescribeSubnets"] != 1 {
		t.Errorf("calls: %v", calls)
	}
}

func TestADryMarketIsReplacedByItsAlternative(t *testing.T) {
	p := arrive(t)
	n := build(t, p.server)
	l := p.launch(3)
	other := l.Market
	other.Type, other.Zone = "m5a.large", region+"b"
	l.Alternatives, l.Template.Subnets = []cloud.Market{other}, []string{n.first, n.elsewhere}
	p.front.Room(l.Market.PoolKey(), 0)
	for _, i := range p.start(t, l) {
		if i.Market.Type != "m5a.large" || i.Market.Zone != region+"b" || i.Subnet != n.elsewhere {
			t.Errorf("started %+v", i)
		}
	}
	l.Token, l.Count = l.Token+"2", 5
	p.front.Room(other.PoolKey(), 2)
	started, err := p.account.Launch(t.Context(), l)
	if r := must(t, err, cloud.NoCapacity); len(started) != 2 || r.Key != l.Market.PoolKey() || r.Scope != cloud.ScopePool {
		t.Errorf("started %d, %+v", len(started), r)
	}
	l.Token += "3"
	started, err = p.account.Launch(t.Context(), l)
	if r := must(t, err, cloud.NoCapacity); len(started) != 0 || r.Key != l.Market.PoolKey() {
		t.Errorf("started %d, %+v", len(started), r)
	}
}

func TestAFleetsTokenGivesTheSameInstancesEvenAfterTheirEnd(t *testing.T) {
	p := arrive(t)
	n := build(t, p.server)
	l := p.launch(2)
	l.Template.Subnets = []string{n.first, n.second}
	p.front.Lose("CreateFleet", 1)
	if _, err := p.account.Launch(t.Context(), l); err == nil || errors.As(err, new(*cloud.Refusal)) {
		t.Fatalf("%v, want an error that is no refusal", err)
	}
	first := ids(p.start(t, l))
	if again := ids(p.start(t, l)); !slices.Equal(again, first) {
		t.Errorf("%v, then %v", first, again)
	}
	if err := p.account.Terminate(t.Context(), region, first); err != nil {
		t.Fatal(err)
	}
	after := p.start(t, l)
	if !slices.Equal(ids(after), first) || after[0].State != cloud.Terminated {
		t.Errorf("%v, after their end %+v", first, after)
	}
	l.Count = 3
	_, err := p.account.Launch(t.Context(), l)
	must(t, err, cloud.BadRequest)
}

func TestALaunchWhoseAnswerIsLostStartsNothingTwice(t *testing.T) {
	p := arrive(t)
	l := p.launch(3)
	l.Tags = map[string]string{"lost": l.Token}
	p.front.Lose("RunInstances", 1)
	p.front.Refuse("RunInstances", 3, http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.") // to whoever asks again
	if _, err := p.account.Launch(t.Context(), l); err == nil || errors.As(err, new(*cloud.Refusal)) {
		t.Fatalf("%v, want an error that is no refusal", err)
	}
	if asked := p.front.Calls()["RunInstances"]; asked != 1 {
		t.Errorf("asked %d times: only the caller knows what to make of another answer", asked)
	}
	_, err := p.account.Launch(t.Context(), l)
	must(t, err, cloud.Throttled)
	started := p.start(t, l)
	found, err := p.account.Describe(t.Context(), cloud.Query{Region: region, Tags: l.Tags})
	if err != nil || !slices.Equal(ids(found), ids(started)) {
		t.Errorf("%v, %v; started %v", ids(found), err, ids(started))
	}
}

func TestNothingThatNeapMadeIsLeftBehind(t *testing.T) {
	p := arrive(t)
	n := build(t, p.server)
	l := p.launch(2)
	l.Template.Subnets, l.Tags = []string{n.first, n.second}, map[string]string{"left": l.Token}
	ended, living := p.start(t, l), l
	living.Token += "2"
	alive := p.start(t, living)
	if err := p.account.Terminate(t.Context(), region, ids(ended)); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(48 * time.Hour)
	if err := p.account.TidyAt(t.Context(), region, later); err != nil {
		t.Fatal(err)
	}
	if found, err := p.account.Describe(t.Context(), cloud.Query{Region: region, IDs: ids(alive)}); err != nil || found[0].State != cloud.Running || found[1].State != cloud.Running {
		t.Fatalf("the living are %+v, %v", found, err)
	}
	if err := p.account.Terminate(t.Context(), region, ids(alive)); err != nil {
		t.Fatal(err)
	}
	if err := p.account.TidyAt(t.Context(), region, later); err != nil {
		t.Fatal(err)
	}
	look := func(action string) string { return string(p.server.EC2(t, region, url.Values{"Action": {action}})) }
	for _, id := range []string{p.front.Made()[0], p.front.Made()[1]} {
		_, fleet, found := strings.Cut(look("DescribeFleets"), "<fleetId>"+id)
		if found && !strings.Contains(fleet[:strings.Index(fleet, "</fleetState>")], "deleted") {
			t.Errorf("the fleet %s is left", id)
		}
	}
	if strings.Contains(look("DescribeLaunchTemplates"), "neap:made-for") {
		t.Error("a launch template is left")
	}
	volumes := look("DescribeVolumes")
	for _, id := range append(ids(ended), ids(alive)...) {
		if strings.Contains(volumes, id) {
			t.Errorf("a volume of %s is left", id)
		}
	}
	if calls := p.front.Calls(); calls["DeleteFleets"] != 2 || calls["DeleteLaunchTemplate"] == 0 {
		t.Errorf("calls: %v", calls)
	}
}

func TestWhatAnotherHasTidiedUpIsNoTrouble(t *testing.T) {
	p := arrive(t)
	n := build(t, p.server)
	l := p.launch(1)
	l.Template.Subnets = []string{n.first, n.second}
	if err := p.account.Terminate(t.Context(), region, ids(p.start(t, l))); err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateName.NotFoundException"} {
		p.front.Refuse("DeleteLaunchTemplate", 1, http.StatusBadRequest, code, "At least one of the launch templates specified in the request does not exist.")
		if err := p.account.TidyAt(t.Context(), region, time.Now().Add(48*time.Hour)); err != nil {
			t.Error(err)
		}
	}
	p.front.Refuse("DeleteLaunchTemplate", 1, http.StatusBadRequest, "InvalidParameterValue", "It cannot be deleted.")
	l.Token += "2"
	p.start(t, l)
	if err := p.account.TidyAt(t.Context(), region, time.Now().Add(48*time.Hour)); err == nil {
		t.Error("another refusal is swallowed")
	}
}

func TestATemplateThatIsRemovedMeanwhileIsAskedForAgain(t *testing.T) {
	p := arrive(t)
	n := build(t, p.server)
	l := p.launch(1)
	l.Template.Subnets = []string{n.first, n.second}
	p.front.Refuse("CreateFleet", 1, http.StatusBadRequest, "InvalidLaunchTemplateName.NotFoundException", "The specified launch template does not exist.")
	if _, err := p.account.Launch(t.Context(), l); err == nil || errors.As(err, new(*cloud.Refusal)) {
		t.Fatalf("%v, want an error that is no refusal", err)
	}
	p.start(t, l)
}
