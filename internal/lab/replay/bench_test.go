package replay

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// crowded is a world of 1,000 pools whose instances live for a month on average.
func crowded(span time.Duration) *world.World {
	w := plain(100, 10, span)
	for n := range w.Pools {
		w.Pools[n].Fates = mortal{seed: uint64(n), size: 50, life: 30 * 24 * time.Hour, notice: w.Notice}
	}
	return w
}

// BenchmarkRun stands for 30 days × 1,000 pools × 1,000 instances, limit 20 s; it runs one of the days.
func BenchmarkRun(b *testing.B) {
	w := crowded(24 * time.Hour)
	for _, policy := range []string{lab.PolicyNeap, lab.PolicyPriceCapacityOptimized} {
		b.Run(fmt.Sprintf("a day of %s", policy), func(b *testing.B) {
			for b.Loop() {
				if _, err := Run(context.Background(), Setup{World: w, Workload: steady(1000), Policy: policy}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
