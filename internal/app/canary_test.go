package app_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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

// journal of everything that the process says.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// planted are secrets that clients hand in, by where.
var planted = []string{
	"Canary-password-1", "Canary-wrong-password-1", "canary-private-key", "canary-azure-secret", "canary-refused-azure-secret", "canary-webhook-secret", "canary-unknown-token", "canary-user-data",
	"canary-cmpute-secret", "canary-query-token", "canary-client-secret", "canary-job-environment", "canary-refused-environment", "canary-job-user-data", "canary-held-environment",
}

func TestNoSecretIsWrittenAnywhere(t *testing.T) {
	data, output := t.TempDir(), &said{}
	n := apptest.Start(t, func(c *app.Config) {
		c.Data, c.Jobs.Host = data, true
		c.Log = slog.New(slog.NewJSONHandler(output, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	account := "accountId=" + n.Account.ID
	var answers []apptest.Answer
	send := func(method, path, body string, headers ...string) apptest.Answer {
		var content any
		if body != "" {
			content = body
		}
		a := n.Call(method, path, content, headers...)
		answers = append(answers, a)
		return a
	}
	send("POST", "/setup/user", `{"firstName":"Ada","lastName":"Byron","email":"ada@example.com","role":"viewer","password":"Canary-password-1"}`)
	send("POST", "/setup/user", `{"firstName":"Ada","lastName":"Byron","email":"ada@example.com","role":"viewer","password":"Canary-password-1"}`)
	send("POST", "/neap/v1/sign-in", `{"email":"ada@example.com","password":"Canary-wrong-password-1"}`)
	send("POST", "/gcp/setup/credentials?"+account, `{"serviceAccount":{"type":"service_account","project_id":"my-project-1","private_key":"canary-private-key","client_email":"a@b"}}`)
	send("POST", "/gcp/setup/credentials/validation?"+account, `{"serviceAccount":{"type":"wrong","private_key":"canary-private-key"}}`)
	send("POST", "/azure/setup/credentials?"+account, `{"clientId":"c","clientSecret":"canary-azure-secret","tenantId":"t","subscriptionId":"s"}`)
	send("POST", "/azure/setup/credentials?"+account, `{"clientSecret":"canary-refused-azure-secret"}`)
	send("POST", "/neap/v1/webhooks?"+account, `{"url":"https://example.com/x","secret":"canary-webhook-secret","name":"ci"}`)
	send("GET", "/setup/user", "", "Authorization", "Bearer canary-unknown-token")
	send("GET", "/api/accounts", "", "Authorization", "ApiKey neapkey-00000000:canary-cmpute-secret")
	send("POST", "/add-user?token=canary-query-token", `{"user":"ada"}`)
	send("POST", "/2016-07/refresh_tokens", `{"client_id":"tok-00000000","client_secret":"canary-client-secret"}`)
	send("POST", "/aws/ec2/group?"+account, `{"group":{"name":"x","compute":{"launchSpecification":{"userData":"canary-user-data"}}}}`)

	jobs := secretive(t, n, send)
	defer func() { n.Must("POST", "/neap/v1/jobs/"+jobs[1]+"/cancel", nil) }()

	// What Neap itself gives out is shown once, in the answer that makes it.
	var given []string
	for _, kind := range []string{"spot", "cmpute", "vendor", "mapsor"} {
		a := n.Must("POST", "/neap/v1/tokens", fmt.Sprintf(`{"name":%q,"for":%q}`, kind, kind))
		secret, _ := a.Body["secret"].(string)
		_, part, _ := strings.Cut(secret, ":")
		given = append(given, secret)
		if part != "" {
			given = append(given, part)
		}
	}
	n.Must("GET", "/setup/account?x=1", nil, "Authorization", "Bearer "+given[0])
	for _, job := range jobs {
		answers = append(answers, n.Call("GET", "/status/"+job+"?token="+given[len(given)-1], nil), n.Call("GET", "/logs/"+job+"?token="+given[len(given)-1], nil))
		for _, more := range []string{"", "/history", "/logs"} {
			answers = append(answers, n.Must("GET", "/neap/v1/jobs/"+job+more, nil))
		}
	}
	signed := n.Must("POST", "/neap/v1/sign-in", `{"email":"ada@example.com","password":"Canary-password-1"}`)
	given = append(given, signed.Body["secret"].(string))

	for _, o := range app.Operations() { // whatever can be read without naming an object
		if o.Method == http.MethodGet && !strings.Contains(o.Path, "{") && o.Dialect != "mapsor" && o.Dialect != "cmpute" {
			answers = append(answers, n.Call(o.Method, o.Path+"?fromDate=2020-01-01&toDate=2099-01-01", nil))
		}
	}
	n.Until("the audit is sealed", time.Minute, func() bool { return n.Call("GET", "/neap/v1/audit/export", nil).Status == http.StatusOK })
	answers = append(answers, n.Must("GET", "/neap/v1/audit/export", nil))

	secrets := append(slices.Clone(planted), n.Admin)
	for _, a := range answers {
		expect(t, "an answer", a.Raw, append(secrets, given...))
	}
	output.mu.Lock()
	expect(t, "the log", output.text.Bytes(), append(secrets, given...))
	output.mu.Unlock()
	known := []string{"admin-token", "server.key"} // where they have to be
	err := filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || slices.Contains(known, entry.Name()) {
			return err
		}
		content, err := os.ReadFile(path)
		expect(t, entry.Name(), content, append(secrets, given...))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(output.text.String(), `"operation":"spot.`) {
		t.Error("the log says nothing of requests, so its silence proves nothing")
	}
}

// secretive gives the ids of jobs that were handed secrets: one that has ended, one that runs, and one that never will.
func secretive(t *testing.T, n *apptest.Neap, send func(method, path, body string, headers ...string) apptest.Answer) (ids []string) {
	t.Helper()
	const job = `{"customer":"c","cloud":"aws","region":"us-east-1","id":"x","resources":{"vcpus":0.1,"memory":64},`
	for _, more := range []string{
		`"image":"host","command":["/bin/sh","-c","test \"$KEY\" = canary-job''-environment"],"env":{"KEY":"canary-job-environment"}}`,
		`"image":"host","command":["sleep","600"],"env":{"KEY":"canary-held-environment"}}`,
		`"image":"nowhere:1","env":{"KEY":"canary-refused-environment"}}`,
		`"ami":"ami-0123456789abcdef0","user_data":"#!/bin/sh\necho canary-job-user-data"}`,
	} {
		id, is := send("POST", "/submit?token="+n.Admin, job+more).Body["job_id"].(string)
		if !is {
			t.Fatal("a job was not submitted")
		}
		ids = append(ids, id)
	}
	for i, state := range []string{"SUCCEEDED", "RUNNING", "REJECTED", "RUNNING"} {
		n.Until("the job is "+state, time.Hour, func() bool { return n.Must("GET", "/neap/v1/jobs/"+ids[i], nil).Body["state"] == state })
	}
	send("POST", "/submit?token=canary-query-token", job+`"image":"host","env":{"KEY":"canary-refused-environment"}}`)
	send("POST", "/submit?token="+n.Admin, job+`"image":7,"env":{"KEY":"canary-refused-environment"},"user_data":"canary-job-user-data"}`)
	return ids
}

// expect looks for secrets where none may be.
func expect(t *testing.T, where string, content []byte, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		at := bytes.Index(content, []byte(secret))
		if at < 0 {
			continue
		}
		t.Errorf("%s shows %q: …%s…", where, secret, content[max(0, at-100):min(len(content), at+150)])
	}
}
