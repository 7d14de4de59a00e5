package intake

import (
	"context"
	"sync"
	"time"
)

// Recent shares the answers of Read among those who ask within For, by the wall.
type Recent[T any] struct {
	For  time.Duration
	Read func(ctx context.Context) (T, error)

	mu     sync.Mutex
	at     time.Time // zero = ask anew
	answer T
}

// Get is Read's answer, at most For old. It must not be changed.
func (r *Recent[T]) Get(ctx context.Context) (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.at.IsZero() && time.Since(r.at) < r.For {
		return r.answer, nil
	}
	answer, err := r.Read(ctx)
	if err == nil {
		r.at, r.answer = time.Now(), answer
	}
	return answer, err
}

// Forget makes the next Get read.
func (r *Recent[T]) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = time.Time{}
}
