package op

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/neap-cloud/neap/internal/fault"
)

// metrics are the figures of one server, in its own registry.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	refusals *prometheus.CounterVec
	inFlight prometheus.Gauge
	streams  prometheus.Gauge
	streamed *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "neap_http_requests_total", Help: "Requests answered, by operation and status."}, []string{"operation", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "neap_http_request_seconds", Help: "Time from reading to answering a request, by operation.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, []string{"operation"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "neap_http_refusals_total", Help: "Requests refused, by operation and kind of fault."}, []string{"operation", "kind"}),
		streams:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "neap_http_streams", Help: "Streams of events that are open now."}),
		streamed: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "neap_http_stream_seconds", Help: "How long streams of events were open, by operation.",
			Buckets: []float64{1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600}}, []string{"operation"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "neap_http_in_flight", Help: "Requests being answered now."}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.refusals, m.inFlight, m.streams, m.streamed)
	return m
}

func (m *metrics) count(operation string, status int, refused *fault.Error, took time.Duration, streamed bool) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	seconds := m.seconds
	if streamed {
		seconds = m.streamed
	}
	seconds.WithLabelValues(operation).Observe(took.Seconds())
	if refused != nil {
		m.refusals.WithLabelValues(operation, string(refused.Kind)).Inc()
	}
}

// Registry is where the rest of the program adds its own metrics.
func (s *Server) Registry() *prometheus.Registry { return s.metrics.registry }

// Metrics serves the registry in Prometheus' text format.
func (s *Server) Metrics() http.Handler {
	// What cannot be read, because the database is away, must not hide the alert that says so.
	return promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}
