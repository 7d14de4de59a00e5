package app_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/identity"
)

// employer is a Neap that is to outlive its process, whose first account is one of AWS's stand-in, with queues of AWS Batch.
type employer struct {
	*amazon
	config        app.Config
	low, high     string // the queues of jobs that name none
	own           string // another queue
	said          *said
	end           func()
	administrator string
}

// employing starts one. The role that it goes through may do what `neap aws init` says.
func employing(t *testing.T) *employer {
	t.Helper()
	moto := awstest.Moto(t)
	neap := moto.User(t, awstest.Allow("sts:AssumeRole"))
	awstest.Be(t, neap.Key)
	name := ident.Hex(4)
	e := &employer{
		amazon: &amazon{Amazon: apptest.OnAmazon(t, moto, neap, amazonRegion)},
		low:    "low-" + name, high: "high-" + name, own: "own-" + name, said: &said{},
	}
	for _, queue := range []string{e.low, e.high, e.own} {
		moto.JobQueue(t, amazonRegion, queue, true)
	}
	now := time.Now()
	e.config = app.Config{
		Version: "test", Seed: 1, Data: t.TempDir(), Clock: clock.Scaled{Began: now, Origin: now, Rate: hurry}, Clouds: e.Clouds(),
		Jobs: app.Jobs{SpotQueue: e.low, OnDemandQueue: e.high}, Log: slog.New(slog.NewTextHandler(e.said, nil)),
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(e.said.text.String())
		}
	})
	e.begin(t)
	e.administrator, e.account = e.Admin, e.Account.ID
	e.Admit(e.Neap, e.account)
	return e
}

// begin starts the process; it is ended by end, or with the test.
func (e *employer) begin(t *testing.T) {
	t.Helper()
	a := start(t, e.config)
	server := httptest.NewServer(a.Handler)
	e.end = sync.OnceFunc(func() {
		server.Close()
		stop(t, a)
	})
	t.Cleanup(e.end)
	if a.Admin == "" {
		a.Admin = e.administrator
	}
	e.Neap = &apptest.Neap{App: a, T: t, URL: server.URL}
}

// mapsor makes a call of the Mapsor API as the administrator.
func (e *employer) mapsor(method, path string, body any) apptest.Answer {
	return mapsor(e.Neap, method, path, body)
}

func mapsor(n *apptest.Neap, method, path string, body any) apptest.Answer {
	n.T.Helper()
	return n.Call(method, path+"?token="+url.QueryEscape(n.Admin), body, "Authorization", "")
}

// submit submits a job for the region.
func (e *employer) submit(members map[string]any) (id string) {
	return submitted(e.Neap, amazonRegion, members)
}

func submitted(n *apptest.Neap, region string, members map[string]any) (id string) {
	n.T.Helper()
	job := map[string]any{"customer": "lightning", "cloud": "aws", "region": region, "id": "Transcode_23"}
	for name, value := range members {
		job[name] = value
	}
	answer := mapsor(n, http.MethodPost, "/submit", job)
	id, _ = answer.Body["job_id"].(string)
	if answer.Status != http.StatusOK || id == "" {
		n.T.Fatalf("%v: %d %s", members, answer.Status, answer.Raw)
	}
	return id
}

// jobShown is a job as our own API tells of it.
type jobShown struct {
	State    batch.State
	Reason   string
	Queue    string
	Attempts []struct {
		N                                int
		Runtime, Host, Type, Zone, Group string
		Outcome, Reason                  string
		Share                            float64
		At, StartedAt, EndedAt           time.Time
		Exit                             *struct {
			Code     int
			Signal   string
			TimedOut bool
			Stopped  bool
			Reason   string
		}
	}
	Cost struct{ Actual, Potential, Running float64 }
}

func shownJob(n *apptest.Neap, id string) (j jobShown) {
	n.T.Helper()
	if err := json.Unmarshal(n.Must(http.MethodGet, "/neap/v1/jobs/"+id, nil).Raw, &j); err != nil {
		n.T.Fatal(err)
	}
	if status := mapsor(n, http.MethodGet, "/status/"+id, nil); status.Status != http.StatusOK {
		n.T.Fatalf("%d %s", status.Status, status.Raw)
	}
	return j
}

// becomes waits until a job is in a state.
func (e *employer) becomes(t *testing.T, id string, want batch.State) (j jobShown) {
	t.Helper()
	e.until(t, fmt.Sprintf("job %s is %s", id, want), func() bool {
		if j = shownJob(e.Neap, id); j.State.Final() && j.State != want {
			t.Fatalf("job %s is %+v, not %s", id, j, want)
		}
		return j.State == want
	})
	return j
}

// log is what the Mapsor API tells of a job's output.
func (e *employer) log(t *testing.T, id string) (lines []string) {
	t.Helper()
	answer := e.mapsor(http.MethodGet, "/logs/"+id, nil)
	var body struct {
		Error    map[string]any
		Response []struct {
			Timestamp int64
			Message   string
		}
	}
	if err := json.Unmarshal(answer.Raw, &body); answer.Status != http.StatusOK || err != nil || len(body.Error) > 0 {
		t.Fatalf("%d %s: %v", answer.Status, answer.Raw, err)
	}
	for _, line := range body.Response {
		lines = append(lines, line.Message)
		if at := time.UnixMilli(line.Timestamp); time.Since(at).Abs() > time.Hour {
			t.Errorf("%q was written at %s", line.Message, at)
		}
	}
	return lines
}

// batchJob is a job as AWS Batch itself tells of it.
type batchJob struct {
	Name   string `json:"jobName"`
	Status string
}

// inBatch are the jobs of AWS Batch that one of ours was made of, in any of the queues, as the stand-in itself tells.
func (e *employer) inBatch(t *testing.T, id string) (found []batchJob) {
	t.Helper()
	for _, queue := range []string{e.low, e.high, e.own} {
		for _, status := range []string{"SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED"} {
			var answer struct{ JobSummaryList []batchJob }
			if err := json.Unmarshal(e.Server.Batch(t, amazonRegion, "listjobs", map[string]any{"jobQueue": queue, "jobStatus": status}), &answer); err != nil {
				t.Fatal(err)
			}
			for _, job := range answer.JobSummaryList {
				if strings.HasPrefix(job.Name, "neap-"+id+"_") {
					found = append(found, job)
				}
			}
		}
	}
	return found
}

// queueIn is the one queue of AWS Batch that a job is in.
func (e *employer) queueIn(t *testing.T, id string) (in string) {
	t.Helper()
	for _, queue := range []string{e.low, e.high, e.own} {
		var answer struct{ JobSummaryList []batchJob }
		body := map[string]any{"jobQueue": queue, "filters": []map[string]any{{"name": "JOB_NAME", "values": []string{"neap-" + id + "_1"}}}}
		if err := json.Unmarshal(e.Server.Batch(t, amazonRegion, "listjobs", body), &answer); err != nil {
			t.Fatal(err)
		}
		if len(answer.JobSummaryList) > 0 {
			in += queue
		}
	}
	return in
}

func shell(script string) []string { return []string{"sh", "-c", script} }

func TestAmazonJobsGoToTheirQueuesAndTellHowTheyEnd(t *testing.T) {
	e := employing(t)
	const image = "library/alpine:3"
	quick := map[string]string{}
	for name, members := range map[string]map[string]any{
		"named": {"queue": e.own}, "low": {"priority": "LOW"}, "high": {"priority": "HIGH"}, "neither": {}, "both": {"queue": e.own, "priority": "HIGH"},
		"by its ARN": {"queue": "arn:aws:batch:" + amazonRegion + ":" + awstest.Account + ":job-queue/" + e.own},
	} {
		members["image"], members["command"], members["env"] = image, shell(`echo "hello $WHO"; echo again >&2`), map[string]any{"WHO": "there"}
		quick[name] = e.submit(members)
	}
	fails := e.submit(map[string]any{"image": image, "command": shell("echo bad; exit 3"), "tags": map[string]any{"team": "video"}})
	absent := e.submit(map[string]any{"image": "absent/nothing:1", "command": []string{"true"}})
	late := e.submit(map[string]any{"image": image, "command": []string{"sleep", "60"}, "timeout": 1})

	for _, c := range []struct {
		says    string
		members map[string]any
	}{
		{"There is no AWS Batch queue nowhere in " + amazonRegion + "; there are ", map[string]any{"image": image, "queue": "nowhere"}},
		{"There is no AWS Batch queue low|x", map[string]any{"image": image, "queue": "low|x"}},
		{"There is nothing in the cloud azure of this account", map[string]any{"image": image, "cloud": "azure", "region": "westeurope"}},
		{`There is no region "moon-1"`, map[string]any{"image": image, "region": "moon-1"}},
		{"AWS Batch runs images of a registry", map[string]any{"image": "host", "command": []string{"true"}}},
	} {
		id := e.submit(c.members)
		if j := shownJob(e.Neap, id); j.State != batch.Rejected || !strings.Contains(j.Reason, c.says) {
			t.Errorf("%v: %s, %q; not %q", c.members, j.State, j.Reason, c.says)
		}
		if answer := e.mapsor(http.MethodGet, "/logs/"+id, nil); answer.Status != http.StatusBadRequest || !strings.Contains(fmt.Sprint(answer.Body), c.says) {
			t.Errorf("%v: %d %s", c.members, answer.Status, answer.Raw)
		}
	}

	outside, err := e.Identity.AddAccount(t.Context(), identity.Account{Organisation: e.Account.Organisation, Name: "in no cloud yet"})
	if err != nil {
		t.Fatal(err)
	}
	refused := func(says string) bool {
		t.Helper()
		answer := e.Call(http.MethodPost, "/neap/v1/jobs?accountId="+outside.ID, map[string]any{"customer": "c", "cloud": "aws", "region": amazonRegion, "id": "early", "image": image})
		if answer.Status != http.StatusServiceUnavailable {
			t.Errorf("%d %s", answer.Status, answer.Raw)
		}
		return strings.Contains(string(answer.Raw), says)
	}
	if !refused("check its credentials") {
		t.Error("nothing says that the account has no role")
	}
	e.Server.Grant(t, e.Admit(e.Neap, outside.ID), awstest.Allow("ec2:*"))
	e.until(t, "it says what the role lacks", func() bool { return refused("AWS does not let Neap look for a queue of AWS Batch") })

	for name, id := range quick {
		j := e.becomes(t, id, batch.Succeeded)
		want := map[string]string{"named": e.own, "low": e.low, "high": e.high, "neither": e.low, "both": e.own, "by its ARN": e.own}[name]
		if in := e.queueIn(t, id); in != want || len(j.Attempts) != 1 || j.Attempts[0].Exit == nil || j.Attempts[0].Exit.Code != 0 {
			t.Errorf("%s: in %q, not %q: %+v", name, in, want, j)
		}
		if lines := e.log(t, id); !slices.Equal(lines, []string{"hello there", "again"}) {
			t.Errorf("%s wrote %q", name, lines)
		}
		if made := e.inBatch(t, id); len(made) != 1 || made[0].Status != "SUCCEEDED" {
			t.Errorf("%s: %+v", name, made)
		}
		if answer := e.mapsor(http.MethodGet, "/cancel/"+id, nil); answer.Status != http.StatusBadRequest {
			t.Errorf("it was cancelled after its end: %d %s", answer.Status, answer.Raw)
		}
	}
	if j := e.becomes(t, fails, batch.Failed); j.Attempts[0].Exit.Code != 3 || j.Reason != "Its command ended with exit code 3." {
		t.Errorf("%+v", j)
	}
	if lines := e.log(t, fails); !slices.Equal(lines, []string{"bad"}) {
		t.Errorf("it wrote %q", lines)
	}
	if j := e.becomes(t, absent, batch.Failed); !strings.Contains(j.Reason, "CannotPullContainerError") || !j.Attempts[0].StartedAt.IsZero() {
		t.Errorf("%+v", j)
	}
	if lines := e.log(t, absent); len(lines) > 0 {
		t.Errorf("it wrote %q", lines)
	}
	if j := e.becomes(t, late, batch.TimedOut); !j.Attempts[0].Exit.TimedOut {
		t.Errorf("%+v", j)
	}
}

func TestAmazonJobsAreCancelledWhereverTheyStand(t *testing.T) {
	e := employing(t)
	long := map[string]any{"image": "library/alpine:3", "command": shell("echo on; exec sleep 60")}
	cancelled := func(id string) jobShown {
		t.Helper()
		if answer := e.mapsor(http.MethodGet, "/cancel/"+id, nil); answer.Status != http.StatusOK {
			t.Fatalf("%d %s", answer.Status, answer.Raw)
		}
		e.until(t, "nothing of it runs", func() bool {
			return !slices.ContainsFunc(e.inBatch(t, id), func(j batchJob) bool { return j.Status != "SUCCEEDED" && j.Status != "FAILED" })
		})
		if answer := e.mapsor(http.MethodGet, "/cancel/"+id, nil); answer.Status != http.StatusBadRequest {
			t.Errorf("it was cancelled twice: %d %s", answer.Status, answer.Raw)
		}
		return e.becomes(t, id, batch.Cancelled)
	}

	runs := e.submit(long)
	e.becomes(t, runs, batch.Running)
	e.until(t, "its log is there while it runs", func() bool { return slices.Equal(e.log(t, runs), []string{"on"}) })
	cancelled(runs)
	if made := e.inBatch(t, runs); len(made) != 1 || made[0].Status != "FAILED" {
		t.Errorf("%+v", made)
	}
	if lines := e.log(t, runs); !slices.Equal(lines, []string{"on"}) {
		t.Errorf("afterwards its log is %q", lines)
	}

	// AWS throttles its submission, which is tried again and again.
	e.Front.Refuse("submitjob", 1<<20, http.StatusTooManyRequests, "TooManyRequestsException", "Too many requests")
	starts := e.submit(long)
	e.becomes(t, starts, batch.Starting)
	cancelled(starts)
	e.Front.Relent()

	// Its submission took effect, and nobody knows.
	e.Front.Lose("submitjob", 1)
	e.Front.Refuse("listjobs", 3, http.StatusInternalServerError, "ServerException", "Sorry")
	lost := e.submit(long)
	e.becomes(t, lost, batch.Starting)
	cancelled(lost)
	e.until(t, "what was lost is found and ended", func() bool {
		made := e.inBatch(t, lost)
		return len(made) == 1 && made[0].Status == "FAILED"
	})

	// The answer to its cancellation is lost.
	again := e.submit(long)
	e.becomes(t, again, batch.Running)
	e.Front.Lose("terminatejob", 1)
	cancelled(again)
	if made := e.inBatch(t, starts); len(made) > 0 {
		t.Errorf("what could not be submitted was, after its cancellation: %+v", made)
	}
}

func TestAmazonJobsOutliveNeapLostAnswersAndTheirMachines(t *testing.T) {
	e := employing(t)
	counts := e.submit(map[string]any{"image": "library/alpine:3", "command": shell("for n in 1 2 3 4 5; do echo $n; sleep 0.6; done")})
	e.Front.Lose("submitjob", 1)
	lost := e.submit(map[string]any{"image": "library/alpine:3", "command": shell("echo once")})
	displaced := e.submit(map[string]any{"image": "spot/alpine:3", "command": shell("echo try; sleep 1")})
	e.until(t, "it counts", func() bool { return slices.Contains(e.log(t, counts), "2") })

	e.end()
	e.begin(t)
	if j := e.becomes(t, counts, batch.Succeeded); len(j.Attempts) != 1 {
		t.Errorf("%+v", j)
	}
	if lines := e.log(t, counts); !slices.Equal(lines, []string{"1", "2", "3", "4", "5"}) {
		t.Errorf("it counted %q", lines)
	}
	e.becomes(t, lost, batch.Succeeded)
	for _, id := range []string{counts, lost} {
		if made := e.inBatch(t, id); len(made) != 1 {
			t.Errorf("%+v", made)
		}
	}

	e.until(t, "its machine was taken, and it has a second one", func() bool { return len(shownJob(e.Neap, displaced).Attempts) > 1 })
	j := shownJob(e.Neap, displaced)
	if first := j.Attempts[0]; first.Outcome != "lost" || !strings.Contains(first.Reason, "Host EC2") || first.EndedAt.IsZero() {
		t.Errorf("%+v", j)
	}
	if made := e.inBatch(t, displaced); len(made) < 2 {
		t.Errorf("%+v", made)
	}
	if answer := e.mapsor(http.MethodGet, "/cancel/"+displaced, nil); answer.Status != http.StatusOK {
		t.Errorf("%d %s", answer.Status, answer.Raw)
	}
}
