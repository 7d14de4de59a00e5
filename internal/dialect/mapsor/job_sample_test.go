package mapsor_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/dialect/dialecttest"
)

const sampled = "3892fea6-df92-11e9-9d97-f2a54137d40c" // the samples' job

// replay asks what a sample asks, and holds the answer to it.
func replay(t *testing.T, n *apptest.Neap, file, title string, free []string, replacements ...string) apptest.Answer {
	t.Helper()
	s := dialecttest.Find(t, file, title, append([]string{"<token>", n.Admin}, replacements...)...)
	a := send(n, s.Request.Method, s.Request.Path, "", string(s.Request.Body))
	s.Agrees(t, a.Status, a.Raw, free...)
	return a
}

func TestTheSamplesOfJobsAreAnsweredAsPublished(t *testing.T) {
	n := start(t)
	id := []string{"job_id"}
	replay(t, n, "jobs", "container, on demand", id)
	replay(t, n, "jobs", "EC2 spot", id)
	replay(t, n, "jobs", "both image and ami", []string{"message"})
	replay(t, n, "jobs", "unknown", []string{"message"})
	rejected := replay(t, n, "jobs", "container, named queue", id).Body["job_id"].(string) // there is no such queue
	replay(t, n, "jobs", "status", nil, sampled, rejected)

	job := submitted(n, n.Admin, document("lightning", holding))
	replay(t, n, "jobs", "cancel", nil, sampled, job)
	replay(t, n, "jobs", "cancel finished", []string{"message"}, sampled, job)
	replay(t, n, "jobs", "retry", id, sampled, job)

	job = submitted(n, n.Admin, `{"customer":"listed","cloud":"aws","region":"us-east-1","id":"Transcode_23","image":"host","command":["echo","hi"],"priority":"HIGH","tags":{"team":"media"}}`)
	becomes(n, job, batch.Succeeded)
	replay(t, n, "jobs", "logs", []string{"timestamp"}, sampled, job)
	begin, end := n.Clock.Now().Add(-time.Hour).UnixMilli(), n.Clock.Now().UnixMilli()
	replay(t, n, "jobs", "list", []string{"image", "submitted_at", "started_at", "stopped_at", "reason"},
		sampled, job, `lightning`, `listed`, "1569400000000", fmt.Sprint(begin), "1569500000000", fmt.Sprint(end))
}

func TestTheSamplesOfInstancesAreAnsweredAsPublished(t *testing.T) {
	n := start(t)
	job, instance := booted(n, n.Admin, "lightning")
	replay(t, n, "spot_metrics", "not a spot job instance", []string{"message"})
	keys := []string{"publish_key", "subscribe_key"}
	first := replay(t, n, "spot_metrics", "get info", keys, sampled, job, "i-0123456789abcdef0", instance)
	if state(n, job) != batch.Running {
		t.Errorf("once it has called, its job is %s", state(n, job))
	}
	again := replay(t, n, "spot_metrics", "get info", keys, sampled, job, "i-0123456789abcdef0", instance)
	if string(first.Raw) != string(again.Raw) || !strings.HasPrefix(first.Body["publish_key"].(string), "pub-c-") || !strings.HasPrefix(first.Body["subscribe_key"].(string), "sub-c-") {
		t.Errorf("first %s, and then %s", first.Raw, again.Raw)
	}
	replay(t, n, "spot_metrics", "destroy", nil, "i-0123456789abcdef0", instance)
	becomes(n, job, batch.Succeeded)
	for _, path := range []string{"/destroy/us-east-1/", "/get-info/us-east-1/"} {
		if a := send(n, "GET", path+instance, n.Admin, ""); a.Status != 400 || code(a.Body) != "BAD_REQUEST" {
			t.Errorf("%s of what is gone: %d %s", path, a.Status, a.Raw)
		}
	}
	n.Until("the instance is gone", time.Hour, func() bool { return len(instances(n)) == 0 })
}

func TestTheSamplesOfUseAreAnsweredAsPublished(t *testing.T) {
	n := start(t)
	for _, customer := range []string{"lightning", "acme", "lightning"} {
		becomes(n, submitted(n, n.Admin, document(customer, container)), batch.Succeeded)
	}
	window := []string{"1569400000000", fmt.Sprint(apptest.Epoch.UnixMilli()), "1569500000000", fmt.Sprint(n.Clock.Now().Add(time.Hour).UnixMilli())}
	replay(t, n, "spot_metrics", "metrics", []string{"runtime_ms", "vcpu_ms"}, window...)
	a := replay(t, n, "spot_metrics", "metrics with price", []string{"runtime_ms", "vcpu_ms", "cost"}, window...)
	sum := 0.0
	for _, use := range a.Body["response"].(map[string]any) {
		sum += use.(map[string]any)["cost"].(float64)
	}
	if sum != 100 && sum != 0 { // of no use at all nobody pays anything
		t.Errorf("a price of 100 is shared out as %v: %s", sum, a.Raw)
	}
}
