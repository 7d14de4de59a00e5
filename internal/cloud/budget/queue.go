package budget

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// place is one account in one region: its buckets, its circuit, and who waits.
type place struct {
	budget *Budget
	key    placeKey

	mu       sync.Mutex
	buckets  map[Class]*bucket
	circuit  circuit
	waiting  []*waiter // in order of arrival
	inFlight int
	launches int // of these
	merging  map[Class]*gathering
}

// waiter is a call that is to be made. Its fields but granted are guarded by the place's mu.
type waiter struct {
	class    Class
	priority Priority
	granted  chan error    // gets nil when the call may be made
	nudge    chan struct{} // asks for another look at the clock
	verdict  verdict
	since    time.Time
	waited   time.Duration
	began    time.Time // wall time
	requests int
	limit    time.Duration // wall time that the cloud has for its answer
}

func newPlace(b *Budget, key placeKey, cloudName string) *place {
	p := &place{budget: b, key: key, buckets: map[Class]*bucket{}, merging: map[Class]*gathering{}}
	now, share := b.Clock.Now(), b.share()
	for class, limit := range limits[cloudName] {
		made := &bucket{rate: limit, at: now, part: 1}
		made.left = made.size(share)
		p.buckets[class] = made
	}
	return p
}

func newWaiter(class Class, priority Priority) *waiter {
	return &waiter{class: class, priority: priority, granted: make(chan error, 1), nudge: make(chan struct{}, 1), requests: 1, limit: callLimit}
}

// enter waits until the call may be made; it gives up with ctx. After nil the call must be made and then left.
func (p *place) enter(ctx context.Context, w *waiter) error {
	p.mu.Lock()
	w.since = p.budget.Clock.Now()
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()
	for {
		var alarm <-chan time.Time
		if wait := p.serve(w); wait > 0 {
			alarm = p.budget.Clock.After(wait)
		}
		select {
		case err := <-w.granted:
			return p.entered(w, err)
		case <-alarm:
		case <-w.nudge:
		case <-ctx.Done():
			if !p.withdraw(w) { // it was granted, or refused, at the same moment
				if err := <-w.granted; err == nil {
					p.leave(w, unknown, false)
				}
			}
			p.serve(nil) // somebody else has to watch the clock
			p.observe(w, "gaveUp")
			return context.Cause(ctx)
		}
	}
}

func (p *place) entered(w *waiter, refused error) error {
	if refused != nil {
		p.observe(w, "open")
		return refused
	}
	w.began = time.Now()
	return nil
}

// withdraw removes a waiter; false when it does not wait any more.
func (p *place) withdraw(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := slices.Index(p.waiting, w)
	if n >= 0 {
		p.waiting = slices.Delete(p.waiting, n, n+1)
	}
	return n >= 0
}

// serve lets everybody through who may, and returns how long it takes until a bucket has a call for one who waits for it; 0 when nobody does.
// One of those who wait must watch the clock: the caller, if it waits itself.
func (p *place) serve(caller *waiter) time.Duration {
	share := p.budget.share()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.budget.Clock.Now()
	for _, b := range p.buckets {
		b.refill(now, share)
	}
	p.refuseAll(now)
	for w := p.next(now); w != nil; w = p.next(now) {
		p.grant(w, now)
		p.refuseAll(now) // a trial is for one
	}
	var soonest time.Duration
	for _, w := range p.waiting {
		if wait := p.bucket(w.class).wait(share); wait > 0 && (soonest == 0 || wait < soonest) {
			soonest = wait
		}
	}
	if soonest > 0 && !slices.Contains(p.waiting, caller) {
		select {
		case p.waiting[0].nudge <- struct{}{}:
		default:
		}
	}
	return soonest
}

// refuseAll sends away whom the circuit does not let through.
func (p *place) refuseAll(now time.Time) {
	p.waiting = slices.DeleteFunc(p.waiting, func(w *waiter) bool {
		refused := p.circuit.admit(now, w.priority) == refuse
		if refused {
			w.waited = now.Sub(w.since)
			w.granted <- p.circuit.refusal(p.key)
		}
		return refused
	})
}

// next is who is served next, nil when nobody can be.
func (p *place) next(now time.Time) (best *waiter) {
	bestRank := Sweep + 1
	seen := map[Class]bool{}
	for _, w := range p.waiting {
		b, rank := p.bucket(w.class), w.priority
		// The first of its class in the list is the one that has waited longest.
		if !seen[w.class] && b.grants%oldestTurn == oldestTurn-1 {
			rank = -1
		}
		seen[w.class] = true
		if rank < bestRank && b.has() && p.hasRoom(w) {
			best, bestRank = w, rank
		}
	}
	return best
}

// hasRoom reports whether one call more may be in flight.
func (p *place) hasRoom(w *waiter) bool {
	most := mostAtOnce
	if w.priority != Notices {
		most -= forNotices
	}
	return p.inFlight < most && (w.class != Launch || p.launches < mostLaunches)
}

func (p *place) grant(w *waiter, now time.Time) {
	p.waiting = slices.DeleteFunc(p.waiting, func(other *waiter) bool { return other == w })
	w.verdict = p.circuit.admit(now, w.priority)
	w.waited = now.Sub(w.since)
	p.circuit.begin(w.verdict)
	p.bucket(w.class).take()
	p.inFlight++
	if w.class == Launch {
		p.launches++
	}
	w.granted <- nil
}

// bucket is that of a class; one without a limit is made when it is first asked for, to count its turns.
func (p *place) bucket(class Class) *bucket {
	b, known := p.buckets[class]
	if !known {
		b = &bucket{part: 1}
		p.buckets[class] = b
	}
	return b
}

// leave ends a call and lets others in.
func (p *place) leave(w *waiter, how result, throttled bool) {
	p.mu.Lock()
	now := p.budget.Clock.Now()
	p.inFlight--
	if w.class == Launch {
		p.launches--
	}
	p.circuit.end(now, w.verdict, w.priority, how)
	if throttled {
		p.bucket(w.class).throttle(now)
	}
	p.mu.Unlock()
	p.serve(nil)
}

func (p *place) observe(w *waiter, outcome string) {
	if p.budget.Observe == nil {
		return
	}
	p.mu.Lock()
	call := Call{
		Account: p.key.account, Region: p.key.region, Class: w.class, Priority: w.priority, Outcome: outcome, Requests: w.requests, Waited: w.waited,
	}
	p.mu.Unlock()
	if !w.began.IsZero() {
		call.Took = time.Since(w.began)
	}
	p.budget.Observe(call)
}

func (p *place) state() State {
	share := p.budget.share()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := State{
		Account: p.key.account, Region: p.key.region, Circuit: p.circuit.position(), OpensAt: p.circuit.opensAt(), Left: map[Class]float64{},
		Waiting: len(p.waiting), InFlight: p.inFlight,
	}
	now := p.budget.Clock.Now()
	for class, b := range maps.All(p.buckets) {
		if b.rate != (rate{}) {
			b.refill(now, share)
			s.Left[class] = b.left
		}
	}
	return s
}
