package launch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim"
	"github.com/neap-cloud/neap/internal/dialect/dialecttest"
	"github.com/neap-cloud/neap/internal/dialect/launch"
	"github.com/neap-cloud/neap/internal/dialect/launch/launchtest"
	"github.com/neap-cloud/neap/internal/fleet/single"
)

func TestEachActionInEachStateIsAnsweredAsEC2Does(t *testing.T) {
	w := newWorld(t)
	launchtest.States(t, launchtest.World{Handler: w.handler, Header: http.Header{"Authorization": {"Bearer anything"}}, Bring: w.bring, Settle: func() {}})
}

func TestTheSamplesAreAnsweredAsPublished(t *testing.T) {
	w := newWorld(t)
	w.replay(w.bring)
}

// replay asks what the samples ask, and compares the answers. replacements are the cloud's words for the samples'.
func (w world) replay(bring func(t *testing.T, state string) (string, bool), replacements ...string) {
	for _, c := range []struct{ file, title, state string }{
		{"launch", "defaults", ""}, {"launch", "two instances as form", ""}, {"launch", "missing ami", ""}, {"launch", "EC2 refuses", ""},
		{"attributes", "all", "running"}, {"attributes", "filtered", "running"}, {"attributes", "one field", "running"}, {"attributes", "unknown field", "running"},
		{"actions", "start", "stopped"}, {"actions", "stop by force", "running"}, {"actions", "terminate", "running"}, {"actions", "reboot", "running"},
		{"actions", "unknown id", "running"}, {"actions", "start while stopping", "stopping"}, {"actions", "modify", "stopped"},
	} {
		w.Run(c.title, func(t *testing.T) {
			id, _ := bring(t, c.state)
			s := dialecttest.Find(t, c.file, c.title, append(replacements, "<id>", id)...)
			body := string(s.Request.Body)
			var form string
			if json.Unmarshal(s.Request.Body, &form) == nil {
				body = form
			}
			got := w.call(s.Request.Method, s.Request.Path, body, "Content-Type", s.Request.Headers["Content-Type"])
			if c.file == "launch" && got.status == http.StatusOK { // ids differ, their number must not
				var want []string
				if err := json.Unmarshal(s.Response.Body, &want); err != nil || len(got.ids()) != len(want) {
					t.Errorf("%s, want %s", got.raw, s.Response.Body)
				}
				return
			}
			s.Agrees(t, got.status, got.raw, "detail", "public_dns_name", "private_dns_name", "private_ip_address", "ip_address", "launch_time")
		})
	}
}

func TestTheDefaultsReachTheCloud(t *testing.T) {
	w, asked := watch(t)
	w.must("/v1/launch", order)
	l := asked.launches[0]
	if l.Count != 1 || l.Least != 1 || l.Market != w.market("t1.micro") {
		t.Errorf("%+v", l)
	}
	want := cloud.Template{Image: "ami-0a1b2c3d", KeyPair: "scalacity_dev1", SecurityGroups: []string{"SSH"}, Shutdown: "terminate", UserData: ""}
	if fmt.Sprintf("%+v", l.Template) != fmt.Sprintf("%+v", want) {
		t.Errorf("%+v", l.Template)
	}
	if l.Tags["neap:owner"] != "single" || l.Tags["neap:installation"] != "inst" || l.Tags["neap:action"] != l.Token || l.Token == "" {
		t.Errorf("%v %q", l.Tags, l.Token)
	}
}

func TestEveryParameterReachesTheCloudThroughEveryCarrier(t *testing.T) {
	want := cloud.Template{
		Image: "ami-0a1b2c3d", KeyPair: "mine", SecurityGroups: []string{"web", "sg-0abc"}, UserData: "IyEvYmluL3NoCg==", PlacementGroup: "near", Shutdown: "stop", EBSOptimized: true,
	}
	const (
		asJSON = `{"ami":"ami-0a1b2c3d","instance_type":"m1.small","min_count":2,"max_count":3,"key_name":"mine","security_groups":["web","sg-0abc"],"user_data":"#!/bin/sh\n",` +
			`"placement":"us-east-1b","placement_group":"near","instance_initiated_shutdown_behavior":"stop","ebs_optimized":true,"colour":"green"}`
		asForm = "ami=ami-0a1b2c3d&instance_type=m1.small&min_count=2&max_count=3&key_name=mine&security_groups=web&security_groups=sg-0abc&user_data=%23%21%2Fbin%2Fsh%0A" +
			"&placement=us-east-1b&placement_group=near&instance_initiated_shutdown_behavior=stop&ebs_optimized=YES"
		form = "application/x-www-form-urlencoded"
	)
	commas := strings.Replace(asForm, "security_groups=web&security_groups=sg-0abc", "security_groups=web,sg-0abc", 1)
	for name, c := range map[string]struct{ path, body, kind string }{
		"JSON":                       {"", asJSON, "application/json"},
		"JSON that is called a form": {"", asJSON, form},
		"JSON with text for numbers": {"", strings.NewReplacer(`:2`, `:"2"`, `:3`, `:"3"`, `:true`, `:"True"`).Replace(asJSON), "application/json"},
		"JSON with a list as text":   {"", strings.Replace(asJSON, `["web","sg-0abc"]`, `"web, sg-0abc"`, 1), ""},
		"a form":                     {"", asForm, form},
		"a form with commas":         {"", commas, form + "; charset=utf-8"},
		"the query":                  {"?" + asForm, "", ""},
		"the query with commas":      {"?" + commas, "", ""},
		"all of them":                {"?" + strings.Replace(asForm, "key_name=mine", "key_name=theirs", 1), `{"key_name":"mine","ami":null}`, "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			w, asked := watch(t)
			got := w.call("PUT", "/v1/launch"+c.path, c.body, "Content-Type", c.kind)
			if got.status != http.StatusOK || len(got.ids()) != 3 {
				t.Fatalf("%d %s", got.status, got.raw)
			}
			l := asked.launches[0]
			if fmt.Sprintf("%+v", l.Template) != fmt.Sprintf("%+v", want) || l.Count != 3 || l.Least != 2 || l.Market != w.market("m1.small") {
				t.Errorf("%+v", l)
			}
		})
	}
}

func TestArgumentsThatCannotBeUsedAreNamed(t *testing.T) {
	w := newWorld(t)
	id := w.start()
	for _, c := range []struct{ path, body, missing string }{
		{"launch", `{}`, "ami instance_type"},
		{"launch", ``, "ami instance_type"},
		{"launch", `{"ami":"","instance_type":null}`, "ami instance_type"},
		{"launch", `{"ami":7,"instance_type":"t1.micro"}`, "ami"},
		{"launch", `{"ami":["a","b"],"instance_type":"t1.micro"}`, "ami"},
		{"launch?ami=a&ami=b&instance_type=t1.micro", ``, "ami"},
		{"launch?min_count=0", order, "min_count"},
		{"launch?min_count=two", order, "min_count"},
		{"launch?min_count=0x2", order, "min_count"},
		{"launch?min_count=%2B2", order, "min_count"},
		{"launch?min_count=2.5", order, "min_count"},
		{"launch?min_count=3&max_count=2", order, "max_count"},
		{"launch?min_count=2", order, "max_count"},
		{"launch?max_count=99999999999999999999", order, "max_count"},
		{"launch?ebs_optimized=maybe", order, "ebs_optimized"},
		{"launch?security_groups=a", `{"ami":"a","instance_type":"b","security_groups":[1]}`, "security_groups[0]"},
		{"launch?instance_initiated_shutdown_behavior=sleep", order, "instance_initiated_shutdown_behavior"},
		{"launch?client_token=" + strings.Repeat("x", 65), order, "Client-Token"},
		{id + "/stop?force=perhaps", ``, "force"},
		{id + "/terminate", `{"force":2}`, "force"},
		{id + "/modify", ``, "attribute value"},
		{id + "/modify?attribute=kernel", ``, "value"},
		{id + "/modify?attribute=sourceDestCheck", ``, "value"},
		{id + "/modify?value=x", ``, "attribute"},
		{id + "/modify?attribute=colour&value=green", ``, "attribute"},
		{id + "/modify?attribute=sourceDestCheck&value=perhaps", ``, "value"},
	} {
		got := w.call("PUT", "/v1/"+c.path, c.body)
		missing := fmt.Sprint(got.object()["missing"])
		if got.status != http.StatusBadRequest || got.object()["error"] != "Required arguments not provided" || missing != "["+c.missing+"]" {
			t.Errorf("%s %s: %d %s, want %s", c.path, c.body, got.status, got.raw, c.missing)
		}
	}
	for _, body := range []string{`[]`, `{`, `"ami"`, `{"ami":`} {
		if got := w.call("PUT", "/v1/launch", body); got.status != http.StatusBadRequest || got.object()["error"] == "" {
			t.Errorf("%s: %d %s", body, got.status, got.raw)
		}
	}
	if got := w.call("PUT", "/v1/launch", "ami=%zz", "Content-Type", "application/x-www-form-urlencoded"); got.status != http.StatusBadRequest {
		t.Errorf("%d %s", got.status, got.raw)
	}
	if n := len(mustLedger(w)); n != 1 {
		t.Errorf("bad requests started something: %d instances", n)
	}
}

// mustLedger lists every instance that there ever was.
func mustLedger(w world) []cloud.Instance {
	w.Helper()
	all, err := w.cloud.Account(account).Describe(w.Context(), cloud.Query{Region: "us-east-1"})
	if err != nil {
		w.Fatal(err)
	}
	return all
}

func TestTheSameClientTokenStartsNothingTwiceEvenAfterARestart(t *testing.T) {
	w := newWorld(t)
	first := w.call("PUT", "/v1/launch?max_count=2", order, "Client-Token", "mine").ids()
	w.clock.Advance(time.Hour) // and with it the generation
	again := w.call("PUT", "/v1/launch?max_count=2", order, "Client-Token", "mine").ids()
	if len(first) != 2 || !slices.Equal(first, again) {
		t.Errorf("%v, then %v", first, again)
	}
	if got := w.call("PUT", "/v1/launch", order, "Client-Token", "mine"); got.status != http.StatusRequestTimeout || got.object()["code"] != "IdempotentParameterMismatch" {
		t.Errorf("%d %s", got.status, got.raw)
	}
	if without := w.call("PUT", "/v1/launch", order).ids(); len(without) != 1 || slices.Contains(first, without[0]) {
		t.Errorf("without a token: %v", without)
	}
}

func TestALaunchStartsAsManyAsItCanBetweenTheTwoNumbersOrNone(t *testing.T) {
	w := newWorld(t)
	w.cloud.Room(w.market("t1.micro"), 3, began.Add(time.Hour))
	if got := w.call("PUT", "/v1/launch?min_count=2&max_count=5", order); got.status != http.StatusOK || len(got.ids()) != 3 {
		t.Errorf("%d %s", got.status, got.raw)
	}
	got := w.call("PUT", "/v1/launch?min_count=4&max_count=5", order)
	if got.status != http.StatusRequestTimeout || got.object()["code"] != "InsufficientInstanceCapacity" || got.object()["error"] != "Error while running via EC2 API" {
		t.Errorf("%d %s", got.status, got.raw)
	}
	if n := len(mustLedger(w)); n != 3 {
		t.Errorf("%d instances", n)
	}
}

func TestEachRefusalSaysWhichValueItIsAbout(t *testing.T) {
	w := newWorld(t)
	for body, wants := range map[string][]string{
		`{"ami":"ami-00000000","instance_type":"t1.micro"}`:                                     {"InvalidAMIID.NotFound", "image ami-00000000"},
		`{"ami":"nonsense","instance_type":"t1.micro"}`:                                         {"InvalidAMIID.Malformed", "nonsense"},
		`{"ami":"ami-0a1b2c3d","instance_type":"t1.giant"}`:                                     {"InvalidParameterValue", "t1.giant"},
		`{"ami":"ami-0a1b2c3d","instance_type":"t1.micro","placement":"eu-west-1a"}`:            {"Unsupported", "eu-west-1a"},
		`{"ami":"ami-0a1b2c3d","instance_type":"t1.micro","security_groups":["sg-00000000"]}`:   {"InvalidGroup.NotFound", "sg-00000000"},
		`{"ami":"ami-0a1b2c3d","instance_type":"t1.micro","key_name":"tab\there"}`:              {"InvalidKeyPair.Format", "key pair tab"},
		`{"ami":"ami-0a1b2c3d","instance_type":"t1.micro","placement_group":"no such group"}`:   {"InvalidPlacementGroup.Unknown", "no such group"},
		`{"ami":"ami-0a1b2c3d","instance_type":"t1.micro","min_count":2001,"max_count":"2001"}`: {"InvalidParameterValue", "2001"},
	} {
		got := w.call("PUT", "/v1/launch", body)
		if got.status != http.StatusRequestTimeout || got.object()["error"] != "Error while running via EC2 API" || got.object()["code"] != wants[0] {
			t.Errorf("%s: %d %s", body, got.status, got.raw)
		}
		if detail := fmt.Sprint(got.object()["detail"]); !strings.Contains(detail, wants[1]) {
			t.Errorf("%s: %q does not name %s", body, detail, wants[1])
		}
	}
}

func TestFailuresOfTheCloudAre408WithACode(t *testing.T) {
	w := newWorld(t)
	id := w.start()
	for code, fails := range map[string]error{
		"UnauthorizedOperation":        &cloud.Refusal{Kind: cloud.Denied, Code: "UnauthorizedOperation", Message: "Encoded authorization failure message: abc"},
		"VcpuLimitExceeded":            &cloud.Refusal{Kind: cloud.NoQuota, Code: "VcpuLimitExceeded", Message: "No more."},
		"RequestLimitExceeded":         &cloud.Refusal{Kind: cloud.Throttled, Code: "RequestLimitExceeded", Message: "Slow."},
		"InsufficientInstanceCapacity": &cloud.Refusal{Kind: cloud.NoCapacity, Code: "InsufficientInstanceCapacity", Message: "None."},
		"InvalidKeyPair.NotFound":      &cloud.Refusal{Kind: cloud.Unknown, Code: "InvalidKeyPair.NotFound", Message: "None."},
		"RequestTimeout":               fmt.Errorf("asked: %w", context.DeadlineExceeded),
		"Unavailable":                  errDown,
	} {
		for call, path := range map[sim.Call]string{sim.LaunchCall: "/v1/launch", sim.StopCall: "/v1/" + id + "/stop", sim.TerminateCall: "/v1/" + id + "/terminate", sim.ModifyCall: "/v1/" + id + "/modify?attribute=kernel&value=x"} {
			body, times := "", 1
			if call == sim.LaunchCall {
				body = order
			}
			if !errors.As(fails, new(*cloud.Refusal)) && call == sim.LaunchCall {
				times = 3 // it has a token, so it is asked for again
			}
			for range times {
				w.cloud.FailNext(call, fails)
			}
			got := w.call("PUT", path, body)
			if got.status != http.StatusRequestTimeout || got.object()["code"] != code || got.object()["detail"] == nil || got.header.Get("Connection") == "close" {
				t.Errorf("%s: %d %s", path, got.status, got.raw)
			}
			if text := string(got.raw); strings.Contains(text, "Encoded") || strings.Contains(text, errDown.Error()) {
				t.Errorf("%s shows what is for the log alone: %s", path, text)
			}
		}
	}
	w.cloud.FailNext(sim.DescribeCall, errDown)
	if got := w.call("GET", "/v1/"+id+"/attributes", ""); got.status != http.StatusRequestTimeout || got.object()["error"] != "Error while reading via EC2 API" {
		t.Errorf("%d %s", got.status, got.raw)
	}
}

func TestAnAccountWhoseCloudCannotBeFoundIs408(t *testing.T) {
	w := newWorld(t, func(d *launch.Deps) { d.Instances.Clouds = nowhere{} })
	for path, body := range map[string]string{"/v1/launch": order, "/v1/i-0123456789abcdef0/start": ""} {
		if got := w.call("PUT", path, body); got.status != http.StatusRequestTimeout || got.object()["code"] != "Unavailable" {
			t.Errorf("%s: %d %s", path, got.status, got.raw)
		}
	}
}

type nowhere struct{}

// For is single.Clouds'.
func (nowhere) For(context.Context, string) (cloud.Provider, error) { return nil, errDown }

func TestIdsThatEC2NeverGivesAreUnknownAndOldOnesAreTaken(t *testing.T) {
	w, asked := watch(t)
	for id, reaches := range map[string]bool{
		"i-0123abcd": true, "i-0123456789abcdef0": true, "i-0123456789abcdef": false, "i-0123456789ABCDEF0": false, "x-0123abcd": false, "i-": false, "launch": false, "i-0123abc%20": false,
	} {
		before := asked.calls
		for method, path := range map[string]string{"PUT": "/start", "GET": "/attributes/id"} {
			got := w.call(method, "/v1/"+id+path, "")
			if got.status != http.StatusNotFound || got.object()["error"] != "Instance ID not found" || len(got.object()) != 1 {
				t.Errorf("%s %s: %d %s", method, id, got.status, got.raw)
			}
		}
		if asked.calls > before != reaches {
			t.Errorf("%s reached the cloud: %v", id, !reaches)
		}
	}
}

func TestWrongMethodsAndUnknownPathsAreRefusedInTheAPIsOwnBody(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		method, path, allow string
		status              int
	}{
		{"GET", "/v1/launch", "PUT", 405}, {"POST", "/v1/launch", "PUT", 405}, {"PUT", "/v1/i-0123abcd/attributes", "GET", 405}, {"DELETE", "/v1/i-0123abcd/stop", "PUT", 405},
		{"GET", "/v1/i-0123abcd", "", 404}, {"PUT", "/v1/i-0123abcd/explode", "", 404}, {"GET", "/v1", "", 404},
	} {
		got := w.call(c.method, c.path, "")
		if _, is := got.object()["error"].(string); got.status != c.status || got.header.Get("Allow") != c.allow || !is {
			t.Errorf("%s %s: %d %q %s", c.method, c.path, got.status, got.header.Get("Allow"), got.raw)
		}
	}
}

func TestARehearsalChangesNothing(t *testing.T) {
	w := newWorld(t)
	id, _ := w.bring(t, "running")
	before := len(mustLedger(w))
	for path, body := range map[string]string{
		"/v1/launch": order, "/v1/" + id + "/stop": "", "/v1/" + id + "/terminate": `{"force":true}`, "/v1/" + id + "/modify": `{"attribute":"disableApiTermination","value":true}`,
	} {
		if got := w.call("PUT", path, body, "Neap-Dry-Run", "true"); got.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, got.status, got.raw)
		}
	}
	if got := w.call("PUT", "/v1/launch", strings.Replace(order, "0a1b2c3d", "00000000", 1), "Neap-Dry-Run", "true"); got.status != http.StatusRequestTimeout {
		t.Errorf("%d %s", got.status, got.raw)
	}
	if got := w.call("PUT", "/v1/i-0123abcd/stop", "", "Neap-Dry-Run", "true"); got.status != http.StatusNotFound {
		t.Errorf("%d %s", got.status, got.raw)
	}
	if after := mustLedger(w); len(after) != before || w.shown(id).State != cloud.Running {
		t.Errorf("%d instances, were %d; %+v", len(after), before, w.shown(id))
	}
	w.must("/v1/"+id+"/terminate", "") // it was not protected either
}

func TestAProtectedInstanceEndsByForceOnly(t *testing.T) {
	w := newWorld(t)
	id := w.start()
	w.must("/v1/"+id+"/modify", `{"attribute":"disable_api_termination","value":true}`)
	if got := w.call("PUT", "/v1/"+id+"/terminate", ""); got.status != http.StatusRequestTimeout || got.object()["code"] != "OperationNotPermitted" {
		t.Errorf("%d %s", got.status, got.raw)
	}
	for range 2 {
		w.must("/v1/"+id+"/terminate?force=1", "")
	}
	if got := w.shown(id); got.State != cloud.ShuttingDown {
		t.Errorf("%+v", got)
	}
}

// asking counts what reaches the cloud.
type asking struct {
	cloud.Provider
	launches []cloud.Launch
	modified []string
	calls    int
}

// For is single.Clouds'.
func (a *asking) For(context.Context, string) (cloud.Provider, error) { a.calls++; return a, nil }

// Unwrap leads to the other abilities.
func (a *asking) Unwrap() cloud.Provider { return a.Provider }

// Launch is cloud.Provider's.
func (a *asking) Launch(ctx context.Context, l cloud.Launch) ([]cloud.Instance, error) {
	a.launches = append(a.launches, l)
	return a.Provider.Launch(ctx, l)
}

// Modify is cloud.Modifier's.
func (a *asking) Modify(_ context.Context, _, _, attribute, value string) error {
	a.modified = append(a.modified, attribute+"="+value)
	return nil
}

func watch(t *testing.T) (world, *asking) {
	t.Helper()
	asked := &asking{}
	var deps *single.Single
	w := newWorld(t, func(d *launch.Deps) { deps = d.Instances })
	asked.Provider, deps.Clouds = w.cloud.Account(account), asked
	return w, asked
}

func TestAttributesAreModifiedUnderTheirOwnNamesAndTheirAliases(t *testing.T) {
	w, asked := watch(t)
	for body, want := range map[string]string{
		`{"attribute":"instanceType","value":"m1.small"}`:                          "instanceType=m1.small",
		`{"attribute":"instance_type","value":"m1.small"}`:                         "instanceType=m1.small",
		`{"attribute":"security_groups","value":"SSH,sg-0abc"}`:                    "groupSet=SSH,sg-0abc",
		`{"attribute":"groupSet","value":["SSH","sg-0abc"]}`:                       "groupSet=SSH,sg-0abc",
		`{"attribute":"user_data","value":"#!/bin/sh\n"}`:                          "userData=IyEvYmluL3NoCg==",
		`{"attribute":"userData","value":""}`:                                      "userData=",
		`{"attribute":"ebs_optimized","value":"Yes"}`:                              "ebsOptimized=true",
		`{"attribute":"sourceDestCheck","value":0}`:                                "sourceDestCheck=false",
		`{"attribute":"enaSupport","value":true}`:                                  "enaSupport=true",
		`{"attribute":"disable_api_termination","value":"FALSE"}`:                  "disableApiTermination=false",
		`{"attribute":"instance_initiated_shutdown_behavior","value":"terminate"}`: "instanceInitiatedShutdownBehavior=terminate",
		`{"attribute":"kernel","value":"aki-1"}`:                                   "kernel=aki-1",
		`{"attribute":"ramdisk","value":"ari-1"}`:                                  "ramdisk=ari-1",
		`{"attribute":"root_device_name","value":"/dev/xvda"}`:                     "rootDeviceName=/dev/xvda",
		`{"attribute":"blockDeviceMapping","value":"/dev/sdb=:8:true"}`:            "blockDeviceMapping=/dev/sdb=:8:true",
		`{"attribute":"sriovNetSupport","value":"simple"}`:                         "sriovNetSupport=simple",
	} {
		asked.modified = nil
		w.must("/v1/i-0123abcd/modify", body)
		if !slices.Equal(asked.modified, []string{want}) {
			t.Errorf("%s: %v, want %s", body, asked.modified, want)
		}
	}
}
