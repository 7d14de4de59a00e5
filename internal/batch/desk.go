package batch

import (
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
)

// desk is where whoever changed something leaves word for the dispatcher of this process. It is never waited at.
type desk struct {
	rung chan struct{}

	mu     sync.Mutex
	left   word
	leader bool
}

// word is what was left.
type word struct {
	lines  map[line]bool
	holds  map[string]time.Time // by job: when it is looked at again
	halts  []string             // jobs that came to their end while an attempt goes on
	seen   map[string]runtime.Task
	begun  []string                 // tasks that their runtime took
	stops  map[string]time.Duration // tasks that could not be stopped, with their grace
	failed map[string]error
}

func newDesk() *desk { return &desk{rung: make(chan struct{}, 1), left: newWord()} }

func newWord() word {
	return word{lines: map[line]bool{}, holds: map[string]time.Time{}, seen: map[string]runtime.Task{}, stops: map[string]time.Duration{}, failed: map[string]error{}}
}

func (k *desk) leave(what func(*word)) {
	k.mu.Lock()
	what(&k.left)
	k.mu.Unlock()
	k.ring()
}

func (k *desk) ring() {
	select {
	case k.rung <- struct{}{}:
	default:
	}
}

// take empties the desk.
func (k *desk) take() word {
	k.mu.Lock()
	defer k.mu.Unlock()
	taken := k.left
	k.left = newWord()
	return taken
}

func (k *desk) leads() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.leader
}

func (k *desk) lead(yes bool) {
	k.mu.Lock()
	k.leader = yes
	k.mu.Unlock()
	k.ring()
}

func (k *desk) joined(l line)                   { k.leave(func(w *word) { w.lines[l] = true }) }
func (k *desk) hold(id string, until time.Time) { k.leave(func(w *word) { w.holds[id] = until }) }
func (k *desk) halt(id string)                  { k.leave(func(w *word) { w.halts = append(w.halts, id) }) }
func (k *desk) stopAgain(task string, grace time.Duration) {
	k.leave(func(w *word) { w.stops[task] = grace })
}
func (k *desk) began(task string)                  { k.leave(func(w *word) { w.begun = append(w.begun, task) }) }
func (k *desk) failedToBegin(task string, e error) { k.leave(func(w *word) { w.failed[task] = e }) }

// saw leaves how tasks stand. Two looks may come in the wrong order, so what was left of a task is replaced by what can only be newer.
func (k *desk) saw(tasks []runtime.Task) {
	k.leave(func(w *word) {
		for _, t := range tasks {
			if before, is := w.seen[t.ID]; !is || age(t.State) >= age(before.State) {
				w.seen[t.ID] = t
			}
		}
	})
}

// age is how far a task has come.
func age(s runtime.State) int {
	switch s {
	case runtime.Starting:
		return 0
	case runtime.Running:
		return 1
	case runtime.Lost:
		return 2
	}
	return 3
}
