package world

import (
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// thousand is a world of a thousand pools.
func thousand(b *testing.B) World {
	b.Helper()
	w, err := Simulated(Options{Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	w.Pools = w.Pools[:1000]
	return w
}

// BenchmarkPrices asks every pool for its price every five minutes, for thirty days.
func BenchmarkPrices(b *testing.B) {
	w := thousand(b)
	var sum money.Price
	for b.Loop() {
		for t := w.From; t.Before(w.Until); t = t.Add(5 * time.Minute) {
			for n := range w.Pools {
				sum += w.Pools[n].PriceAt(t)
			}
		}
	}
}

func BenchmarkDepths(b *testing.B) {
	w := thousand(b)
	sum := 0
	for b.Loop() {
		for t := w.From; t.Before(w.Until); t = t.Add(5 * time.Minute) {
			for n := range w.Pools {
				sum += w.Pools[n].Fates.Depth(t)
			}
		}
	}
}

func BenchmarkFate(b *testing.B) {
	w := thousand(b)
	number := uint64(0)
	for b.Loop() {
		number++
		w.Pools[number%1000].Fates.Fate(number, w.From)
	}
}

func BenchmarkSimulatedWorldOfARegion(b *testing.B) {
	for b.Loop() {
		if _, err := Simulated(Options{Seed: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
