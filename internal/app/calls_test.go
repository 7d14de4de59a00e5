package app

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/cloud/sim"
)

// sums adds up each metric's samples: values of counters and gauges, counts of histograms.
func sums(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			all[family.GetName()] += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

func TestEveryCallToACloudIsToldInMetrics(t *testing.T) {
	hands := clock.NewManual(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))
	world, err := sim.Open(t.Context(), sim.Config{Memory: true, Clock: hands, Seed: 1, Catalog: catalog.AWS()})
	if err != nil {
		t.Fatal(err)
	}
	defer world.Close()
	m := newCalls(budget.Config{Clock: hands})
	p := m.budget.Wrap("act-1", world.Account("act-1"))
	for range 5 {
		if _, err := p.Describe(t.Context(), cloud.Query{Region: "us-east-1"}); err != nil {
			t.Fatal(err)
		}
	}
	m.count(budget.Call{Account: "act-1", Region: "us-east-1", Class: budget.Terminate, Priority: budget.Healing, Outcome: "ok", Requests: 3, Took: time.Second})
	m.count(budget.Call{Account: "act-1", Region: "us-east-1", Class: budget.Launch, Priority: budget.Sweep, Outcome: "open", Requests: 1})
	told := sums(t, m)
	for name, want := range map[string]float64{
		"neap_cloud_calls_total": 7, "neap_cloud_calls_spared_total": 2, "neap_cloud_call_wait_seconds": 7, "neap_cloud_call_seconds": 6,
		"neap_cloud_circuit": 1, "neap_cloud_calls_waiting": 0,
	} {
		if told[name] != want {
			t.Errorf("%s is %v, not %v", name, told[name], want)
		}
	}
	if told["neap_cloud_budget_left"] < 1000 { // of all classes, five calls used
		t.Errorf("the budget left is %v", told["neap_cloud_budget_left"])
	}
}
