package op

import "sync"

// recent is a bounded map that forgets what was used least recently, in two generations: at most 2×limit entries are held, and the limit last
// used ones are always among them. Safe for concurrent use.
type recent[K comparable, V any] struct {
	mu       sync.Mutex
	limit    int
	now, old map[K]V
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	return &recent[K, V]{limit: limit, now: make(map[K]V)}
}

func (c *recent[K, V]) get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if value, ok := c.now[key]; ok {
		return value, true
	}
	value, ok := c.old[key]
	if ok {
		c.keep(key, value)
	}
	return value, ok
}

func (c *recent[K, V]) put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(key, value)
}

func (c *recent[K, V]) keep(key K, value V) {
	if len(c.now) >= c.limit {
		c.old, c.now = c.now, make(map[K]V)
	}
	c.now[key] = value
}
