package batch_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/batch/batchtest"
	"github.com/neap-cloud/neap/internal/runtime"
)

// BenchmarkNoOpJobs takes jobs from submission to their end, many at once, on a store that is flushed at every commit.
func BenchmarkNoOpJobs(b *testing.B) {
	w := newWorld(b, func(w *world) {
		w.room = runtime.Resources{MilliCPU: 64_000}
		w.Machines = &batchtest.Fixed{Machines: 4, Each: runtime.Resources{MilliCPU: 16_000, MemoryMiB: 65536}}
	})
	var n atomic.Int64
	var submitting sync.WaitGroup
	b.ResetTimer()
	began := time.Now()
	for range 64 {
		submitting.Go(func() {
			for n.Add(1) <= int64(b.N) {
				if _, err := w.Submit(b.Context(), account, "usr-1", asked("true"), ""); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	submitting.Wait()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "submitted/s")
	for {
		_, waits, err := w.List(b.Context(), account, batch.ListQuery{States: []batch.State{batch.Runnable, batch.Starting, batch.Running}, Limit: 1})
		if err != nil {
			b.Fatal(err)
		}
		if waits == "" {
			break
		}
		<-time.After(20 * time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "finished/s")
}
