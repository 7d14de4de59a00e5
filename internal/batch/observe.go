package batch

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
)

// watch hears what happens to a runtime's tasks, until ctx ends.
func (b *Batch) watch(ctx context.Context, rt runtime.Runtime) {
	for tasks := range rt.Watch(ctx) {
		b.observe(ctx, rt, tasks, false)
	}
}

// observe asks how tasks stand, has their output copied, and leaves word of it. all says that a task which the runtime does not know has never begun.
func (b *Batch) observe(ctx context.Context, rt runtime.Runtime, ids []string, all bool) {
	for ctx.Err() == nil {
		tasks, err := rt.Tasks(ctx, ids)
		if err == nil {
			err = b.collect(ctx, rt, tasks)
		}
		if err == nil {
			if all {
				tasks = append(tasks, unknown(tasks, ids)...)
			}
			b.desk.saw(tasks)
			return
		}
		if ctx.Err() != nil {
			return
		}
		b.c.Log.Warn("it cannot be told how tasks stand; it is asked again", "runtime", rt.Info().Name, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

// unknown are the tasks that are missing in an answer.
func unknown(known []runtime.Task, asked []string) (missing []runtime.Task) {
	is := make(map[string]bool, len(known))
	for _, t := range known {
		is[t.ID] = true
	}
	for _, id := range asked {
		if !is[id] {
			missing = append(missing, runtime.Task{ID: id, State: runtime.Lost, Reason: "It had not begun when it was asked for."})
		}
	}
	return missing
}
