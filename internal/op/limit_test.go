package op

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func limited(perMinute int) func(*Config) { return func(c *Config) { c.PerMinute = perMinute } }

func TestRequestsBeyondTheRateAreRefusedUntilTheWindowMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, limited(3))
		check := func(status int, remaining, reset string) {
			t.Helper()
			w := h.ask("GET /zoo/animal")
			got := w.Header()
			if w.Code != status || got.Get("X-RateLimit-Limit") != "3" || got.Get("X-RateLimit-Remaining") != remaining || got.Get("X-RateLimit-Reset") != reset {
				t.Errorf("status %d, headers %v; want %d, remaining %s, reset %s", w.Code, got, status, remaining, reset)
			}
			if status == 429 && (!strings.Contains(w.Body.String(), "zooError") || got.Get("Retry-After") != reset) {
				t.Errorf("refused with %v %s", got, w.Body)
			}
		}
		check(200, "2", "60")
		time.Sleep(5 * time.Second)
		check(200, "1", "55")
		time.Sleep(5 * time.Second)
		check(200, "0", "50")
		time.Sleep(5 * time.Second)
		check(429, "0", "45")
		time.Sleep(45 * time.Second) // the first request leaves the window
		check(200, "0", "5")
		check(429, "0", "5")
		time.Sleep(time.Hour)
		check(200, "2", "60")
	})
}

func TestRatesAreCountedPerOrganisationAndRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, limited(1))
		for _, c := range []struct {
			name, request, token string
			status               int
		}{
			{"the first passes", "GET /zoo/animal", keeperToken, 200},
			{"the second does not", "GET /zoo/animal", keeperToken, 429},
			{"nor does a colleague's", "GET /zoo/animal", visitorToken, 429},
			{"another route has its own count", "GET /zoo/animal/ani-1", keeperToken, 200},
			{"another object of a route shares its count", "GET /zoo/animal/ani-2", keeperToken, 429},
			{"another organisation has its own count", "GET /zoo/animal", rivalToken, 200},
			{"a stranger is counted by address", "GET /zoo/animal", "stolen", 401},
			{"whatever token he tries", "GET /zoo/animal", "guessed", 429},
		} {
			if w := h.ask(c.request, as(c.token)); w.Code != c.status || w.Header().Get("X-RateLimit-Limit") != "1" {
				t.Errorf("%s: status %d, want %d; headers %v", c.name, w.Code, c.status, w.Header())
			}
		}
		if n := len(h.book.entries); n != 0 {
			t.Errorf("requests beyond the rate made %d audit entries", n)
		}
	})
}

func TestLoopbackCallersHaveAMillionAMinute(t *testing.T) {
	h := open(t, limited(1))
	for _, address := range []string{"127.0.0.1:4711", "[::1]:4711", "[::ffff:127.0.0.1]:4711"} {
		r := httptest.NewRequest("GET", "/zoo/animal", nil)
		r.RemoteAddr = address
		r.Header.Set("Authorization", "Bearer "+keeperToken)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 || w.Header().Get("X-RateLimit-Limit") != "1000000" {
			t.Errorf("%s: status %d, limit %s", address, w.Code, w.Header().Get("X-RateLimit-Limit"))
		}
	}
}

func TestAWindowHoldsExactlyOneMinute(t *testing.T) {
	w := &window{}
	var taken []int64
	for second := int64(1000); second < 1600; second += second%7 + 1 {
		s := w.take(5, second)
		kept := taken[:0]
		for _, at := range taken {
			if at > second-windowSeconds {
				kept = append(kept, at)
			}
		}
		taken = kept
		if s.over != (len(taken) >= 5) {
			t.Fatalf("at %d with %v in the window: over is %v", second, taken, s.over)
		}
		if !s.over {
			taken = append(taken, second)
		}
		if want := int(taken[0] + windowSeconds - second); s.reset != want || s.remaining != 5-len(taken) {
			t.Fatalf("at %d: reset %d, want %d; remaining %d of %v", second, s.reset, want, s.remaining, taken)
		}
	}
	if s := w.take(5, 900); s.remaining < 0 || s.reset > windowSeconds {
		t.Errorf("after the clock stepped back: %+v", s)
	}
}
