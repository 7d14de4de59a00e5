package mishap_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/mishap"
)

// batches is a cloud that can run jobs, and counts the calls that reach it.
type batches struct {
	cloud.Provider
	calls *int
}

func (b batches) Info() cloud.Info { return cloud.Info{Name: "aws"} }
func (b batches) JobQueues(context.Context, string, []string) ([]cloud.JobQueue, error) {
	*b.calls++
	return []cloud.JobQueue{{Name: "low"}}, nil
}
func (b batches) SubmitJob(context.Context, string, cloud.JobSpec) (string, error) {
	*b.calls++
	return "j-1", nil
}
func (b batches) Jobs(context.Context, cloud.JobQuery) ([]cloud.Job, error) {
	*b.calls++
	return []cloud.Job{{ID: "j-1"}}, nil
}
func (b batches) EndJob(context.Context, string, string, string) error { *b.calls++; return nil }
func (b batches) JobOutput(context.Context, string, string, string, int) ([]cloud.JobLine, string, error) {
	*b.calls++
	return []cloud.JobLine{{Text: "a"}}, "f/1", nil
}

func TestCallsAboutJobsGoWrongAsAllOthers(t *testing.T) {
	for kind, c := range map[mishap.Kind]struct {
		reached   int
		isRefusal bool
		fails     bool
	}{"": {5, false, false}, mishap.Lost: {0, false, true}, mishap.Unanswered: {5, false, true}, mishap.Throttled: {0, true, true}} {
		calls := 0
		plan := mishap.Plan{Rate: map[mishap.Kind]float64{kind: 1}}
		p := mishap.New(1, mishap.Steady(plan)).Wrap(clock.NewManual(time.Unix(0, 0)), "acc", batches{calls: &calls})
		jobs, is := cloud.As[cloud.JobQueues](p)
		if !is {
			t.Fatal("the ability got lost")
		}
		queues, first := jobs.JobQueues(t.Context(), region, nil)
		id, second := jobs.SubmitJob(t.Context(), region, cloud.JobSpec{})
		found, third := jobs.Jobs(t.Context(), cloud.JobQuery{Region: region})
		lines, next, fourth := jobs.JobOutput(t.Context(), region, "s", "", 1)
		for n, err := range []error{first, second, third, fourth, jobs.EndJob(t.Context(), region, "j-1", "enough")} {
			if (err != nil) != c.fails || errors.As(err, new(*cloud.Refusal)) != c.isRefusal {
				t.Errorf("%s, call %d: %v", kind, n, err)
			}
		}
		if got := len(queues) + len(id) + len(found) + len(lines) + len(next); calls != c.reached || got == 0 != c.fails {
			t.Errorf("%s: %d calls reached the cloud, %d came back", kind, calls, got)
		}
	}
}
