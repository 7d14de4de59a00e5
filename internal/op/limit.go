package op

import (
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

const (
	loopbackPerMinute = 1_000_000
	windowSeconds     = 60
	rememberedCallers = 20_000 // callers × routes; a window that is forgotten under a flood starts anew
)

// limiter counts requests in sliding windows of a minute, in memory.
type limiter struct {
	perMinute int
	windows   *recent[limitKey, *window]
}

// limitKey is whose requests are counted together: an organisation's or, before it is known, a remote address's, per route.
type limitKey struct {
	organisation, remote string
	loopback             bool
	route                *route
}

func newLimiter(perMinute int) *limiter {
	return &limiter{perMinute: perMinute, windows: newRecent[limitKey, *window](rememberedCallers)}
}

// standing is what the X-RateLimit headers say.
type standing struct {
	limit, remaining, reset int
	over                    bool
}

func (l *limiter) take(key limitKey, now time.Time) standing {
	limit := l.perMinute
	if key.loopback {
		limit = max(limit, loopbackPerMinute)
	}
	w, ok := l.windows.get(key)
	if !ok {
		w = &window{}
		l.windows.put(key, w)
	}
	return w.take(limit, now.Unix())
}

func (s standing) write(h http.Header) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(s.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(s.remaining))
	h.Set("X-RateLimit-Reset", strconv.Itoa(s.reset))
}

// window holds one count per second of the last minute. Refused requests are not counted.
type window struct {
	mu     sync.Mutex
	counts [windowSeconds]int32
	last   int64 // the newest second counted
	total  int
}

func (w *window) take(limit int, second int64) standing {
	w.mu.Lock()
	defer w.mu.Unlock()
	second = max(second, w.last) // a clock that steps back counts into the newest second
	w.forget(second)
	s := standing{limit: limit, over: w.total >= limit}
	if !s.over {
		w.counts[second%windowSeconds]++
		w.total++
	}
	s.remaining = max(0, limit-w.total)
	s.reset = w.untilOldestLeaves(second)
	return s
}

// forget clears the seconds that have left the window since it was last used.
func (w *window) forget(second int64) {
	for at := max(w.last+1, second-windowSeconds+1); at <= second; at++ {
		slot := &w.counts[at%windowSeconds]
		w.total -= int(*slot)
		*slot = 0
	}
	w.last = second
}

func (w *window) untilOldestLeaves(second int64) int {
	for age := int64(windowSeconds - 1); age >= 0; age-- {
		if w.counts[(second-age+windowSeconds)%windowSeconds] > 0 {
			return int(windowSeconds - age)
		}
	}
	return 0
}

// remoteOf is the address a request came from, and whether that is this machine.
func remoteOf(r *http.Request) (address string, loopback bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr, false
	}
	addr := peer.Addr().Unmap()
	return addr.String(), addr.IsLoopback()
}
