package elastigroup

import (
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
)

// bad is one change of a good document, and what it is refused for.
type bad struct{ set, to, field, says string }

func badInput() []bad {
	return []bad{
		// The shape, by the schema.
		{"group.name", `-`, "group.name", ""},
		{"group.name", `""`, "group.name", ""},
		{"group.name", `7`, "group.name", ""},
		{"group.capacity", `-`, "group.capacity", ""},
		{"group.capacity", `null`, "group.capacity", ""},
		{"group.capacity.target", `"2"`, "group.capacity.target", ""},
		{"group.capacity.target", `2.5`, "group.capacity.target", ""},
		{"group.capacity.minimum", `-1`, "group.capacity.minimum", ""},
		{"group.capacity.unit", `"pods"`, "group.capacity.unit", ""},
		{"group.strategy", `-`, "group.strategy", ""},
		{"group.strategy.risk", `101`, "group.strategy.risk", ""},
		{"group.strategy.availabilityVsCost", `"fastest"`, "group.strategy.availabilityVsCost", ""},
		{"group.strategy.fallbackToOd", `"yes"`, "group.strategy.fallbackToOd", ""},
		{"group.strategy.signals", `[{"name":"INSTANCE_READY","timeout":30}]`, "group.strategy.signals[0].timeout", ""},
		{"group.strategy.signals", `[{"name":"READY"}]`, "group.strategy.signals[0].name", ""},
		{"group.strategy.maxReplacementsPercentage", `150`, "group.strategy.maxReplacementsPercentage", ""},
		{"group.compute", `[]`, "group.compute", ""},
		{"group.compute.product", `"OS/2"`, "group.compute.product", ""},
		{"group.compute.instanceTypes", `-`, "group.compute.instanceTypes", ""},
		{"group.compute.instanceTypes.spot", `"m5.large"`, "group.compute.instanceTypes.spot", ""},
		{"group.compute.launchSpecification", `-`, "group.compute.launchSpecification", ""},
		{"group.compute.launchSpecification.securityGroupIds", `-`, "group.compute.launchSpecification.securityGroupIds", ""},
		{"group.compute.launchSpecification.healthCheckType", `"PING"`, "group.compute.launchSpecification.healthCheckType", ""},
		{"group.compute.launchSpecification.blockDeviceMappings", `[{"ebs":{"throughput":100}}]`, "group.compute.launchSpecification.blockDeviceMappings[0].ebs.throughput", ""},
		{"group.scaling.up", `[{"metricName":"CPUUtilization","operator":"above"}]`, "group.scaling.up[0].operator", ""},
		{"group.scheduling.tasks", `[{"taskType":"nap"}]`, "group.scheduling.tasks[0].taskType", ""},
		{"group.thirdPartiesIntegration.ecs", `{"clusterName":7}`, "group.thirdPartiesIntegration.ecs.clusterName", ""},

		// Capacity.
		{"group.capacity.minimum", `6`, "group.capacity.minimum", "above the maximum 5"},
		{"group.capacity.target", `0`, "group.capacity.target", "below the minimum 1"},
		{"group.capacity.target", `9`, "group.capacity.target", "above the maximum 5"},
		{"group.capacity.maximum", `2000000`, "group.capacity.maximum", "at most"},
		{"group.capacity.maximum", `1e300`, "group.capacity.maximum", "at most"},

		// Places.
		{"group.region", `"use-east-1"`, "group.region", "us-east-1"},
		{"group.region", `"us-west-2"`, "group.compute.availabilityZones[0].name", "lies in us-east-1"},
		{"group.compute.availabilityZones[1].name", `"us-east-1z"`, "group.compute.availabilityZones[1].name", "us-east-1a"},
		{"group.compute.availabilityZones", `-`, "group.compute.availabilityZones", "subnetIds"},
		{"group.compute.availabilityZones", `[]`, "group.compute.availabilityZones", "subnetIds"},
		{"group.compute.preferredAvailabilityZones", `["us-east-1c"]`, "group.compute.preferredAvailabilityZones[0]", "us-east-1a, us-east-1b"},
		{"group.strategy.availabilityVsCost", `"equalAzDistribution"`, "group.compute.preferredAvailabilityZones", "prefers no zone"},

		// Types.
		{"group.compute.instanceTypes.spot", `["m5.large","m5.enormous"]`, "group.compute.instanceTypes.spot[1]", "m5.enormous"},
		{"group.compute.instanceTypes.spot", `-`, "group.compute.instanceTypes.spot", "resourceRequirements"},
		{"group.compute.instanceTypes.ondemand", `"m5"`, "group.compute.instanceTypes.ondemand", "no instance type"},
		{"group.compute.instanceTypes.onDemandTypes", `["nope"]`, "group.compute.instanceTypes.onDemandTypes[0]", "no instance type"},
		{"group.compute.instanceTypes.preferredSpot", `["r5.large"]`, "group.compute.instanceTypes.preferredSpot[0]", "none of the spot types"},
		{"group.compute.instanceTypes.weights", `[{"instanceType":"m5.large","weightedCapacity":0}]`, "group.compute.instanceTypes.weights[0].weightedCapacity", "1 or more"},
		{"group.compute.instanceTypes.weights", `[{"instanceType":"m5.large","weightedCapacity":1},{"instanceType":"m5.large","weightedCapacity":2}]`, "group.compute.instanceTypes.weights[1].instanceType", "already"},
		{"group.compute.instanceTypes.weights", `[{"instanceType":"huge","weightedCapacity":1}]`, "group.compute.instanceTypes.weights[0].instanceType", "no instance type"},
		{"group.compute.instanceTypes.resourceRequirements", `{"requiredVCpu":{"minimum":8,"maximum":2},"requiredMemory":{}}`, "group.compute.instanceTypes.resourceRequirements.requiredVCpu.minimum", "above the maximum 2"},
		{"group.compute.instanceTypes.resourceRequirements", `{"requiredVCpu":{"minimum":0},"requiredMemory":{}}`, "group.compute.instanceTypes.resourceRequirements.requiredVCpu.minimum", "1 to 64"},
		{"group.compute.instanceTypes.resourceRequirements", `{"requiredVCpu":{},"requiredMemory":{"maximum":1000}}`, "group.compute.instanceTypes.resourceRequirements.requiredMemory.maximum", "1 to 512"},
		{"group.compute.instanceTypes.resourceRequirements", `{"requiredVCpu":{},"requiredMemory":{},"requiredGpu":{"maximum":17}}`, "group.compute.instanceTypes.resourceRequirements.requiredGpu.maximum", "1 to 16"},
		{"group.compute.instanceTypes.resourceRequirements", `{"requiredVCpu":{"maximum":1},"requiredMemory":{"minimum":500}}`, "group.compute.instanceTypes.resourceRequirements", "widen"},
		{"group.compute.instanceTypes.resourceRequirements", `{"requiredVCpu":{},"requiredMemory":{},"excludedInstanceTypes":["c4.larg"]}`, "group.compute.instanceTypes.resourceRequirements.excludedInstanceTypes[0]", "spelling"},
		{"group.compute.instanceTypes.resourceRequirements", `{"requiredMemory":{}}`, "group.compute.instanceTypes.resourceRequirements.requiredVCpu", ""},

		// One choice that forbids another.
		{"group.strategy.revertToSpot.performAt", `"never"`, "group.strategy.revertToSpot.performAt", "availabilityOriented"},
		{"group.strategy.revertToSpot", `{"performAt":"timeWindow","timeWindows":["Mon:03:00-Mon:05:00"]}`, "group.strategy.revertToSpot.performAt", "persistence"},
		{"group.strategy", `{"availabilityVsCost":"availabilityOriented","revertToSpot":{"performAt":"timeWindow"}}`, "group.strategy.revertToSpot.timeWindows", "Mon:03:00"},
		{"group.strategy.revertToSpot.timeWindows", `["Mon:03:00-Mon:04:00","Monday 3 to 5"]`, "group.strategy.revertToSpot.timeWindows[1]", "ddd:hh:mm"},
		{"group.strategy.revertToSpot.timeWindows", `["Mon:25:00-Tue:04:00"]`, "group.strategy.revertToSpot.timeWindows[0]", "ddd:hh:mm"},
		{"group.strategy.revertToSpot.timeWindows", `["Xyz:03:00-Tue:04:00"]`, "group.strategy.revertToSpot.timeWindows[0]", "ddd:hh:mm"},
		{"group.strategy", `{"availabilityVsCost":"equalAzDistribution","utilizeReservedInstances":true}`, "group.strategy.utilizeReservedInstances", "reserved"},
		{"group.strategy", `{"availabilityVsCost":"equalAzDistribution","utilizeCommitments":true}`, "group.strategy.utilizeCommitments", "reserved"},
		{"group.strategy.minimumInstanceLifetime", `5`, "group.strategy.minimumInstanceLifetime", "1, 3, 6, 12 or 24"},
		{"group.strategy.persistence", `{"shouldPersistRootDevice":false}`, "group.strategy.persistence", "at least one"},
		{"group.strategy.persistence", `{"shouldPersistRootDevice":true,"blockDevicesMode":"maybe"}`, "group.strategy.persistence.blockDevicesMode", "onLaunch"},

		// What is launched.
		{"group.compute.launchSpecification.imageId", `-`, "group.compute.launchSpecification.imageId", "imageId"},
		{"group.compute.launchSpecification.userData", `"#!/bin/sh"`, "group.compute.launchSpecification.userData", "base64"},
		{"group.compute.launchSpecification.shutdownScript", `"***"`, "group.compute.launchSpecification.shutdownScript", "base64"},
		{"group.compute.launchSpecification.userData", `"` + strings.Repeat("QUJD", 8<<10) + `"`, "group.compute.launchSpecification.userData", "16384"},
		{"group.compute.launchSpecification.tags", `[{"tagKey":"a"},{"tagKey":"a"}]`, "group.compute.launchSpecification.tags[1].tagKey", "twice"},
		{"group.compute.launchSpecification.tags", `[{"tagKey":""}]`, "group.compute.launchSpecification.tags[0].tagKey", "key"},
		{"group.compute.launchSpecification.tags", `[{"tagKey":"aws:owner"}]`, "group.compute.launchSpecification.tags[0].tagKey", "aws:"},
		{"group.compute.launchSpecification.healthCheckGracePeriod", `9000000000`, "group.compute.launchSpecification.healthCheckGracePeriod", "length of time"},

		// What would contradict itself later.
		{"group.scaling.down", `[{"metricName":"m","threshold":1,"stepAdjustments":[{"threshold":1}]}]`, "group.scaling.down[0].stepAdjustments", "leave out"},
		{"group.scaling.up", `[{"metricName":"m","action":{"type":"adjustment"},"stepAdjustments":[{"threshold":1}]}]`, "group.scaling.up[0].stepAdjustments", "leave out"},
		{"group.scheduling.tasks", `[{"taskType":"scale","cronExpression":"0 1 * * *","frequency":"daily"}]`, "group.scheduling.tasks[0].frequency", "not both"},
	}
}

// check is what a request goes through before anything is stored.
func check(t *testing.T, body []byte) error {
	t.Helper()
	if err := checker(t).Validate("group-create", body); err != nil {
		return err
	}
	_, _, _, err := form().Compile(groupOf(t, body))
	return err
}

func TestTheGoodDocumentIsAccepted(t *testing.T) {
	if err := check(t, read(t, "group-small.json")); err != nil {
		t.Fatal(err)
	}
}

func TestBadInputIsRefusedWithItsPathAndASentence(t *testing.T) {
	for _, c := range badInput() {
		t.Run(c.field+" "+c.to[:min(len(c.to), 40)], func(t *testing.T) {
			body := change(t, decoded(t, string(read(t, "group-small.json"))), c.set, c.to)
			err := check(t, encoded(t, body))
			if err == nil {
				t.Fatal("accepted")
			}
			first := fault.As(err)
			for _, one := range append([]*fault.Error{first}, first.Others...) {
				if one.Field == c.field && strings.Contains(one.Message, c.says) && one.Message != "" && one.Kind == fault.Invalid {
					return
				}
			}
			t.Errorf("refused, but not at %s with %q: %v %v", c.field, c.says, fieldsOf(err), err)
		})
	}
}

func TestContainerSchedulersExcludeWeightsAndEqualZones(t *testing.T) {
	for _, party := range []string{"kubernetes", "ecs", "nomad"} {
		body := decoded(t, string(read(t, "group-small.json")))
		body = change(t, body, "group.thirdPartiesIntegration."+party, `{"autoScale":{"isEnabled":true}}`)
		body = change(t, body, "group.capacity.unit", `"weight"`)
		if err := check(t, encoded(t, body)); err == nil || fault.As(err).Field != "group.capacity.unit" || !strings.Contains(err.Error(), party) {
			t.Errorf("weights with %s: %v", party, err)
		}
		body = change(t, body, "group.thirdPartiesIntegration."+party, `{"autoScale":{"isEnabled":false}}`)
		if err := check(t, encoded(t, body)); err != nil {
			t.Errorf("weights with %s that does not size the group: %v", party, err)
		}
		body = change(t, body, "group.capacity.unit", `"instance"`)
		body = change(t, body, "group.thirdPartiesIntegration."+party, `{"autoScale":{"isEnabled":true}}`)
		body = change(t, body, "group.compute.preferredAvailabilityZones", `-`)
		body = change(t, body, "group.strategy.availabilityVsCost", `"equalAzDistribution"`)
		if err := check(t, encoded(t, body)); err == nil || fault.As(err).Field != "group.strategy.availabilityVsCost" {
			t.Errorf("equal zones with %s: %v", party, err)
		}
	}
}

func TestAllFaultsOfADocumentAreReportedAtOnce(t *testing.T) {
	body := decoded(t, string(read(t, "group-small.json")))
	for _, c := range []bad{
		{set: "group.capacity.minimum", to: `9`}, {set: "group.region", to: `"nowhere"`},
		{set: "group.compute.launchSpecification.imageId", to: `-`}, {set: "group.strategy.minimumInstanceLifetime", to: `2`},
	} {
		body = change(t, body, c.set, c.to)
	}
	if got := fieldsOf(check(t, encoded(t, body))); len(got) != 4 {
		t.Errorf("reported %v", got)
	}
}

func TestCapacityFaultsAreAboutTheCapacity(t *testing.T) {
	body := change(t, decoded(t, string(read(t, "group-small.json"))), "group.capacity.minimum", `6`)
	if err := check(t, encoded(t, body)); fault.As(err).Noun != "capacity" {
		t.Errorf("the fault is about %q", fault.As(err).Noun)
	}
}

func FuzzCompileNeverPanics(f *testing.F) {
	f.Add([]byte(groupOf(f, corrected(f))))
	f.Add([]byte(groupOf(f, read(f, "group-small.json"))))
	for _, seed := range []string{`{}`, `null`, `[]`, `{"capacity":null}`, `{"strategy":{"persistence":[null]}}`, `{"compute":{"availabilityZones":[null],"instanceTypes":{"resourceRequirements":{}}}}`} {
		f.Add([]byte(seed))
	}
	form := form()
	f.Fuzz(func(t *testing.T, document []byte) {
		intent, _, _, err := form.Compile(document)
		c := intent.Capacity
		if err == nil && (c.Min < 0 || c.Min > c.Target || c.Target > c.Max || len(intent.Choice.Zones) == 0 || intent.Template.Image == "") {
			t.Errorf("%s compiles to %+v", document, intent)
		}
	})
}
