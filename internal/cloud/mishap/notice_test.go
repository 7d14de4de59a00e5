package mishap_test

import (
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/mishap"
)

// interrupted is a world in which one instance has just been told its end.
func interrupted(t *testing.T, plan mishap.Plan) (*world, cloud.Notifier) {
	t.Helper()
	w := begin(t, 4)
	w.plan.Store(&plan)
	started := must[[]cloud.Instance](t)(w.Launch(t.Context(), request("a", 1)))
	if err := w.true.Interrupt(t.Context(), region, ids(started)); err != nil {
		t.Fatal(err)
	}
	return w, ability[cloud.Notifier](t, w)
}

// firstSeen polls every second for so long, and gives the notices that came, in order, with their delays.
func firstSeen(t *testing.T, w *world, notifier cloud.Notifier, span time.Duration) (notices []cloud.Notice, after []time.Duration) {
	t.Helper()
	seen := map[string]bool{}
	for began := w.clock.Now(); w.clock.Now().Sub(began) <= span; w.clock.Advance(time.Second) {
		for _, n := range must[[]cloud.Notice](t)(notifier.Notices(t.Context(), region)) {
			if !seen[n.ID] {
				seen[n.ID] = true
				notices, after = append(notices, n), append(after, w.clock.Now().Sub(n.IssuedAt))
			}
		}
	}
	return notices, after
}

func TestALateNoticeComesWithinTheStatedTime(t *testing.T) {
	for _, by := range []time.Duration{0, 10 * time.Minute} {
		w, notifier := interrupted(t, mishap.Plan{Rate: map[mishap.Kind]float64{mishap.Late: 1}, LateBy: by})
		limit := by
		if by == 0 {
			limit = 20 * time.Second
		}
		notices, after := firstSeen(t, w, notifier, limit+time.Second)
		if len(notices) != 1 || after[0] < time.Second || after[0] > limit+time.Second || w.Counts()[mishap.Late] != 1 {
			t.Errorf("late by up to %s: %d notices came after %v, %v", limit, len(notices), after, w.Counts())
		}
		if by > 0 && after[0] < 2*time.Minute {
			t.Errorf("it came after %s, which is before its deadline", after[0])
		}
	}
}

func TestANoticeThatComesTwiceIsAcknowledgedTwice(t *testing.T) {
	w, notifier := interrupted(t, mishap.Plan{Rate: map[mishap.Kind]float64{mishap.Twice: 1}})
	notices, after := firstSeen(t, w, notifier, 40*time.Second)
	if len(notices) != 2 || notices[0].ID == notices[1].ID || !notices[0].Deadline.Equal(notices[1].Deadline) || after[1] > 31*time.Second {
		t.Fatalf("came: %+v after %v", notices, after)
	}
	for left, n := range notices {
		if err := notifier.Acknowledge(t.Context(), region, []string{n.ID}); err != nil {
			t.Fatal(err)
		}
		if shown := must[[]cloud.Notice](t)(notifier.Notices(t.Context(), region)); len(shown) != 1-left {
			t.Errorf("after %d acknowledgements %d are shown", left+1, len(shown))
		}
	}
}

func TestAnAcknowledgementWhoseReplyIsLostHolds(t *testing.T) {
	w, notifier := interrupted(t, mishap.Plan{})
	notices := must[[]cloud.Notice](t)(notifier.Notices(t.Context(), region))
	w.always(mishap.Unanswered)
	if err := notifier.Acknowledge(t.Context(), region, []string{notices[0].ID}); err == nil {
		t.Error("the reply came")
	}
	w.always()
	if shown := must[[]cloud.Notice](t)(notifier.Notices(t.Context(), region)); len(shown) != 0 {
		t.Errorf("%d notices are shown", len(shown))
	}
}

func TestNothingIsHeldBackOnceAllIsWell(t *testing.T) {
	w, notifier := interrupted(t, mishap.Plan{Rate: map[mishap.Kind]float64{mishap.Late: 1}, LateBy: 10 * time.Minute})
	if shown := must[[]cloud.Notice](t)(notifier.Notices(t.Context(), region)); len(shown) != 0 {
		t.Fatalf("%d notices came at once", len(shown))
	}
	w.always()
	if shown := must[[]cloud.Notice](t)(notifier.Notices(t.Context(), region)); len(shown) != 1 {
		t.Errorf("%d notices came", len(shown))
	}
}
