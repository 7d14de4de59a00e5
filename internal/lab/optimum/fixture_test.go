package optimum

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

func monday() time.Time { return time.Date(2021, 3, 1, 0, 0, 0, 0, time.UTC) }

// minute is a moment of a small world.
func minute(n int) time.Time { return monday().Add(time.Duration(n) * time.Minute) }

// steadyFleet is a workload of so many instances.
func steadyFleet(n int) lab.Workload { return lab.Workload{Kind: lab.Steady, Least: n, Most: n} }

// alwaysUp is a pool without losses.
func alwaysUp(list, spot money.Price) world.Pool {
	return world.Pool{Type: "m5.large", Zone: "us-east-1a", OnDemand: list, Prices: []world.Change{{At: monday(), Price: spot}}, Fates: spells(100_000, 0, 100_000)}
}

// spells are up from one minute to another, pair by pair, in a record that ends at a minute.
func spells(ends int, minutes ...int) world.Spells {
	s := world.Spells{Ends: minute(ends), Notice: 2 * time.Minute}
	for n := 0; n < len(minutes); n += 2 {
		s.Ups = append(s.Ups, world.Span{From: minute(minutes[n]), Until: minute(minutes[n+1])})
	}
	return s
}

// drawn are fates that no Spells tell: like them, but with room for one.
type drawn struct{ world.Spells }

func (d drawn) Room(held int, t time.Time) int { return max(0, min(1, d.Spells.Room(held, t))-held) }

// tiny draws a world of whole minutes in which all can be tried out: a few pools that open and close, with prices that change.
func tiny(t *rapid.T, pools, minutes, boot int) *world.World {
	w := &world.World{Name: "tiny", From: monday(), Until: minute(minutes), Boot: time.Duration(boot) * time.Minute, Notice: 2 * time.Minute, Recorded: true}
	for n := range pools {
		p := world.Pool{Type: fmt.Sprintf("t%d", n), Zone: "a", OnDemand: money.Price(rapid.IntRange(5, 9).Draw(t, "on demand"))}
		for at := 0; at < minutes; at += rapid.IntRange(1, minutes).Draw(t, "price holds") {
			p.Prices = append(p.Prices, world.Change{At: minute(at), Price: money.Price(rapid.IntRange(0, 8).Draw(t, "price"))})
		}
		var bounds []int
		for at := rapid.IntRange(0, 2).Draw(t, "opens"); at < minutes; at += rapid.IntRange(1, 3).Draw(t, "is shut") {
			bounds = append(bounds, at)
			at = min(minutes, at+rapid.IntRange(1, minutes).Draw(t, "is open"))
			bounds = append(bounds, at)
		}
		p.Fates = spells(minutes, bounds...)
		w.Pools = append(w.Pools, p)
	}
	return w
}
