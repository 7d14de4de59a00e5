package budget_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
)

// batches is a cloud that can run jobs, and nothing else.
type batches struct{ cloud.Provider }

func (batches) Info() cloud.Info { return cloud.Info{Name: "aws"} }
func (batches) JobQueues(context.Context, string, []string) ([]cloud.JobQueue, error) {
	return []cloud.JobQueue{{Name: "low"}}, nil
}
func (batches) SubmitJob(context.Context, string, cloud.JobSpec) (string, error) { return "j-1", nil }
func (batches) Jobs(context.Context, cloud.JobQuery) ([]cloud.Job, error) {
	return []cloud.Job{{ID: "j-1"}}, nil
}
func (batches) EndJob(context.Context, string, string, string) error {
	return &cloud.Refusal{Kind: cloud.Throttled}
}
func (batches) JobOutput(context.Context, string, string, string, int) ([]cloud.JobLine, string, error) {
	return []cloud.JobLine{{Text: "a"}}, "f/1", nil
}

func TestCallsAboutJobsAreCountedEachInItsClass(t *testing.T) {
	var seen []string
	b := budget.New(budget.Config{Clock: clock.Wall{}, Observe: func(c budget.Call) {
		seen = append(seen, fmt.Sprint(c.Account, " ", c.Region, " ", c.Class, " ", c.Outcome))
	}})
	p := b.Wrap("acc", batches{})
	if _, is := cloud.As[cloud.Tagger](p); is {
		t.Error("an ability that nobody has was found")
	}
	jobs, is := cloud.As[cloud.JobQueues](p)
	if !is {
		t.Fatal("the ability got lost")
	}
	queues, err := jobs.JobQueues(t.Context(), region, nil)
	must(t, err)
	id, err := jobs.SubmitJob(t.Context(), region, cloud.JobSpec{})
	must(t, err)
	found, err := jobs.Jobs(t.Context(), cloud.JobQuery{Region: region})
	must(t, err)
	lines, next, err := jobs.JobOutput(t.Context(), region, "s", "", 1)
	must(t, err)
	if err := jobs.EndJob(t.Context(), region, "j-1", "enough"); err == nil {
		t.Error("the refusal got lost")
	}
	if len(queues) != 1 || id != "j-1" || len(found) != 1 || len(lines) != 1 || next != "f/1" {
		t.Error(queues, id, found, lines, next)
	}
	want := "[acc us-east-1 JobQueues ok acc us-east-1 SubmitJob ok acc us-east-1 Jobs ok acc us-east-1 JobOutput ok acc us-east-1 EndJob throttled]"
	if fmt.Sprint(seen) != want {
		t.Errorf("%v, want %s", seen, want)
	}
}
