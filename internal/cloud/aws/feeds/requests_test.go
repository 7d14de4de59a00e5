package feeds_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

const (
	denied  = "!com.amazon.coral.service#AccessDeniedException"
	noQueue = "!com.amazonaws.sqs#QueueDoesNotExist"
	aQueue  = `{"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/123456789012/neap-notices"}`
	quiet   = `{}`
)

// requestsPage is a page of spot requests: pairs of a code and the time of its status.
func requestsPage(token string, rows ...[3]string) string {
	var items strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&items, `<item><spotInstanceRequestId>sir-%s</spotInstanceRequestId><state>active</state><status><code>%s</code><updateTime>%s</updateTime><message>-</message></status>`+
			`<instanceId>i-%s</instanceId></item>`, row[0], row[1], row[2], row[0])
	}
	return `<DescribeSpotInstanceRequestsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId><spotInstanceRequestSet>` + items.String() +
		`</spotInstanceRequestSet><nextToken>` + token + `</nextToken></DescribeSpotInstanceRequestsResponse>`
}

func TestWithoutAQueueTheSpotRequestsTellOfInterruptions(t *testing.T) {
	r := record(t)
	r.says("GetQueueUrl", noQueue)
	at := func(d time.Duration) string { return noon.Add(d).Format("2006-01-02T15:04:05.000Z") }
	r.says("DescribeSpotInstanceRequests",
		requestsPage("more", [3]string{"a", "marked-for-termination", at(-10 * time.Second)}, [3]string{"b", "instance-terminated-no-capacity", at(-time.Minute)}),
		requestsPage("", [3]string{"c", "instance-terminated-by-price", at(-time.Hour)}))
	list, err := r.Notices(t.Context(), "eu-west-1")
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	warned, ended := list[0], list[1]
	if warned.Instance != "i-a" || warned.Kind != cloud.Interruption || !warned.Deadline.Equal(noon.Add(110*time.Second)) || !warned.IssuedAt.Equal(noon.Add(-10*time.Second)) {
		t.Errorf("%+v", warned)
	}
	if ended.Instance != "i-b" || !ended.Deadline.Equal(noon.Add(-time.Minute)) || ended.Region != "eu-west-1" {
		t.Errorf("%+v", ended)
	}
	if first := r.asked["DescribeSpotInstanceRequests"][0]; !strings.Contains(first, "status-code") || !strings.Contains(first, "marked-for-termination") {
		t.Errorf("asked %s", first)
	}
	if err := r.Acknowledge(t.Context(), "eu-west-1", []string{warned.ID, ended.ID}); err != nil {
		t.Fatal(err)
	}
	r.says("DescribeSpotInstanceRequests", requestsPage("", [3]string{"a", "marked-for-termination", at(-10 * time.Second)}))
	r.clock.Advance(5 * time.Second)
	if list, err := r.Notices(t.Context(), "eu-west-1"); err != nil || len(list) != 0 {
		t.Errorf("acknowledged notices come again: %+v, %v", list, err)
	}
	if strings.Count(r.log.String(), "neap aws init") != 1 {
		t.Errorf("%s", r.log)
	}
}

// TestTheCallsAreAsFewAsTheDocumentationSays looks four times a second, as the engine does at its most eager.
func TestTheCallsAreAsFewAsTheDocumentationSays(t *testing.T) {
	for name, c := range map[string]struct {
		queue              string
		receives, requests int
		finds              int
	}{
		"with a queue": {aQueue, 300, 20, 1}, "without one": {noQueue, 0, 120, 10}, "without permission": {denied, 0, 120, 10},
	} {
		r := record(t)
		r.says("GetQueueUrl", c.queue)
		r.says("ReceiveMessage", quiet)
		r.says("DescribeSpotInstanceRequests", requestsPage(""))
		for range 4 * 600 { // ten minutes
			if list, err := r.Notices(t.Context(), "eu-west-1"); err != nil || len(list) != 0 {
				t.Fatalf("%s: %+v, %v", name, list, err)
			}
			r.clock.Advance(250 * time.Millisecond)
		}
		if got := r.count("ReceiveMessage"); got < c.receives || got > c.receives+1 {
			t.Errorf("%s: %d times received", name, got)
		}
		if requests, finds := r.count("DescribeSpotInstanceRequests"), r.count("GetQueueUrl"); requests != c.requests || finds != c.finds {
			t.Errorf("%s: %d times asked for requests, %d times for the queue", name, requests, finds)
		}
		if complaints := strings.Count(r.log.String(), "level=WARN"); c.queue != aQueue && complaints != 1 {
			t.Errorf("%s: %d complaints", name, complaints)
		}
	}
}

func TestWhileTheQueueDoesNotAnswerTheSpotRequestsAreAskedMoreOften(t *testing.T) {
	r := record(t)
	r.says("GetQueueUrl", aQueue)
	r.says("ReceiveMessage", quiet, "!AWS.SimpleQueueService.Broken#InternalError")
	r.says("DescribeSpotInstanceRequests", requestsPage(""), requestsPage("", [3]string{"a", "marked-for-termination", noon.Format(time.RFC3339)}))
	if _, err := r.Notices(t.Context(), "eu-west-1"); err != nil {
		t.Fatal(err)
	}
	r.clock.Advance(5 * time.Second)
	if list, err := r.Notices(t.Context(), "eu-west-1"); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	r.says("DescribeSpotInstanceRequests", "!UnauthorizedOperation")
	r.clock.Advance(5 * time.Second)
	if err := r.Acknowledge(t.Context(), "eu-west-1", []string{"sir-a/marked-for-termination"}); err != nil {
		t.Fatal(err)
	}
	_, err := r.Notices(t.Context(), "eu-west-1")
	if refusal, is := errors.AsType[*cloud.Refusal](err); !is && err == nil {
		t.Errorf("neither source answers, and nobody hears of it: %v, %v", refusal, err)
	}
}

func TestOneMissingPermissionDoesNotStopTheOtherSource(t *testing.T) {
	r := record(t)
	r.says("GetQueueUrl", aQueue)
	r.says("ReceiveMessage", quiet)
	r.says("DescribeSpotInstanceRequests", "!UnauthorizedOperation")
	for range 3 {
		if list, err := r.Notices(t.Context(), "eu-west-1"); err != nil || len(list) != 0 {
			t.Fatalf("%+v, %v", list, err)
		}
		r.clock.Advance(30 * time.Second)
	}
	if complaints := strings.Count(r.log.String(), "Allow ec2:DescribeSpotInstanceRequests"); complaints != 1 {
		t.Errorf("%d complaints: %s", complaints, r.log)
	}
	r.says("GetQueueUrl", denied)
	other, err := r.Notices(t.Context(), "us-east-1")
	if refusal, is := errors.AsType[*cloud.Refusal](err); !is || refusal.Kind != cloud.Denied || len(other) != 0 {
		t.Errorf("without either permission: %v, %v", other, err)
	}
}

func TestAFailedAcknowledgementIsToldAndTheNoticeComesAgain(t *testing.T) {
	r := record(t)
	r.says("GetQueueUrl", aQueue)
	r.says("DescribeSpotInstanceRequests", requestsPage(""))
	r.says("ReceiveMessage", `{"Messages":[{"MessageId":"m-1","ReceiptHandle":"h-1","Body":`+quoted(warningOf("e-1", "i-1", noon))+`}]}`, quiet)
	list, err := r.Notices(t.Context(), "eu-west-1")
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	r.says("DeleteMessageBatch", denied)
	if err := r.Acknowledge(t.Context(), "eu-west-1", []string{"e-1"}); err == nil {
		t.Error("nobody hears that the message is still on the queue")
	}
	if list, err := r.Notices(t.Context(), "eu-west-1"); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	r.says("DeleteMessageBatch", `{"Failed":[],"Successful":[{"Id":"0"}]}`)
	if err := r.Acknowledge(t.Context(), "eu-west-1", []string{"e-1"}); err != nil || r.count("DeleteMessageBatch") != 2 {
		t.Errorf("%v after %d deletions", err, r.count("DeleteMessageBatch"))
	}
	if list, err := r.Notices(t.Context(), "eu-west-1"); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func quoted(text string) string { return fmt.Sprintf("%q", text) }
