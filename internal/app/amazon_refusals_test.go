package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// log is a group's log, as its owner reads it.
func (a *amazon) log(group string) string {
	a.Neap.T.Helper()
	return string(a.Must(http.MethodGet, a.path("/"+group+"/logs")+"&fromDate=2026-01-01&toDate=2030-01-01", nil).Raw)
}

// explained is what the newest decision of a group says of its launches.
func (a *amazon) explained(group string) string {
	a.Neap.T.Helper()
	list, _ := a.Must(http.MethodGet, "/neap/v1/groups/"+group+"/decisions?limit=1&accountId="+a.account, nil).Body["items"].([]any)
	if len(list) == 0 {
		return ""
	}
	newest := list[0].(map[string]any)
	return fmt.Sprint(a.Must(http.MethodGet, fmt.Sprintf("/neap/v1/groups/%s/decisions/%s?accountId=%s", group, newest["id"], a.account), nil).Body["outcomes"])
}

func TestWhatCanBeKnownOfAGroupOnAmazonIsRefusedBeforeItIsStored(t *testing.T) {
	a := onAmazon(t)
	for name, c := range map[string]struct {
		change func(compute, specification map[string]any)
		says   string
	}{
		"image":          {func(_, s map[string]any) { s["imageId"] = "ami-00000000" }, "ami-00000000"},
		"image's form":   {func(_, s map[string]any) { s["imageId"] = "nonsense" }, "nonsense"},
		"key pair":       {func(_, s map[string]any) { s["keyPair"] = "nobodys" }, "nobodys"},
		"security group": {func(_, s map[string]any) { s["securityGroupIds"] = []string{"sg-00000000000000000"} }, "sg-00000000000000000"},
		"subnet": {func(c, _ map[string]any) {
			c["availabilityZones"] = []any{map[string]any{"name": amazonRegion + "a", "subnetIds": []string{"subnet-00000000000000000"}}}
		}, "subnet-00000000000000000"},
		"zone": {func(c, _ map[string]any) {
			c["availabilityZones"] = []any{map[string]any{"name": amazonRegion + "z", "subnetIds": []string{a.Subnets[amazonRegion+"a"]}}}
		}, amazonRegion + "z"},
		"type": {func(c, _ map[string]any) {
			c["instanceTypes"] = map[string]any{"ondemand": "m5.huge", "spot": []string{"m5.huge"}}
		}, "m5.huge"},
	} {
		document := a.document(1, 0)
		compute := document["compute"].(map[string]any)
		c.change(compute, compute["launchSpecification"].(map[string]any))
		if got := a.Call(http.MethodPost, a.path(""), map[string]any{"group": document}); got.Status != http.StatusBadRequest || !strings.Contains(string(got.Raw), c.says) {
			t.Errorf("%s: %d %s", name, got.Status, got.Raw)
		}
	}
	if got := a.Must(http.MethodGet, a.path(""), nil).Items(); len(got) > 0 {
		t.Errorf("refused groups were stored: %v", got)
	}
	a.Front.Refuse("DescribeImages", 9, http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform: ec2:DescribeImages")
	if got := a.Call(http.MethodPost, a.path(""), map[string]any{"group": a.document(1, 0)}); got.Status == http.StatusOK || !strings.Contains(string(got.Raw), "ec2:DescribeImages") {
		t.Errorf("without the permission to check: %d %s", got.Status, got.Raw)
	}
}

func TestWhatAmazonRefusesLaterIsToldWithWhatNeapDoesNext(t *testing.T) {
	a := onAmazon(t)
	for _, c := range []struct {
		status        int
		code, message string
		onDemand      int
		says          []string
	}{
		{http.StatusInternalServerError, "InsufficientInstanceCapacity", "There is no capacity.", 0, []string{"This market is left alone until ", "another that the group allows is tried at once."}},
		{http.StatusBadRequest, "InvalidParameterCombination", "These do not go together.", 0, []string{"These do not go together.", "asked again in 5m, or as soon as the group is changed."}},
		{http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform: ec2:RunInstances", 0, []string{"give the role that permission", "Neap tries again in 1m"}},
		{http.StatusBadRequest, "VcpuLimitExceeded", "The limit of 8 vCPUs is reached.", 1, []string{"The limit of 8 vCPUs is reached.", "No more on-demand of class Standard until ", "limit raised (AWS: in Service Quotas)"}},
		{http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.", 0, []string{"AWS gets too many", "Neap is slower now, and asks again in "}},
	} {
		for _, action := range []string{"RunInstances", "CreateFleet"} {
			a.Front.Refuse(action, 100, c.status, c.code, c.message)
		}
		group := a.create(t, 1, c.onDemand)
		told := func(text string) bool {
			for _, part := range append(c.says, c.code) {
				if !strings.Contains(text, part) {
					return false
				}
			}
			return true
		}
		defer func() {
			if t.Failed() {
				t.Log(a.log(group), a.explained(group))
			}
		}()
		a.until(t, "the log tells of "+c.code, func() bool { return told(a.log(group)) })
		a.until(t, "the explanation tells of "+c.code, func() bool { return told(a.explained(group)) })
		a.Front.Relent()
		a.Must(http.MethodDelete, a.path("/"+group), nil)
	}
}

// ever counts all instances that a group has had, ended ones too, as the stand-in itself shows them.
func (a *amazon) ever(group string) (n int) {
	for _, i := range a.Instances(a.Neap) {
		if i.Tags["neap:owner"] == group {
			n++
		}
	}
	return n
}

func TestAnswersThatAmazonLosesStartNothingTwice(t *testing.T) {
	a := onAmazon(t)
	a.Front.Lose("RunInstances", 4) // one more than the SDK asks
	a.Front.Lose("CreateFleet", 2)
	group := a.create(t, 3, 1)
	a.holds(t, group, 2, 1)
	if n := a.ever(group); n != 3 {
		t.Errorf("%d instances were started for a target of 3", n)
	}
	a.Front.Lose("CreateFleet", 4)
	a.Front.Lose("TerminateInstances", 4)
	a.Must(http.MethodPut, a.path("/"+group+"/capacity"), map[string]any{"capacity": map[string]any{"target": 5, "minimum": 0, "maximum": 20}})
	a.holds(t, group, 4, 1)
	a.Must(http.MethodPut, a.path("/"+group+"/capacity"), map[string]any{"capacity": map[string]any{"target": 2, "minimum": 0, "maximum": 20}})
	a.holds(t, group, 1, 1)
	if n := a.ever(group); n != 5 {
		t.Errorf("%d instances were started for targets of 3, 5 and 2", n)
	}
}
