package world

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// began is when the worlds of the tests begin.
var began = time.Date(2026, 5, 12, 0, 0, 0, 0, time.UTC)

// drawnWorld has no pools yet.
func drawnWorld() World {
	return World{From: began, Until: began.AddDate(0, 0, 30), Notice: 2 * time.Minute, Boot: time.Minute}
}

// anyDrawn is a pool of a drawn world, with a moment that may lie outside the world's time.
func anyDrawn(t *rapid.T) (w World, d Drawn, at time.Time) {
	w = drawnWorld()
	w.Notice = rapid.SampledFrom([]time.Duration{30 * time.Second, 2 * time.Minute}).Draw(t, "notice")
	p := Pool{Type: rapid.SampledFrom([]string{"m5.large", "c5.xlarge"}).Draw(t, "type"), Zone: "us-east-1a", Region: "us-east-1", VCPUs: 2}
	d = w.draw(&p, rapid.IntRange(-1, 4).Draw(t, "class"), rapid.Uint64().Draw(t, "seed"))
	at = began.Add(time.Duration(rapid.Int64Range(-int64(48*time.Hour), int64(40*24*time.Hour)).Draw(t, "at")))
	return w, d, at
}

func TestFatesFollowTheirLaunchAndTheirNotice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, d, at := anyDrawn(t)
		number := rapid.Uint64().Draw(t, "number")
		f := d.Fate(number, at)
		switch {
		case f != d.Fate(number, at):
			t.Fatalf("two fates at %s", at)
		case f.Notice.IsZero() != f.End.IsZero():
			t.Fatalf("a notice without an end, or the reverse: %+v", f)
		case !f.End.IsZero() && (f.Notice.Before(at) || f.End.Sub(f.Notice) != w.Notice):
			t.Fatalf("started at %s: %+v", at, f)
		case !f.Signal.IsZero() && (f.Signal.Before(at) || !f.Notice.IsZero() && !f.Signal.Before(f.Notice)):
			t.Fatalf("a signal out of order: %+v", f)
		}
	})
}

func TestRoomIsTheDepthLessWhatIsHeldAndNoneWhileThePoolIsDry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, d, at := anyDrawn(t)
		depth := d.pool.Depth(cloud.Spot)
		if d.pool.IsDry(cloud.Spot, physics.At(at)) {
			depth = 0
		}
		held := rapid.IntRange(0, 2*depth+1).Draw(t, "held")
		if d.Depth(at) != depth || d.Room(held, at) != max(0, depth-held) {
			t.Fatalf("at %s: depth %d, room beside %d is %d; want depth %d", at, d.Depth(at), held, d.Room(held, at), depth)
		}
	})
}

func TestInstancesAreLostAsOftenAsTheirClassSays(t *testing.T) {
	w := drawnWorld()
	for class, stated := range map[int]float64{-1: 0.10, 0: 0.025, 1: 0.075, 2: 0.125, 3: 0.175, 4: 0.25} {
		const seeds = 5000
		lost := 0
		for seed := range uint64(seeds) {
			p := Pool{Type: "m5.large", Zone: "us-east-1a", Region: "us-east-1", VCPUs: 2, Class: 0}
			if f := w.draw(&p, class, seed).Fate(1, w.From); !f.Notice.IsZero() && f.Notice.Before(w.Until) {
				lost++
			}
		}
		if share := float64(lost) / seeds; math.Abs(share-stated) > 0.018 {
			t.Errorf("class %d: %.3f are lost within 30 days, stated is %.3f", class, share, stated)
		}
	}
}

func TestAPlaceboShowsEveryClassAndDrawsThemAllElsewhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		classes := rapid.SliceOfN(rapid.IntRange(-1, 4), 1, 40).Draw(t, "classes")
		plain, placebo := drawnWorld(), drawnWorld()
		for n, class := range classes {
			p := Pool{Type: fmt.Sprint("t", n), Zone: "us-east-1a", Region: "us-east-1", VCPUs: 2, Class: class}
			plain.Pools, placebo.Pools = append(plain.Pools, p), append(placebo.Pools, p)
		}
		plain.drawFates(seed, false)
		placebo.drawFates(seed, true)
		order := permutation(len(classes), seed)
		if sorted := slices.Sorted(slices.Values(order)); sorted[0] != 0 || sorted[len(sorted)-1] != len(classes)-1 || len(slices.Compact(sorted)) != len(classes) {
			t.Fatalf("no permutation: %v", order)
		}
		for n, class := range classes {
			w := drawnWorld()
			own, other := w.draw(&plain.Pools[n], class, seed), w.draw(&plain.Pools[n], classes[order[n]], seed)
			if plain.Pools[n].Class != class || placebo.Pools[n].Class != class {
				t.Fatalf("pool %d shows another class", n)
			}
			if plain.Pools[n].Fates.(Drawn).pool != own.pool || placebo.Pools[n].Fates.(Drawn).pool != other.pool {
				t.Fatalf("pool %d is not drawn with the class that is due", n)
			}
		}
	})
}

func TestInstancesOfOnePoolAreLostTogetherAndThoseOfTwoAreNot(t *testing.T) {
	w := drawnWorld()
	pools := []Pool{{Type: "m5.large", Zone: "us-east-1a", Region: "us-east-1", VCPUs: 2}, {Type: "m5.large", Zone: "us-east-1b", Region: "us-east-1", VCPUs: 2}}
	together, losses := [2]int{}, 0
	for seed := range uint64(3000) {
		first := w.draw(&pools[0], 4, seed).Fate(1, w.From)
		if first.Notice.IsZero() || first.Notice.After(w.Until) {
			continue
		}
		losses++
		for n := range pools {
			if f := w.draw(&pools[n], 4, seed).Fate(2, w.From); f.Notice.Sub(first.Notice).Abs() < 3*time.Minute {
				together[n]++
			}
		}
	}
	if same, other := float64(together[0])/float64(losses), float64(together[1])/float64(losses); same < 0.5 || other > 0.02 {
		t.Errorf("of %d losses, %.2f had company in the same pool and %.2f in another", losses, same, other)
	}
}
