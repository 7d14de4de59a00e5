// Package instance runs tasks that are instances: each is a one-time instance of a cloud, got through the fleet room, with an image and user data of its own.
//
// It owns the tasks' rows, their user data, and what their consoles told. It must not know jobs: which attempt a task is, and what follows its end, is the caller's. A
// task's group in the fleet room has one instance, once: nothing replaces or moves it. Start reading at Runtime; follow.go says what becomes of a task, and keep.go does
// it.
package instance

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

// DefaultType is the instance type of tasks that name none, unless the configuration says otherwise.
const DefaultType = "c5.large"

// Clouds finds the cloud behind an account of ours.
type Clouds interface {
	For(ctx context.Context, account string) (cloud.Provider, error)
}

// Config is what the runtime needs.
type Config struct {
	DB      *store.DB
	Fleet   *fleet.Fleet // with a Form of this package among its forms
	Form    Form
	Clouds  Clouds
	Catalog *catalog.Cloud
	Clock   clock.Clock // the engine's: instances live on the time of their cloud, and so do a task's times and its timeout
	Type    string      // "" = DefaultType
	Log     *slog.Logger
}

// Runtime is runtime.Runtime for instances. A Spec's command must be empty; its environment and checkpoint are not given to an instance, which has its user data.
type Runtime struct {
	Config
	asked turns
}

// New makes the runtime. Its Periodic is to be added to the workflow engine before that starts.
func New(c Config) *Runtime {
	c.Type = cmp.Or(c.Type, DefaultType)
	return &Runtime{Config: c, asked: turns{}}
}

// polled is how often the tasks are looked after, and how often Watch looks.
const polled = time.Second

// Info says what this runtime is.
func (r *Runtime) Info() runtime.Info { return runtime.Info{Name: "instance", Polled: polled} }

// Periodic looks after all tasks, on one replica at a time.
func (r *Runtime) Periodic() workflow.Periodic {
	return workflow.Periodic{Name: "batch.instances", Every: polled, Do: r.keep}
}

// author is who deletes and creates the groups.
const author = "neap batch"

// GroupOf is the id of a task's group in the fleet room, which its instance is booked under.
func GroupOf(task string) string { return prefix + "-" + task }

// taskOf is the task of a group.
func taskOf(group string) (string, bool) { return strings.CutPrefix(group, prefix+"-") }

// Start puts the task and its group on record together; the fleet room does the rest.
func (r *Runtime) Start(ctx context.Context, spec runtime.Spec) error {
	asked, err := r.asking(spec)
	if err != nil {
		return err
	}
	document, err := json.Marshal(asked)
	if err != nil {
		return fmt.Errorf("encode task %s: %w", spec.ID, err)
	}
	sealed, err := r.Form.seal(spec.ID, spec.UserData)
	if err != nil {
		return err
	}
	now := r.Clock.Now()
	meta := store.Meta{ID: spec.ID, Account: spec.Place.Account, Parent: GroupOf(spec.ID), State: string(runtime.Starting), At: now}
	ctx, _ = store.WithPrologue(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := tasks.Insert(ctx, tx, store.Doc[task]{Meta: meta, Value: task{
			Region: asked.Region, Type: asked.Type, Wants: asked.wanted(), Timeout: spec.Timeout, Recorded: now,
		}})
		if err != nil {
			return err
		}
		_, err = secrets.Insert(ctx, tx, store.Doc[secret]{Meta: beside(meta, secretID(spec.ID), secretState), Value: secret{sealed}})
		return err
	})
	_, err = r.Fleet.CreateAs(ctx, meta.Account, author, FormName, meta.Parent, document)
	switch {
	case fault.Is(err, fault.Exists):
		return nil // it was begun before
	case fault.Is(err, fault.Invalid):
		return &runtime.Refusal{Kind: runtime.Never, Message: sentence(err)}
	}
	return err
}

// Tasks tells how tasks stand, as they were looked after last.
func (r *Runtime) Tasks(ctx context.Context, ids []string) ([]runtime.Task, error) {
	found := make([]runtime.Task, 0, len(ids))
	for some := range slices.Chunk(ids, atOnce) {
		docs, _, err := tasks.List(ctx, r.DB, store.Installation(), store.Query{IDs: some, States: anyState()})
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			found = append(found, shown(d))
		}
	}
	return found, nil
}

// Stop terminates the task's instance. A cloud gives an instance its own time to shut down; grace changes nothing about that.
func (r *Runtime) Stop(ctx context.Context, id string, _ time.Duration) error {
	err := r.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		d, err := get(ctx, tx, id)
		if err != nil || !isLiving(d.State) || d.Value.Ending != "" {
			return err
		}
		d.Value.Ending = stopped
		_, err = save(ctx, tx, d, r.Clock.Now())
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	d, err := get(ctx, r.DB, id)
	if err != nil || !isLiving(d.State) {
		return unlessMissing(err)
	}
	return r.endGroup(ctx, d)
}

// endGroup has the fleet room terminate what a task has; whoever finds it not done does it again.
func (r *Runtime) endGroup(ctx context.Context, d store.Doc[task]) error {
	return unlessMissing(r.Fleet.Delete(ctx, d.Account, author, d.Parent))
}

// Forget drops the rows of a task that has ended. Its group has gone before.
func (r *Runtime) Forget(ctx context.Context, id, _ string) error {
	err := r.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		d, err := get(ctx, tx, id)
		if err != nil || isLiving(d.State) {
			return err
		}
		for _, row := range []string{secretID(id), consoleID(id), id} {
			if err := unlessMissing(tasks.Delete(ctx, tx, store.Account(d.Account), row)); err != nil {
				return err
			}
		}
		return nil
	})
	return unlessMissing(err)
}

func unlessMissing(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

var _ runtime.Runtime = (*Runtime)(nil)
