package job

import (
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
	"github.com/neap-cloud/neap/internal/lab"
)

// A job of 4 hours that has 5, so that the line rises by 0.8 an hour, with a restart of 6 minutes. On spot it does 1.9 h in the first two hours, which the line reaches
// after 2.375 h: it runs on demand from the look at 2:25 on. It is ahead of the line by two restarts, 0.16 h, at 3:53, so at 3:55 it takes the spot that has
// been open since 3:00, and does the 0.7 h that are left.
func TestUniformProgressKeepsToItsLine(t *testing.T) {
	b := single(t, plain(10, []float64{0, 2, 3, 10}), deadlines(4, 5, 0.1), lab.PolicyUniformProgress)
	want := []struct {
		kind        deadline.Kind
		from, until time.Duration
	}{
		{deadline.Spot, 0, 120 * time.Minute}, {deadline.OnDemand, 145 * time.Minute, 235 * time.Minute}, {deadline.Spot, 235 * time.Minute, 283 * time.Minute},
	}
	if len(b.stays) != len(want) {
		t.Fatalf("%+v", b.stays)
	}
	for n, s := range b.stays {
		if s.Kind != want[n].kind || s.From.Sub(midnight) != want[n].from || s.Until.Sub(midnight) != want[n].until {
			t.Errorf("%s from %s until %s", s.Kind, s.From.Sub(midnight), s.Until.Sub(midnight))
		}
	}
}

func TestUniformProgressStaysOnDemandWhileThereIsNoSpot(t *testing.T) {
	b := single(t, plain(10, []float64{0, 1}), deadlines(4, 5, 0.1), lab.PolicyUniformProgress)
	if b.Launches != 2 || b.Forced != 1 || b.Voluntary != 0 {
		t.Errorf("%+v", b.Outcome)
	}
}

// Without spot, 7 hours of work in 20 are begun once they take 0.7 of the time left, 10 h, plus the look after which the job is behind.
func TestUniformProgressWaitsWhileADeadlineIsLoose(t *testing.T) {
	b := single(t, plain(20, nil), deadlines(7, 20, 0.1), lab.PolicyUniformProgress)
	if began := b.stays[0].From.Sub(midnight); began < 10*time.Hour || began > 10*time.Hour+2*look || b.Missed != 0 {
		t.Errorf("it began on demand after %s", began)
	}
}

func TestGreedyWaitsUntilTheNet(t *testing.T) {
	b := single(t, plain(20, []float64{15, 20}), deadlines(7, 20, 0.1), lab.PolicyLowestPrice)
	if began := b.stays[0].From.Sub(midnight); b.Launches != 1 || b.stays[0].Kind != deadline.OnDemand || began < hoursOf(12.7) || began > hoursOf(12.7)+2*look {
		t.Errorf("it ran %+v", b.stays)
	}
}

func TestBaselinesTakeTheCheapestOpenPool(t *testing.T) {
	w := plain(20, []float64{0, 20}, []float64{0, 20}, nil)
	w.Pools[1].Prices[0].Price, w.Pools[2].Prices[0].Price = third-1, 1
	for _, policy := range []string{lab.PolicyLowestPrice, lab.PolicyUniformProgress} {
		if b := single(t, w, deadlines(4, 5, 0.1), policy); b.stays[0].Pool != 1 {
			t.Errorf("%s takes pool %d", policy, b.stays[0].Pool)
		}
	}
}
