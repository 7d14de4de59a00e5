package aws_test

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
	"github.com/neap-cloud/neap/internal/cloud/cloudtest"
	"github.com/neap-cloud/neap/internal/ident"
)

const mayEverything = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`

// owner is somebody who may do everything in a region of moto's, and makes there what tests need.
func owner(t *testing.T, server awstest.Server, region string) awssdk.Config {
	t.Helper()
	key := server.User(t, mayEverything).Key
	awstest.Be(t, key)
	settings, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(region), config.WithBaseEndpoint(server.Endpoint),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(key.ID, key.Secret, "")))
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// account is Neap's view of moto's account, with a user that has no more than the permissions Neap asks for.
func account(t *testing.T, server awstest.Server) *aws.Account {
	t.Helper()
	awstest.Be(t, server.User(t, awstest.Allow(aws.Actions()...)).Key)
	return open(t, aws.Config{Endpoint: server.Endpoint, Endpoints: map[string]string{"": server.Endpoint}}).Account("", "")
}

// image is one that every region of moto's has.
func image(t *testing.T, client *ec2.Client) string {
	t.Helper()
	found, err := client.DescribeImages(t.Context(), &ec2.DescribeImagesInput{Filters: []types.Filter{{Name: awssdk.String("architecture"), Values: []string{"x86_64"}}}})
	if err != nil || len(found.Images) == 0 {
		t.Fatalf("moto has no images: %v", err)
	}
	slices.SortFunc(found.Images, func(a, b types.Image) int { return cmp.Compare(*a.ImageId, *b.ImageId) })
	return *found.Images[0].ImageId
}

// subnet is one of the region's default network.
func subnet(t *testing.T, client *ec2.Client) types.Subnet {
	t.Helper()
	found, err := client.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{})
	if err != nil || len(found.Subnets) == 0 {
		t.Fatalf("moto has no subnets: %v", err)
	}
	return found.Subnets[0]
}

// securityGroup is one of the region's default network.
func securityGroup(t *testing.T, client *ec2.Client) string {
	t.Helper()
	found, err := client.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{})
	if err != nil || len(found.SecurityGroups) == 0 {
		t.Fatalf("moto has no security groups: %v", err)
	}
	return *found.SecurityGroups[0].GroupId
}

// gaps are what moto cannot show of the further abilities; the tests of recorded shapes show it instead.
var gaps = map[string]string{
	"the same token makes no second volume":                   "moto makes a volume for every call",
	"the same token makes no second network interface":        "moto makes an interface for every call",
	"a volume outlives its instance when it is to":            "moto does not tell of an attached volume whether it ends with its instance",
	"a network interface outlives its instance when it is to": "moto takes no notice of that change",
	"the name of an image is its token":                       "moto lets images share a name, and fails over tags for their snapshots",
	"an image is registered from snapshots":                   "moto takes no notice of the snapshots",
	"an image takes its snapshots with it":                    "moto leaves the snapshots",
	"a metric is read by statistic and period":                "moto does not speak the protocol that the SDK speaks with CloudWatch",
	"a percentile of a metric is read":                        "likewise",
	"nothing is registered with a balancer that is not there": "moto breaks down over an unknown classic load balancer",
}

func TestMotoGivesWhatTheContractOfTheFurtherAbilitiesSays(t *testing.T) {
	server := awstest.Moto(t)
	cloudtest.RunResources(t, gaps, func(t *testing.T) cloudtest.Resources { return resources(t, server, "eu-central-1") })
}

// resources is what the suite needs of a region of moto's.
func resources(t *testing.T, server awstest.Server, region string) cloudtest.Resources {
	made := groupsIn(t, server, region)
	settings := owner(t, server, region)
	return cloudtest.Resources{
		Fixture: cloudtest.Fixture{
			Provider: account(t, server), Market: cloud.Market{Region: region, Zone: *made.subnet.AvailabilityZone, Type: "m5.large", Lifecycle: cloud.OnDemand},
			Template: cloud.Template{Image: made.image}, Now: time.Now, Advance: func(time.Duration) {},
		},
		Subnet: *made.subnet.SubnetId, Group: made.group,
		Instance: func(t *testing.T) string {
			started, err := made.ec2.RunInstances(t.Context(), &ec2.RunInstancesInput{
				ImageId: &made.image, InstanceType: "m5.large", SubnetId: made.subnet.SubnetId, MinCount: awssdk.Int32(1), MaxCount: awssdk.Int32(1),
			})
			if err != nil {
				t.Fatal(err)
			}
			return *started.Instances[0].InstanceId
		},
		Address: func(t *testing.T) string {
			kept, err := made.ec2.AllocateAddress(t.Context(), &ec2.AllocateAddressInput{Domain: types.DomainTypeVpc})
			if err != nil {
				t.Fatal(err)
			}
			return *kept.AllocationId
		},
		Balancers: []cloud.BalancerRef{classicBalancer(t, settings, *made.subnet.AvailabilityZone), targetGroup(t, settings, *made.subnet.VpcId)},
		Scaling: func(t *testing.T, members int) string {
			return made.make(&autoscaling.CreateAutoScalingGroupInput{
				DesiredCapacity: awssdk.Int32(int32(members)),
				LaunchTemplate:  &scaling.LaunchTemplateSpecification{LaunchTemplateId: awssdk.String(made.template("m5.large")), Version: awssdk.String("$Latest")},
			})
		},
	}
}

func classicBalancer(t *testing.T, settings awssdk.Config, zone string) cloud.BalancerRef {
	t.Helper()
	name := "cloudtest-" + ident.Hex(6)
	if _, err := elasticloadbalancing.NewFromConfig(settings).CreateLoadBalancer(t.Context(), &elasticloadbalancing.CreateLoadBalancerInput{
		LoadBalancerName: &name, AvailabilityZones: []string{zone},
		Listeners: []classic.Listener{{Protocol: awssdk.String("HTTP"), LoadBalancerPort: 80, InstancePort: awssdk.Int32(80)}},
	}); err != nil {
		t.Fatal(err)
	}
	return cloud.BalancerRef{Kind: cloud.ClassicBalancer, Key: name}
}

func targetGroup(t *testing.T, settings awssdk.Config, network string) cloud.BalancerRef {
	t.Helper()
	made, err := elasticloadbalancingv2.NewFromConfig(settings).CreateTargetGroup(t.Context(), &elasticloadbalancingv2.CreateTargetGroupInput{
		Name: awssdk.String("cloudtest-" + ident.Hex(6)), Protocol: "HTTP", Port: awssdk.Int32(80), VpcId: &network, TargetType: "instance",
	})
	if err != nil {
		t.Fatal(err)
	}
	return cloud.BalancerRef{Kind: cloud.TargetGroup, Key: *made.TargetGroups[0].TargetGroupArn}
}

// tape answers calls as AWS was recorded to, and keeps what was asked.
type tape struct {
	answers map[string][]reply // by action, in turn; the last one is repeated
	calls   []url.Values
}

type reply struct {
	status int
	body   string
}

// says is an answer of EC2's, Auto Scaling's or the load balancers' to an action.
func says(action, body string) reply {
	return reply{http.StatusOK, "<" + action + "Response><" + action + "Result>" + body + "</" + action + "Result>" + body + "</" + action + "Response>"}
}

// denies is how EC2 says no.
func denies(code string) reply {
	return reply{http.StatusBadRequest, "<Response><Errors><Error><Code>" + code + "</Code><Message>recorded</Message></Error></Errors></Response>"}
}

// play is an account that hears the tape.
func play(t *testing.T, answers map[string][]reply) (*aws.Account, *tape) {
	t.Helper()
	played := &tape{answers: answers}
	return recorded(t, func(call url.Values) (int, string) {
		played.calls = append(played.calls, call)
		action := call.Get("Action")
		left := played.answers[action]
		if len(left) == 0 {
			t.Errorf("nobody expected %s", action)
			return http.StatusBadRequest, ""
		}
		if len(left) > 1 {
			played.answers[action] = left[1:]
		}
		return left[0].status, left[0].body
	}), played
}

// asked fails the test unless one of the calls of an action had these fields.
func (p *tape) asked(t *testing.T, action string, fields map[string]string) {
	t.Helper()
	for _, call := range p.calls {
		missing := call.Get("Action") != action
		for name, value := range fields {
			missing = missing || call.Get(name) != value
		}
		if !missing {
			return
		}
	}
	t.Errorf("no %s with %v among %v", action, fields, p.calls)
}

// count is how often an action was called.
func (p *tape) count(action string) (n int) {
	for _, call := range p.calls {
		if call.Get("Action") == action {
			n++
		}
	}
	return n
}

// recorded is an account whose every call is answered by answer, which gets the fields of the call's form.
func recorded(t *testing.T, answer func(call url.Values) (status int, body string)) *aws.Account {
	t.Helper()
	awstest.Be(t, awstest.Key{ID: "AKIA", Secret: secret})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		status, body := answer(r.PostForm)
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		if _, err := io.WriteString(w, body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return open(t, aws.Config{Endpoints: map[string]string{"": server.URL}}).Account("", "")
}

// isRefused fails the test unless err is a refusal of the kind, and returns it.
func isRefused(t *testing.T, err error, kind cloud.RefusalKind) cloud.Refusal {
	t.Helper()
	var refusal *cloud.Refusal
	if !errors.As(err, &refusal) || refusal.Kind != kind {
		t.Fatalf("%v, want a refusal of kind %s", err, kind)
	}
	return *refusal
}
