package aws_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
)

func TestEveryAttributeOfAnInstanceReachesEC2(t *testing.T) {
	for _, c := range []struct{ attribute, value, parameter, sent string }{
		{"instanceType", "m5.xlarge", "InstanceType.Value", "m5.xlarge"},
		{"instance_type", "m5.xlarge", "InstanceType.Value", "m5.xlarge"},
		{"kernel", "aki-1", "Kernel.Value", "aki-1"},
		{"ramdisk", "ari-1", "Ramdisk.Value", "ari-1"},
		{"userData", "IyEvYmluL3No", "UserData.Value", "IyEvYmluL3No"},
		{"user_data", "IyEvYmluL3No", "UserData.Value", "IyEvYmluL3No"},
		{"disableApiTermination", "True", "DisableApiTermination.Value", "true"},
		{"instanceInitiatedShutdownBehavior", "terminate", "InstanceInitiatedShutdownBehavior.Value", "terminate"},
		{"blockDeviceMapping", "/dev/sda1=false", "BlockDeviceMapping.1.Ebs.DeleteOnTermination", "false"},
		{"sourceDestCheck", "false", "SourceDestCheck.Value", "false"},
		{"groupSet", "sg-1, sg-2", "GroupId.2", "sg-2"},
		{"security_groups", "sg-1", "GroupId.1", "sg-1"},
		{"ebs_optimized", "1", "EbsOptimized.Value", "true"},
		{"sriovNetSupport", "simple", "SriovNetSupport.Value", "simple"},
		{"enaSupport", "true", "EnaSupport.Value", "true"},
	} {
		a, _ := shaped(t, func(form url.Values) (int, string) {
			expect(t, form, map[string]string{"Action": "ModifyInstanceAttribute", "InstanceId": "i-1", c.parameter: c.sent})
			return 200, `<ModifyInstanceAttributeResponse><return>true</return></ModifyInstanceAttributeResponse>`
		})
		if err := a.Modify(t.Context(), region, "i-1", c.attribute, c.value); err != nil {
			t.Errorf("%s: %v", c.attribute, err)
		}
	}
}

func TestAnAttributeThatCannotBeSetIsRefusedWithoutACall(t *testing.T) {
	a, calls := shaped(t, no(http.StatusBadRequest, "IncorrectInstanceState", "The instance 'i-1' is not in the 'stopped' state."))
	for attribute, value := range map[string]string{
		"rootDeviceName": "/dev/sdb", "colour": "red", "sourceDestCheck": "perhaps", "groupSet": " , ", "userData": "%", "blockDeviceMapping": "/dev/sda1",
	} {
		must(t, a.Modify(t.Context(), region, "i-1", attribute, value), cloud.BadRequest)
	}
	if made := calls(); len(made) != 0 {
		t.Errorf("calls: %v", made)
	}
	if r := must(t, a.Modify(t.Context(), region, "i-1", "kernel", "aki-1"), cloud.BadRequest); r.Code != "IncorrectInstanceState" {
		t.Errorf("%+v", r)
	}
}

func TestManyInstancesAreChangedInChunks(t *testing.T) {
	a, calls := shaped(t, func(form url.Values) (int, string) {
		if form.Has("InstanceId.101") || form.Has("ResourceId.101") {
			t.Error("too many at once")
		}
		return 200, `<Response/>`
	})
	many := make([]string, 250)
	for n := range many {
		many[n] = "i-0abcdef1234567890"
	}
	ctx := t.Context()
	for _, err := range []error{
		a.Terminate(ctx, region, many), a.Stop(ctx, region, many, true), a.Start(ctx, region, many), a.Reboot(ctx, region, many),
		a.Tag(ctx, region, many, map[string]string{"a": "1", "b": ""}), a.Terminate(ctx, region, nil),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	for _, action := range []string{"TerminateInstances", "StopInstances", "StartInstances", "RebootInstances", "CreateTags", "DeleteTags"} {
		if n := calls()[action]; n != 3 {
			t.Errorf("%s is called %d times", action, n)
		}
	}
}

func TestAnInterruptedInstanceEndedByInterruption(t *testing.T) {
	p := arrive(t)
	id := p.start(t, p.launch(1))[0].ID
	p.front.End(t, region, id, "Server.SpotInstanceTermination", "Server.SpotInstanceTermination")
	found, err := p.account.Describe(t.Context(), cloud.Query{Region: region, IDs: []string{id}})
	if err != nil || found[0].State != cloud.Terminated || found[0].Ended != cloud.EndedByInterruption || !found[0].EndedAt.IsZero() {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestARoleWithoutAPermissionIsToldWhichOneItLacks(t *testing.T) {
	p := arrive(t)
	poor := p.server.User(t, awstest.Allow("ec2:DescribeInstances", "ec2:DescribeImages"))
	awstest.Be(t, poor.Key)
	front := awstest.NewFront(t, p.server, poor.Key)
	a := accountAt(t, front.Endpoint)
	_, err := a.Launch(t.Context(), p.launch(1))
	if r := must(t, err, cloud.Denied); !strings.Contains(r.Message, "ec2:RunInstances") || strings.Contains(r.Message, "encoded") || r.Scope != cloud.ScopeAccount || r.Key != region {
		t.Errorf("%+v", r)
	}
	if _, err := a.Describe(t.Context(), cloud.Query{Region: region, Tags: map[string]string{"nobody": "has"}}); err != nil {
		t.Error(err)
	}
	_, err = a.Check(t.Context(), region, cloud.Template{Image: p.image, KeyPair: "ops"})
	if r := must(t, err, cloud.Denied); !strings.Contains(r.Message, "ec2:DescribeKeyPairs") {
		t.Errorf("%+v", r)
	}
}

func TestACheckNamesEverythingThatIsMissing(t *testing.T) {
	p := arrive(t)
	n, other := build(t, p.server), build(t, p.server)
	p.server.EC2(t, region, url.Values{"Action": {"CreateKeyPair"}, "KeyName": {n.groupName}})
	good := cloud.Template{Image: p.image, KeyPair: n.groupName, SecurityGroups: []string{n.group, n.groupName}, Subnets: []string{n.first, n.elsewhere}}
	if faults, err := p.account.Check(t.Context(), region, good); err != nil || len(faults) != 0 {
		t.Errorf("a good template: %v, %v", faults, err)
	}
	for word, change := range map[string]func(*cloud.Template){
		"image ami-00000000":     func(c *cloud.Template) { c.Image = "ami-00000000" },
		"is needed":              func(c *cloud.Template) { c.Image = "" },
		`key pair named "nobody`: func(c *cloud.Template) { c.KeyPair = "nobody's" },
		"security group sg-0000": func(c *cloud.Template) { c.SecurityGroups = []string{"sg-00000000000000000"} },
		`group named "nobody's"`: func(c *cloud.Template) { c.SecurityGroups = []string{"nobody's"} },
		"another network":        func(c *cloud.Template) { c.SecurityGroups = []string{other.group} },
		"not a security group":   func(c *cloud.Template) { c.SecurityGroups = []string{"sg-web"} },
		"subnet subnet-0000":     func(c *cloud.Template) { c.Subnets = []string{n.first, "subnet-00000000000000000"} },
		"not a subnet id":        func(c *cloud.Template) { c.Subnets = []string{n.first, "subnet-a"} },
		"2 networks":             func(c *cloud.Template) { c.Subnets = []string{n.first, other.first} },
		"not base64":             func(c *cloud.Template) { c.UserData = "#!/bin/sh" },
		"bytes long":             func(c *cloud.Template) { c.UserData = strings.Repeat("QUJD", 6000) },
	} {
		bad := good
		change(&bad)
		faults, err := p.account.Check(t.Context(), region, bad)
		if err != nil || len(faults) != 1 || faults[0].Kind != cloud.BadRequest || !strings.Contains(faults[0].Message, word) {
			t.Errorf("%s: %v, %v", word, faults, err)
		}
	}
	for action := range p.front.Calls() {
		if !strings.HasPrefix(action, "Describe") {
			t.Errorf("a check calls %s", action)
		}
	}
}
