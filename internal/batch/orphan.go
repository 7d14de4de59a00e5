package batch

import (
	"context"
	"fmt"
	"slices"

	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// orphans ends and drops tasks of this machine whose attempts are over: word of their end came too late, or another replica has taken this one for dead.
func (d *dispatcher) orphans(ctx context.Context) error {
	for _, rt := range d.all() {
		lister, is := rt.(runtime.Lister)
		if !is || !rt.Info().Local {
			continue
		}
		tasks, err := lister.Known(ctx)
		if err != nil {
			return fmt.Errorf("list the tasks of the runtime %s: %w", rt.Info().Name, err)
		}
		tasks = slices.DeleteFunc(tasks, func(task string) bool { return d.active[task] != nil })
		for some := range slices.Chunk(tasks, chunk) {
			if err := d.drop(ctx, rt, some); err != nil {
				return err
			}
		}
	}
	return nil
}

// drop ends and forgets those of a runtime's tasks whose attempts are over.
func (d *dispatcher) drop(ctx context.Context, rt runtime.Runtime, tasks []string) error {
	var ids []string
	for _, task := range tasks {
		id, _ := jobOf(task)
		ids = append(ids, id)
	}
	slices.Sort(ids)
	docs, _, err := jobs.List(ctx, d.c.DB, store.Installation(), store.Query{IDs: slices.Compact(ids)})
	if err != nil {
		return err
	}
	by := map[string]document{}
	for _, doc := range docs {
		by[doc.ID] = doc
	}
	for _, task := range tasks {
		id, attempt := jobOf(task)
		doc, is := by[id]
		if is && attempt <= len(doc.Value.Attempts) && attempt > 0 && doc.Value.Attempts[attempt-1].Outcome == "" {
			continue
		}
		checkpoint := ""
		if doc.State == done {
			checkpoint = doc.Value.checkpoint(id)
		}
		if err := rt.Stop(ctx, task, 0); err != nil {
			return err
		}
		d.forget(ctx, &run{task: task, runtime: rt}, checkpoint)
	}
	return nil
}

// bury takes attempts for lost whose machine has not been heard of: its own Neap is not there to tell how they ended. Of the others it takes note.
func (d *dispatcher) bury(ctx context.Context) error {
	if d.c.Alive == nil || !d.isDue("bury", sweepEvery) {
		return nil
	}
	clear(d.others)
	for after := ""; ; {
		docs, next, err := jobs.List(ctx, d.c.DB, store.Installation(), store.Query{States: []string{active, ending}, Limit: chunk, After: after})
		if err != nil {
			return err
		}
		for _, doc := range docs {
			a := doc.Value.last()
			if a.Machine == "" || a.Machine == d.c.Machine {
				continue
			}
			if d.c.Alive(a.Machine) {
				d.others[taskID(doc.ID, a.N)] = elsewhere{a.Host, doc.Value.Resources}
				continue
			}
			if err := d.buryOne(ctx, doc, taskID(doc.ID, a.N)); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

func (d *dispatcher) buryOne(ctx context.Context, doc document, task string) error {
	lost := runtime.Task{ID: task, State: runtime.Lost, Reason: "The machine that it ran on has not been heard of for a minute."}
	now := d.c.Clock.Now().UTC()
	doc, err := d.change(ctx, doc, func(doc document) (move, bool, error) { return judged(doc, sighting{task: lost}, now) })
	if err != nil {
		return err
	}
	return d.lineUp(doc)
}
