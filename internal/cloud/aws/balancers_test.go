package aws_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/cloud"
)

var (
	classicWeb = cloud.BalancerRef{Kind: cloud.ClassicBalancer, Key: "web"}
	groupWeb   = cloud.BalancerRef{Kind: cloud.TargetGroup, Key: "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/1"}
)

// refuses is how the load balancers say no.
func refuses(code string) reply { return reply{http.StatusBadRequest, refusal(code, "recorded")} }

func groupHealth(states ...string) reply {
	all := ""
	for n, state := range states {
		all += fmt.Sprintf(`<member><Target><Id>i-%d</Id><Port>%d</Port></Target><TargetHealth><State>%s</State><Reason>Target.Some</Reason><Description>why</Description></TargetHealth></member>`, n, 8080+n, state)
	}
	return says("DescribeTargetHealth", "<TargetHealthDescriptions>"+all+"</TargetHealthDescriptions>")
}

func TestATargetGroupTellsTheHealthOfWhatIsAskedFor(t *testing.T) {
	account, played := play(t, map[string][]reply{"DescribeTargetHealth": {
		groupHealth("healthy", "unhealthy", "initial", "draining", "unused", "unavailable", "unhealthy.draining", "something new"),
	}})
	found, err := account.TargetHealth(t.Context(), "us-east-1", groupWeb, nil)
	want := []cloud.TargetState{
		cloud.TargetHealthy, cloud.TargetUnhealthy, cloud.TargetInitial, cloud.TargetDraining, cloud.TargetUnused, cloud.TargetUnknown, cloud.TargetDraining, cloud.TargetUnknown,
	}
	if err != nil || len(found) != len(want) {
		t.Fatalf("%+v, %v", found, err)
	}
	for n, h := range found {
		if h.State != want[n] || h.Target != (cloud.Target{ID: fmt.Sprint("i-", n), Port: 8080 + n}) || h.Reason != "Target.Some" || h.Text != "why" {
			t.Errorf("%+v, want %s", h, want[n])
		}
	}
	asked := []cloud.Target{{ID: "i-9"}, {ID: "i-1"}, {ID: "i-0", Port: 9999}, {ID: "i-0", Port: 8080}}
	found, err = account.TargetHealth(t.Context(), "us-east-1", groupWeb, asked)
	if err != nil || len(found) != 4 || found[0].State != cloud.TargetUnused || found[1].State != cloud.TargetUnhealthy || found[2].State != cloud.TargetUnused || found[3].State != cloud.TargetHealthy {
		t.Errorf("%+v, %v", found, err)
	}
	if none, err := account.TargetHealth(t.Context(), "us-east-1", groupWeb, []cloud.Target{}); err != nil || len(none) != 0 {
		t.Errorf("nothing asked for: %+v, %v", none, err)
	}
	played.asked(t, "DescribeTargetHealth", map[string]string{"TargetGroupArn": groupWeb.Key, "Targets.member.1.Id": ""})
}

func TestAClassicLoadBalancerTellsTheHealthOfItsInstances(t *testing.T) {
	state := func(id, state, reason string) string {
		return "<member><InstanceId>" + id + "</InstanceId><State>" + state + "</State><ReasonCode>" + reason + "</ReasonCode><Description>why</Description></member>"
	}
	account, _ := play(t, map[string][]reply{"DescribeInstanceHealth": {says("DescribeInstanceHealth", "<InstanceStates>"+
		state("i-3", "Unknown", "N/A")+state("i-0", "InService", "N/A")+state("i-1", "OutOfService", "Instance")+state("i-2", "OutOfService", "ELB")+"</InstanceStates>")}})
	found, err := account.TargetHealth(t.Context(), "us-east-1", classicWeb, nil)
	if err != nil || len(found) != 4 {
		t.Fatalf("%+v, %v", found, err)
	}
	for n, want := range []cloud.TargetState{cloud.TargetHealthy, cloud.TargetUnhealthy, cloud.TargetInitial, cloud.TargetUnknown} {
		if found[n].Target.ID != fmt.Sprint("i-", n) || found[n].State != want {
			t.Errorf("%+v, want %s", found[n], want)
		}
	}
	if found, err = account.TargetHealth(t.Context(), "us-east-1", classicWeb, []cloud.Target{{ID: "i-0", Port: 80}, {ID: "i-9"}}); err != nil || found[0].State != cloud.TargetHealthy || found[1].State != cloud.TargetUnused {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestTargetsAreRegisteredAHundredAtATimeWithPortAndZone(t *testing.T) {
	account, played := play(t, map[string][]reply{
		"RegisterTargets": {says("RegisterTargets", "")}, "RegisterInstancesWithLoadBalancer": {says("RegisterInstancesWithLoadBalancer", "")},
	})
	targets := []cloud.Target{{ID: "10.0.0.1", Port: 8080, Zone: "all"}}
	for n := range 100 {
		targets = append(targets, cloud.Target{ID: fmt.Sprint("i-", n)})
	}
	for _, ref := range []cloud.BalancerRef{classicWeb, groupWeb} {
		if err := account.RegisterTargets(t.Context(), "us-east-1", ref, targets); err != nil {
			t.Error(err)
		}
	}
	played.asked(t, "RegisterTargets", map[string]string{
		"TargetGroupArn": groupWeb.Key, "Targets.member.1.Id": "10.0.0.1", "Targets.member.1.Port": "8080", "Targets.member.1.AvailabilityZone": "all", "Targets.member.2.Port": "",
	})
	played.asked(t, "RegisterTargets", map[string]string{"Targets.member.1.Id": "i-99", "Targets.member.2.Id": ""})
	played.asked(t, "RegisterInstancesWithLoadBalancer", map[string]string{"LoadBalancerName": "web", "Instances.member.1.InstanceId": "i-99"})
	if played.count("RegisterTargets") != 2 || played.count("RegisterInstancesWithLoadBalancer") != 2 {
		t.Errorf("%d calls", len(played.calls))
	}
}

func TestATargetThatCannotBeRegisteredIsRefused(t *testing.T) {
	account, _ := play(t, map[string][]reply{
		"RegisterTargets": {refuses("InvalidTarget"), refuses("TooManyTargets")}, "RegisterInstancesWithLoadBalancer": {refuses("InvalidInstance")},
	})
	targets := []cloud.Target{{ID: "i-1"}}
	isRefused(t, account.RegisterTargets(t.Context(), "us-east-1", groupWeb, targets), cloud.BadRequest)
	isRefused(t, account.RegisterTargets(t.Context(), "us-east-1", groupWeb, targets), cloud.NoQuota)
	isRefused(t, account.RegisterTargets(t.Context(), "us-east-1", classicWeb, targets), cloud.BadRequest)
}

func TestDeregisteringWhatIsGoneIsNoError(t *testing.T) {
	account, played := play(t, map[string][]reply{
		"DeregisterTargets":                   {refuses("InvalidTarget"), says("DeregisterTargets", ""), refuses("InvalidTarget")},
		"DescribeTargetHealth":                {groupHealth("healthy", "healthy")},
		"DeregisterInstancesFromLoadBalancer": {refuses("InvalidInstance")},
		"DescribeInstanceHealth":              {says("DescribeInstanceHealth", "<InstanceStates></InstanceStates>")},
	})
	if err := account.DeregisterTargets(t.Context(), "us-east-1", groupWeb, []cloud.Target{{ID: "i-gone"}, {ID: "i-1"}}); err != nil {
		t.Error(err)
	}
	played.asked(t, "DeregisterTargets", map[string]string{"Targets.member.1.Id": "i-1", "Targets.member.2.Id": ""})
	if err := account.DeregisterTargets(t.Context(), "us-east-1", classicWeb, []cloud.Target{{ID: "i-gone"}}); err != nil || played.count("DeregisterInstancesFromLoadBalancer") != 1 {
		t.Error(err)
	}
	isRefused(t, account.DeregisterTargets(t.Context(), "us-east-1", groupWeb, []cloud.Target{{ID: "i-0"}}), cloud.BadRequest)
}

func TestABalancerThatIsNotThereIsNamed(t *testing.T) {
	const lost = "LoadBalancerNotFound"
	account, _ := play(t, map[string][]reply{
		"RegisterInstancesWithLoadBalancer": {refuses(lost)}, "DeregisterInstancesFromLoadBalancer": {refuses(lost)}, "DescribeInstanceHealth": {refuses(lost)},
		"RegisterTargets": {refuses("TargetGroupNotFound")}, "DeregisterTargets": {refuses("TargetGroupNotFound")}, "DescribeTargetHealth": {refuses("TargetGroupNotFound")},
		"DescribeLoadBalancers": {refuses(lost)}, "DescribeTargetGroups": {refuses("TargetGroupNotFound")},
	})
	targets := []cloud.Target{{ID: "i-1"}}
	for ref, name := range map[cloud.BalancerRef]string{classicWeb: "There is no load balancer web in us-east-1.", groupWeb: "There is no target group " + groupWeb.Key + " in us-east-1."} {
		_, unknown := account.TargetHealth(t.Context(), "us-east-1", ref, targets)
		for _, err := range []error{account.RegisterTargets(t.Context(), "us-east-1", ref, targets), account.DeregisterTargets(t.Context(), "us-east-1", ref, targets), unknown} {
			if r := isRefused(t, err, cloud.Unknown); r.Message != name {
				t.Error(r.Message)
			}
		}
	}
	found, err := account.Balancers(t.Context(), "us-east-1", []cloud.BalancerRef{classicWeb, groupWeb})
	if len(found) != 0 || !strings.Contains(err.Error(), "load balancer web") || !strings.Contains(err.Error(), groupWeb.Key) {
		t.Errorf("%+v, %v", found, err)
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		t.Errorf("%v does not tell each", err)
	}
	for _, err := range []error{
		account.RegisterTargets(t.Context(), "us-east-1", cloud.BalancerRef{Key: "web"}, targets), account.DeregisterTargets(t.Context(), "us-east-1", cloud.BalancerRef{Key: "web"}, targets),
	} {
		isRefused(t, err, cloud.BadRequest)
	}
}
