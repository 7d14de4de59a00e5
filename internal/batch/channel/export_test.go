package channel

import "time"

// Age lets so much time pass for what is remembered of keys.
func (k *Keys) Age(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, o := range k.known {
		o.until = o.until.Add(-d)
		k.known[key] = o
	}
}
