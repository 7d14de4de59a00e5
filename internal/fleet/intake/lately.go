package intake

import (
	"sync"
	"time"
)

// Lately remembers keys for a while, and at most so many.
type Lately[K comparable] struct {
	For  time.Duration
	Most int

	mu   sync.Mutex
	when map[K]time.Time
}

// Has reports whether a key was put in less than For before now.
func (l *Lately[K]) Has(key K, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, is := l.when[key]
	return is && now.Sub(at) < l.For
}

// Put remembers a key. When there are too many, all others are forgotten.
func (l *Lately[K]) Put(key K, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.when == nil || len(l.when) >= l.Most {
		l.when = map[K]time.Time{}
	}
	l.when[key] = now
}
