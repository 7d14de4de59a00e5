package workflow

import (
	"slices"
	"sync"
	"time"
)

const (
	scanShare   = 20 // the part of a replica's time, one in so many, that may be spent on looking for work …
	longestRest = 5 * scanEvery

	calmShare = 32 // while something urgent is in progress, what is not may have one in so many of the workers

	offeredAtOnce = 500 // what a scan found is offered in parts, because asking for the lanes of all may take long
)

// runner is a loop on this replica. It works on what it is told of, and looks into the rows for what nobody told it of.
type runner struct {
	e     *Engine
	loop  Loop
	poke  chan struct{} // there may be work that nobody told us of
	rearm chan struct{} // next is earlier than it was
	lanes *lanes

	mu     sync.Mutex
	busy   map[string]*inProgress
	urgent int       // of those that are busy
	queue  *queue    // keys that wait for a worker, or for a place in their lanes
	next   time.Time // earliest due time known, engine time; zero = none
}

// inProgress is a key that has a worker.
type inProgress struct {
	urgent bool
	again  bool // it was offered meanwhile …
	since  time.Time
}

// offer starts a worker on key, which has waited since then. False when it has to wait for one: others may be faster.
func (r *runner) offer(key string, since time.Time) (started bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lane, known := r.lanes.of(key)
	switch {
	case !known: // that takes a read, for which nobody who raises a key should wait; if the engine does not run, dispatch asks
		r.e.begin(func() {
			r.lanes.learn(r.e.turns, key)
			r.e.handOff(r.loop.Name, key, since)
		})
		return true
	case r.enqueue(key, lane, since):
		return true
	case r.lanes.hasRoom(lane): // else nothing can start that could not before
		r.startAll()
	}
	return !r.queue.has(key)
}

// enqueue lets key wait, unless it is in progress.
func (r *runner) enqueue(key, lane string, since time.Time) bool {
	p, inProgress := r.busy[key]
	switch {
	case !inProgress:
		r.queue.add(key, lane, since)
	case !p.again || since.Before(p.since):
		p.again, p.since = true, since
	}
	// Its worker goes on with what has become urgent meanwhile.
	if inProgress && !p.urgent && !since.After(r.e.c.Clock.Now().Add(-headStart)) {
		p.urgent = true
		r.urgent++
	}
	return inProgress
}

// startAll starts workers on what has waited longest. What is urgent would have to share the machine with all that is in progress, so while there is any, what is
// not gets few workers. While the engine does not run, the rows wait for it.
func (r *runner) startAll() {
	for len(r.busy) < r.loop.Workers {
		isUrgent := r.e.c.Clock.Now().Add(-headStart)
		onlyUrgent := r.urgent > 0 && len(r.busy)-r.urgent >= max(1, r.loop.Workers/calmShare)
		w, found := r.queue.next(func(w *waiting) bool { return !(onlyUrgent && w.since.After(isUrgent)) && r.lanes.hasRoom(w.lane) })
		if !found {
			return
		}
		leave := r.lanes.enter(w.lane)
		if !r.e.begin(func() { r.work(w.key, leave) }) {
			leave()
			return
		}
		p := &inProgress{urgent: !w.since.After(isUrgent)}
		if r.busy[w.key] = p; p.urgent {
			r.urgent++
		}
	}
}

// work holds one of the loop's places while it takes turns for key, and frees it whatever becomes of them.
func (r *runner) work(key string, leave func()) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		leave()
		p := r.busy[key]
		delete(r.busy, key)
		if p.urgent {
			r.urgent--
		}
		if p.again {
			lane, _ := r.lanes.of(key)
			r.queue.add(key, lane, p.since)
		}
		r.startAll()
	}()
	r.turns(key)
}

// rouse makes dispatch look around.
func (r *runner) rouse() { strike(r.poke) }

func strike(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// dispatch finds keys that nobody was told of: due ones, and those of replicas that vanished.
func (r *runner) dispatch() {
	ticker := time.NewTicker(scanEvery)
	defer ticker.Stop()
	var alarm, rested <-chan time.Time
	var alarmAt time.Time
	for wanted := true; ; {
		if wanted && rested == nil {
			rested, wanted = time.After(min(scanShare*r.scan(), longestRest)), false
		}
		if next := r.nextDue(); !wanted && !next.IsZero() && (alarm == nil || next.Before(alarmAt)) {
			alarm, alarmAt = r.e.c.Clock.After(next.Sub(r.e.c.Clock.Now())), next
		}
		select {
		case <-r.e.halt:
			return
		case <-r.rearm:
		case <-rested:
			rested = nil
		case <-alarm:
			alarm, wanted = nil, true
		case <-r.poke:
			wanted = true
		case <-ticker.C:
			wanted = true
		}
	}
}

func (r *runner) nextDue() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next
}

// scan offers what needs a turn, learns when the next key is due, and tells how long it had to read for that.
func (r *runner) scan() (took time.Duration) {
	ctx, now, began := r.e.turns, r.e.c.Clock.Now(), time.Now()
	waiting, err := r.e.rows.needing(ctx, r.loop.Name, now, longestQueue)
	var next time.Time
	if err == nil {
		next, err = r.e.rows.nextDue(ctx, r.loop.Name, now)
	}
	took = time.Since(began)
	if err != nil {
		if !r.e.halted() {
			r.e.c.Log.Error("cannot look for work", "loop", r.loop.Name, "error", err)
		}
		return took
	}
	r.e.looked.Store(time.Now().UnixMicro())
	for some := range slices.Chunk(waiting, offeredAtOnce) {
		for _, w := range some {
			r.lanes.learn(ctx, w.key)
		}
		r.mu.Lock()
		for _, w := range some {
			lane, _ := r.lanes.of(w.key)
			r.enqueue(w.key, lane, w.since)
		}
		r.startAll()
		r.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = next
	return took
}
