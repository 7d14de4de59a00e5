package instance

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// task is a task at rest. Its row's state is a runtime.State, its parent the group, and its At the moment of its last change.
type task struct {
	Region   string        `json:"region"`
	Type     string        `json:"type"`
	Wants    string        `json:"wants"` // for people: "a spot c5.large in us-east-1"
	Timeout  time.Duration `json:"timeout,omitempty"`
	Recorded time.Time     `json:"recorded"`

	Instance string       `json:"instance,omitempty"` // of the cloud, once there is one
	Started  time.Time    `json:"started,omitzero"`   // when it was first seen running
	Ended    time.Time    `json:"ended,omitzero"`
	Ending   ending       `json:"ending,omitempty"`
	Exit     runtime.Exit `json:"exit,omitzero"`
	Reason   string       `json:"reason,omitempty"`

	Lines     int64     `json:"lines,omitempty"`
	ConsoleAt time.Time `json:"consoleAt,omitzero"` // when its console is to be read next
}

// ending is why we end a task's instance ourselves; "" = we don't.
type ending string

const (
	stopped  ending = "stopped"
	timedOut ending = "timedOut"
)

// secret is a task's user data, sealed. It goes when the task comes to its end.
type secret struct {
	Sealed []byte `json:"sealed"`
}

// Rows beside a task's own, told from it by their states.
const (
	secretState  = "userData"
	consoleState = "console"
)

func secretID(task string) string  { return task + "/user-data" }
func consoleID(task string) string { return task + "/console" }

// The collections share a table: all that there is of a task goes together.
var (
	tasks    = store.Collection[task]{Table: "instance_tasks", Noun: "task"}
	secrets  = store.Collection[secret]{Table: "instance_tasks", Noun: "user data"}
	consoles = store.Collection[transcript]{Table: "instance_tasks", Noun: "console"}
)

// beside is the meta of a row that belongs to a task.
func beside(of store.Meta, id, state string) store.Meta {
	return store.Meta{ID: id, Account: of.Account, Parent: of.Parent, State: state, At: of.At}
}

func anyState() []string {
	return []string{string(runtime.Starting), string(runtime.Running), string(runtime.Ended), string(runtime.Lost)}
}

func livingStates() []string { return []string{string(runtime.Starting), string(runtime.Running)} }

// get reads a task whose caller is known to own it.
func get(ctx context.Context, s store.Session, id string) (store.Doc[task], error) {
	return tasks.Get(ctx, s, store.Installation(), id)
}

// save writes a task back; a task that has come to its end takes its user data with it.
func save(ctx context.Context, tx *store.Tx, d store.Doc[task], now time.Time) (store.Doc[task], error) {
	d.At = now
	d, err := tasks.Update(ctx, tx, d)
	if err != nil || isLiving(d.State) {
		return d, err
	}
	return d, unlessMissing(secrets.Delete(ctx, tx, store.Account(d.Account), secretID(d.ID)))
}

// isLiving reports whether a task in a state may have something that runs.
func isLiving(state string) bool {
	return state == string(runtime.Starting) || state == string(runtime.Running)
}

// shown is a task as callers see it.
func shown(d store.Doc[task]) runtime.Task {
	t := d.Value
	return runtime.Task{
		ID: d.ID, State: runtime.State(d.State), Started: t.Started, Ended: t.Ended, Exit: t.Exit, Reason: t.Reason, Lines: t.Lines, Instance: t.Instance,
		Limits: "whole instance",
	}
}
