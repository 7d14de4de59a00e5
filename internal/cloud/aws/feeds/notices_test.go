package feeds_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
	"github.com/neap-cloud/neap/internal/cloud/aws/setup"
	"github.com/neap-cloud/neap/internal/ident"
)

// stand is an account on the stand-in, with a clock that the test moves, and the log.
type stand struct {
	*aws.Account
	server        awstest.Server
	clock         *clock.Manual
	log           *bytes.Buffer
	region, queue string
}

// standOn opens the account as a user with the policy that `neap aws init` prints. Its queue has a name of its own, as the server is shared.
func standOn(t *testing.T) *stand {
	t.Helper()
	policy, err := aws.Policy(aws.Grant{})
	if err != nil {
		t.Fatal(err)
	}
	return standWith(t, awstest.ActionsOnly(t, policy))
}

func standWith(t *testing.T, policy string) *stand {
	t.Helper()
	s := &stand{server: awstest.Moto(t), clock: clock.NewManual(time.Now()), log: &bytes.Buffer{}, region: "eu-west-1", queue: "notices-" + ident.Hex(6)}
	awstest.Be(t, s.server.User(t, policy).Key)
	s.Account = open(t, aws.Config{
		Endpoint: s.server.Endpoint, Endpoints: map[string]string{"": s.server.Endpoint}, Queue: s.queue, Clock: s.clock, Log: slog.New(slog.NewTextHandler(s.log, nil)),
	}).Account("", "")
	return s
}

// setUp makes what `neap aws init` prints.
func (s *stand) setUp(t *testing.T) {
	t.Helper()
	text, err := setup.Write(setup.Config{
		Regions: []string{s.region}, Queue: s.queue, Role: "neap-" + ident.Hex(6), Principal: "arn:aws:iam::123456789012:user/neap", ExternalID: "id-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	stack := "neap-" + ident.Hex(6)
	s.server.Query(t, "cloudformation", s.region, url.Values{
		"Action": {"CreateStack"}, "Version": {"2010-05-15"}, "StackName": {stack}, "TemplateBody": {text}, "Capabilities.member.1": {"CAPABILITY_NAMED_IAM"},
	})
	answer := s.server.Query(t, "cloudformation", s.region, url.Values{"Action": {"DescribeStackResources"}, "Version": {"2010-05-15"}, "StackName": {stack}})
	var made struct {
		Kinds []string `xml:"DescribeStackResourcesResult>StackResources>member>ResourceType"`
	}
	if err := xml.Unmarshal(answer, &made); err != nil || len(made.Kinds) < 3 {
		t.Fatalf("the stack holds %v, %v: %s", made.Kinds, err, answer)
	}
}

// happens lets EventBridge tell of an instance.
func (s *stand) happens(t *testing.T, kind, instance string) {
	t.Helper()
	detail, err := json.Marshal(map[string]string{"instance-id": instance, "instance-action": "terminate"})
	if err != nil {
		t.Fatal(err)
	}
	s.server.JSON(t, "events", s.region, "AWSEvents.PutEvents", map[string]any{"Entries": []map[string]any{{
		"Source": "aws.ec2", "DetailType": kind, "Detail": string(detail), "Resources": []string{}, "Time": s.clock.Now().Unix(),
	}}})
}

// puts puts a message on the queue.
func (s *stand) puts(t *testing.T, body string) {
	t.Helper()
	s.server.Query(t, "sqs", s.region, url.Values{
		"Action": {"SendMessage"}, "Version": {"2012-11-05"}, "QueueUrl": {s.server.Endpoint + "/" + awstest.Account + "/" + s.queue}, "MessageBody": {body},
	})
}

// hears looks for notices after the longest pause between two looks at the queue.
func (s *stand) hears(t *testing.T) []cloud.Notice {
	t.Helper()
	s.clock.Advance(2 * time.Second)
	list, err := s.Notices(t.Context(), s.region)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func warningOf(id, instance string, at time.Time) string {
	return fmt.Sprintf(`{"version":"0","id":%q,"detail-type":"EC2 Spot Instance Interruption Warning","source":"aws.ec2","account":"123456789012","time":%q,`+
		`"region":"eu-west-1","resources":["arn:aws:ec2:eu-west-1a:instance/%s"],"detail":{"instance-id":%q,"instance-action":"terminate"}}`,
		id, at.UTC().Format("2006-01-02T15:04:05Z"), instance, instance)
}

func TestAWarningComesThroughTheRuleAndTheQueueThatAreSetUp(t *testing.T) {
	s := standOn(t)
	s.setUp(t)
	s.happens(t, "EC2 Spot Instance Interruption Warning", "i-0000000000000000a")
	s.happens(t, "EC2 Instance Rebalance Recommendation", "i-0000000000000000b")
	s.happens(t, "EC2 Instance State-change Notification", "i-0000000000000000c")
	issued := s.clock.Now().Truncate(time.Second)
	list := s.hears(t)
	if len(list) != 2 {
		t.Fatalf("%+v", list)
	}
	for _, n := range list {
		want := map[string]cloud.Notice{
			"i-0000000000000000a": {Kind: cloud.Interruption, Deadline: issued.Add(2 * time.Minute)}, "i-0000000000000000b": {Kind: cloud.Rebalance},
		}[n.Instance]
		if n.Kind != want.Kind || !n.Deadline.Equal(want.Deadline) || !n.IssuedAt.Equal(issued) || n.Region != s.region || n.ID == "" {
			t.Errorf("%+v", n)
		}
	}
}

func TestANoticeIsToldUntilItIsAcknowledged(t *testing.T) {
	s := standOn(t)
	s.setUp(t)
	s.puts(t, warningOf("e-1", "i-1", s.clock.Now()))
	for range 3 {
		if list := s.hears(t); len(list) != 1 || list[0].ID != "e-1" {
			t.Fatalf("%+v", list)
		}
	}
	s.puts(t, warningOf("e-1", "i-1", s.clock.Now())) // EventBridge may tell twice
	if list := s.hears(t); len(list) != 1 {
		t.Fatalf("told twice: %+v", list)
	}
	if err := s.Acknowledge(t.Context(), s.region, []string{"e-1", "nobody knows this one"}); err != nil {
		t.Fatal(err)
	}
	s.puts(t, warningOf("e-1", "i-1", s.clock.Now()))
	if list := s.hears(t); len(list) != 0 {
		t.Errorf("after its acknowledgement: %+v", list)
	}
	if left := s.left(t); left != "0" {
		t.Errorf("%s messages are left on the queue", left)
	}
}

// left is how many messages the queue holds, hidden ones included.
func (s *stand) left(t *testing.T) string {
	t.Helper()
	var shown struct {
		Attributes []struct{ Name, Value string } `xml:"GetQueueAttributesResult>Attribute"`
	}
	answer := s.server.Query(t, "sqs", s.region, url.Values{
		"Action": {"GetQueueAttributes"}, "Version": {"2012-11-05"}, "QueueUrl": {s.server.Endpoint + "/" + awstest.Account + "/" + s.queue}, "AttributeName.1": {"All"},
	})
	if err := xml.Unmarshal(answer, &shown); err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, a := range shown.Attributes {
		var n int
		if strings.HasPrefix(a.Name, "ApproximateNumberOfMessages") {
			if _, err := fmt.Sscan(a.Value, &n); err != nil {
				t.Fatal(err)
			}
		}
		sum += n
	}
	return fmt.Sprint(sum)
}

func TestAnotherReplicaHearsWhatAnEndedOneDidNotAcknowledge(t *testing.T) {
	s := standOn(t)
	s.setUp(t)
	s.puts(t, warningOf("e-1", "i-1", s.clock.Now()))
	if list := s.hears(t); len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	if left := s.left(t); left != "1" {
		t.Errorf("%s messages are left on the queue, although nobody acknowledged", left)
	}
}

func TestMoreWarningsThanOneCallBringsComeAtOnce(t *testing.T) {
	s := standOn(t)
	s.setUp(t)
	for n := range 25 {
		s.puts(t, warningOf(fmt.Sprintf("e-%02d", n), fmt.Sprintf("i-%02d", n), s.clock.Now()))
	}
	list := s.hears(t)
	if len(list) != 25 {
		t.Fatalf("%d notices", len(list))
	}
	var ids []string
	for _, n := range list {
		ids = append(ids, n.ID)
	}
	if err := s.Acknowledge(t.Context(), s.region, ids); err != nil {
		t.Fatal(err)
	}
	if left := s.left(t); left != "0" {
		t.Errorf("%s messages are left", left)
	}
}

func TestWhatIsNoNoticeIsNamedInTheLogOnceAndDeleted(t *testing.T) {
	s := standOn(t)
	s.setUp(t)
	for _, body := range []string{
		"hello secret", `{"detail-type":"Scheduled Event","id":"e-1"}`, strings.Replace(warningOf("e-2", "i-1", s.clock.Now()), `"instance-id":"i-1",`, "", 1),
		strings.Replace(warningOf("", "i-1", s.clock.Now()), `"id":"",`, "", 1),
	} {
		s.puts(t, body)
	}
	s.puts(t, strings.Replace(warningOf("e-3", "i-3", s.clock.Now()), "eu-west-1", "us-east-1", 1))
	list := s.hears(t)
	if len(list) != 1 || list[0].Region != "us-east-1" || list[0].Instance != "i-3" {
		t.Errorf("%+v", list)
	}
	if complaints := strings.Count(s.log.String(), "is none, and is deleted"); complaints != 4 || strings.Contains(s.log.String(), "secret") {
		t.Errorf("%d complaints: %s", complaints, s.log)
	}
	if left := s.left(t); left != "1" {
		t.Errorf("%s messages are left", left)
	}
}

func TestAQueueThatComesLaterIsFoundWithinAMinute(t *testing.T) {
	s := standOn(t)
	look := func() []cloud.Notice {
		s.clock.Advance(30 * time.Second)
		list, err := s.Notices(t.Context(), s.region)
		if err != nil && !strings.Contains(err.Error(), "DescribeSpotInstanceRequests") { // the server does not know the filter that AWS has
			t.Fatal(err)
		}
		return list
	}
	look()
	look()
	if complaints := strings.Count(s.log.String(), "neap aws init"); complaints != 1 {
		t.Errorf("%d complaints: %s", complaints, s.log)
	}
	s.setUp(t)
	s.puts(t, warningOf("e-1", "i-1", s.clock.Now()))
	if list := append(look(), look()...); len(list) == 0 {
		t.Error("the queue is not found")
	}
	if !strings.Contains(s.log.String(), "works now") {
		t.Errorf("%s", s.log)
	}
}
