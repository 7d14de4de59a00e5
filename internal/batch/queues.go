package batch

import (
	"context"

	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// Queues are capacity's, except that one with jobs in it stays.
type Queues struct {
	capacity.Capacity
	of *Batch
}

// Queues are the named queues of all accounts.
func (b *Batch) Queues() Queues { return Queues{b.c.Capacity, b} }

// DropQueue removes a named queue; fault.Conflict while jobs wait or run in it, or machines of it run.
func (q Queues) DropQueue(ctx context.Context, l capacity.Lane) error {
	for _, low := range []bool{false, true} {
		parent := line{Lane: l, how: hosted, low: low}.parent()
		n, err := jobs.Count(ctx, q.of.c.DB, store.Account(l.Account), store.Query{Parent: parent, States: []string{waiting, held, active, ending}})
		if err != nil {
			return err
		}
		if n > 0 {
			return fault.Of(fault.Conflict, "queue", "%d jobs are in the queue %s in %s still; cancel them, or wait for their end.", n, l.Queue, l.Region)
		}
	}
	return q.Capacity.DropQueue(ctx, l)
}
