package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
)

// observedRegion is one that no other test works in.
const observedRegion = "ap-northeast-2"

// witness stands before moto and remembers what it was asked to do.
type witness struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string]int
}

func newWitness(t *testing.T, moto string) *witness {
	w := &witness{asked: map[string]int{}}
	w.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		form, _ := url.ParseQuery(string(body)) // JSON is no form, and has its action in a header
		action := form.Get("Action")
		if target := r.Header.Get("X-Amz-Target"); target != "" {
			action = target[strings.LastIndex(target, ".")+1:]
		}
		w.mu.Lock()
		w.asked[action]++
		w.mu.Unlock()
		if action == "GetProducts" { // moto grants everybody its price list, and takes minutes to read it out
			out.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(out, `{"__type":"AccessDeniedException"}`)
			return
		}
		on, err := http.NewRequestWithContext(r.Context(), r.Method, moto+r.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		on.Header, on.Host = r.Header.Clone(), r.Host
		answer, err := http.DefaultClient.Do(on)
		if err != nil {
			t.Error(err)
			return
		}
		defer answer.Body.Close()
		maps.Copy(out.Header(), answer.Header)
		out.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(out, answer.Body) // a caller that has left misses only its own answer
	}))
	t.Cleanup(w.Close)
	return w
}

// policyOfTheDocs is the policy that docs/observe.md tells people to use.
func policyOfTheDocs(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/observe.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```json\n(\\{\n  \"Version\".*?\n\\})\n```").FindSubmatch(text)
	if found == nil {
		t.Fatal("docs/observe.md has no policy")
	}
	return string(found[1])
}

// busy makes a scaling group of three instances and a single instance, and returns the group's name.
func busy(t *testing.T, server awstest.Server) string {
	t.Helper()
	key := server.User(t, `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`).Key
	settings, err := awsconfig.LoadDefaultConfig(t.Context(), awsconfig.WithRegion(observedRegion), awsconfig.WithBaseEndpoint(server.Endpoint),
		awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(key.ID, key.Secret, "")))
	if err != nil {
		t.Fatal(err)
	}
	computers, name := ec2.NewFromConfig(settings), "asg-"+ident.Hex(6)
	images, err := computers.DescribeImages(t.Context(), &ec2.DescribeImagesInput{Filters: []ec2types.Filter{{Name: awssdk.String("architecture"), Values: []string{"x86_64"}}}})
	if err != nil || len(images.Images) == 0 {
		t.Fatalf("moto has no images: %v", err)
	}
	image := images.Images[0].ImageId
	template, err := computers.CreateLaunchTemplate(t.Context(), &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: awssdk.String("lt-" + ident.Hex(6)), LaunchTemplateData: &ec2types.RequestLaunchTemplateData{ImageId: image, InstanceType: "m5.large"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := computers.RunInstances(t.Context(), &ec2.RunInstancesInput{ImageId: image, InstanceType: "t3.micro", MinCount: awssdk.Int32(1), MaxCount: awssdk.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := autoscaling.NewFromConfig(settings).CreateAutoScalingGroup(t.Context(), &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: &name, MinSize: awssdk.Int32(1), MaxSize: awssdk.Int32(6), DesiredCapacity: awssdk.Int32(3),
		AvailabilityZones: []string{observedRegion + "a", observedRegion + "b"},
		LaunchTemplate:    &types.LaunchTemplateSpecification{LaunchTemplateId: template.LaunchTemplate.LaunchTemplateId, Version: awssdk.String("$Latest")},
	}); err != nil {
		t.Fatal(err)
	}
	return name
}

func observeAWS(t *testing.T, endpoint string, change ...func(*app.ObserveConfig)) (app.Observed, error) {
	t.Helper()
	c := app.ObserveConfig{Regions: []string{observedRegion}, Endpoint: endpoint}
	for _, f := range change {
		f(&c)
	}
	return app.Observe(t.Context(), c)
}

func TestAnAWSAccountIsObservedWithThePolicyOfTheDocsByReadingAlone(t *testing.T) {
	server := awstest.Moto(t)
	name, seen := busy(t, server), newWitness(t, awstest.NewFront(t, server).Endpoint)
	neap := server.User(t, `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}`)
	role := server.Role(t, `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "`+neap.ARN+`"}, "Condition": {"StringEquals": {"sts:ExternalId": "acme-1"}}}]}`)
	server.Grant(t, role, policyOfTheDocs(t))
	awstest.Be(t, neap.Key)
	found, err := observeAWS(t, seen.URL, func(c *app.ObserveConfig) { c.Role, c.ExternalID = role, "acme-1" })
	r := read(t, found, err)
	at := slices.IndexFunc(r.Groups, func(g groupRead) bool { return g.Name == name })
	if at < 0 || len(r.Groups[at].LeftOut) != 0 || r.Apart.Singles == 0 || len(r.Gaps) != 0 {
		t.Fatalf("%s", found.Report)
	}
	if g := r.Groups[at]; g.Present.Instances != 3 || g.Now.Hour <= 0 || g.Planned.Hour >= g.Now.Hour {
		t.Errorf("%+v", g)
	}
	for action := range seen.asked {
		if !regexp.MustCompile(`^(Describe|Get|List)[A-Z]|^AssumeRole$`).MatchString(action) {
			t.Errorf("it called %s", action)
		}
	}
	if _, err := observeAWS(t, seen.URL, func(c *app.ObserveConfig) { c.Role, c.ExternalID = role, "another" }); err == nil {
		t.Error("another external id opened the role")
	}
}

func TestEachPermissionThatAnAWSAccountWithholdsIsNamed(t *testing.T) {
	server := awstest.Moto(t)
	seen := newWitness(t, awstest.NewFront(t, server).Endpoint)
	busy(t, server)
	var policy struct {
		Statement []struct{ Action []string }
	}
	if err := json.Unmarshal([]byte(policyOfTheDocs(t)), &policy); err != nil {
		t.Fatal(err)
	}
	for _, withheld := range policy.Statement[0].Action {
		if withheld == "autoscaling:DescribeLaunchConfigurations" {
			continue // no group here has one
		}
		rest := slices.DeleteFunc(slices.Clone(policy.Statement[0].Action), func(action string) bool { return action == withheld })
		user := server.User(t, `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["`+strings.Join(rest, `", "`)+`"], "Resource": "*"}]}`)
		awstest.Be(t, user.Key)
		found, err := observeAWS(t, seen.URL)
		r := read(t, found, err)
		if len(r.Gaps) != 1 || !slices.Contains(r.Gaps[0].Needs, withheld) || r.Gaps[0].LeftOut == "" {
			t.Errorf("without %s: %+v", withheld, r.Gaps)
		}
	}
	user := server.User(t, `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}`)
	awstest.Be(t, user.Key)
	if _, err := observeAWS(t, seen.URL); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "ec2:DescribeInstances") {
		t.Errorf("%v", err)
	}
	awstest.Be(t, awstest.Key{ID: "AKIAXXXXXXXXXXXXXXXX", Secret: "wrong"})
	if _, err := observeAWS(t, seen.URL); !fault.Is(err, fault.Unavailable) {
		t.Errorf("%v", err)
	}
}
