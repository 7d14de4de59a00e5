package sim

import (
	"sync"

	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// limiter holds the request buckets. They are in memory only: a restart fills them, as a quiet minute would.
type limiter struct {
	mu      sync.Mutex
	buckets map[limitKey]bucket
}

type limitKey struct {
	account, region string
	call            Call
}

type bucket struct {
	left float64
	at   physics.Instant
}

// take uses one request of the bucket, and reports false when none is left.
func (l *limiter) take(rate Rate, key limitKey, now physics.Instant) bool {
	if rate == (Rate{}) {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b, known := l.buckets[key]
	if !known {
		b = bucket{left: rate.Burst, at: now}
	}
	b.left = min(rate.Burst, b.left+rate.PerSecond*float64(max(0, now-b.at))/float64(physics.Second))
	b.at = now
	granted := b.left >= 1
	if granted {
		b.left--
	}
	if l.buckets == nil {
		l.buckets = map[limitKey]bucket{}
	}
	l.buckets[key] = b
	return granted
}
