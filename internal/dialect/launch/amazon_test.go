package launch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
	"github.com/neap-cloud/neap/internal/dialect/launch"
	"github.com/neap-cloud/neap/internal/dialect/launch/launchtest"
	"github.com/neap-cloud/neap/internal/fleet/single"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

// amazon is the API over an account in AWS's stand-in.
type amazon struct {
	world
	moto  awstest.Server
	front *awstest.Front
	image string
}

const region = "us-east-1"

// desk hands out one account.
type desk struct{ cloud.Provider }

// For is single.Clouds'.
func (d desk) For(context.Context, string) (cloud.Provider, error) { return d.Provider, nil }

// onAmazon starts with an account that may do what Neap asks for, less what is named.
func onAmazon(t *testing.T, without ...string) *amazon {
	t.Helper()
	moto := awstest.Moto(t)
	policy, err := aws.Policy(aws.Grant{})
	if err != nil {
		t.Fatal(err)
	}
	policy = awstest.ActionsOnly(t, policy)
	for _, action := range without {
		policy = strings.ReplaceAll(policy, `"`+action, `"none:`)
	}
	user := moto.User(t, policy)
	awstest.Be(t, user.Key)
	a := &amazon{moto: moto, front: awstest.NewFront(t, moto, user.Key)}
	reached, err := aws.New(t.Context(), aws.Config{Endpoint: a.front.Endpoint, Endpoints: map[string]string{"": a.front.Endpoint}})
	if err != nil {
		t.Fatal(err)
	}
	image := a.settle(t)
	a.world, a.image = world{T: t, names: strings.NewReplacer("ami-0a1b2c3d", image)}, image
	instances := single.New(single.Config{Clouds: desk{reached.Account("", "")}, Installation: func(context.Context) (identity.Installation, error) {
		return identity.Installation{ID: "inst", Generation: 1}, nil
	}})
	a.handler, err = op.Mount(op.Config{Dialects: []op.Dialect{launch.Dialect(launch.Deps{Instances: instances})}, Authenticator: a.world})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// settle makes what launches name unless they say otherwise, and finds an image. Other tests may have made it before.
func (a *amazon) settle(t *testing.T) (image string) {
	t.Helper()
	ask := func(action string, more ...string) string {
		form := url.Values{"Action": {action}}
		for n := 0; n+1 < len(more); n += 2 {
			form.Set(more[n], more[n+1])
		}
		return string(a.moto.EC2(t, region, form))
	}
	if !strings.Contains(ask("DescribeKeyPairs", "Filter.1.Name", "key-name", "Filter.1.Value.1", "scalacity_dev1"), "keyPairId") {
		ask("CreateKeyPair", "KeyName", "scalacity_dev1")
	}
	for _, name := range []string{"SSH", "web"} {
		if !strings.Contains(ask("DescribeSecurityGroups", "Filter.1.Name", "group-name", "Filter.1.Value.1", name), "groupId") {
			ask("CreateSecurityGroup", "GroupName", name, "GroupDescription", "what launches name")
		}
	}
	return regexp.MustCompile(`ami-[0-9a-f]+`).FindString(ask("DescribeImages", "Filter.1.Name", "name", "Filter.1.Value.1", "*ubuntu*"))
}

// bring gives a new instance in a state. One that moto's instances leave at once is shown until something is done.
func (a *amazon) bring(t *testing.T, state string) (string, bool) {
	t.Helper()
	id := a.start()
	if step := map[string]string{"shutting-down": "terminate", "terminated": "terminate", "stopping": "stop", "stopped": "stop"}[state]; step != "" {
		a.must("/v1/"+id+"/"+step, "")
	}
	if slices.Contains([]string{"pending", "shutting-down", "stopping"}, state) {
		a.front.Linger(id, state)
	}
	return id, true
}

// living counts the account's instances of a kind that have not ended, as the stand-in itself shows them.
func (a *amazon) living(kind string) int {
	a.Helper()
	form := url.Values{"Action": {"DescribeInstances"}, "MaxResults": {"1000"}, "Filter.1.Name": {"instance-type"}, "Filter.1.Value.1": {kind},
		"Filter.2.Name": {"instance-state-name"}, "Filter.2.Value.1": {"pending"}, "Filter.2.Value.2": {"running"}}
	return strings.Count(string(a.moto.EC2(a.T, region, form)), "<instanceId>i-")
}

func TestEachActionInEachStateIsAnsweredOnAmazonAsOnTheSimulatedCloud(t *testing.T) {
	a := onAmazon(t)
	launchtest.States(t, launchtest.World{Handler: a.handler, Header: http.Header{"Authorization": {"Bearer anything"}}, Bring: a.bring, Settle: func() {}})
}

func TestTheSamplesAreAnsweredOnAmazonAsPublished(t *testing.T) {
	a := onAmazon(t)
	a.replay(a.bring, "ami-0a1b2c3d", a.image)
}

func TestALaunchWhoseAnswersAreLostIsMadeOnceOnAmazon(t *testing.T) {
	a := onAmazon(t)
	const kind = "m1.medium"
	const asked = `{"ami":"ami-0a1b2c3d","instance_type":"` + kind + `","max_count":2}`
	before := a.living(kind)
	a.front.Lose("RunInstances", 4)
	var last answer
	token := "lost-" + ident.Hex(8)
	for range 5 { // a client that does what 408 says
		if last = a.call("PUT", "/v1/launch", asked, "Client-Token", token); last.status == http.StatusOK {
			break
		}
		if last.status != http.StatusRequestTimeout || !strings.Contains(string(last.raw), "Look before you ask again") {
			t.Fatalf("%d %s", last.status, last.raw)
		}
	}
	if got := a.living(kind) - before; got != 2 || len(last.ids()) != 2 {
		t.Errorf("%d instances live, want 2; %d %s", got, last.status, last.raw)
	}
	for _, id := range last.ids() {
		a.front.Lose("TerminateInstances", 1)
		a.must("/v1/"+id+"/terminate", "")
	}
	if got := a.living(kind) - before; got != 0 {
		t.Errorf("%d instances live after all were ended", got)
	}
}

func TestEachRefusalOfAmazonSaysWhatItIsAbout(t *testing.T) {
	a := onAmazon(t)
	for _, c := range []struct{ name, value, code, says string }{
		{"ami", "ami-00000000", "InvalidAMIID.NotFound", "image ami-00000000"},
		{"ami", "nonsense", "InvalidAMIID.Malformed", "nonsense"},
		{"instance_type", "t1.giant", "InvalidParameterValue", "t1.giant"},
		{"placement", "eu-west-1a", "InvalidParameterValue", "eu-west-1a"},
		{"security_groups", "sg-00000000000000000", "InvalidGroup.NotFound", "security group sg-00000000000000000"},
		{"security_groups", "nobody", "InvalidGroup.NotFound", "security group nobody"},
		{"key_name", "nobodys", "InvalidKeyPair.NotFound", "key pair nobodys"},
	} {
		asked := map[string]string{"ami": "ami-0a1b2c3d", "instance_type": "t1.micro"}
		asked[c.name] = c.value
		a.refuses(asked, c.code, c.says)
	}
}

// refuses launches, and wants 408 with a code and plain words.
func (a *amazon) refuses(asked map[string]string, code, says string) {
	a.Helper()
	body, err := json.Marshal(asked)
	if err != nil {
		a.Fatal(err)
	}
	got := a.call("PUT", "/v1/launch", string(body))
	detail := fmt.Sprint(got.object()["detail"])
	if got.status != http.StatusRequestTimeout || got.object()["error"] != "Error while running via EC2 API" || got.object()["code"] != code || !strings.Contains(detail, says) {
		a.Errorf("%s: %d %s, want %s and %q", body, got.status, got.raw, code, says)
	}
	if strings.Contains(detail, "ncoded") {
		a.Errorf("%s shows what nobody can read", detail)
	}
}

func TestWhatAmazonWillNotGiveIsSaidInPlainWords(t *testing.T) {
	a := onAmazon(t)
	plain := map[string]string{"ami": "ami-0a1b2c3d", "instance_type": "t1.micro"}
	for _, c := range []struct {
		status        int
		code, message string
		says          string
	}{
		{http.StatusBadRequest, "VcpuLimitExceeded", "You have requested more vCPU capacity than your current limit of 8 allows.", "The account's limit is reached: You have requested more vCPU"},
		{http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.", "takes no more requests of this account for the moment"},
		{http.StatusBadRequest, "RequestExpired", "Request has expired.", "AWS does not take Neap's credentials for RunInstances: they have ended"},
		{http.StatusBadRequest, "AuthFailure", "AWS was not able to validate the provided access credentials", "AWS does not take Neap's credentials"},
		{http.StatusBadRequest, "OptInRequired", "You are not subscribed to this service.", "has not subscribed"},
	} {
		a.front.Refuse("RunInstances", 1, c.status, c.code, c.message)
		if c.code == "RequestLimitExceeded" {
			a.front.Refuse("RunInstances", 2, c.status, c.code, c.message) // the SDK asks three times
		}
		a.refuses(plain, c.code, c.says)
		a.front.Relent()
	}
	a.front.Room("t1.micro/us-east-1b/on-demand", 0)
	a.refuses(plain, "InsufficientInstanceCapacity", "There is no capacity for this now")
}

func TestARoleThatLacksAPermissionIsToldWhichOne(t *testing.T) {
	plain := map[string]string{"ami": "ami-0a1b2c3d", "instance_type": "t1.micro"}
	onAmazon(t, "ec2:RunInstances").refuses(plain, "UnauthorizedOperation", "ec2:RunInstances")
	bare := onAmazon(t, "ec2:")
	bare.refuses(plain, "UnauthorizedOperation", "ec2:RunInstances")
	for method, path := range map[string]string{"PUT": "/stop", "GET": "/attributes"} {
		got := bare.call(method, "/v1/i-0123456789abcdef0"+path, "")
		if got.status != http.StatusRequestTimeout || got.object()["code"] != "UnauthorizedOperation" || !strings.Contains(fmt.Sprint(got.object()["detail"]), "give the role that permission") {
			t.Errorf("%s: %d %s", path, got.status, got.raw)
		}
	}
}
