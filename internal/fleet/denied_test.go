package fleet_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/mishap"
	"github.com/neap-cloud/neap/internal/cloud/sim"
	"github.com/neap-cloud/neap/internal/dialect/spot/elastigroup"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/journal"
)

// doorway is an account that may be shut at any moment.
type doorway struct {
	*world
	shut atomic.Bool
}

// atTheDoor starts a Neap whose account can be shut.
func atTheDoor(t *testing.T) *doorway {
	t.Helper()
	d := &doorway{}
	m := mishap.New(1, func() (p mishap.Plan) {
		if d.shut.Load() {
			p.Rate = map[mishap.Kind]float64{mishap.Denied: 1}
		}
		return p
	})
	d.world = &world{Neap: apptest.Start(t, func(c *app.Config) { c.Unusual.Around = m.Wrap })}
	return d
}

// alerted is the message of the group's open alert of a kind, "" when none is open.
func (w *world) alerted(kind journal.AlertKind) string {
	w.T.Helper()
	list, err := w.Fleet.Journal.Alerts(w.T.Context(), w.Account.ID)
	if err != nil {
		w.T.Fatal(err)
	}
	for _, a := range list {
		if a.Kind == kind && a.Resource == w.group.ID {
			return a.Message
		}
	}
	return ""
}

func TestWhileTheCloudDeniesNothingIsGivenUpAndAfterwardsAllGoesOn(t *testing.T) {
	t.Parallel()
	d := atTheDoor(t)
	create(t, d.world, "")
	d.settle()
	d.shut.Store(true)
	two := 2
	if _, err := d.Fleet.SetCapacity(t.Context(), d.Account.ID, "test", d.group.ID, &two, nil, nil); err != nil {
		t.Fatal(err)
	}
	d.Until("a person is told", 2*time.Minute, func() bool { return d.alerted(journal.AlertDenied) != "" })
	end := d.Clock.Now().Add(6 * time.Minute)
	d.Until("six minutes have passed", 7*time.Minute, func() bool { return d.Clock.Now().After(end) })
	for _, r := range d.record().Instances {
		if !r.Alive {
			t.Errorf("%s was ended meanwhile", r.ID)
		}
	}
	if n := len(d.members()); n != 4 {
		t.Errorf("the engine has %d instances, and 4 live:\n%s", n, d.log())
	}
	for _, want := range []string{"ExpiredToken", "credentials are no longer good", "asks again every 1m0s"} {
		if log := d.log(); strings.Count(log, want) != 1 || !strings.Contains(d.alerted(journal.AlertDenied), want) {
			t.Errorf("the log does not say %q once, or the alert not at all:\n%s\n%s", want, log, d.alerted(journal.AlertDenied))
		}
	}
	d.shut.Store(false)
	d.settle()
	d.Until("the alert is over", 2*time.Minute, func() bool { return d.alerted(journal.AlertDenied) == "" })
	if n := d.launched(); n != 4 {
		t.Errorf("%d instances were launched for a target of 4 and then 2:\n%s", n, d.log())
	}
}

func TestADeniedLaunchSaysWhatIsWrongAndWhenItIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := &world{Neap: apptest.Start(t)}
	denied := &cloud.Refusal{Kind: cloud.Denied, Code: "UnauthorizedOperation", Message: "You are not authorized to perform ec2:RunInstances."}
	w.Cloud.FailNext(sim.LaunchCall, denied)
	w.Cloud.FailNext(sim.LaunchCall, denied)
	create(t, w, "")
	w.Until("it was denied", time.Minute, func() bool { return strings.Contains(w.log(), "Can't launch") })
	if log := w.log(); !strings.Contains(log, "ec2:RunInstances. (UnauthorizedOperation). The account's credentials are no longer good, or lack a permission") ||
		!strings.Contains(log, "Neap tries again in 1m.") {
		t.Errorf("the log does not say what to do:\n%s", log)
	}
	w.settle()
}

func TestADeniedTerminationDoesNotKeepTheRestFromBeingDone(t *testing.T) {
	t.Parallel()
	var shut atomic.Bool
	shut.Store(true)
	w := &world{Neap: apptest.Start(t, func(c *app.Config) {
		c.Unusual.Around = func(_ clock.Clock, _ string, p cloud.Provider) cloud.Provider { return immortal{p, &shut} }
	})}
	create(t, w, "")
	w.settle()
	one, five := 1, 5
	if _, err := w.Fleet.SetCapacity(t.Context(), w.Account.ID, "test", w.group.ID, &one, nil, nil); err != nil {
		t.Fatal(err)
	}
	w.Until("a person is told", 2*time.Minute, func() bool { return w.alerted(journal.AlertDenied) != "" })
	if _, err := w.Fleet.SetCapacity(t.Context(), w.Account.ID, "test", w.group.ID, &five, nil, nil); err != nil {
		t.Fatal(err)
	}
	w.Until("four more are launched all the same", 3*time.Minute, func() bool { return w.launched() == 8 })
	shut.Store(false)
	w.settle()
}

// immortal is a cloud on which we may do anything but end instances, as long as it is shut.
type immortal struct {
	cloud.Provider
	shut *atomic.Bool
}

func (i immortal) Unwrap() cloud.Provider { return i.Provider }

func (i immortal) Terminate(ctx context.Context, region string, ids []string) error {
	if i.shut.Load() {
		return &cloud.Refusal{Kind: cloud.Denied, Code: "UnauthorizedOperation", Message: "You are not authorized to perform ec2:TerminateInstances."}
	}
	return i.Provider.Terminate(ctx, region, ids)
}

func TestAGroupOnAnAccountThatIsShutIsNotMade(t *testing.T) {
	t.Parallel()
	d := atTheDoor(t)
	d.shut.Store(true)
	_, err := d.Fleet.Create(t.Context(), d.Account.ID, "test", elastigroup.FormName, document(t, ""))
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "Check the account's credentials") {
		t.Errorf("it gave %v", err)
	}
}

func TestALaunchWhoseReplyIsLostIsNotMadeAnewWhenItsRepetitionIsRefused(t *testing.T) {
	for _, kind := range []cloud.RefusalKind{cloud.Throttled, cloud.Denied} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			far := &forgetful{kind: kind, times: map[string]int{}}
			w := &world{Neap: apptest.Start(t, func(c *app.Config) {
				c.Unusual.Around = func(_ clock.Clock, _ string, p cloud.Provider) cloud.Provider { return attempt{p, far} }
			})}
			create(t, w, "")
			w.settle()
			if n := w.launched(); n != 4 {
				t.Errorf("%d instances were launched for a target of 4:\n%s", n, w.log())
			}
		})
	}
}

// forgetful is a cloud that loses the reply to the first attempt of each launch, and refuses to answer the second.
type forgetful struct {
	kind  cloud.RefusalKind
	mu    sync.Mutex
	times map[string]int // by token
}

type attempt struct {
	cloud.Provider
	*forgetful
}

func (a attempt) Unwrap() cloud.Provider { return a.Provider }

func (a attempt) Launch(ctx context.Context, l cloud.Launch) ([]cloud.Instance, error) {
	a.mu.Lock()
	a.times[l.Token]++
	n := a.times[l.Token]
	a.mu.Unlock()
	if n == 2 {
		return nil, &cloud.Refusal{Kind: a.kind, Scope: cloud.ScopeAccount, Key: l.Market.Region, Code: "Refused", Message: "not now"}
	}
	started, err := a.Provider.Launch(ctx, l)
	if n == 1 {
		return nil, errors.New("connection reset")
	}
	return started, err
}
