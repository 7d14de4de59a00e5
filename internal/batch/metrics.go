package batch

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neap-cloud/neap/internal/store"
)

// Metrics are what a monitoring system may ask the room: how many jobs wait and run, how attempts end, how long jobs wait for their first one.
type Metrics struct {
	db       *store.DB
	standing *prometheus.Desc
	outcomes *prometheus.CounterVec
	waited   prometheus.Histogram
}

func newMetrics(db *store.DB) *Metrics {
	return &Metrics{
		db:       db,
		standing: prometheus.NewDesc("neap_jobs", "Jobs that have not come to their end, by what they do: waiting, held (back until later), active, ending (being stopped).", []string{"standing"}, nil),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "neap_job_attempts_total", Help: "Attempts that have ended here, by outcome."}, []string{"outcome"}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "neap_job_wait_seconds", Help: "From a job's submission until its first attempt was given its place, in engine time.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 6 * 3600},
		}),
	}
}

// Metrics are the room's, for the registry of the process.
func (b *Batch) Metrics() *Metrics { return b.metrics }

// Describe is prometheus.Collector's.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.standing
	m.outcomes.Describe(out)
	m.waited.Describe(out)
}

// Collect is prometheus.Collector's.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	m.outcomes.Collect(out)
	m.waited.Collect(out)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, standing := range []string{waiting, held, active, ending} {
		n, err := jobs.Count(ctx, m.db, store.Installation(), store.Query{States: []string{standing}})
		if err != nil {
			out <- prometheus.NewInvalidMetric(m.standing, err)
			continue
		}
		out <- prometheus.MustNewConstMetric(m.standing, prometheus.GaugeValue, float64(n), standing)
	}
}
