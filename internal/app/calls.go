package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/neap-cloud/neap/internal/cloud/budget"
)

// calls are the figures of what is asked of the clouds.
type calls struct {
	budget  *budget.Budget
	made    *prometheus.CounterVec
	spared  *prometheus.CounterVec
	waited  *prometheus.HistogramVec
	took    *prometheus.HistogramVec
	circuit *prometheus.Desc
	left    *prometheus.Desc
	waiting *prometheus.Desc
}

// newCalls makes the budget that everyone in this process shares, and counts what happens in it.
func newCalls(c budget.Config) *calls {
	seconds := []float64{.001, .005, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	place := []string{"account", "region"}
	m := &calls{
		made: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "neap_cloud_calls_total", Help: "Calls to clouds, and calls that were given up, by outcome."},
			[]string{"account", "region", "call", "outcome"}),
		spared: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "neap_cloud_calls_spared_total", Help: "Requests that shared the call of another one."}, []string{"call"}),
		waited: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "neap_cloud_call_wait_seconds", Help: "Time that calls waited for their budget.", Buckets: seconds},
			[]string{"call", "priority"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "neap_cloud_call_seconds", Help: "Time that clouds took to answer.", Buckets: seconds}, []string{"call"}),
		circuit: prometheus.NewDesc("neap_cloud_circuit", "1 for the position in which the circuit of an account and region is: closed, open or trying.",
			append(place, "position"), nil),
		left:    prometheus.NewDesc("neap_cloud_budget_left", "Calls that this process could make at once.", append(place, "call"), nil),
		waiting: prometheus.NewDesc("neap_cloud_calls_waiting", "Calls that wait for their budget.", place, nil),
	}
	c.Observe = m.count
	m.budget = budget.New(c)
	return m
}

func (m *calls) count(c budget.Call) {
	m.made.WithLabelValues(c.Account, c.Region, string(c.Class), c.Outcome).Inc()
	m.spared.WithLabelValues(string(c.Class)).Add(float64(c.Requests - 1))
	m.waited.WithLabelValues(string(c.Class), c.Priority.String()).Observe(c.Waited.Seconds())
	if c.Took > 0 {
		m.took.WithLabelValues(string(c.Class)).Observe(c.Took.Seconds())
	}
}

// Describe is prometheus.Collector's.
func (m *calls) Describe(out chan<- *prometheus.Desc) {
	for _, c := range []prometheus.Collector{m.made, m.spared, m.waited, m.took} {
		c.Describe(out)
	}
	out <- m.circuit
	out <- m.left
	out <- m.waiting
}

// Collect is prometheus.Collector's.
func (m *calls) Collect(out chan<- prometheus.Metric) {
	for _, c := range []prometheus.Collector{m.made, m.spared, m.waited, m.took} {
		c.Collect(out)
	}
	for _, s := range m.budget.States() {
		for _, position := range []budget.Position{budget.Closed, budget.Open, budget.Trying} {
			is := 0.0
			if s.Circuit == position {
				is = 1
			}
			out <- prometheus.MustNewConstMetric(m.circuit, prometheus.GaugeValue, is, s.Account, s.Region, string(position))
		}
		for class, left := range s.Left {
			out <- prometheus.MustNewConstMetric(m.left, prometheus.GaugeValue, left, s.Account, s.Region, string(class))
		}
		out <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, float64(s.Waiting), s.Account, s.Region)
	}
}
