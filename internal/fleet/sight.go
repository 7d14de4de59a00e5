package fleet

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/tags"
)

// sight is what this process remembers of one place, so that a look compares only what has changed with our rows. The rows stay the truth: losing a sight,
// or keeping an old one, costs a comparison or a delay until the group's next sweep, never a wrong conclusion.
type sight struct {
	seed maphash.Seed

	mu       sync.Mutex
	complete bool              // every living row of the place is in prints
	epoch    int64             // of the lease under which it was last looked at …
	seen     time.Time         // … and when, by the engine's clock; of looks alone
	every    time.Duration     // between two looks, as they come now
	prints   map[string]uint64 // by instance: the cloud's view when our row agreed with it; 0 = not compared yet
	strange  map[string]bool   // groups of which the cloud shows instances that have no row
	awaited  map[string]awaited
	watched  bool          // somebody looks after the awaited ones
	cost     time.Duration // of the last look, by the wall

	holding holding // looks of one place never run side by side
}

// awaited is an instance on its way: its group waits for it to change.
type awaited struct {
	group string
	print uint64
	since time.Time
}

// sight finds the place's memory, or begins it.
func (f *Fleet) sight(p place) *sight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sights[p] == nil {
		f.sights[p] = &sight{seed: maphash.MakeSeed(), prints: map[string]uint64{}, strange: map[string]bool{}, awaited: map[string]awaited{}}
	}
	return f.sights[p]
}

// looksCost is what one round of looks at all other places takes of this process.
func (f *Fleet) looksCost(but place) (sum time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, s := range f.sights {
		if p != but {
			s.mu.Lock()
			sum += s.cost
			s.mu.Unlock()
		}
	}
	return sum
}

func (s *sight) print(c cloud.Instance) uint64 { return tags.Print(s.seed, c) }

// agrees reports whether the newest look found an instance as its row has it, and is no older than a look may be.
func (s *sight) agrees(id string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	age := now.Sub(s.seen)
	return s.complete && s.prints[id] != 0 && age >= 0 && age <= 2*s.every
}

// seenUpTo notes when a look that left no gap began.
func (s *sight) seenUpTo(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = t
}

// isStrange reports whether a look found instances of the group that have no row; it is said once.
func (s *sight) isStrange(group string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	is := s.strange[group]
	delete(s.strange, group)
	return is
}
