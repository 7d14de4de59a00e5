package market

import (
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/money"
)

// feedOf tells one price of each of ten types in two zones.
func feedOf(at time.Time, price func(n int) money.Price) []cloud.Price {
	var told []cloud.Price
	for n, typ := range []string{"m5.large", "m5.xlarge", "c5.large", "c5.xlarge", "r5.large", "r5.xlarge", "m6i.large", "c6i.large", "r6i.large", "m5a.large"} {
		for z, zone := range []string{"a", "b"} {
			told = append(told, cloud.Price{Market: spot(typ, zone), Price: price(2*n + z), From: at})
		}
	}
	return told
}

func calm(int) money.Price { return 40_000 }

func (s stall) tell(t *testing.T, told []cloud.Price) Snapshot {
	t.Helper()
	if err := s.Observe(t.Context(), "sim", told); err != nil {
		t.Fatal(err)
	}
	return s.snapshot(t, "act-1")
}

func (s stall) odd(t *testing.T) string {
	t.Helper()
	odd, err := s.Odd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return odd["sim/"+region]
}

func (s stall) why(t *testing.T) string {
	t.Helper()
	silent, err := s.Silent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return silent["sim/"+region]
}

func TestAPoisonedFeedLeavesTheLastGoodPricesAndAllowsNoMove(t *testing.T) {
	for name, poison := range map[string]func(n int) money.Price{
		"nothing costs anything":      func(int) money.Price { return 0 },
		"less than nothing":           func(int) money.Price { return -1 },
		"a fortune":                   func(int) money.Price { return 1 << 40 },
		"a hundredth":                 func(int) money.Price { return 400 },
		"a quarter is a hundredth":    func(n int) money.Price { return []money.Price{400, 40_000, 40_000, 40_000}[n%4] },
		"a quarter is not above zero": func(n int) money.Price { return []money.Price{0, 40_000, 40_000, 40_000}[n%4] },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			if shot := s.tell(t, feedOf(noon, calm)); shot.Stale || s.why(t) != "" {
				t.Fatalf("a good feed is not believed: %s", s.why(t))
			}
			s.clock.Advance(time.Minute)
			shot := s.tell(t, feedOf(s.clock.Now(), poison))
			if p := shot.find(t, spot("m5.large", "a")); !shot.Stale || p.Price != 40_000 {
				t.Errorf("stale %v, price %s", shot.Stale, p.Price)
			}
			if why := s.why(t); !strings.Contains(why, "not believed") {
				t.Errorf("it says %q", why)
			}
			if other := over(t, s.db, s.clock).snapshot(t, "act-1"); !other.Stale {
				t.Error("another replica believes the feed")
			}
			s.clock.Advance(time.Minute)
			if shot := s.tell(t, feedOf(s.clock.Now(), calm)); shot.Stale || s.why(t) != "" {
				t.Errorf("the feed is sound again, but: %s", s.why(t))
			}
		})
	}
}

func TestOneAbsurdPriceIsLeftOutAndTheOthersCount(t *testing.T) {
	s := open(t)
	s.tell(t, feedOf(noon, calm))
	s.clock.Advance(time.Minute)
	shot := s.tell(t, feedOf(s.clock.Now(), func(n int) money.Price {
		if n == 0 {
			return 1 << 40
		}
		return 50_000
	}))
	if first, second := shot.find(t, spot("m5.large", "a")), shot.find(t, spot("m5.large", "b")); shot.Stale || first.Price != 40_000 || second.Price != 50_000 {
		t.Errorf("stale %v, prices %s and %s", shot.Stale, first.Price, second.Price)
	}
	want := "The price feed of sim/us-east-1 tells prices that no market has: 1 of 20 prices, such as $1099511.627776/h for m5.large/us-east-1a/spot. They are left out, and the last good ones of these markets stay."
	if odd := s.odd(t); odd != want {
		t.Errorf("it says %q", odd)
	}
	if odd := over(t, s.db, s.clock).odd(t); odd != want {
		t.Errorf("another replica says %q", odd)
	}
	if s.tell(t, feedOf(s.clock.Now(), calm)); s.odd(t) != "" {
		t.Errorf("the feed is sound again, but: %s", s.odd(t))
	}
}

func TestAFeedMayNotCreepAwayWithinADay(t *testing.T) {
	for name, step := range map[string]func(money.Price) money.Price{
		"upwards":   func(p money.Price) money.Price { return p * 3 / 2 },
		"downwards": func(p money.Price) money.Price { return p * 2 / 3 },
	} {
		t.Run(name, func(t *testing.T) {
			s, price := open(t), money.Price(60_000)
			told := func(int) money.Price { return price }
			s.tell(t, feedOf(noon, told))
			steps := 0
			for ; s.why(t) == "" && steps < 20; steps++ {
				s.clock.Advance(10 * time.Minute)
				price = step(price)
				s.tell(t, feedOf(s.clock.Now(), told))
			}
			if !strings.Contains(s.why(t), "within a day") || steps != 6 {
				t.Errorf("after %d steps the price is %s: %s", steps, price, s.why(t))
			}
		})
	}
}

func TestAPriceOfADayToComeKeepsOutNoLaterOne(t *testing.T) {
	s, in := open(t), spot("m5.large", "a")
	s.observe(t, in, 40_000, noon.AddDate(10, 0, 0))
	s.clock.Advance(time.Minute)
	s.observe(t, in, 41_000, s.clock.Now())
	if p := s.snapshot(t, "act-1").find(t, in); p.Price != 41_000 {
		t.Errorf("it costs %s, not what was told last", p.Price)
	}
}

func TestAfterADayANewLevelOfPricesIsBelieved(t *testing.T) {
	s := open(t)
	s.tell(t, feedOf(noon, func(int) money.Price { return 6_000 }))
	high := func(int) money.Price { return 90_000 }
	s.clock.Advance(time.Minute)
	if shot := s.tell(t, feedOf(s.clock.Now(), high)); !shot.Stale {
		t.Fatal("fifteen times the price is believed at once")
	}
	s.clock.Advance(25 * time.Hour)
	if why := s.why(t); why == "" {
		t.Error("prices of yesterday are taken for fresh")
	}
	for range 2 { // and stays so
		shot := s.tell(t, feedOf(s.clock.Now(), high))
		if p := shot.find(t, spot("m5.large", "a")); shot.Stale || p.Price != 90_000 {
			t.Errorf("stale %v, price %s: %s", shot.Stale, p.Price, s.why(t))
		}
		s.clock.Advance(time.Minute)
	}
}
