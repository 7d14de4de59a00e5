package protocol

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(second int) time.Time { return noon().Add(time.Duration(second) * time.Second) }

func TestWhatIsServedIsNeverMoreThanWasWanted(t *testing.T) {
	for _, c := range []struct {
		name            string
		stays           []Stay
		wanted          []Wanted
		served, covered Seconds
	}{
		{"one of one", []Stay{{1, at(-5), at(200)}}, []Wanted{{at(-100), 1}}, 100, 100},
		{"an overlap while one takes another's place", []Stay{{1, at(0), at(60)}, {1, at(50), at(100)}}, []Wanted{{at(-100), 1}}, 100, 100},
		{"a gap", []Stay{{2, at(0), at(40)}, {2, at(60), at(100)}}, []Wanted{{at(-100), 2}}, 160, 80},
		{"a target that grows before anything comes", []Stay{{1, at(0), at(100)}, {3, at(70), at(100)}}, []Wanted{{at(-100), 1}, {at(50), 4}}, 70 + 30*4, 100},
		{"a target that shrinks", []Stay{{4, at(0), at(100)}}, []Wanted{{at(0), 4}, {at(50), 1}}, 250, 100},
		{"before anybody said what is wanted", []Stay{{4, at(0), at(100)}}, nil, 400, 100},
		{"nothing", nil, []Wanted{{at(-100), 5}}, 0, 0},
		{"wanted is nothing", []Stay{{4, at(0), at(100)}}, []Wanted{{at(0), 0}}, 0, 100},
	} {
		var b Block
		if b.Serve(c.stays, c.wanted, at(0), at(100)); b.Served != c.served || b.Covered != c.covered {
			t.Errorf("%s: served %d, covered %d, not %d and %d", c.name, b.Served, b.Covered, c.served, c.covered)
		}
	}
}

func TestServiceIsCountedSecondBySecond(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		second := rapid.IntRange(-20, 120)
		var stays []Stay
		for range rapid.IntRange(0, 6).Draw(r, "stays") {
			stays = append(stays, Stay{rapid.IntRange(1, 5).Draw(r, "units"), at(second.Draw(r, "from")), at(second.Draw(r, "to"))})
		}
		var wanted []Wanted
		for since := -30; since < 120; since += rapid.IntRange(1, 60).Draw(r, "later") {
			wanted = append(wanted, Wanted{at(since), rapid.IntRange(0, 10).Draw(r, "wanted")})
		}
		var served, covered Seconds
		for s := range 100 {
			units, limit := 0, 0
			for _, stay := range stays {
				if !at(s).Before(stay.From) && at(s).Before(stay.To) {
					units += stay.Units
				}
			}
			for _, w := range wanted {
				if !w.Since.After(at(s)) {
					limit = w.Units
				}
			}
			served += Seconds(min(units, limit))
			if units > 0 {
				covered++
			}
		}
		var b Block
		if b.Serve(stays, wanted, at(0), at(100)); b.Served != served || b.Covered != covered {
			r.Fatalf("served %d, covered %d, not %d and %d", b.Served, b.Covered, served, covered)
		}
		var halves Block
		halves.Serve(stays, wanted, at(0), at(37))
		halves.Serve(stays, wanted, at(37), at(100))
		if halves != b {
			r.Fatalf("two parts give %+v, the whole %+v", halves, b)
		}
	})
}
