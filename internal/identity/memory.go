package identity

import (
	"sync"
	"time"
)

const (
	// remembered is how long an answer is given from memory: how late this process learns what another one changed.
	remembered = time.Second
	// mostAnswers bounds a memory. When it is full it starts over, which costs one look-up per caller.
	mostAnswers = 10_000
)

// memory keeps answers of the database for a short while. Safe for concurrent use.
type memory[K comparable, V any] struct {
	mu      sync.RWMutex
	answers map[K]answer[V]
	epoch   int // counts forgetting, so that what was read before it is not remembered after it
}

type answer[V any] struct {
	value V
	until time.Time
}

func newMemory[K comparable, V any]() *memory[K, V] {
	return &memory[K, V]{answers: make(map[K]answer[V])}
}

// get is the fresh answer for k, if there is one. Hand epoch on to put.
func (m *memory[K, V]) get(k K) (value V, found bool, epoch int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	a, known := m.answers[k]
	return a.value, known && time.Now().Before(a.until), m.epoch
}

// put remembers an answer that was read after get.
func (m *memory[K, V]) put(k K, value V, epoch int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if epoch != m.epoch {
		return
	}
	if len(m.answers) >= mostAnswers {
		clear(m.answers)
	}
	m.answers[k] = answer[V]{value: value, until: time.Now().Add(remembered)}
}

// forget drops every answer, and those that are being read.
func (m *memory[K, V]) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	clear(m.answers)
}
