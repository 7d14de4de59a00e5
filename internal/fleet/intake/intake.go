// Package intake lets many share one piece of work: what they hand in at once is worked on together, what they ask for within a moment is read once, and what
// one has found out the others need not. It must not know what that is.
package intake

import (
	"context"
	"errors"
	"sync"
)

// errUnfinished is what is left of a batch when Do panics.
var errUnfinished = errors.New("the batch was not finished")

// Gather hands batches to Do, one at a time. A batch has the context of the first who handed something in, and its error is that of all who did.
type Gather[T any] struct {
	Do func(ctx context.Context, items []T) error

	mu   sync.Mutex
	next *batch[T] // collects; nil = whoever comes begins one
	turn sync.Mutex
}

type batch[T any] struct {
	items []T
	done  chan struct{} // closed when err is final
	err   error
}

// Put returns when the items have been worked on.
func (g *Gather[T]) Put(ctx context.Context, items ...T) error {
	g.mu.Lock()
	b, joins := g.next, g.next != nil
	if !joins {
		b = &batch[T]{done: make(chan struct{})}
		g.next = b
	}
	b.items = append(b.items, items...)
	g.mu.Unlock()
	if joins {
		<-b.done
		return b.err
	}
	g.turn.Lock()
	defer g.turn.Unlock()
	g.mu.Lock()
	g.next = nil
	g.mu.Unlock()
	defer close(b.done)
	b.err = errUnfinished
	b.err = g.Do(ctx, b.items)
	return b.err
}
