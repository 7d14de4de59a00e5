package remote

import "context"

// gate lets one in at a time.
type gate struct {
	turn  chan struct{}
	users int // who are in it, or wait
}

// gateOf is the gate of a key, and how it is left.
func gateOf[K comparable](r *Runtime, gates map[K]*gate, key K) (g *gate, drop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g = gates[key]
	if g == nil {
		g = &gate{turn: make(chan struct{}, 1)}
		gates[key] = g
	}
	g.users++
	return g, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if g.users--; g.users == 0 {
			delete(gates, key)
		}
	}
}

// enter waits for the gate of a key, until ctx ends.
func enter[K comparable](ctx context.Context, r *Runtime, gates map[K]*gate, key K) (leave func(), err error) {
	g, drop := gateOf(r, gates, key)
	select {
	case g.turn <- struct{}{}:
		return func() { <-g.turn; drop() }, nil
	case <-ctx.Done():
		drop()
		return nil, context.Cause(ctx)
	}
}

// tryEnter is enter for those who don't wait.
func tryEnter[K comparable](r *Runtime, gates map[K]*gate, key K) (leave func(), is bool) {
	g, drop := gateOf(r, gates, key)
	select {
	case g.turn <- struct{}{}:
		return func() { <-g.turn; drop() }, true
	default:
		drop()
		return nil, false
	}
}
