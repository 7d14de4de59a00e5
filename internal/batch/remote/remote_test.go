package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

func refused(t *testing.T, err error, kind runtime.RefusalKind) string {
	t.Helper()
	refusal, is := errors.AsType[*runtime.Refusal](err)
	if !is || refusal.Kind != kind {
		t.Fatalf("%v, want a refusal of kind %s", err, kind)
	}
	return refusal.Message
}

func TestATaskThatCanNeverRunIsRefusedWithTheReason(t *testing.T) {
	w := begin(t)
	for says, change := range map[string]func(*runtime.Spec){
		"There is no AWS Batch queue media-low in us-east-1; there are low.": func(s *runtime.Spec) { s.Place.Queue = "media-low" },
		"queue off in us-east-1 is disabled":                                 func(s *runtime.Spec) { s.Place.Queue = "off" },
		"queue pods in us-east-1 can't run containers of Neap's: it runs":    func(s *runtime.Spec) { s.Place.Queue = "pods" },
		"keeps no checkpoint folders":                                        func(s *runtime.Spec) { s.Checkpoint = "job" },
		`"host" is none`:                                                     func(s *runtime.Spec) { s.Image = "host" },
		`"/srv/image.tar" is none`:                                           func(s *runtime.Spec) { s.Image = "/srv/image.tar" },
		`"" is none`:                                                         func(s *runtime.Spec) { s.Image = "" },
		"no AWS Batch in the cloud azure":                                    func(s *runtime.Spec) { s.Place.Cloud = "azure" },
		"needs an account, a region and a queue":                             func(s *runtime.Spec) { s.Place.Region = "" },
		"picks its instances itself":                                         func(s *runtime.Spec) { s.UserData = "x" },
		`named "AWS_BATCH_JOB_ID"`:                                           func(s *runtime.Spec) { s.Env = map[string]string{"AWS_BATCH_JOB_ID": "1"} },
		"name the tag \"AWS:x\" otherwise":                                   func(s *runtime.Spec) { s.Labels = map[string]string{"AWS:x": ""} },
		"no more than 47 tags of a job, Neap's own among them; there are 48.": func(s *runtime.Spec) {
			s.Labels = map[string]string{}
			for n := range 48 {
				s.Labels[fmt.Sprint(n)] = ""
			}
		},
		`There is no region "moon-1".`:                 func(s *runtime.Spec) { s.Place.Region = "moon-1" },
		`There is no region "us-east-1.example.com/".`: func(s *runtime.Spec) { s.Place.Region = "us-east-1.example.com/" },
		`"a/b" is none`:                                func(s *runtime.Spec) { s.ID = "a/b" },
	} {
		s := spec("a.1")
		change(&s)
		if said := refused(t, w.Check(t.Context(), s), runtime.Never); !strings.Contains(said, says) {
			t.Errorf("says %q, want %q", said, says)
		}
	}
	for _, image := range []string{"alpine", "library/alpine:3.20", "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/tool:v1", "localhost:5000/x@sha256:" + strings.Repeat("0", 64)} {
		s := spec("a.1")
		s.Image = image
		if err := w.Check(t.Context(), s); err != nil {
			t.Errorf("%s: %v", image, err)
		}
	}
	if n := w.cloud.count()["JobQueues"]; n > 8 {
		t.Errorf("asked %d times: a queue that takes jobs is believed for a while", n)
	}
	w.cloud.fail("JobQueues", &cloud.Refusal{Kind: cloud.Denied, Message: "no"})
	w.clock.Advance(openFor)
	if err := w.Check(t.Context(), spec("a.1")); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.As(err).Sentence(), "permissions") {
		t.Errorf("%v: what is mended later is no refusal", err)
	}
}

func TestATaskRunsToItsEnd(t *testing.T) {
	w := begin(t)
	if _, is := w.task("a.1"); is {
		t.Error("it is known before it begins")
	}
	w.start("a.1")
	j := w.cloud.job(t, "a.1")
	if got := fmt.Sprint(j.spec.MilliCPU, j.spec.MemoryMiB, j.spec.Env, j.spec.Tags); got != "1500 2048 map[TOKEN:s3cret] map[neap.class:a_b neap:account:acc neap:installation:inst-1 neap:task:a.1]" {
		t.Error(got)
	}
	if said := w.is("a.1", runtime.Starting); said.Reason != "It waits in the queue low." {
		t.Errorf("%+v", said)
	}
	w.clock.Advance(polled)
	w.cloud.begin(t, "a.1")
	w.cloud.write(t, "a.1", "one", "two\nthree\r\n")
	if said := w.is("a.1", runtime.Running); said.Started.IsZero() || said.Limits == "" || said.Lines != 3 || said.Reason != "" {
		t.Errorf("%+v", said)
	}
	w.start("a.1") // begins nothing
	w.cloud.write(t, "a.1", "four")
	w.cloud.end(t, "a.1", cloud.JobExited, 3, "")
	w.clock.Advance(polled)
	w.is("a.1", runtime.Running) // what it wrote last may still come
	w.cloud.write(t, "a.1", "five")
	w.clock.Advance(lateOutput)
	if said := w.is("a.1", runtime.Ended); said.Exit != (runtime.Exit{Code: 3}) || said.Ended.IsZero() || said.Lines != 5 {
		t.Errorf("%+v", said)
	}
	w.restart()
	w.cloud.count()
	w.is("a.1", runtime.Ended)
	if got := w.output("a.1", 0, 10); got != "one two three four five" {
		t.Error(got)
	}
	if calls := w.cloud.count(); calls["Jobs"] != 0 {
		t.Errorf("asks about what is over: %v", calls)
	}
	for range 2 {
		if err := w.Forget(t.Context(), "a.1", ""); err != nil {
			t.Error(err)
		}
	}
	if _, is := w.task("a.1"); is {
		t.Error("it is known although it was forgotten")
	}
}

func TestEachEndIsToldAsWhatItIs(t *testing.T) {
	for name, c := range map[string]struct {
		end    cloud.JobEnd
		code   int
		reason string
		state  runtime.State
		exit   runtime.Exit
		says   string
	}{
		"by itself":          {cloud.JobExited, 0, "", runtime.Ended, runtime.Exit{}, ""},
		"by a signal":        {cloud.JobExited, 139, "", runtime.Ended, runtime.Exit{Code: 139, Signal: "SEGV"}, ""},
		"at a timeout":       {cloud.JobTimedOut, 0, "Job attempt duration exceeded timeout", runtime.Ended, runtime.Exit{Code: 137, Signal: "KILL", TimedOut: true}, ""},
		"at Neap's timeout":  {cloud.JobKilled, 0, reasonTimedOut, runtime.Ended, runtime.Exit{Code: 137, Signal: "KILL", TimedOut: true}, ""},
		"by Neap":            {cloud.JobKilled, 0, reasonStopped, runtime.Ended, runtime.Exit{Code: 137, Signal: "KILL", Stopped: true}, ""},
		"by somebody else":   {cloud.JobKilled, 0, "tidying", runtime.Ended, runtime.Exit{Code: 137, Signal: "KILL", Reason: "It was ended in AWS Batch, not by Neap: tidying"}, ""},
		"for want of memory": {cloud.JobOutOfMemory, 0, "OutOfMemoryError: x", runtime.Ended, runtime.Exit{Code: 137, Signal: "KILL", OutOfMemory: true, Reason: "OutOfMemoryError: x"}, ""},
		"before it began":    {cloud.JobBroken, 0, "CannotPull", runtime.Ended, runtime.Exit{Code: 127, Reason: "It could not begin: CannotPull"}, ""},
		"with its machine":   {cloud.JobDisplaced, 0, "Host EC2 (instance i-1) terminated.", runtime.Lost, runtime.Exit{}, "AWS took its machine away: Host EC2 (instance i-1) terminated."},
	} {
		t.Run(name, func(t *testing.T) {
			w := begin(t)
			w.start("a.1")
			w.cloud.begin(t, "a.1")
			w.cloud.end(t, "a.1", c.end, c.code, c.reason)
			if said := w.over("a.1"); said.State != c.state || said.Exit != c.exit || said.Reason != c.says || said.Ended.IsZero() {
				t.Errorf("%+v", said)
			}
		})
	}
}

func TestASubmissionWhoseAnswerIsLostBeginsOneJob(t *testing.T) {
	for name, c := range map[string]struct {
		lost error
		jobs int // by the end
	}{"on the way there": {errLost, 0}, "on the way back": {lostAfter{errLost}, 1}} {
		t.Run(name, func(t *testing.T) {
			w := begin(t)
			w.cloud.fail("SubmitJob", c.lost)
			if err := w.Start(t.Context(), spec("a.1")); err == nil {
				t.Error("it is not known to have begun")
			}
			for range 2 { // neither the same process nor the next one may try again so soon, nor call it unknown
				if err := w.Start(t.Context(), spec("a.1")); err == nil || errors.As(err, new(*runtime.Refusal)) {
					t.Error(err)
				}
				w.is("a.1", runtime.Starting)
				w.clock.Advance(settle / 2)
				w.restart()
			}
			w.clock.Advance(submitWithin + time.Second)
			if n := w.cloud.count()["SubmitJob"]; n != 1 {
				t.Fatalf("submitted %d times", n)
			}
			if err := w.Start(t.Context(), spec("a.1")); (err == nil) != (c.jobs == 1) {
				t.Errorf("%v: one look that finds nothing proves nothing", err)
			}
			w.clock.Advance(polled)
			w.start("a.1")
			if n := w.cloud.count()["SubmitJob"]; n != 1-c.jobs {
				t.Errorf("submitted %d times more", n)
			}
			w.cloud.begin(t, "a.1") // the one
			w.is("a.1", runtime.Running)
		})
	}
}

func TestATaskThatNeverReachedTheCloudIsLostInTheEnd(t *testing.T) {
	w := begin(t)
	w.cloud.fail("SubmitJob", errLost)
	if err := w.Start(t.Context(), spec("a.1")); err == nil {
		t.Error("it began")
	}
	w.restart()
	w.clock.Advance(settle)
	w.is("a.1", runtime.Starting)
	w.clock.Advance(submitWithin + time.Second)
	w.is("a.1", runtime.Starting) // one look may be at an outage
	w.clock.Advance(polled)
	if said := w.is("a.1", runtime.Lost); said.Reason == "" || said.Ended.IsZero() {
		t.Errorf("%+v", said)
	}
	w.start("a.1")
	if n := w.cloud.count()["SubmitJob"]; n != 1 {
		t.Errorf("what was called lost was begun again: %d", n)
	}
}

func TestAJobThatTurnsUpAfterItsTaskWasGivenUpIsEnded(t *testing.T) {
	w := begin(t)
	queues, _, err := w.queues(t.Context(), "acc")
	if err != nil {
		t.Fatal(err)
	}
	w.cloud.fail("SubmitJob", errLost)
	_ = w.Start(t.Context(), spec("a.1")) // its error is another test's
	d, _, err := w.read(t.Context(), "a.1")
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(settle + submitWithin + time.Second)
	w.is("a.1", runtime.Starting)
	w.clock.Advance(polled)
	w.is("a.1", runtime.Lost)
	if err := w.submit(t.Context(), queues, spec("a.1"), d); err == nil || w.cloud.count()["SubmitJob"] != 1 {
		t.Errorf("%v: a process that slept all the while submits it", err)
	}
	late, err := queues.SubmitJob(t.Context(), "us-east-1", w.jobOf(spec("a.1"))) // or slept just before this
	if err != nil {
		t.Fatal(err)
	}
	if err := w.put(t.Context(), queues, d, late); err != nil {
		t.Fatal(err)
	}
	if j := w.cloud.job(t, "a.1"); j.State != cloud.JobEnded || j.Reason != reasonStopped {
		t.Errorf("%+v", j.Job)
	}
}

func TestWhatTheCloudRefusesHasNotBegun(t *testing.T) {
	for _, c := range []struct {
		said cloud.RefusalKind
		kind runtime.RefusalKind // "" = ask again later
	}{{cloud.BadRequest, runtime.Never}, {cloud.Unknown, runtime.Never}, {cloud.NoQuota, runtime.Full}, {cloud.NoCapacity, runtime.Full}, {cloud.Throttled, ""}, {cloud.Denied, ""}} {
		w := begin(t)
		w.cloud.fail("SubmitJob", &cloud.Refusal{Kind: c.said, Code: "X", Message: "No."})
		err := w.Start(t.Context(), spec("a.1"))
		refusal, is := errors.AsType[*runtime.Refusal](err)
		if err == nil || is != (c.kind != "") || is && refusal.Kind != c.kind {
			t.Errorf("%s: %v", c.said, err)
		}
		if _, is := w.task("a.1"); is {
			t.Errorf("%s: it is known", c.said)
		}
		w.start("a.1") // at once: there is no doubt
		w.cloud.job(t, "a.1")
	}
}

func TestATaskIsStoppedWhereverItStands(t *testing.T) {
	w := begin(t)
	stop := func(id string) {
		t.Helper()
		for range 2 {
			if err := w.Stop(t.Context(), id, time.Second); err != nil {
				t.Error(err)
			}
		}
	}
	stop("nobody")
	w.start("waiting")
	w.start("running")
	w.cloud.begin(t, "running")
	w.cloud.fail("SubmitJob", lostAfter{errLost}, errLost)
	for _, id := range []string{"hidden", "absent"} {
		if err := w.Start(t.Context(), spec(id)); err == nil {
			t.Error("it began")
		}
	}
	for _, id := range []string{"waiting", "running", "hidden", "absent"} {
		stop(id)
	}
	w.restart()
	w.clock.Advance(settle + submitWithin + time.Second)
	w.start("absent") // begins nothing
	for _, id := range []string{"waiting", "running", "hidden", "absent"} {
		w.task(id)
		w.clock.Advance(polled)
		w.task(id)
		w.clock.Advance(lateOutput)
		if said := w.is(id, runtime.Ended); !said.Exit.Stopped {
			t.Errorf("%s: %+v", id, said)
		}
		w.start(id)
	}
	if n := w.cloud.count()["SubmitJob"]; n != 4 {
		t.Errorf("submitted %d times", n)
	}
	w.start("again")
	w.cloud.fail("EndJob", errLost)
	if err := w.Stop(t.Context(), "again", 0); err == nil {
		t.Error("nobody was told that it goes on")
	}
	stop("again")
	if j := w.cloud.job(t, "again"); j.State != cloud.JobEnded {
		t.Errorf("%+v", j)
	}
}

func TestAShortTimeoutIsKeptByNeap(t *testing.T) {
	w := begin(t)
	short := spec("a.1")
	short.Timeout = 5 * time.Second
	if err := w.Start(t.Context(), short); err != nil {
		t.Fatal(err)
	}
	long := spec("b.1")
	long.Timeout = time.Minute
	if err := w.Start(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(10 * time.Second) // waiting does not count
	w.cloud.begin(t, "a.1")
	w.cloud.begin(t, "b.1")
	w.is("a.1", runtime.Running)
	w.restart()
	w.clock.Advance(5 * time.Second)
	w.is("a.1", runtime.Running)
	w.clock.Advance(polled)
	if said := w.over("a.1"); said.State != runtime.Ended || !said.Exit.TimedOut || said.Exit.Stopped {
		t.Errorf("%+v", said)
	}
	w.clock.Advance(time.Hour)
	w.is("b.1", runtime.Running) // the cloud's business
	if w.cloud.job(t, "b.1").spec.Timeout != time.Minute {
		t.Error("the cloud was not told")
	}
}

func TestAnAbsenceIsNoLossUntilItHasLasted(t *testing.T) {
	w := begin(t)
	w.start("a.1")
	w.cloud.begin(t, "a.1")
	w.is("a.1", runtime.Running)
	j := w.cloud.job(t, "a.1")
	w.clock.Advance(time.Hour)
	for _, gone := range []bool{true, false, true} {
		w.cloud.mu.Lock()
		j.purged = gone
		w.cloud.mu.Unlock()
		w.clock.Advance(settle / 2)
		w.is("a.1", runtime.Running)
	}
	w.clock.Advance(settle + time.Second)
	if said := w.is("a.1", runtime.Lost); said.Reason == "" {
		t.Errorf("%+v", said)
	}
}

func TestOutputIsTheSameInWhateverPartsItIsRead(t *testing.T) {
	w := begin(t)
	w.start("a.1")
	w.cloud.begin(t, "a.1")
	var want []string
	for n := range 50 {
		want = append(want, fmt.Sprint(n))
	}
	w.cloud.write(t, "a.1", strings.Join(want[:7], "\n"))
	w.cloud.write(t, "a.1", want[7:]...)
	w.is("a.1", runtime.Running)
	for _, limit := range []int{1, 3, 7, 49, 1000} {
		var got []string
		for after := int64(0); ; {
			part := w.output("a.1", after, limit)
			if part == "" {
				break
			}
			got = append(got, strings.Fields(part)...)
			after = int64(len(got))
			if after%4 == 1 {
				w.restart()
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %d: %q", limit, got)
		}
	}
	if got := w.output("a.1", 60, 5); got != "" {
		t.Errorf("behind the end: %q", got)
	}
	if got := w.output("nobody", 0, 5); got != "" {
		t.Errorf("of nobody: %q", got)
	}
	w.cloud.fail("JobOutput", &cloud.Refusal{Kind: cloud.BadRequest, Code: "InvalidParameterException", Message: "The token is too old."})
	if _, err := w.Output(t.Context(), "a.1", 40, 5); err == nil || errors.As(err, new(*cloud.Refusal)) == false && !errors.As(err, new(*runtime.Refusal)) {
		t.Error(err)
	}
	if got := w.output("a.1", 40, 3); got != "40 41 42" {
		t.Errorf("after a cursor that was too old: %q", got)
	}
}

func TestLongLinesAreCutBetweenCharacters(t *testing.T) {
	lines := linesOf(cloud.JobLine{Text: "x" + strings.Repeat("ü", longestLine) + "\n\xff\r\n"})
	if len(lines) != 4 || len(lines[0].Text) != longestLine-1 || lines[3].Text != "\uFFFD" {
		t.Errorf("%d lines of %d", len(lines), len(lines[0].Text))
	}
	if whole := lines[0].Text + lines[1].Text + lines[2].Text; whole != "x"+strings.Repeat("ü", longestLine) {
		t.Error("cutting changes the text")
	}
	if lines := linesOf(cloud.JobLine{}); len(lines) != 1 || lines[0].Text != "" {
		t.Errorf("an empty line: %+v", lines)
	}
}

func TestNothingSecretIsStored(t *testing.T) {
	w := begin(t)
	w.start("a.1")
	docs, _, err := rows.List(t.Context(), w.db, store.Installation(), store.Query{})
	if err != nil || len(docs) != 1 {
		t.Fatal(docs, err)
	}
	if text, err := json.Marshal(docs); err != nil || strings.Contains(string(text), "s3cret") || strings.Contains(string(text), "alpine") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestHundredsOfTasksTakeOneCallASecond(t *testing.T) {
	w := begin(t)
	var ids []string
	for n := range 350 {
		ids = append(ids, fmt.Sprintf("task-%d", n))
		w.start(ids[n])
	}
	w.clock.Advance(polled)
	w.cloud.count()
	ctx, cancel := context.WithCancel(t.Context())
	told := w.Watch(ctx)
	go func() {
		for range told {
		}
	}()
	seen := 0
	for range 40 {
		w.clock.Advance(polled)
		for range 20 { // the poller's turn
			if tasks, err := w.Tasks(ctx, ids[:1]); err != nil || len(tasks) != 1 {
				t.Fatal(tasks, err)
			}
		}
		seen += w.cloud.count()["Jobs"]
	}
	cancel()
	if seen > 80 {
		t.Errorf("%d calls in 40 seconds for %d tasks", seen, len(ids))
	}
}
