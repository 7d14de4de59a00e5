package job

import (
	"context"
	"math"
	"testing"

	"github.com/neap-cloud/neap/internal/lab"
)

func TestTheProductionRuleIsCheaperThanThePublishedPoliciesWherePoolsComeAndGo(t *testing.T) {
	policies := []string{lab.PolicyUniformProgress, lab.PolicyNeap, lab.PolicyLowestPrice, lab.PolicyOnDemand}
	for pools := 1; pools <= 3; pools++ {
		cost := map[string]float64{}
		for seed := range uint64(12) {
			rows, err := Compare(context.Background(), scarce(seed, 24*20, pools), []lab.Workload{deadlines(12, 15, 0.2)}, policies, 20, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				cost[r.Policy] += r.Ratio.Mean / 24
				if r.Missed > 0 || r.Jobs != 10 {
					t.Errorf("%+v", r)
				}
			}
		}
		t.Logf("%d pools: %.4v", pools, cost)
		if own := cost[lab.PolicyNeap]; own > 0.99*cost[lab.PolicyUniformProgress] || own > 0.99*cost[lab.PolicyLowestPrice] || own > 1 {
			t.Errorf("with %d pools, of the cost on demand: %v", pools, cost)
		}
	}
}

func TestACostIsTheSameHoweverItIsCompared(t *testing.T) {
	w := scarce(3, 24*20, 2)
	load := deadlines(12, 15, 0.2)
	rows, err := Compare(context.Background(), w, []lab.Workload{load}, []string{lab.PolicyOnDemand, lab.PolicyNeap}, 20, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 4 {
		t.Fatalf("%d rows", len(rows))
	}
	for n, r := range rows {
		want := []float64{12.2 / 12, 12.2 / 12, 0, 0}[n]
		if r.Half != n%2+1 || n < 2 && (math.Abs(r.Ratio.Mean-want) > 1e-9 || r.Over.Mean != 0) {
			t.Errorf("%+v", r)
		}
		if n >= 2 && math.Abs(r.Over.Mean-(r.Ratio.Mean-rows[n-2].Ratio.Mean)) > 1e-9 {
			t.Errorf("%+v", r)
		}
		if r.Ratio.Low > r.Ratio.Mean || r.Ratio.High < r.Ratio.Mean {
			t.Errorf("%+v", r)
		}
	}
}

func TestAnIntervalIsWiderWhereJobsOverlap(t *testing.T) {
	values := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	far, near := mean(values, 100), mean(values, 2.5)
	if far.Mean != 5.5 || math.Abs((far.High-far.Low)/2-1.96*math.Sqrt(55.0/6/10)) > 1e-9 || math.Abs((near.High-near.Low)/(far.High-far.Low)-2) > 1e-9 {
		t.Errorf("%+v %+v", far, near)
	}
	if one := mean(values[:1], 9); !math.IsInf(one.High, 1) {
		t.Errorf("one value tells %+v", one)
	}
}

func TestWhatCannotBeComparedIsRefused(t *testing.T) {
	w := scarce(1, 100, 1)
	for _, load := range []lab.Workload{deadlines(90, 120, 0.1), tasks(t, "batch:4x30m")} {
		if _, err := Compare(context.Background(), w, []lab.Workload{load}, Policies(), 20, 1); err == nil {
			t.Errorf("%s was compared", load)
		}
	}
	if _, err := Compare(context.Background(), w, []lab.Workload{deadlines(1, 2, 0)}, []string{lab.PolicyHindsight}, 20, 1); err == nil {
		t.Error("the hindsight was compared")
	}
}
