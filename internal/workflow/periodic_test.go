package workflow_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/store/storetest"
	"github.com/neap-cloud/neap/internal/workflow"
	"github.com/neap-cloud/neap/internal/workflow/workflowtest"
)

func periodic(do func(context.Context) error) func(*workflow.Engine) {
	return func(e *workflow.Engine) {
		e.AddPeriodic(workflow.Periodic{Name: "p", Every: 10 * time.Millisecond, Do: do})
	}
}

func TestOneReplicaAtATimeDoesPeriodicWorkAndAnotherGoesOn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		var working atomic.Int32
		runs := make(chan string)
		over := make(chan struct{})
		defer close(over)
		replica := func(name string) *workflow.Engine {
			return workflowtest.Start(t, at.Open(t), nil, periodic(func(context.Context) error {
				if working.Add(1) != 1 {
					t.Error("two replicas at once")
				}
				defer working.Add(-1)
				select {
				case runs <- name:
				case <-over:
				}
				return nil
			}))
		}
		first := replica("first")
		for range 3 {
			if got := next(t, runs, "run"); got != "first" {
				t.Errorf("the %s replica ran", got)
			}
		}
		replica("second")
		for range 20 {
			if got := next(t, runs, "run"); got != "first" {
				t.Errorf("the %s replica ran", got)
			}
		}
		stopped := make(chan error, 1)
		go func() { stopped <- first.Stop(context.Background()) }()
		for began := time.Now(); next(t, runs, "run") != "second"; {
			if time.Since(began) > 5*time.Second {
				t.Fatal("the second replica does not go on")
			}
		}
		if err := next(t, stopped, "end of Stop"); err != nil {
			t.Error(err)
		}
	})
}

func TestPeriodicWorkGoesOnAfterAnErrorAndAPanic(t *testing.T) {
	runs := make(chan int, 100)
	n := 0
	workflowtest.Start(t, storetest.Memory(t), nil, periodic(func(context.Context) error {
		n++
		runs <- n
		switch n {
		case 1:
			return errors.New("a failure for the test")
		case 2:
			panic("a panic for the test")
		}
		return nil
	}))
	for want := 1; want <= 3; want++ {
		if got := next(t, runs, "run"); got != want {
			t.Errorf("run %d, want %d", got, want)
		}
	}
}

func TestALoopOrPeriodicThatCannotWorkIsRefusedAtOnce(t *testing.T) {
	for name, register := range map[string]func(*workflow.Engine){
		"nameless loop":       loop("", func(context.Context, workflow.Turn) (time.Time, error) { return time.Time{}, nil }),
		"loop without work":   loop("l", nil),
		"periodic without Do": periodic(nil),
		"recipe without step": func(e *workflow.Engine) { e.AddRecipe(workflow.Recipe{Name: "r"}) },
	} {
		t.Run(name, func(t *testing.T) {
			workflowtest.Start(t, storetest.Memory(t), nil, func(e *workflow.Engine) {
				defer func() {
					if recover() == nil {
						t.Error("was accepted")
					}
				}()
				register(e)
			})
		})
	}
	if _, err := workflow.New(workflow.Config{}); err == nil {
		t.Error("an engine without anything was accepted")
	}
}
