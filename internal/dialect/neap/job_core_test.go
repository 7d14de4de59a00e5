package neap_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
)

// TestMain lets this binary be what runs beside each task, as Neap's own does.
func TestMain(m *testing.M) {
	if is, code := app.Supervise(os.Args); is {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// atWork is a Neap that runs the commands of this machine.
func atWork(t *testing.T) *apptest.Neap {
	t.Helper()
	return apptest.Start(t, func(c *app.Config) { c.Data, c.Jobs.Host = t.TempDir(), true })
}

// submit gives the id of a job that runs a script of this machine's shell.
func submit(n *apptest.Neap, class, script string) string {
	n.T.Helper()
	return n.Must("POST", "/neap/v1/jobs", map[string]any{
		"customer": "lightning", "cloud": "aws", "region": "us-east-1", "id": class, "image": "host", "command": []string{"/bin/sh", "-c", script},
		"env": map[string]string{"KEY": "canary-env"}, "resources": map[string]any{"vcpus": 0.1, "memory": 64},
	}).Body["id"].(string)
}

func ended(n *apptest.Neap, id string) map[string]any {
	n.T.Helper()
	var job map[string]any
	n.Until("the job ends", 30*time.Minute, func() bool {
		job = n.Must("GET", "/neap/v1/jobs/"+id, nil).Body
		return job["stoppedAt"] != nil
	})
	return job
}

func TestAJobRunsAndTellsEverythingButItsSecrets(t *testing.T) {
	n := atWork(t)
	id := submit(n, "hello", `echo one; echo two >&2; test "$KEY" = canary-''env && echo three; exit 3`)
	job := ended(n, id)
	attempts := job["attempts"].([]any)
	if job["state"] != "FAILED" || len(attempts) != 1 || attempts[0].(map[string]any)["exit"].(map[string]any)["code"] != 3.0 {
		t.Errorf("%v", job)
	}
	logs := n.Must("GET", "/neap/v1/jobs/"+id+"/logs?limit=2", nil).Body
	if len(logs["items"].([]any)) != 2 || logs["next"] == nil {
		t.Errorf("first page: %v", logs)
	}
	rest := n.Must("GET", "/neap/v1/jobs/"+id+"/logs?after="+logs["next"].(string), nil).Body
	if items := rest["items"].([]any); len(items) != 1 || rest["next"] != nil {
		t.Errorf("rest: %v", rest)
	}
	for _, path := range []string{"", "/history", "/logs"} {
		if a := n.Must("GET", "/neap/v1/jobs/"+id+path, nil); strings.Contains(string(a.Raw), "canary-env") {
			t.Errorf("%s shows the environment: %s", path, a.Raw)
		}
	}
	if a := n.Call("POST", "/neap/v1/jobs/"+id+"/cancel", nil); a.Status != http.StatusConflict {
		t.Errorf("an ended job is cancelled: %d", a.Status)
	}
	again := n.Must("POST", "/neap/v1/jobs/"+id+"/retry", nil).Body
	if again["retryOf"] != id {
		t.Errorf("%v", again)
	}
	found := n.Must("GET", "/neap/v1/jobs?class=hello&state=failed&costs=true", nil).Body["items"].([]any)
	if len(found) == 0 || found[len(found)-1].(map[string]any)["cost"] == nil {
		t.Errorf("%v", found)
	}
}

func TestAJobIsFollowedToItsEndAndGoneOnWithAfterABreak(t *testing.T) {
	n := atWork(t)
	id := submit(n, "talker", "for i in 1 2 3 4 5; do echo $i; done")
	follow := func(after string) (cursor string, events []string) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", n.URL+"/neap/v1/jobs/"+id+"/logs/follow", nil)
		if err != nil {
			t.Error(err)
			return "", nil
		}
		r.Header.Set("Authorization", "Bearer "+n.Admin)
		r.Header.Set("Last-Event-ID", after)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			return "", nil
		}
		defer res.Body.Close()
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			if id, is := strings.CutPrefix(lines.Text(), "id: "); is {
				cursor = id
			}
			if name, is := strings.CutPrefix(lines.Text(), "event: "); is {
				events = append(events, name)
			}
		}
		return cursor, events
	}
	var cursor string
	var events []string
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		cursor, events = follow("")
	}()
	ended(n, id)
	<-followed
	if cursor == "" || len(events) == 0 || events[len(events)-1] != "end" {
		t.Errorf("%q %v", cursor, events)
	}
	if _, events := follow(cursor); fmt.Sprint(events) != "[end]" {
		t.Errorf("behind the end: %v", events)
	}
}
