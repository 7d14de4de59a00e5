package mapsor_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/batch/batchtest"
	"github.com/neap-cloud/neap/internal/runtime"
)

// console is a runtime inside of this process, whose tasks understand true, false, sleep (which goes on until it is stopped, or its time is up), echo and seq.
type console struct {
	*batchtest.Instant
	t  *testing.T
	mu sync.Mutex

	wrote   map[string][]string
	expired map[string]bool
}

// start runs a Neap on which such tasks are jobs.
func start(t *testing.T) *apptest.Neap {
	t.Helper()
	instant, err := batchtest.NewInstant(filepath.Join(t.TempDir(), "tasks"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := instant.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &console{Instant: instant, t: t, wrote: map[string][]string{}, expired: map[string]bool{}}
	return apptest.Start(t, func(config *app.Config) { config.Jobs.Hosted = []runtime.Runtime{c} })
}

// Start is runtime.Runtime's.
func (c *console) Start(ctx context.Context, spec runtime.Spec) error {
	name, rest, _ := strings.Cut(strings.Join(spec.Command, " "), " ")
	switch name {
	case "echo":
		c.write(spec.ID, rest)
	case "seq":
		last, err := strconv.Atoi(rest)
		if err != nil {
			return err
		}
		for n := range last {
			c.write(spec.ID, fmt.Sprint(n+1))
		}
	case "false":
		spec.Command = []string{"exit", "1"}
	case "sleep":
		spec.Command = []string{"hold"}
		if spec.Timeout > 0 {
			timer := time.AfterFunc(spec.Timeout, func() { c.expire(spec.ID) })
			c.t.Cleanup(func() { timer.Stop() })
		}
	}
	return c.Instant.Start(ctx, spec)
}

func (c *console) write(id, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrote[id] = append(c.wrote[id], text)
}

func (c *console) expire(id string) {
	c.mu.Lock()
	c.expired[id] = true
	c.mu.Unlock()
	if _, err := c.Finish(id, 137); err != nil {
		c.t.Error(err)
	}
}

// Tasks is runtime.Runtime's.
func (c *console) Tasks(ctx context.Context, ids []string) ([]runtime.Task, error) {
	tasks, err := c.Instant.Tasks(ctx, ids)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range tasks {
		tasks[i].Lines, tasks[i].Exit.TimedOut = int64(len(c.wrote[tasks[i].ID])), c.expired[tasks[i].ID]
	}
	return tasks, err
}

// Output is runtime.Runtime's.
func (c *console) Output(_ context.Context, id string, after int64, limit int) (lines []runtime.Line, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.wrote[id]
	for n := after; n < min(int64(len(all)), after+int64(limit)); n++ {
		lines = append(lines, runtime.Line{N: n + 1, At: time.Now(), Stream: "stdout", Text: all[n]})
	}
	return lines, nil
}
