package neap

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// Queues are the named queues of an account; capacity.Capacity has them. Unlike the rest of it, they are asked for by many at once.
type Queues interface {
	Queues(ctx context.Context, account string) ([]capacity.Queue, error)
	PutQueue(ctx context.Context, q capacity.Queue) (capacity.Queue, error)
	DropQueue(ctx context.Context, lane capacity.Lane) error
}

// queueView is a named queue on the wire. Most is what all of its machines together may have; without it there is no limit.
type queueView struct {
	Cloud     string         `json:"cloud"`
	Region    string         `json:"region"`
	Queue     string         `json:"queue"`
	Lifecycle string         `json:"lifecycle"`
	Types     []string       `json:"types,omitempty"`
	Most      *resourcesView `json:"most,omitempty"`
	Created   time.Time      `json:"created"`
}

func fromQueue(q capacity.Queue) queueView {
	view := queueView{Cloud: q.Cloud, Region: q.Region, Queue: q.Queue, Lifecycle: string(q.Lifecycle), Types: q.Types, Created: q.Created}
	if m := q.Most; m.MilliCPU+m.MemoryMiB+m.GPUs > 0 {
		view.Most = &resourcesView{float64(m.MilliCPU) / 1000, m.MemoryMiB, m.GPUs}
	}
	return view
}

func (d Deps) queues(ctx context.Context, _ nothing) (page[queueView], error) {
	list, err := d.Queues.Queues(ctx, op.CallOf(ctx).Account)
	items := make([]queueView, 0, len(list))
	for _, q := range list {
		items = append(items, fromQueue(q))
	}
	return page[queueView]{Items: items}, err
}

// oneQueue names a queue in the query, because names of queues may have anything in them, slashes too.
type oneQueue struct {
	Cloud  string `query:"cloud" required:"true" enum:"aws,azure"`
	Region string `query:"region" required:"true"`
	Queue  string `query:"queue" required:"true"`
}

type putQueue struct {
	Body op.Document
}

func (d Deps) putQueue(ctx context.Context, in putQueue) (queueView, error) {
	var asked queueView
	if err := json.Unmarshal(in.Body, &asked); err != nil {
		return queueView{}, fault.Of(fault.Invalid, "queue", "The queue cannot be read.").With(err)
	}
	call := op.CallOf(ctx)
	call.Object = asked.Queue
	q := capacity.Queue{Lane: capacity.Lane{Account: call.Account, Cloud: asked.Cloud, Region: asked.Region, Queue: asked.Queue}, Types: asked.Types, Lifecycle: "spot"}
	if asked.Lifecycle == "on-demand" {
		q.Lifecycle = "on-demand"
	}
	if m := asked.Most; m != nil {
		q.Most.MilliCPU, q.Most.MemoryMiB, q.Most.GPUs = int64(math.Round(m.VCPUs*1000)), m.Memory, m.GPU
	}
	made, err := d.Queues.PutQueue(ctx, q)
	return fromQueue(made), err
}

func (d Deps) deleteQueue(ctx context.Context, in oneQueue) (nothing, error) {
	call := op.CallOf(ctx)
	call.Object = in.Queue
	return nothing{}, d.Queues.DropQueue(ctx, capacity.Lane{Account: call.Account, Cloud: in.Cloud, Region: in.Region, Queue: in.Queue})
}
