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

// shelf keeps what holds until something else is known to be true; whoever takes from it checks that. Safe for concurrent use.
type shelf[K comparable, V any] struct {
	mu   sync.RWMutex
	kept map[K]V
}

func newShelf[K comparable, V any]() *shelf[K, V] { return &shelf[K, V]{kept: make(map[K]V)} }

func (s *shelf[K, V]) get(k K) (V, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, is := s.kept[k]
	return v, is
}

func (s *shelf[K, V]) put(k K, v V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) >= mostAnswers {
		clear(s.kept)
	}
	s.kept[k] = v
}
