package market

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// BenchmarkWaitForThinning tells how much longer than otherwise a writer waits while a region's month of prices is thinned for the first time: 1,250 types, 17 markets each,
// a change of each a day. The usual work of a day is a tenth of that.
func BenchmarkWaitForThinning(b *testing.B) {
	for n, driver := range []string{"sqlite", "postgres"} {
		b.Run(driver, func(b *testing.B) {
			at := []func(testing.TB) storetest.Place{storetest.SQLite, storetest.Postgres}[n](b)
			s := over(b, at.Open(b), clock.NewManual(noon))
			fillPages(b, s)
			for b.Loop() {
				stop := make(chan struct{})
				time.AfterFunc(10*time.Second, func() { close(stop) })
				alone := s.writes(b, "alone", stop)
				ended, took := make(chan struct{}), time.Duration(0)
				go func() {
					defer close(ended)
					began := time.Now()
					if err := s.Thin(b.Context(), noon); err != nil {
						b.Error(err)
					}
					took = time.Since(began)
				}()
				beside := s.writes(b, "beside", ended)
				for name, share := range map[string]float64{"median": 0.5, "p99": 0.99, "longest": 1} {
					b.ReportMetric(float64(nth(beside, share))/float64(nth(alone, share)), name+"-ratio")
				}
				b.ReportMetric(float64(nth(beside, 1))/float64(time.Millisecond), "longest-ms")
				b.ReportMetric(took.Seconds(), "s-thinning")
				left, err := prices().Count(b.Context(), s.db, everybody(), store.Query{States: []string{"sim/" + region}})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(left), "pages-left")
			}
		})
	}
}

func fillPages(b *testing.B, s stall) {
	b.Helper()
	key := feedKey{"sim", region}.String()
	for day := range 30 {
		at := noon.Add(-time.Duration(day) * 24 * time.Hour)
		err := s.db.Tx(b.Context(), func(ctx context.Context, tx *store.Tx) error {
			for typ := range 1250 {
				p := page{Region: region, Type: fmt.Sprintf("t%04d.large", typ)}
				for n := range 17 {
					q := quote{Zone: fmt.Sprintf("%s%c", region, 'a'+n%6), Product: []string{"Linux/UNIX", "Windows", "SUSE Linux"}[n/6], Lifecycle: cloud.Spot, Price: 40_000, From: at}
					p.Opening, p.Changes = append(p.Opening, q), append(p.Changes, q)
				}
				parent := key + "/" + p.Type
				if _, err := prices().Insert(ctx, tx, store.Doc[page]{Meta: store.Meta{ID: parent + "/" + at.Format(time.DateOnly), Parent: parent, State: key, At: at}, Value: p}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if _, err := prices().Insert(b.Context(), s.db, store.Doc[page]{Meta: store.Meta{ID: key, State: headState}}); err != nil {
		b.Fatal(err)
	}
}

// writes inserts one small document after the other until stop, and tells how long each took, the shortest first.
func (s stall) writes(b *testing.B, name string, stop <-chan struct{}) (waits []time.Duration) {
	b.Helper()
	for {
		select {
		case <-stop:
			slices.Sort(waits)
			return waits
		default:
		}
		began := time.Now()
		if _, err := prices().Insert(b.Context(), s.db, store.Doc[page]{Meta: store.Meta{ID: fmt.Sprint(name, len(waits)), State: "other"}}); err != nil {
			b.Fatal(err)
		}
		waits = append(waits, time.Since(began))
	}
}

func nth(sorted []time.Duration, share float64) time.Duration {
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
