package single

import (
	"sync"
	"time"
)

// fresh remembers what this process has launched for as long as the cloud may not show it yet, so that whoever asks right after a launch is not told that there is
// nothing. It is on wall time: a memory that lasts too long hides nothing, as the cloud is asked first.
type fresh struct {
	mu  sync.Mutex
	new map[string]remembered
}

type remembered struct {
	instance Instance
	until    time.Time
}

func (f *fresh) put(started []Instance, settle time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if f.new == nil {
		f.new = map[string]remembered{}
	}
	for id, r := range f.new {
		if r.until.Before(now) {
			delete(f.new, id)
		}
	}
	for _, i := range started {
		f.new[i.ID] = remembered{i, now.Add(settle)}
	}
}

func (f *fresh) get(id string) (Instance, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, is := f.new[id]
	return r.instance, is && time.Now().Before(r.until)
}
