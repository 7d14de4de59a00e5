package cloudtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

// Jobs is one cloud account with queues of its own, for the suite of that ability. Other tests may use the account too.
type Jobs struct {
	Provider     cloud.Provider
	Region       string
	Open, Closed string // queues
	Image        string // one with a shell
	Absent       string // an image that there is not
	Displaced    string // one with a shell, whose machine is taken away
	Advance      func(time.Duration)
}

// jobs is the suite at work on one account.
type jobs struct {
	*testing.T
	Jobs
	queues cloud.JobQueues
}

// RunJobs holds a provider to the contract of cloud.JobQueues.
func RunJobs(t *testing.T, fresh func(t *testing.T) Jobs) {
	for _, c := range []struct {
		name string
		run  func(*jobs)
	}{
		{"queues are listed by name with their state", (*jobs).lists},
		{"a job runs to its end, and its exit code is told", (*jobs).runs},
		{"a job gets its command and its environment to the letter", (*jobs).hands},
		{"a job is found by its token, and by no other", (*jobs).finds},
		{"many jobs are told of at once, the oldest first", (*jobs).describes},
		{"output is read page by page, without gap or repetition", (*jobs).writes},
		{"output of a job that runs is read as it comes", (*jobs).follows},
		{"a job is ended with a reason, however often it is told to", (*jobs).ends},
		{"a job that can't begin is told from one that fails", (*jobs).breaks},
		{"a job whose machine is taken away did not fail by itself", (*jobs).displaces},
		{"a job for a queue that is not there is refused", (*jobs).refuses},
	} {
		t.Run(c.name, func(t *testing.T) {
			kit := fresh(t)
			queues, is := cloud.As[cloud.JobQueues](kit.Provider)
			if !is {
				t.Fatalf("%s has no queues for jobs", kit.Provider.Info().Name)
			}
			c.run(&jobs{t, kit, queues})
		})
	}
}

// spec is a job that runs a script.
func (s *jobs) spec(script string) cloud.JobSpec {
	return cloud.JobSpec{
		Token: unique() + ".1", Queue: s.Open, Image: s.Image, Command: []string{"sh", "-c", script}, MilliCPU: 100, MemoryMiB: 64,
		Tags: map[string]string{"neap:installation": "cloudtest"},
	}
}

func (s *jobs) submit(spec cloud.JobSpec) string {
	s.Helper()
	id, err := s.queues.SubmitJob(s.Context(), s.Region, spec)
	if err != nil || id == "" {
		s.Fatalf("SubmitJob: %q, %v", id, err)
	}
	return id
}

func (s *jobs) list(q cloud.JobQuery) []cloud.Job {
	s.Helper()
	q.Region = s.Region
	found, err := s.queues.Jobs(s.Context(), q)
	if err != nil {
		s.Fatalf("Jobs: %v", err)
	}
	return found
}

// until lets time pass until a job is as it should be.
func (s *jobs) until(id, what string, done func(cloud.Job) bool) cloud.Job {
	s.Helper()
	var last cloud.Job
	for range 2000 {
		if found := s.list(cloud.JobQuery{IDs: []string{id}}); len(found) == 1 {
			if last = found[0]; done(last) {
				return last
			}
		}
		s.Advance(time.Second)
	}
	s.Fatalf("%s never %s: %+v", id, what, last)
	return last
}

func (s *jobs) ended(id string) cloud.Job {
	s.Helper()
	j := s.until(id, "ends", func(j cloud.Job) bool { return j.State == cloud.JobEnded })
	if j.Ended.IsZero() || j.End == "" {
		s.Errorf("it does not tell when or how it ended: %+v", j)
	}
	return j
}

func (s *jobs) running(id string) cloud.Job {
	s.Helper()
	j := s.until(id, "runs", func(j cloud.Job) bool { return j.State == cloud.JobRunning })
	if j.Started.IsZero() || !j.Ended.IsZero() || j.Code != nil {
		s.Errorf("%+v", j)
	}
	return j
}

// output reads all that there is, by pages of so many events.
func (s *jobs) output(name string, limit int) (lines []string) {
	s.Helper()
	for cursor := ""; ; {
		page, next, err := s.queues.JobOutput(s.Context(), s.Region, name, cursor, limit)
		if err != nil || len(page) > limit {
			s.Fatalf("JobOutput: %d events, %v", len(page), err)
		}
		for _, line := range page {
			lines = append(lines, line.Text)
		}
		if next == cursor {
			return lines
		}
		cursor = next
	}
}

func (s *jobs) lists() {
	found, err := s.queues.JobQueues(s.Context(), s.Region, []string{s.Closed, "no-such-queue", s.Open})
	if err != nil || len(found) != 2 {
		s.Fatalf("%+v, %v", found, err)
	}
	for _, q := range found {
		if want := map[string]cloud.JobQueueState{s.Open: cloud.JobQueueOpen, s.Closed: cloud.JobQueueClosed}[q.Name]; q.State != want {
			s.Errorf("%+v, want %s", q, want)
		}
	}
	all, err := s.queues.JobQueues(s.Context(), s.Region, nil)
	if err != nil || !slices.Contains(all, found[0]) || !slices.Contains(all, found[1]) {
		s.Errorf("all: %+v, %v", all, err)
	}
}

func (s *jobs) runs() {
	for _, code := range []int{0, 3} {
		spec := s.spec(fmt.Sprintf("exit %d", code))
		j := s.ended(s.submit(spec))
		if j.Token != spec.Token || j.End != cloud.JobExited || j.Code == nil || *j.Code != code || j.Started.Before(j.Created.Add(-time.Second)) {
			s.Errorf("exit %d: %+v", code, j)
		}
	}
}

func (s *jobs) hands() {
	const odd = `a "b" 'c' $HOME $(id) Ref::x ` + "\\ ü"
	spec := s.spec(`printf '%s\n' "$SECRET" "$1"`)
	spec.Command, spec.Env = append(spec.Command, "sh", odd), map[string]string{"SECRET": odd}
	j := s.ended(s.submit(spec))
	if lines := s.output(j.Output, 100); !slices.Equal(lines, []string{odd, odd}) {
		s.Errorf("%q", lines)
	}
}

func (s *jobs) finds() {
	spec := s.spec("sleep 60")
	if found := s.list(cloud.JobQuery{Queue: s.Open, Token: spec.Token}); len(found) != 0 {
		s.Errorf("before it was submitted: %+v", found)
	}
	id := s.submit(spec)
	for _, state := range []string{"at once", "ended"} {
		if found := s.list(cloud.JobQuery{Queue: s.Open, Token: spec.Token}); len(found) != 1 || found[0].ID != id {
			s.Errorf("%s: %+v", state, found)
		}
		if err := s.queues.EndJob(s.Context(), s.Region, id, "seen"); err != nil {
			s.Error(err)
		}
		s.ended(id)
	}
	for _, other := range []string{strings.ToUpper(spec.Token), spec.Token + "1", strings.TrimSuffix(spec.Token, "1")} {
		if found := s.list(cloud.JobQuery{Queue: s.Open, Token: other}); len(found) != 0 {
			s.Errorf("%s: %+v", other, found)
		}
	}
}

func (s *jobs) describes() {
	first, second := s.submit(s.spec("true")), s.submit(s.spec("true"))
	s.ended(first)
	s.ended(second)
	ids := []string{second}
	for n := range 230 {
		ids = append(ids, fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
	}
	found := s.list(cloud.JobQuery{IDs: append(ids, first)})
	if len(found) != 2 || found[0].Created.After(found[1].Created) {
		s.Errorf("%+v", found)
	}
	if found := s.list(cloud.JobQuery{IDs: []string{}}); len(found) != 0 {
		s.Errorf("of no ids: %+v", found)
	}
}

func (s *jobs) writes() {
	j := s.ended(s.submit(s.spec("for i in 1 2 3 4 5 6 7; do echo line $i; done; echo 'ünï' >&2")))
	want := []string{"line 1", "line 2", "line 3", "line 4", "line 5", "line 6", "line 7", "ünï"}
	for _, limit := range []int{1, 3, 8, 100} {
		if got := s.output(j.Output, limit); !slices.Equal(got, want) {
			s.Errorf("by %d: %q", limit, got)
		}
	}
	if page, next, err := s.queues.JobOutput(s.Context(), s.Region, "neap-none/default/none", "", 10); err != nil || len(page) != 0 || next != "" {
		s.Errorf("of nothing: %v, %q, %v", page, next, err)
	}
}

func (s *jobs) follows() {
	id := s.submit(s.spec("echo first; while [ ! -e \"$0.never\" ]; do sleep 0.05; echo next; done"))
	j, cursor, lines := s.running(id), "", []string(nil)
	for range 2000 {
		page, next, err := s.queues.JobOutput(s.Context(), s.Region, j.Output, cursor, 2)
		if err != nil {
			s.Fatal(err)
		}
		for _, line := range page {
			lines = append(lines, line.Text)
		}
		if cursor = next; len(lines) >= 5 {
			break
		}
		s.Advance(time.Second)
	}
	if len(lines) < 5 || lines[0] != "first" || slices.Contains(lines[1:], "first") {
		s.Errorf("%q", lines)
	}
	if err := s.queues.EndJob(s.Context(), s.Region, id, "seen enough"); err != nil {
		s.Error(err)
	}
	s.ended(id)
}

func (s *jobs) ends() {
	id := s.submit(s.spec("sleep 60"))
	s.running(id)
	for range 2 {
		if err := s.queues.EndJob(s.Context(), s.Region, id, "The first reason holds."); err != nil {
			s.Error(err)
		}
	}
	if j := s.ended(id); j.End != cloud.JobKilled || j.Reason != "The first reason holds." {
		s.Errorf("%+v", j)
	}
	over := s.submit(s.spec("true"))
	s.ended(over)
	for _, id := range []string{id, over, "00000000-0000-4000-8000-000000000000"} {
		if err := s.queues.EndJob(s.Context(), s.Region, id, "once more"); err != nil {
			s.Errorf("%s: %v", id, err)
		}
	}
	if j := s.ended(over); j.End != cloud.JobExited {
		s.Errorf("ended after its end: %+v", j)
	}
}

func (s *jobs) breaks() {
	absent, missing := s.spec("true"), s.spec("true")
	absent.Image, missing.Command = s.Absent, []string{"no-such-command"}
	for _, spec := range []cloud.JobSpec{absent, missing} {
		if j := s.ended(s.submit(spec)); j.End != cloud.JobBroken || j.Reason == "" || j.Code != nil {
			s.Errorf("%+v", j)
		}
	}
}

func (s *jobs) displaces() {
	spec := s.spec("true")
	spec.Image = s.Displaced
	if j := s.ended(s.submit(spec)); j.End != cloud.JobDisplaced || j.Reason == "" {
		s.Errorf("%+v", j)
	}
}

func (s *jobs) refuses() {
	spec := s.spec("true")
	spec.Queue = "no-such-queue"
	_, err := s.queues.SubmitJob(s.Context(), s.Region, spec)
	if refusal, is := errors.AsType[*cloud.Refusal](err); !is || refusal.Kind != cloud.BadRequest || refusal.Message == "" {
		s.Errorf("%v", err)
	}
}
