package remote

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// The states of a row.
const (
	stateAsked = "asked" // the cloud was asked, or is about to be: whether it has the job is not known
	statePut   = "put"   // it has
	stateOver  = "over"
)

// row leads from a task to its job. Nothing secret is in it.
type row struct {
	Region  string        `json:"region"`
	Queue   string        `json:"queue"`
	Job     string        `json:"job,omitempty"` // the cloud's id
	Asked   time.Time     `json:"asked"`         // when the cloud was asked last
	Timeout time.Duration `json:"timeout,omitempty"`
	Stop    bool          `json:"stop,omitempty"`   // it is to end as soon as it is found
	Output  string        `json:"output,omitempty"` // once it is over
	Task    *runtime.Task `json:"task,omitempty"`   // likewise: how it ended
}

type doc = store.Doc[row]

var rows = store.Collection[row]{Table: "remote_tasks", Noun: "task"}

// site is where calls are made.
type site struct{ account, region string }

func siteOf(d doc) site { return site{d.Account, d.Value.Region} }

// read gives a task's row; is says whether there is one.
func (r *Runtime) read(ctx context.Context, id string) (d doc, is bool, err error) {
	d, err = rows.Get(ctx, r.DB, store.Installation(), id)
	if fault.Is(err, fault.NotFound) {
		return d, false, nil
	}
	return d, err == nil, err
}

const oftenChanged = 5 // tries to change a row that others change too

// change makes a change of a row that still stands as it was read when it is made; false when there is nothing to change.
func (r *Runtime) change(ctx context.Context, id string, alter func(d *doc) bool) (doc, error) {
	for n := 1; ; n++ {
		d, is, err := r.read(ctx, id)
		if err != nil || !is || !alter(&d) {
			return d, err
		}
		d, err = rows.Update(ctx, r.DB, d)
		if !fault.Is(err, fault.Conflict) || n == oftenChanged {
			return d, err
		}
	}
}

// living are the rows of tasks that are not over.
func (r *Runtime) living(ctx context.Context) ([]doc, error) {
	docs, _, err := rows.List(ctx, r.DB, store.Installation(), store.Query{States: []string{stateAsked, statePut}})
	return docs, err
}

// list reads the rows of tasks; those that have none are left out.
func (r *Runtime) list(ctx context.Context, ids []string) ([]doc, error) {
	docs, _, err := rows.List(ctx, r.DB, store.Installation(), store.Query{IDs: ids})
	return docs, err
}
