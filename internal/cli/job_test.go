package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
)

const (
	transcode = `{"id":"3892fea6-df92-11e9-9d97-f2a54137d40c","class":"Transcode_23","customer":"lightning","kind":"container","cloud":"aws","region":"us-east-1","queue":"spot","priority":"LOW",
"image":"ffmpeg:7","command":["ffmpeg","-i","a.mov"],"resources":{"vcpus":2,"memory":512},"state":"SUCCEEDED","author":"u-1","submittedAt":"2026-03-01T11:00:00Z","startedAt":"2026-03-01T11:30:00Z",
"stoppedAt":"2026-03-01T11:42:00Z","attemptCount":2,"cost":{"actual":0.004,"potential":0.016,"running":1320},"attempts":[
{"n":1,"runtime":"docker","host":"i-1","type":"c5.large","zone":"us-east-1a","group":"sig-jobs","share":0.5,"at":"2026-03-01T11:05:00Z","startedAt":"2026-03-01T11:05:00Z","endedAt":"2026-03-01T11:15:00Z","outcome":"preempted","reason":"The cloud took its spot machine back.","limits":"docker","lines":3},
{"n":2,"runtime":"docker","host":"i-2","type":"m5.large","zone":"us-east-1b","group":"sig-jobs","share":0.5,"at":"2026-03-01T11:30:00Z","startedAt":"2026-03-01T11:30:00Z","endedAt":"2026-03-01T11:42:00Z","outcome":"succeeded","exit":{"code":0},"limits":"docker","lines":7}]}`
	waitingJob = `{"id":"3892ffff-df92-11e9-9d97-f2a54137d40c","class":"Transcode_23","customer":"lightning","cloud":"aws","region":"us-east-1","queue":"spot","priority":"LOW","image":"ffmpeg:7",
"state":"RUNNABLE","reason":"It waits for a machine.","submittedAt":"2026-03-01T11:58:00Z","attemptCount":0,"ahead":1,"cost":{"actual":0,"potential":0,"running":0}}`
	heldBack = `{"id":"4892ffff-df92-11e9-9d97-f2a54137d40c","class":"nightly","customer":"lightning","cloud":"aws","region":"us-east-1","queue":"spot","priority":"LOW","image":"host","state":"PENDING",
"submittedAt":"2026-03-01T11:58:00Z","deadline":"2026-03-01T18:00:00Z","expected":3600,"attemptCount":0}`
	wholeID = "3892fea6-df92-11e9-9d97-f2a54137d40c"
)

func jobServer(t *testing.T) *server {
	return serve(t, map[string]reply{
		"GET /neap/v1/status":                            {body: `{"time":"2026-03-01T12:00:00Z"}`},
		"GET /neap/v1/jobs":                              {body: `{"items":[` + waitingJob + `,` + transcode + `]}`},
		"GET /neap/v1/jobs/" + wholeID:                   {body: transcode},
		"POST /neap/v1/jobs":                             {body: transcode},
		"GET /neap/v1/jobs/" + held("3892"):              {body: waitingJob},
		"GET /neap/v1/jobs/" + held("4892"):              {body: heldBack},
		"GET /neap/v1/jobs/" + held("3892") + "/history": {body: `{"items":[]}`},
		"GET /neap/v1/jobs/" + held("4892") + "/history": {body: `{"items":[]}`},
		"GET /neap/v1/jobs/" + wholeID + "/history": {body: `{"items":[{"at":"2026-03-01T11:00:00Z","to":"SUBMITTED","because":"It was submitted."},
			{"at":"2026-03-01T11:15:00Z","from":"RUNNING","to":"RUNNABLE","attempt":1,"host":"i-1","because":"The cloud took its machine back."}]}`},
		"GET /neap/v1/groups/sig-jobs/decisions": {body: `{"items":[
			{"id":"dec-3","group":"sig-jobs","at":"2026-03-01T11:50:00Z","plan":{"actions":[{"verb":"launch","type":"m5.large","zone":"us-east-1b","lifecycle":"spot","because":"Too late."}]}},
			{"id":"dec-2","group":"sig-jobs","at":"2026-03-01T11:28:00Z","plan":{"actions":[{"verb":"terminate","instance":"i-1"},{"verb":"launch","type":"m5.large","zone":"us-east-1b","lifecycle":"spot","because":"It is the cheapest of 12 markets with its risk."}]}}]}`},
		"GET /neap/v1/jobs/" + wholeID + "/logs": {body: `{"items":[{"attempt":1,"n":1,"at":"2026-03-01T11:05:01Z","stream":"stdout","text":"one"},{"attempt":1,"n":5,"at":"2026-03-01T11:05:02Z","stream":"stderr","text":"warned","dropped":3},
			{"attempt":2,"n":1,"at":"2026-03-01T11:31:00Z","stream":"stdout","text":"again \u001b[31mred"}],"next":""}`},
		"POST /neap/v1/jobs/" + wholeID + "/cancel": {body: transcode},
		"POST /neap/v1/jobs/" + wholeID + "/retry":  {body: waitingJob},
		"GET /neap/v1/job-queues":                   {body: `{"items":[{"cloud":"aws","region":"us-east-1","queue":"media-low","lifecycle":"spot","types":["c5.large","m5.large"],"most":{"vcpus":64,"memory":131072},"created":"2026-02-28T12:00:00Z"}]}`},
		"PUT /neap/v1/job-queues":                   {body: `{"queue":"media-low"}`},
		"DELETE /neap/v1/job-queues":                {body: `{}`},
	})
}

func held(begins string) string { return begins + "ffff-df92-11e9-9d97-f2a54137d40c" }

func TestWhatIsShownOfJobs(t *testing.T) {
	s := jobServer(t)
	for name, args := range map[string][]string{
		"jobs.txt":        {"job", "list"},
		"jobs-wide.txt":   {"job", "list", "-o", "wide"},
		"job.txt":         {"job", "show", "3892fe"},
		"job-explain.txt": {"job", "explain", "3892fea6"},
		"job-waiting.txt": {"job", "explain", held("3892")},
		"job-held.txt":    {"job", "explain", held("4892")},
		"job-queues.txt":  {"job", "queues"},
	} {
		got := neap(t, s, Hooks{}, args...)
		if got.code != ExitDone {
			t.Errorf("%v: %+v", args, got)
		}
		golden(t, name, got.out)
	}
}

func TestAJobIsNamedByTheBeginningOfItsIdWhereThatIsEnough(t *testing.T) {
	s := jobServer(t)
	if got := neap(t, s, Hooks{}, "job", "cancel", "3892fea6", wholeID); got.code != ExitDone || strings.Count(got.out, "Job "+wholeID+" is SUCCEEDED.") != 2 {
		t.Errorf("%+v", got)
	}
	if got := neap(t, s, Hooks{}, "job", "retry", "3892fe"); !strings.Contains(got.out, "Job "+wholeID+" runs again as "+held("3892")) {
		t.Errorf("%+v", got)
	}
	for word, says := range map[string]string{"3892": "2 jobs begin with", "77": "there is no job \"77\""} {
		if got := neap(t, s, Hooks{}, "job", "cancel", word); got.code != ExitRefused || !strings.Contains(got.err, says) {
			t.Errorf("%s: %+v", word, got)
		}
	}
}

// bodies are what was submitted.
func (s *server) bodies() (all []string) {
	for _, a := range s.requests() {
		if strings.HasPrefix(a.line, "POST /neap/v1/jobs") {
			all = append(all, a.body)
		}
	}
	return all
}

func TestAJobIsSubmittedAsItsFlagsSay(t *testing.T) {
	s := jobServer(t)
	file := filepath.Join(t.TempDir(), "job.json")
	if err := os.WriteFile(file, []byte(`{"customer":"thunder","env":{"A":"1"},"command":["/usr/bin/env","x"],"resources":{"memory":64}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"NEAP_TOKEN=t", "NEAP_URL=" + s.URL, "SECRET=s3cret"}
	for args, want := range map[string]string{
		"--image host --customer lightning --region us-east-1 -- /bin/echo hi": `{"cloud":"aws","command":["/bin/echo","hi"],"customer":"lightning","id":"echo","image":"host","region":"us-east-1"}`,
		"--image ffmpeg:7 --customer c --region r --class x --vcpus 0.5 --memory 512 --gpu 1 --env K=V=W --env SECRET --tag team=media --priority high --timeout 5m --checkpoint": `{"checkpoint":true,"cloud":"aws","customer":"c","env":{"K":"V=W","SECRET":"s3cret"},` +
			`"id":"x","image":"ffmpeg:7","priority":"HIGH","region":"r","resources":{"gpu":1,"memory":512,"vcpus":0.5},"tags":{"team":"media"},"timeout":300}`,
		"--file " + file + " --image i --deadline 2h --expected 30m --env B=2 --vcpus 2":               `{"cloud":"aws","command":["/usr/bin/env","x"],"customer":"thunder","deadline":1772373600000,"env":{"A":"1","B":"2"},"expected":1800,"id":"env","image":"i","resources":{"memory":64,"vcpus":2}}`,
		"--ami ami-1 --instance-type c5.large --cloud azure --queue q --deadline 2026-03-01T14:00:00Z": `{"ami":"ami-1","cloud":"azure","deadline":1772373600000,"id":"job","queue":"q","resources":{"instance_type":"c5.large"}}`,
	} {
		before := len(s.bodies())
		got := neapIn(t, environ, Hooks{}, append([]string{"job", "submit"}, strings.Fields(args)...)...)
		if sent := s.bodies()[before:]; got.code != ExitDone || got.out != wholeID+"\n" || len(sent) != 1 || sent[0] != want {
			t.Errorf("%s: %+v\nsent %s\nwant %s", args, got, sent, want)
		}
	}
	for args, says := range map[string]string{
		"--image host echo hi":                        "-- echo hi",
		"--image host --many -1":                      "--many",
		"--image host --many 2 --each a -- {}":        "exclude each other",
		"--image host --each a -- echo":               "{}",
		"--image host --each /nowhere/*.x -- echo {}": "no file",
		"--image host --env NO_SUCH_NAME":             "NO_SUCH_NAME",
		"--image host --tag x":                        "NAME=VALUE",
		"--image host --deadline soon":                "--deadline soon",
	} {
		if got := neapIn(t, environ, Hooks{}, append([]string{"job", "submit"}, strings.Fields(args)...)...); got.code != ExitUsage || !strings.Contains(got.err, says) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

func TestOneJobIsSubmittedForEachFileOrNumber(t *testing.T) {
	s := jobServer(t)
	got := neap(t, s, Hooks{}, "job", "submit", "--image", "host", "--each", "a.mov", "b.mov", "c.mov", "--key", "k", "--", "conv", "{}", "{}.mp4")
	sent := strings.Join(s.bodies(), "\n")
	if got.code != ExitDone || strings.Count(got.out, wholeID) != 3 || !strings.Contains(sent, `["conv","b.mov","b.mov.mp4"]`) || !strings.Contains(sent, `["conv","c.mov","c.mov.mp4"]`) {
		t.Errorf("%+v sent %s", got, sent)
	}
	dir := t.TempDir()
	for _, name := range []string{"1.txt", "2.txt", "3.log"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := len(s.bodies())
	neap(t, s, Hooks{}, "job", "submit", "--image", "host", "--each", filepath.Join(dir, "*.txt"), "--", "cat", "{}")
	if n := len(s.bodies()) - before; n != 2 {
		t.Errorf("%d jobs for two files", n)
	}
	before = len(s.bodies())
	if got := neap(t, s, Hooks{}, "job", "submit", "--image", "host", "--many", "100", "-o", "json", "--", "echo", "{}"); strings.Count(got.out, wholeID) != 100 {
		t.Errorf("%+v", got)
	}
	if sent := strings.Join(s.bodies()[before:], "\n"); !strings.Contains(sent, `["echo","1"]`) || !strings.Contains(sent, `["echo","100"]`) {
		t.Errorf("sent %s", sent)
	}
	refuses := serve(t, map[string]reply{"POST /neap/v1/jobs": refused(400, "", "No such image.", "image")})
	if got := neap(t, refuses, Hooks{}, "job", "submit", "--image", "x", "--many", "1000"); got.code != ExitRefused || !strings.Contains(got.err, "No such image.") || got.out != "" || len(refuses.requests()) > 50 {
		t.Errorf("%+v after %d requests", got, len(refuses.requests()))
	}
}

// hurried is a clock on which whatever is waited for has come.
type hurried struct{ *clock.Manual }

func (h hurried) After(d time.Duration) <-chan time.Time {
	h.Advance(d)
	come := make(chan time.Time, 1)
	come <- h.Now()
	return come
}

func neapHurried(t *testing.T, ctx context.Context, s *server, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	world := World{In: strings.NewReader(""), Out: &out, Err: &errs, Environ: []string{"NEAP_TOKEN=t", "NEAP_URL=" + s.URL}, Clock: hurried{clock.NewManual(noon())}}
	code := Run(ctx, Hooks{}, world, args)
	return outcome{code, out.String(), errs.String()}
}

func TestWaitingShowsHowFarTheJobsAreAndEndsWithTheirExitCode(t *testing.T) {
	ended := func(state, attempts string) string {
		return fmt.Sprintf(`{"id":%q,"class":"c","customer":"u","state":%q,"reason":"It left.","submittedAt":"2026-03-01T12:00:00Z","stoppedAt":"2026-03-01T12:01:00Z","attempts":[%s]}`, wholeID, state, attempts)
	}
	list := func(jobs ...string) reply { return reply{body: `{"items":[` + strings.Join(jobs, ",") + `]}`} }
	for _, c := range []struct {
		job  string
		code int
	}{
		{ended("SUCCEEDED", `{"n":1,"exit":{"code":0}}`), 0},
		{ended("FAILED", `{"n":1,"exit":{"code":7}},{"n":2,"exit":{"code":3}}`), 3},
		{ended("FAILED", `{"n":1,"exit":{"code":137,"signal":"KILL"}}`), 125},
		{ended("FAILED", `{"n":1,"exit":{"code":0}}`), 1},
		{ended("FAILED", ``), 1},
		{ended("TIMED_OUT", `{"n":1,"exit":{"code":143,"timedOut":true}}`), 124},
		{ended("CANCELLED", `{"n":1,"exit":{"code":7}}`), 1},
		{ended("REJECTED", ``), 1},
	} {
		s := serve(t, map[string]reply{"POST /neap/v1/jobs": {body: ended("SUBMITTED", "")}, "GET /neap/v1/jobs/" + wholeID: {body: c.job}})
		s.states = []reply{list(ended("RUNNABLE", "")), list(ended("RUNNING", "")), list(), list(), list(), list(c.job), list()}
		if c.code != 0 {
			s.states[6] = list(c.job)
		}
		got := neapHurried(t, t.Context(), s, "job", "submit", "--image", "host", "--wait")
		if got.code != c.code || got.out != wholeID+"\n" {
			t.Errorf("%s: %+v", c.job, got)
		}
		for _, says := range []string{"1 waiting, 0 running, 0 of 1 done", "0 waiting, 1 running, 0 of 1 done", "0 waiting, 0 running, 1 of 1 done"} {
			if !strings.Contains(got.err, says) {
				t.Errorf("no %q in %s", says, got.err)
			}
		}
		if c.code != 0 && !strings.Contains(got.err, "Job "+wholeID+" has ") {
			t.Errorf("it is not said what failed: %s", got.err)
		}
	}
}

func TestAnInterruptEndsTheWaitingAndNotTheJobs(t *testing.T) {
	s := jobServer(t)
	ctx, interrupt := context.WithCancel(t.Context())
	s.states = []reply{{body: `{"items":[` + waitingJob + `]}`}}
	s.seen = func(line string) {
		if strings.HasPrefix(line, "GET /neap/v1/jobs?") {
			interrupt()
		}
	}
	if got := neapHurried(t, ctx, s, "job", "submit", "--image", "host", "--wait"); got.code != 130 || !strings.Contains(got.err, "The jobs go on") {
		t.Errorf("%+v", got)
	}
}

func TestOutputGoesWhereTheJobWroteIt(t *testing.T) {
	s := jobServer(t)
	got := neap(t, s, Hooks{}, "job", "logs", "3892fea6", "--attempt", "2")
	if asked := s.requests(); !strings.HasSuffix(asked[len(asked)-1].line, "/logs?attempt=2") {
		t.Errorf("asked %+v", asked)
	}
	if got.out != "again \x1b[31mred\n" {
		t.Errorf("of one attempt: %+v", got)
	}
	if got := neap(t, s, Hooks{}, "logs", wholeID); got.out != "one\nagain \x1b[31mred\n" || got.err != "[lines that were not kept: 3]\nwarned\n[attempt 2]\n" {
		t.Errorf("%+v", got)
	}
	if got := neap(t, s, Hooks{}, "job", "logs", wholeID, "-o", "json"); strings.Count(got.out, "\n") != 3 || !strings.Contains(got.out, `"stream":"stderr"`) {
		t.Errorf("%+v", got)
	}
	var out, errs bytes.Buffer
	world := World{Out: &out, Err: &errs, Environ: []string{"NEAP_URL=" + s.URL}, Clock: clock.NewManual(noon()), Terminal: true}
	if Run(t.Context(), Hooks{}, world, []string{"logs", wholeID}); strings.Contains(out.String(), "\x1b") {
		t.Errorf("a job takes the terminal over: %q", out.String())
	}
}

func TestOutputIsFollowedToTheEndOverBreaksOfTheConnection(t *testing.T) {
	s := jobServer(t)
	follow := "GET /neap/v1/jobs/" + wholeID + "/logs/follow"
	line := func(n int) string {
		return fmt.Sprintf("event: lines\nid: 1.%d\ndata: {\"items\":[{\"attempt\":1,\"n\":%d,\"stream\":\"stdout\",\"text\":\"line %d\"}]}\n\n", n, n, n)
	}
	s.answers[follow] = reply{body: ": open\n\n" + line(1) + line(2) + "event: lines\ndata: {\"it"} // it breaks off
	s.then = map[string]reply{follow: {body: ": open\n\n" + line(3) + "event: end\ndata: {\"state\":\"FAILED\"}\n\n"}}
	got := neapHurried(t, t.Context(), s, "logs", "-f", wholeID)
	if got.code != ExitDone || got.out != "line 1\nline 2\nline 3\n" || got.err != "[the job has FAILED]\n" {
		t.Errorf("%+v", got)
	}
	asked := s.requests()
	if last := asked[len(asked)-1]; !strings.HasSuffix(last.line, "/logs/follow?after=1.2") {
		t.Errorf("taken up with %s", last.line)
	}
	s.answers[follow] = reply{body: "event: error\ndata: {\"status\":401,\"errors\":[{\"message\":\"This token is not valid.\"}]}\n\n"}
	delete(s.then, follow)
	if got := neapHurried(t, t.Context(), s, "logs", "-f", "--tail", "2", wholeID); got.code != ExitRefused || !strings.Contains(got.err, "This token is not valid.") {
		t.Errorf("%+v", got)
	}
	s.answers[follow] = reply{status: 404, body: `{"errors":[{"message":"There is no job."}]}`}
	if got := neapHurried(t, t.Context(), s, "logs", "-f", wholeID); got.code != ExitRefused || !strings.Contains(got.err, "There is no job.") {
		t.Errorf("%+v", got)
	}
}

func TestQueuesAreSetAndRemoved(t *testing.T) {
	s := jobServer(t)
	if got := neap(t, s, Hooks{}, "job", "queues", "set", "media-low", "--region", "us-east-1", "--types", "c5.large", "--most-vcpus", "64"); got.code != ExitDone || !strings.Contains(got.out, "The queue media-low of aws us-east-1 runs on spot machines.") {
		t.Errorf("%+v", got)
	}
	if got := s.requests()[0]; got.body != `{"cloud":"aws","region":"us-east-1","queue":"media-low","lifecycle":"spot","types":["c5.large"],"most":{"vcpus":64}}` {
		t.Errorf("sent %s", got.body)
	}
	if got := neap(t, s, Hooks{}, "job", "queues", "remove", "a/b", "--region", "us-east-1"); got.code != ExitDone || !strings.HasSuffix(s.requests()[1].line, "queue=a%2Fb&region=us-east-1") {
		t.Errorf("%+v %+v", got, s.requests())
	}
}
