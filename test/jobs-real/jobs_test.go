package jobsreal

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// secret is a value that jobs get and nobody else may ever see.
const secret = "canary-env-of-a-real-job"

func TestJobsAreRealProcesses(t *testing.T) {
	bin := binary(t)
	t.Run("side by side", func(t *testing.T) {
		t.Parallel()
		n := up(t, bin, "127.0.0.1", "--rate", "30", "--job-vcpus", "8", "--job-memory", "8192")
		t.Run("cases", func(t *testing.T) {
			for _, c := range cases() {
				t.Run(c.job, func(t *testing.T) {
					t.Parallel()
					c.runs(t, n)
				})
			}
		})
		n.keepsSecrets(t)
	})
	t.Run("Neap is killed beneath them", func(t *testing.T) {
		t.Parallel()
		outlive(t, up(t, bin, "127.0.0.1", "--rate", "30"))
	})
	t.Run("others can reach Neap", func(t *testing.T) {
		t.Parallel()
		n := up(t, bin, "0.0.0.0", "--rate", "30")
		j := n.ended(t, n.submit(t, document("guest", "true")), "REJECTED", 0)
		if !strings.Contains(j.Reason, "listens for other machines") {
			t.Errorf("%+v", j)
		}
	})
}

// example is a job, named by what becomes of it.
type example struct {
	job  string
	runs func(*testing.T, *neap)
}

// cases begin with those that take long, as few of them run at a time.
func cases() []example {
	return []example{
		{"is cancelled with stubborn children", cancelled},
		{"is awaited on the command line", awaited},
		{"loses its machine", losesItsMachine},
		{"runs out of time", timesOut},
		{"takes more memory than it asked for", outOfMemory},
		{"runs in a folder and in an archive", runsInImages},
		{"is only tried", dryRun},
		{"is followed while it writes", followed},
		{"writes on both streams", speaks},
		{"fails with its own code", fails},
		{"names no command", unknownCommand},
		{"has its environment", hasEnvironment},
		{"names an image of a registry", registryImage},
		{"is submitted twenty times at once", submittedOnce},
	}
}

func speaks(t *testing.T, n *neap) {
	id := n.submit(t, document("speaks", "echo one; echo two >&2; echo three"))
	n.ended(t, id, "SUCCEEDED", 1)
	var out, errs []string
	for _, l := range n.lines(t, id) {
		if l.Stream == "stderr" {
			errs = append(errs, l.Text)
		} else {
			out = append(out, l.Text)
		}
	}
	if fmt.Sprint(out, errs) != "[one three] [two]" {
		t.Errorf("out %v, errors %v", out, errs)
	}
	logs := must[struct{ Response []struct{ Message string } }](t, n, "GET", n.mapsor("/logs/"+id), nil)
	if len(logs.Response) != 3 {
		t.Errorf("%+v", logs)
	}
}

func fails(t *testing.T, n *neap) {
	if j := n.ended(t, n.submit(t, document("fails", "exit 37")), "FAILED", 1); j.code() != 37 || !strings.Contains(j.Reason, "37") {
		t.Errorf("%+v", j)
	}
}

func unknownCommand(t *testing.T, n *neap) {
	j := n.ended(t, n.submit(t, with(document("unknown", ""), "command", []string{"/no/such/command"})), "FAILED", 1)
	if j.code() != 127 || !strings.Contains(j.Reason, "/no/such/command") {
		t.Errorf("%+v", j)
	}
}

// stubborn is a tree of three processes that let nobody ask them to end; two of them have left their parent's session.
const stubborn = `trap '' TERM; (trap '' TERM; sleep 600) & a=$!; setsid sh -c 'trap "" TERM; echo far $$; sleep 600' & echo tree $$ $a $!; wait; sleep 600`

func timesOut(t *testing.T, n *neap) {
	id := n.submit(t, with(document("slow", stubborn), "timeout", 1))
	all := pids(t, append(n.words(t, id, 1, "tree "), n.words(t, id, 1, "far ")...))
	j := n.ended(t, id, "TIMED_OUT", 1)
	if j.Attempts[0].Exit == nil || !j.Attempts[0].Exit.TimedOut {
		t.Errorf("%+v", j)
	}
	if left := living(all); len(left) > 0 {
		t.Errorf("of %v there are still %v", all, left)
	}
}

func cancelled(t *testing.T, n *neap) {
	id := n.submit(t, document("stubborn", stubborn))
	all := pids(t, append(n.words(t, id, 1, "tree "), n.words(t, id, 1, "far ")...))
	if left := living(all); len(left) != len(all) {
		t.Fatalf("of %v there are only %v", all, left)
	}
	if status, raw := n.call(t, "GET", n.mapsor("/cancel/"+id), nil); status != http.StatusOK {
		t.Fatalf("%d %s", status, raw)
	}
	if state := n.status(t, id); state != "CANCELLED" {
		t.Errorf("%s", state)
	}
	until(t, "the whole tree has ended", func() bool { return len(living(all)) == 0 })
	until(t, "its attempt is over", func() bool { return n.read(t, id).Attempts[0].Outcome == "cancelled" })
}

func outOfMemory(t *testing.T, n *neap) {
	whole := map[string]any{"vcpus": 1, "memory": 64} // with little of a processor it takes the kernel half a minute to end it
	id := n.submit(t, with(document("large", "head -c 300m /dev/zero | tail > /dev/null && echo took it all"), "resources", whole))
	n.reaches(t, id, "SUCCEEDED", "FAILED")
	j := n.read(t, id)
	switch a := j.Attempts[0]; {
	case strings.Contains(a.Limits, "no memory"): // as it says itself
		if j.State != "SUCCEEDED" {
			t.Errorf("%+v", j)
		}
	case j.State != "FAILED" || a.Exit == nil || !a.Exit.OutOfMemory || !strings.Contains(j.Reason, "64 MiB"):
		t.Errorf("%+v", j)
	}
}

func hasEnvironment(t *testing.T, n *neap) {
	id := n.submit(t, with(document("environment", `test "$KEY" = `+"'"+`canary-env-of-a-''real-job'; echo "$? ${NEAP_TASK:+task} ${PATH:+path} $NUMBER"`), "env", map[string]any{"KEY": secret, "NUMBER": 12}))
	n.ended(t, id, "SUCCEEDED", 1)
	if words := n.words(t, id, 1, ""); !slices.Equal(words, []string{"0", "task", "path", "12"}) {
		t.Errorf("%q", words)
	}
}

// keepsSecrets looks for what hasEnvironment's job was given, wherever Neap tells anything.
func (n *neap) keepsSecrets(t *testing.T) {
	t.Helper()
	window := fmt.Sprintf("&customer=lightning&start_time=0&end_time=%d", time.Now().Add(1000*time.Hour).UnixMilli())
	status, list := n.call(t, "GET", n.mapsor("/list")+window, nil)
	if status != http.StatusOK || !strings.Contains(string(list), `"environment"`) {
		t.Fatalf("the list does not tell of the job: %d %.300s", status, list)
	}
	looked := map[string]string{"the log": n.said.String(), "the list": string(list)}
	for _, path := range []string{"/neap/v1/jobs?limit=1000", "/neap/v1/audit/export", "/metrics"} {
		_, raw := n.call(t, "GET", path, nil)
		looked[path] = string(raw)
	}
	for where, text := range looked {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows the environment of a job", where)
		}
	}
	if !strings.Contains(looked["the log"], "mapsor.jobs.submit") || strings.Contains(looked["the log"], n.token+"&") || strings.Contains(looked["the log"], "token="+n.token) {
		t.Error("the log does not tell of requests, or tells their tokens")
	}
}

func registryImage(t *testing.T, n *neap) {
	id := n.submit(t, with(document("registry", ""), "image", "hello-world:linux"))
	if j := n.ended(t, id, "REJECTED", 0); !strings.Contains(j.Reason, "hello-world:linux") || !strings.Contains(j.Reason, "fetches none") {
		t.Errorf("%+v", j)
	}
	out, code := n.cli(t, "job", "explain", id)
	if code != 0 || !strings.Contains(out, "fetches none") {
		t.Errorf("%d: %s", code, out)
	}
	if status, raw := n.call(t, "GET", n.mapsor("/logs/"+id), nil); status != http.StatusBadRequest || !strings.Contains(string(raw), "fetches none") {
		t.Errorf("%d %s", status, raw)
	}
}

func runsInImages(t *testing.T, n *neap) {
	folder, archive := images(t)
	for _, image := range []string{folder, archive} {
		id := n.submit(t, with(with(document("image", ""), "image", image), "command", []string{"/bin/hello", "you"}))
		if os.Geteuid() != 0 {
			n.ended(t, id, "REJECTED", 0)
			continue
		}
		n.ended(t, id, "SUCCEEDED", 1)
		if words := strings.Join(n.words(t, id, 1, "hello from an image, with "), " "); words != "1 arguments and a machine's users: false" {
			t.Errorf("%s: %q", image, words)
		}
	}
}

func losesItsMachine(t *testing.T, n *neap) {
	asked := with(document("long", `n=$(cat $NEAP_CHECKPOINT_DIR/n 2>/dev/null || echo 0); echo begins at $n; test $n = 0 || exit 0
		trap 'echo asked to end; echo 7 > $NEAP_CHECKPOINT_DIR/n; exit 1' TERM; while :; do sleep 0.1; done`), "checkpoint", true)
	id := n.submit(t, with(asked, "priority", "LOW"))
	n.words(t, id, 1, "begins at 0")
	until(t, "it has a machine", func() bool { return n.read(t, id).Attempts[0].Host != "" })
	if out, code := n.cli(t, "interrupt", n.read(t, id).Attempts[0].Host); code != 0 {
		t.Fatalf("%d: %s", code, out)
	}
	n.words(t, id, 1, "asked to end")
	n.words(t, id, 2, "begins at 7")
	j := n.ended(t, id, "SUCCEEDED", 2)
	if first := j.Attempts[0]; first.Outcome != "preempted" || first.Exit == nil || !first.Exit.Stopped || j.Attempts[1].Host == first.Host {
		t.Errorf("%+v", j)
	}
}

func submittedOnce(t *testing.T, n *neap) {
	ids := make([]string, 20)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() { ids[i] = n.submit(t, document("twenty", "true"), "Idempotency-Key", "the same twenty") })
	}
	all.Wait()
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) != 1 {
		t.Errorf("one key made %v", ids)
	}
	if jobs := must[struct{ Items []any }](t, n, "GET", "/neap/v1/jobs?class=twenty", nil); len(jobs.Items) != 1 {
		t.Errorf("%d jobs", len(jobs.Items))
	}
	if status, raw := n.call(t, "POST", n.mapsor("/submit"), document("another", "true"), "Idempotency-Key", "the same twenty"); status != http.StatusBadRequest {
		t.Errorf("the key of another job: %d %s", status, raw)
	}
	n.ended(t, ids[0], "SUCCEEDED", 1)
}

func dryRun(t *testing.T, n *neap) {
	try := []string{"Neap-Dry-Run", "true"}
	if status, raw := n.call(t, "POST", n.mapsor("/submit"), document("tried", "true"), try...); status != http.StatusOK {
		t.Errorf("%d %s", status, raw)
	}
	running := n.submit(t, document("stays", "sleep 600"))
	n.reaches(t, running, "RUNNING")
	if status, raw := n.call(t, "GET", n.mapsor("/cancel/"+running), nil, try...); status != http.StatusOK {
		t.Errorf("%d %s", status, raw)
	}
	if state := n.status(t, running); state != "RUNNING" {
		t.Errorf("cancelled on trial, it is %s", state)
	}
	n.call(t, "GET", n.mapsor("/cancel/"+running), nil)
	if status, raw := n.call(t, "GET", n.mapsor("/retry/"+running), nil, try...); status != http.StatusOK {
		t.Errorf("%d %s", status, raw)
	}
	for class, count := range map[string]int{"tried": 0, "stays": 1} {
		if jobs := must[struct{ Items []any }](t, n, "GET", "/neap/v1/jobs?class="+url.QueryEscape(class), nil); len(jobs.Items) != count {
			t.Errorf("%d jobs %s, not %d", len(jobs.Items), class, count)
		}
	}
}

func awaited(t *testing.T, n *neap) {
	for script, want := range map[string]int{"exit 0": 0, "exit 41": 41, "exit 200": 125, "sleep 600": 124} {
		arguments := []string{"job", "submit", "--image", "host", "--customer", "lightning", "--region", "us-east-1", "--priority", "HIGH", "--vcpus", "0.05", "--memory", "64", "--wait"}
		if want == 124 {
			arguments = append(arguments, "--timeout", "1s")
		}
		if out, code := n.cli(t, append(arguments, "--", "/bin/sh", "-c", script)...); code != want {
			t.Errorf("%s ends with %d, not %d: %s", script, code, want, out)
		}
	}
}
