package mishap

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

// again is what the second id of a notice that comes twice ends with.
const again = "-again"

// twiceWithin is how much later a notice comes the second time, at most.
const twiceWithin = 30 * time.Second

// warning is a notice that the cloud has given, until it is acknowledged; then it is kept to be silent about.
type warning struct {
	cloud.Notice
	due          time.Time
	isHeld       bool // late, and not yet counted as such
	acknowledged bool
}

// receive takes in what the cloud shows, and lists what the caller may know by now, oldest first.
func (a *account) receive(shown []cloud.Notice, p Plan, region string, now time.Time) []cloud.Notice {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range shown {
		if _, known := a.notices[n.ID]; !known {
			a.take(n, p)
		}
	}
	var list []cloud.Notice
	for _, w := range a.notices {
		switch {
		case w.acknowledged || w.Region != region:
		case w.due.After(now) && p.Rate[Late]+p.Rate[Twice] > 0: // once all is well, nothing is held back
			if w.isHeld {
				a.mishaps.count(Late)
				w.isHeld = false
			}
		default:
			list = append(list, w.Notice)
		}
	}
	slices.SortFunc(list, func(one, other cloud.Notice) int {
		return cmp.Or(one.IssuedAt.Compare(other.IssuedAt), cmp.Compare(one.ID, other.ID))
	})
	return list
}

// take decides when a new notice comes, and whether it comes again.
func (a *account) take(n cloud.Notice, p Plan) {
	dice := a.dice("notice\x00" + n.ID)
	w := &warning{Notice: n, due: n.IssuedAt}
	if dice.Float64() < p.Rate[Late] {
		w.isHeld, w.due = true, n.IssuedAt.Add(time.Duration(dice.Float64()*float64(cmp.Or(p.LateBy, usualLateBy))))
	}
	a.notices[n.ID] = w
	if a.strikes(dice, p, Twice) {
		second := &warning{Notice: n, due: w.due.Add(time.Duration(dice.Float64() * float64(twiceWithin)))}
		second.ID += again
		a.notices[second.ID] = second
	}
}

// silence notes that notices are not to be shown any more.
func (a *account) silence(ids []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		if w, known := a.notices[id]; known {
			w.acknowledged = true
		}
	}
}

// notifier is the ability to warn, badly.
type notifier struct{ around[cloud.Notifier] }

// Notices is cloud.Notifier's.
func (n notifier) Notices(ctx context.Context, region string) ([]cloud.Notice, error) {
	return call(ctx, n.base, "Notices", region, func(p Plan, _ *rand.Rand) ([]cloud.Notice, error) {
		shown, err := n.inner.Notices(ctx, region)
		if err != nil {
			return nil, err
		}
		return n.base.account.receive(shown, p, region, n.base.clock.Now()), nil
	})
}

// Acknowledge is cloud.Notifier's.
func (n notifier) Acknowledge(ctx context.Context, region string, ids []string) error {
	return n.base.do(ctx, "Acknowledge", region, func() error {
		// An id of ours is one that the cloud does not know, which is no error.
		if err := n.inner.Acknowledge(ctx, region, ids); err != nil {
			return err
		}
		n.base.account.silence(ids)
		return nil
	})
}
