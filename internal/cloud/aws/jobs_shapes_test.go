package aws_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
)

// What moto can't show of AWS Batch is answered here in the shapes that it documents: pages, ends that nobody can bring about, codes.

// said is a call of AWS Batch or CloudWatch Logs.
type said struct {
	operation string // "submitjob", "getlogevents"
	body      map[string]any
}

// batches answers calls, and keeps them.
type batches struct {
	say   func(said) (status int, answer any)
	mu    sync.Mutex
	calls []said
}

// RoundTrip is http.RoundTripper's.
func (b *batches) RoundTrip(r *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c := said{operation: strings.TrimPrefix(r.URL.Path, "/v1/")}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		c.operation = strings.ToLower(target[strings.LastIndex(target, ".")+1:])
	}
	if err := json.Unmarshal(text, &c.body); err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.calls = append(b.calls, c)
	b.mu.Unlock()
	status, answer := b.say(c)
	if status == 0 {
		return nil, errors.New("the connection broke")
	}
	text, err = json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Request: r, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(text)))}, nil
}

func (b *batches) count(operation string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.calls {
		if c.operation == operation {
			n++
		}
	}
	return n
}

// answering is an account whose calls get what say gives.
func answering(t *testing.T, say func(said) (int, any)) (*aws.Account, *batches) {
	t.Helper()
	awstest.Be(t, awstest.Key{ID: "AKIA", Secret: secret})
	b := &batches{say: say}
	return open(t, aws.Config{}).Account("", "").Hurry().Through(b), b
}

type object = map[string]any

// told is how AWS Batch refuses.
func told(code, message string) object {
	return object{"__type": code, "code": code, "message": message}
}

// plain answers what a submission needs, and gives the rest to say.
func plain(say func(said) (int, any)) func(said) (int, any) {
	return func(c said) (int, any) {
		switch c.operation {
		case "describejobdefinitions":
			return 200, object{"jobDefinitions": []object{}}
		case "registerjobdefinition":
			return 200, object{"jobDefinitionName": c.body["jobDefinitionName"], "jobDefinitionArn": "arn:def:1", "revision": 1}
		}
		return say(c)
	}
}

func wantedJob() cloud.JobSpec {
	return cloud.JobSpec{
		Token: "task.1", Queue: "low", Image: "tools/run:2", Command: []string{"run", "a b"}, Env: map[string]string{"B": "s3cret", "A": "1"},
		MilliCPU: 1500, MemoryMiB: 300, GPUs: 1, Timeout: 61500 * time.Millisecond, Tags: map[string]string{"neap:installation": "i-1", "neap:task": "task.1"},
	}
}

func TestAJobIsDescribedOnceAndSubmittedWithWhatIsItsOwn(t *testing.T) {
	a, b := answering(t, plain(func(said) (int, any) { return 200, object{"jobId": "j-1", "jobName": "neap-task_1"} }))
	short := wantedJob()
	short.Token, short.Timeout, short.GPUs = "task.2", time.Second, 0
	for _, spec := range []cloud.JobSpec{wantedJob(), wantedJob(), short} {
		if id, err := a.SubmitJob(t.Context(), region, spec); err != nil || id != "j-1" {
			t.Fatalf("%q, %v", id, err)
		}
	}
	if b.count("registerjobdefinition") != 2 || b.count("describejobdefinitions") != 2 || b.count("submitjob") != 3 {
		t.Errorf("%d definitions for two kinds of jobs, %d looks, %d submissions", b.count("registerjobdefinition"), b.count("describejobdefinitions"), b.count("submitjob"))
	}
	text := func(n int) string {
		written, err := json.Marshal(b.calls[n].body)
		if err != nil {
			t.Fatal(err)
		}
		return string(written)
	}
	definition, submission := text(1), text(2)
	for _, part := range []string{
		`"image":"tools/run:2"`, `{"type":"VCPU","value":"2"}`, `{"type":"MEMORY","value":"300"}`, `{"type":"GPU","value":"1"}`, `"platformCapabilities":["EC2"]`,
		`"retryStrategy":{"attempts":1}`, `"tags":{"neap:installation":"i-1"}`, `"propagateTags":true`, `"type":"container"`,
	} {
		if !strings.Contains(definition, part) {
			t.Errorf("the definition lacks %s: %s", part, definition)
		}
	}
	if strings.Contains(definition, "s3cret") || strings.Contains(definition, "a b") || strings.Contains(definition, "task") {
		t.Errorf("the definition lives on, and holds what is one job's own: %s", definition)
	}
	for _, part := range []string{
		`"jobName":"neap-task_1"`, `"jobQueue":"low"`, `"jobDefinition":"arn:def:1"`, `"command":["run","a b"]`, `[{"name":"A","value":"1"},{"name":"B","value":"s3cret"}]`,
		`"timeout":{"attemptDurationSeconds":62}`, `"retryStrategy":{"attempts":1}`, `"neap:task":"task.1"`, `"propagateTags":true`,
	} {
		if !strings.Contains(submission, part) {
			t.Errorf("the submission lacks %s: %s", part, submission)
		}
	}
	if last := text(len(b.calls) - 1); !strings.Contains(last, `"attemptDurationSeconds":60`) {
		t.Errorf("a timeout that Batch does not take: %s", last)
	}
}

func TestADefinitionOfBeforeIsUsedAgain(t *testing.T) {
	inactive := false
	a, b := answering(t, func(c said) (int, any) {
		switch c.operation {
		case "describejobdefinitions":
			if c.body["status"] != "ACTIVE" {
				t.Errorf("asks for %v", c.body)
			}
			if c.body["nextToken"] == nil {
				return 200, object{"jobDefinitions": []object{{"jobDefinitionArn": "arn:def:2", "revision": 2}}, "nextToken": "more"}
			}
			if inactive {
				return 200, object{"jobDefinitions": []object{{"jobDefinitionArn": "arn:def:4", "revision": 4}}}
			}
			return 200, object{"jobDefinitions": []object{{"jobDefinitionArn": "arn:def:3", "revision": 3}}}
		case "submitjob":
			if c.body["jobDefinition"] == "arn:def:3" && inactive {
				return 400, told("ClientException", "arn:def:3 is not ACTIVE")
			}
			return 200, object{"jobId": fmt.Sprint("j", c.body["jobDefinition"])}
		}
		t.Errorf("calls %s", c.operation)
		return 500, nil
	})
	for _, want := range []string{"jarn:def:3", "jarn:def:4"} {
		if id, err := a.SubmitJob(t.Context(), region, wantedJob()); err != nil || id != want {
			t.Errorf("%s, %v; want %s", id, err, want)
		}
		inactive = true // somebody deregisters it
	}
	if n := b.count("submitjob"); n != 3 {
		t.Errorf("submitted %d times", n)
	}
}

func TestASubmissionIsNotRepeatedAfterALostAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		status, calls int
		code          string
		kind          cloud.RefusalKind // "" = none
	}{
		"the connection breaks":   {0, 1, "", ""},
		"AWS fails":               {500, 1, "ServerException", ""},
		"too many calls":          {429, 3, "TooManyRequestsException", cloud.Throttled},
		"what can never work":     {400, 1, "ClientException", cloud.BadRequest},
		"a permission that lacks": {403, 1, "AccessDeniedException", cloud.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := answering(t, plain(func(said) (int, any) {
				return c.status, told(c.code, "is not authorized to perform: batch:SubmitJob on resource: x s3cret")
			}))
			_, err := a.SubmitJob(t.Context(), region, wantedJob())
			refusal, is := errors.AsType[*cloud.Refusal](err)
			if err == nil || is != (c.kind != "") || is && refusal.Kind != c.kind {
				t.Errorf("%v", err)
			}
			if n := b.count("submitjob"); n != c.calls {
				t.Errorf("asked %d times, want %d", n, c.calls)
			}
		})
	}
}

func TestEachEndOfAJobIsToldFromTheOthers(t *testing.T) {
	const exited = "Essential container in task exited"
	for name, c := range map[string]struct {
		more   object
		status string
		reason string // of the container
		code   any
		end    cloud.JobEnd
		says   string
	}{
		"well":                    {nil, exited, "", 0, cloud.JobExited, ""},
		"with a code":             {nil, exited, "", 3, cloud.JobExited, ""},
		"its spot host was taken": {nil, "Host EC2 (instance i-0abcdef1234567890) terminated.", "", nil, cloud.JobDisplaced, "Host EC2 (instance i-0abcdef1234567890) terminated."},
		"its host hung":           {nil, "Task failed to start", "DockerTimeoutError: Could not transition to started; timed out after waiting 4m0s", nil, cloud.JobDisplaced, "Task failed to start: DockerTimeoutError: Could not transition to started; timed out after waiting 4m0s"},
		"out of memory":           {nil, exited, "OutOfMemoryError: Container killed due to memory usage", 137, cloud.JobOutOfMemory, "OutOfMemoryError: Container killed due to memory usage"},
		"out of time":             {object{"isTerminated": false}, "Job attempt duration exceeded timeout", "", 137, cloud.JobTimedOut, "Job attempt duration exceeded timeout"},
		"terminated":              {object{"isTerminated": true}, "enough", "", 143, cloud.JobKilled, "enough"},
		"cancelled":               {object{"isCancelled": true}, "enough", "", nil, cloud.JobKilled, "enough"},
		"without its image":       {nil, "Task failed to start", "CannotPullContainerError: pull access denied", nil, cloud.JobBroken, "Task failed to start: CannotPullContainerError: pull access denied"},
	} {
		t.Run(name, func(t *testing.T) {
			container := object{"logStreamName": "def/default/1"}
			if c.reason != "" {
				container["reason"] = c.reason
			}
			if c.code != nil {
				container["exitCode"] = c.code
			}
			job := object{"jobId": "j-1", "jobName": "neap-task_1", "status": "FAILED", "statusReason": c.status, "createdAt": 1700000000000, "startedAt": 1700000001500, "stoppedAt": 1700000002000, "container": container}
			if c.code == 0 {
				job["status"] = "SUCCEEDED"
			}
			for key, value := range c.more {
				job[key] = value
			}
			a, _ := answering(t, func(said) (int, any) { return 200, object{"jobs": []object{job}} })
			found, err := a.Jobs(t.Context(), cloud.JobQuery{Region: region, IDs: []string{"j-1"}})
			if err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			j := found[0]
			if j.State != cloud.JobEnded || j.End != c.end || j.Reason != c.says || (j.Code == nil) != (c.code == nil) || j.Code != nil && *j.Code != c.code {
				t.Errorf("%+v", j)
			}
			if j.Token != "task.1" || j.Output != "def/default/1" || j.Started.UnixMilli() != 1700000001500 || j.Ended.UnixMilli() != 1700000002000 {
				t.Errorf("%+v", j)
			}
		})
	}
}

func TestAJobThatLivesIsToldWithWhatItWaitsFor(t *testing.T) {
	states := map[string]cloud.JobState{
		"SUBMITTED": cloud.JobWaiting, "PENDING": cloud.JobWaiting, "RUNNABLE": cloud.JobWaiting, "STARTING": cloud.JobStarting, "RUNNING": cloud.JobRunning,
	}
	for status, state := range states {
		a, _ := answering(t, func(said) (int, any) {
			return 200, object{"jobs": []object{
				{"jobId": "j-1", "jobName": "neap-t", "status": status, "statusReason": "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", "createdAt": 1700000000000},
				{"jobId": "j-2", "jobName": "somebody-elses", "status": status, "createdAt": 1700000000000},
			}}
		})
		found, err := a.Jobs(t.Context(), cloud.JobQuery{Region: region, IDs: []string{"j-1", "j-2"}})
		if err != nil || len(found) != 1 || found[0].State != state || found[0].Reason != "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY" || found[0].End != "" || !found[0].Ended.IsZero() {
			t.Errorf("%s: %+v, %v", status, found, err)
		}
	}
}

func TestJobsAreReadAHundredAtATimeAndListsToTheirEnd(t *testing.T) {
	var sizes []int
	a, b := answering(t, func(c said) (int, any) {
		switch c.operation {
		case "listjobs":
			if c.body["jobQueue"] != "low" || fmt.Sprint(c.body["filters"]) != "[map[name:JOB_NAME values:[neap-task_1]]]" {
				t.Errorf("%v", c.body)
			}
			if c.body["nextToken"] == nil {
				return 200, object{"jobSummaryList": []object{{"jobId": "j-9", "jobName": "NEAP-task_1"}, {"jobId": "j-2", "jobName": "neap-task_1"}}, "nextToken": "more"}
			}
			return 200, object{"jobSummaryList": []object{{"jobId": "j-1", "jobName": "neap-task_1"}}}
		case "describejobqueues":
			if c.body["nextToken"] == nil {
				return 200, object{"jobQueues": []object{{"jobQueueName": "z", "state": "ENABLED", "status": "VALID"}}, "nextToken": "more"}
			}
			return 200, object{"jobQueues": []object{
				{"jobQueueName": "f", "state": "ENABLED", "status": "VALID", "jobQueueType": "ECS_FARGATE"}, {"jobQueueName": "d", "state": "DISABLED", "status": "VALID"},
				{"jobQueueName": "b", "state": "ENABLED", "status": "INVALID", "statusReason": "no environment"},
			}}
		}
		ids := c.body["jobs"].([]any)
		sizes = append(sizes, len(ids))
		var jobs []object
		for _, id := range ids {
			jobs = append(jobs, object{"jobId": id, "jobName": "neap-task_1", "status": "RUNNING", "createdAt": 1700000000000})
		}
		return 200, object{"jobs": jobs}
	})
	var ids []string
	for n := range 250 {
		ids = append(ids, fmt.Sprintf("j-%03d", n))
	}
	if found, err := a.Jobs(t.Context(), cloud.JobQuery{Region: region, IDs: ids}); err != nil || len(found) != 250 || fmt.Sprint(sizes) != "[100 100 50]" {
		t.Errorf("%d by %v, %v", len(found), sizes, err)
	}
	if found, err := a.Jobs(t.Context(), cloud.JobQuery{Region: region, Queue: "low", Token: "task.1"}); err != nil || len(found) != 2 || found[0].ID != "j-1" {
		t.Errorf("%+v, %v", found, err)
	}
	queues, err := a.JobQueues(t.Context(), region, nil)
	if err != nil || len(queues) != 4 || queues[0].State != cloud.JobQueueUnfit || !strings.Contains(queues[0].Reason, "no environment") || queues[1].State != cloud.JobQueueClosed ||
		queues[2].State != cloud.JobQueueUnfit || !strings.Contains(queues[2].Reason, "Fargate") || queues[3].State != cloud.JobQueueOpen {
		t.Errorf("%+v, %v", queues, err)
	}
	before := b.count("describejobs")
	if found, err := a.Jobs(t.Context(), cloud.JobQuery{Region: region}); err != nil || len(found) != 0 || b.count("describejobs") != before {
		t.Errorf("of nothing: %v, %v", found, err)
	}
}

func TestAnOutputEndsWhereItsTokenStandsStill(t *testing.T) {
	pages := map[any]object{
		nil:   {"events": []object{{"timestamp": 1700000000000, "message": "a"}, {"timestamp": 1700000000000, "message": "b"}}, "nextForwardToken": "f/1"},
		"f/1": {"events": []object{}, "nextForwardToken": "f/2"}, // as CloudWatch gives in the midst of a log
		"f/2": {"events": []object{{"timestamp": 1700000000001, "message": "c"}}, "nextForwardToken": "f/3"},
		"f/3": {"events": []object{}, "nextForwardToken": "f/3"},
	}
	a, _ := answering(t, func(c said) (int, any) {
		if c.body["logGroupName"] != "/aws/batch/job" || c.body["logStreamName"] != "s" || c.body["startFromHead"] != true || c.body["limit"] != float64(10) {
			t.Errorf("%v", c.body)
		}
		if c.body["nextToken"] == "old" {
			return 400, told("InvalidParameterException", "The specified nextToken is invalid.")
		}
		return 200, pages[c.body["nextToken"]]
	})
	var texts, cursors []string
	for cursor := ""; len(cursors) < 10; {
		page, next, err := a.JobOutput(t.Context(), region, "s", cursor, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range page {
			texts = append(texts, line.Text)
		}
		if next == cursor {
			break
		}
		cursors, cursor = append(cursors, next), next
	}
	if fmt.Sprint(texts, cursors) != "[a b c] [f/1 f/3]" {
		t.Error(texts, cursors)
	}
	_, _, err := a.JobOutput(t.Context(), region, "s", "old", 10)
	isRefused(t, err, cloud.BadRequest)
	a, _ = answering(t, func(said) (int, any) {
		return 400, told("ResourceNotFoundException", "The specified log stream does not exist.")
	})
	if page, next, err := a.JobOutput(t.Context(), region, "s", "", 10); err != nil || len(page) != 0 || next != "" {
		t.Errorf("of a log that is not there yet: %v, %q, %v", page, next, err)
	}
}

func TestEndingWhatHasEndedIsNoError(t *testing.T) {
	for status, isFine := range map[string]bool{"SUCCEEDED": true, "": true, "RUNNING": false} {
		a, _ := answering(t, func(c said) (int, any) {
			if c.operation == "terminatejob" {
				return 400, told("ClientException", "No.")
			}
			if status == "" {
				return 200, object{"jobs": []object{}}
			}
			return 200, object{"jobs": []object{{"jobId": "j", "jobName": "neap-t", "status": status, "createdAt": 1700000000000}}}
		})
		if err := a.EndJob(t.Context(), region, "j", "enough"); (err == nil) != isFine {
			t.Errorf("%q: %v", status, err)
		}
	}
}
