package remote_test

import (
	"context"
	"testing"

	"github.com/neap-cloud/neap/internal/batch/remote"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/runtime/runtimetest"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

const region = "us-east-1"

// account is one account of AWS for all that ask.
type account struct{ cloud.Provider }

func (a account) For(context.Context, string) (cloud.Provider, error) { return a.Provider, nil }

// placed is a runtime whose tasks all go to one queue.
type placed struct {
	runtime.Runtime
	place runtime.Place
}

func (p placed) Check(ctx context.Context, s runtime.Spec) error {
	s.Place = p.place
	return p.Runtime.Check(ctx, s)
}

func (p placed) Start(ctx context.Context, s runtime.Spec) error {
	s.Place = p.place
	return p.Runtime.Start(ctx, s)
}

func TestTasksInAWSBatchKeepTheContractOfRuntimes(t *testing.T) {
	const (
		merged = "CloudWatch keeps the two streams of a task as one"
		tree   = "what a task starts ends with its container; what stands for AWS here has none"
		killed = "AWS Batch always asks first and waits for 30 s; in a container the first process takes no such word unless it listens for it"
	)
	gaps := map[string]string{
		"output comes in order, numbered, with times and streams":                             merged,
		"a last line without a line end counts, and so do empty lines":                        merged,
		"a timeout ends the whole tree":                                                       tree,
		"Stop ends the whole tree after the grace, whatever it ignores and wherever it hides": tree,
		"what a task leaves behind ends with it":                                              tree,
		"a successor stops what its predecessor started":                                      tree,
		"Stop without grace ends at once":                                                     killed,
		"a task that is started twice runs once":                                              killed,
	}
	server := awstest.Moto(t)
	awstest.Be(t, server.User(t, awstest.Allow("batch:*", "logs:*")).Key)
	runtimetest.RunBut(t, gaps, func(t *testing.T) runtimetest.Harness {
		connection, err := aws.New(t.Context(), aws.Config{Endpoint: server.Endpoint, Endpoints: map[string]string{"": server.Endpoint}})
		if err != nil {
			t.Fatal(err)
		}
		queue, db := "queue-"+ident.Hex(4), storetest.Memory(t)
		server.JobQueue(t, region, queue, true)
		reopen := func(t *testing.T) runtime.Runtime {
			r := remote.New(remote.Config{DB: db, Clouds: account{connection.Account("", "")}, Installation: "test"})
			ctx, cancel := context.WithCancel(t.Context())
			told := r.Watch(ctx)
			t.Cleanup(func() {
				cancel()
				for range told {
				}
			})
			go func() {
				for range told {
				}
			}()
			return placed{r, runtime.Place{Account: "acc", Cloud: "aws", Region: region, Queue: queue}}
		}
		return runtimetest.Harness{Runtime: reopen(t), Image: "library/alpine:3", Reopen: reopen}
	})
}

// A real SDK in between: what it repeats by itself after a lost answer would be a second job.
func TestALostAnswerOfAWSBatchMakesNoSecondJob(t *testing.T) {
	server := awstest.Moto(t)
	user := server.User(t, awstest.Allow("batch:*", "logs:*"))
	awstest.Be(t, user.Key)
	front, queue, db := awstest.NewFront(t, server, user.Key), "queue-"+ident.Hex(4), storetest.Memory(t)
	server.JobQueue(t, region, queue, true)
	connection, err := aws.New(t.Context(), aws.Config{Endpoint: front.Endpoint, Endpoints: map[string]string{"": front.Endpoint}})
	if err != nil {
		t.Fatal(err)
	}
	amazon := account{connection.Account("", "")}
	r := placed{remote.New(remote.Config{DB: db, Clouds: amazon}), runtime.Place{Account: "acc", Cloud: "aws", Region: region, Queue: queue}}
	spec := runtime.Spec{ID: "lost-" + ident.Hex(4) + ".1", Image: "library/alpine:3", Command: []string{"sleep", "60"}}
	front.Lose("submitjob", 1)
	if err := r.Start(t.Context(), spec); err != nil { // found at once by its name
		t.Fatal(err)
	}
	front.Lose("terminatejob", 1)
	if err := r.Stop(t.Context(), spec.ID, 0); err != nil { // the SDK repeats this one
		t.Fatal(err)
	}
	next := placed{remote.New(remote.Config{DB: db, Clouds: amazon}), r.place}
	if err := next.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if n := front.Calls()["submitjob"]; n != 1 {
		t.Errorf("submitted %d times", n)
	}
	jobs, err := connection.Account("", "").Jobs(t.Context(), cloud.JobQuery{Region: region, Queue: queue, Token: spec.ID})
	if err != nil || len(jobs) != 1 {
		t.Errorf("%+v, %v", jobs, err)
	}
}
