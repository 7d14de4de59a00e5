package sim

import (
	"context"
	"errors"
	"strings"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// change alters instances of the account: all of them, or none when one is unknown or refused.
func (a *Account) change(ctx context.Context, call Call, region string, ids []string, alter func(context.Context, runner, *instance, physics.Instant) error) error {
	_, err := do(ctx, a, call, region, func() (none struct{}, err error) {
		now := a.cloud.now()
		return none, a.cloud.db.write(ctx, func(ctx context.Context, tx runner) error {
			found, err := a.owned(ctx, tx, region, ids)
			if err != nil {
				return err
			}
			for _, i := range found {
				if err := alter(ctx, tx, i, now); err != nil {
					return err
				}
				if err := i.save(ctx, a.cloud.db, tx); err != nil {
					return err
				}
			}
			return a.record(ctx, tx, call, region, "ok", strings.Join(ids, " "))
		})
	})
	return err
}

// Terminate ends instances; all of them, or none when one is unknown.
func (a *Account) Terminate(ctx context.Context, region string, ids []string) error {
	return a.change(ctx, TerminateCall, region, ids, func(ctx context.Context, tx runner, i *instance, now physics.Instant) error {
		if now >= i.ends {
			return nil
		}
		if i.modified(protection) == "true" {
			return bad("OperationNotPermitted", "The instance %s is protected against termination; set its attribute %s to false first.", i.id, protection)
		}
		d := a.cloud.dice.On("terminate").At(i.seq)
		i.end(now, a.cloud.tuning.End.Draw(&d), cloud.EndedByUser)
		return a.cloud.silence(ctx, tx, i, now)
	})
}

func (i *instance) end(now, shutdown physics.Instant, why string) {
	i.ends, i.gone, i.ended = now, now+shutdown, why
}

// Interrupt takes spot instances back as the cloud itself would: a notice now, the end after NoticeIn.
func (a *Account) Interrupt(ctx context.Context, region string, ids []string) error {
	return a.change(ctx, InterruptCall, region, ids, func(ctx context.Context, tx runner, i *instance, now physics.Instant) error {
		switch {
		case i.market.Lifecycle != cloud.Spot:
			return bad("IncorrectInstanceState", "The instance %s is on demand; only spot instances are interrupted.", i.id)
		case now >= i.ends:
			return bad("IncorrectInstanceState", "The instance %s has ended already.", i.id)
		case now >= i.notice:
			return nil // announced already
		}
		return a.cloud.takeBack(ctx, tx, i, now, now)
	})
}

// takeBack announces the end of a living instance at a moment, instead of whatever was to become of it.
func (c *Cloud) takeBack(ctx context.Context, tx runner, i *instance, now, notice physics.Instant) error {
	if err := c.silence(ctx, tx, i, now); err != nil {
		return err
	}
	d := c.dice.On("interrupt").At(i.seq)
	i.notice, i.ends, i.ended = notice, notice+physics.Lasting(c.noticeIn(i.market.Region)), cloud.EndedByInterruption
	i.gone = i.ends + c.tuning.End.Draw(&d)
	return insertNotices(ctx, c.db, tx, c.foretell(d, i, physics.Fate{Notice: i.notice, Ends: i.ends}))
}

// Stop stops running on-demand instances in place, by force at once. One-time spot instances cannot be stopped, as on EC2.
func (a *Account) Stop(ctx context.Context, region string, ids []string, force bool) error {
	return a.change(ctx, StopCall, region, ids, func(_ context.Context, _ runner, i *instance, now physics.Instant) error {
		switch state := i.state(now); {
		case i.market.Lifecycle == cloud.Spot:
			return bad("UnsupportedOperation", "The instance %s is a one-time spot instance; it can be terminated but not stopped.", i.id)
		case state == cloud.Stopping && force:
			i.stopped = now
			return nil
		case state == cloud.Stopping || state == cloud.Stopped:
			return nil
		case state != cloud.Running:
			return wrongState(i, state)
		}
		d := a.cloud.dice.On("stop").At(i.seq).At(int64(now))
		i.stopping, i.stopped = now, now
		if !force {
			i.stopped += a.cloud.tuning.End.Draw(&d)
		}
		return nil
	})
}

// Start starts stopped instances again; they boot as new ones do.
func (a *Account) Start(ctx context.Context, region string, ids []string) error {
	return a.change(ctx, StartCall, region, ids, func(_ context.Context, _ runner, i *instance, now physics.Instant) error {
		switch state := i.state(now); state {
		case cloud.Pending, cloud.Running:
			return nil
		case cloud.Stopped:
			i.stopping, i.stopped, i.started = physics.Never, physics.Never, now
			a.cloud.boot(i, now)
			return nil
		default:
			return wrongState(i, state)
		}
	})
}

func (c *Cloud) boot(i *instance, now physics.Instant) {
	d := c.dice.On("boot").At(i.seq).At(int64(now))
	i.running = now + c.tuning.Boot.Draw(&d)
	i.ok = i.running + c.tuning.Checks.Draw(&d)
	i.impaired = physics.Never
}

// Reboot restarts running instances. They stay in state running while their checks begin again, and an impaired one recovers.
func (a *Account) Reboot(ctx context.Context, region string, ids []string) error {
	return a.change(ctx, RebootCall, region, ids, func(_ context.Context, _ runner, i *instance, now physics.Instant) error {
		if state := i.state(now); state != cloud.Running {
			return wrongState(i, state)
		}
		running := i.running
		a.cloud.boot(i, now)
		i.running = running
		return nil
	})
}

func wrongState(i *instance, state cloud.State) *cloud.Refusal {
	return bad("IncorrectInstanceState", "The instance %s is %s.", i.id, state)
}

// living reads the living instances with these ids, whatever account they belong to.
func (c *Cloud) living(ctx context.Context, tx runner, ids []string, now physics.Instant) ([]*instance, error) {
	args := []any{int64(now)}
	for _, id := range ids {
		args = append(args, id)
	}
	found, err := readInstances(ctx, c.db, tx, "ends_at > ? AND id IN ("+marks(len(ids))+")", args...)
	if err == nil && len(found) != len(ids) {
		err = bad("IncorrectInstanceState", "%d of the %d instances are alive.", len(found), len(ids))
	}
	return found, err
}

// outside alters living instances as nobody's call: an act of the world.
func (c *Cloud) outside(ctx context.Context, find func(context.Context, runner, physics.Instant) ([]*instance, error), alter func(context.Context, runner, *instance, physics.Instant) error) error {
	now := c.now()
	return c.db.write(ctx, func(ctx context.Context, tx runner) error {
		found, err := find(ctx, tx, now)
		if err != nil {
			return err
		}
		for _, i := range found {
			if err := errors.Join(alter(ctx, tx, i, now), i.save(ctx, c.db, tx)); err != nil {
				return err
			}
		}
		return nil
	})
}
