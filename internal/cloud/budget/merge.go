package budget

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

// errAlone tells a request that the merged call was refused: one fault in it refuses all, so each has to ask for itself.
var errAlone = errors.New("the merged call was refused")

// gathering is where requests of one class meet that name instances by id. The first request after a quiet moment goes at once; those that come while a
// call waits for its budget, or within gatherFor of the one before, share the next.
type gathering struct {
	open *batch
	left time.Time // wall time at which the last batch was closed
}

// batch is one merged call in the making, guarded by the place's mu.
type batch struct {
	waiter   *waiter
	ids      []string
	requests []*request
	present  int // requests whose callers still wait
	cancel   context.CancelFunc
	isClosed bool
}

type request struct {
	ids    []string
	answer chan reply
}

type reply struct {
	instances []cloud.Instance
	err       error
}

// sender asks the cloud about instances by id.
type sender func(ctx context.Context, ids []string) ([]cloud.Instance, error)

// merged asks the cloud together with others who ask the same of other instances. The answer is that to this request alone.
func (p *place) merged(ctx context.Context, class Class, ids []string, send sender) ([]cloud.Instance, error) {
	alone := func(ctx context.Context) ([]cloud.Instance, error) { return send(ctx, ids) }
	if _, is := attended(ctx); is || len(ids) == 0 || len(ids) > gatherMost {
		return call(ctx, p, class, alone)
	}
	r := &request{ids: ids, answer: make(chan reply, 1)}
	b := p.join(ctx, class, r, send)
	select {
	case got := <-r.answer:
		if errors.Is(got.err, errAlone) {
			return call(ctx, p, class, alone)
		}
		return got.instances, got.err
	case <-ctx.Done():
		p.part(b, r)
		return nil, context.Cause(ctx)
	}
}

// join puts a request into the open batch, or opens one.
func (p *place) join(ctx context.Context, class Class, r *request, send sender) *batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, known := p.merging[class]
	if !known {
		g = &gathering{}
		p.merging[class] = g
	}
	if g.open != nil && len(g.open.ids)+len(r.ids) > gatherMost {
		g.close()
	}
	if g.open == nil {
		// The call outlives each of its callers, but not all of them.
		together, cancel := context.WithCancel(context.WithoutCancel(ctx))
		b := &batch{waiter: newWaiter(class, Of(ctx)), cancel: cancel}
		g.open = b
		go p.depart(together, g, b, gatherFor-time.Since(g.left), send)
	}
	b := g.open
	b.requests, b.ids, b.present = append(b.requests, r), append(b.ids, r.ids...), b.present+1
	b.waiter.priority = min(b.waiter.priority, Of(ctx))
	b.waiter.requests = len(b.requests)
	return b
}

// close lets nobody else in.
func (g *gathering) close() {
	g.open.isClosed = true
	g.open, g.left = nil, time.Now()
}

// part takes a caller out that does not wait any more. What is not under way yet is asked without it.
func (p *place) part(b *batch, r *request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.present--
	if b.present == 0 {
		b.cancel()
		if g := p.merging[b.waiter.class]; g.open == b {
			g.close()
		}
	}
	if !b.isClosed {
		b.requests = slices.DeleteFunc(b.requests, func(other *request) bool { return other == r })
	}
}

// depart makes the merged call: after its time of gathering, and once there is budget for it.
func (p *place) depart(ctx context.Context, g *gathering, b *batch, wait time.Duration, send sender) {
	defer b.cancel()
	if wait > 0 {
		gathered := time.NewTimer(wait)
		defer gathered.Stop()
		select {
		case <-gathered.C:
		case <-ctx.Done():
		}
	}
	entered := p.enter(ctx, b.waiter)
	p.mu.Lock()
	if g.open == b {
		g.close()
	}
	requests := b.requests
	p.mu.Unlock()
	if entered != nil {
		tell(requests, nil, entered)
		return
	}
	ids := idsOf(requests)
	instances, err := carry(ctx, p, b.waiter, func(ctx context.Context) ([]cloud.Instance, error) { return send(ctx, ids) })
	if refusal, ok := errors.AsType[*cloud.Refusal](err); ok && len(requests) > 1 && refusal.Kind != cloud.Throttled && refusal.Kind != cloud.Denied {
		err = errAlone
	}
	tell(requests, instances, err)
}

// idsOf is everything that is asked for, once.
func idsOf(requests []*request) (ids []string) {
	seen := map[string]bool{}
	for _, r := range requests {
		for _, id := range r.ids {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// tell gives each request its part of the answer.
func tell(requests []*request, instances []cloud.Instance, err error) {
	for _, r := range requests {
		own := reply{err: err}
		for _, i := range instances {
			if slices.Contains(r.ids, i.ID) {
				own.instances = append(own.instances, i)
			}
		}
		r.answer <- own
	}
}
