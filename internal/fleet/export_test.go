package fleet

import "time"

// What tests outside of the package need to put the store into a state that takes long to reach.
var Members = members

// Vanished is why an instance left that the cloud stopped showing.
const Vanished = vanished

// LookedAt is when the newest look at a place began that left no gap.
func (f *Fleet) LookedAt(account, region string) time.Time {
	s := f.sight(place{Account: account, Region: region})
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}
