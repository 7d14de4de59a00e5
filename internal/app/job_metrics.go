package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neap-cloud/neap/internal/batch"
)

// jobMetrics are what a monitoring system may ask about jobs. It is the room's meter.
type jobMetrics struct {
	batch    *batch.Batch
	standing *prometheus.Desc
	outcomes *prometheus.CounterVec
	waits    prometheus.Histogram
}

func newJobMetrics() *jobMetrics {
	return &jobMetrics{
		standing: prometheus.NewDesc("neap_jobs", "Jobs that have not come to their end, by what they do: waiting, held (back until later), active, ending (being stopped).", []string{"standing"}, nil),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "neap_job_attempts_total", Help: "Attempts at jobs that have ended, by outcome."}, []string{"outcome"}),
		waits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "neap_job_wait_seconds", Help: "From a job's submission until its first attempt got its place, in engine time.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 6 * 3600},
		}),
	}
}

// Began is batch.Meter's.
func (m *jobMetrics) Began(after time.Duration) { m.waits.Observe(after.Seconds()) }

// Ended is batch.Meter's.
func (m *jobMetrics) Ended(outcome string) { m.outcomes.WithLabelValues(outcome).Inc() }

// Describe is prometheus.Collector's.
func (m *jobMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.standing
	m.outcomes.Describe(out)
	m.waits.Describe(out)
}

// Collect is prometheus.Collector's.
func (m *jobMetrics) Collect(out chan<- prometheus.Metric) {
	m.outcomes.Collect(out)
	m.waits.Collect(out)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	counts, err := m.batch.Standing(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(m.standing, err)
		return
	}
	for standing, n := range counts {
		out <- prometheus.MustNewConstMetric(m.standing, prometheus.GaugeValue, float64(n), standing)
	}
}
