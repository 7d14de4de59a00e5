package batch

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// Cancel ends a job wherever it stands; fault.Conflict when it is in a final state.
func (b *Batch) Cancel(ctx context.Context, account, author, id string) (Job, error) {
	return b.finish(ctx, account, id, Cancelled, "It was cancelled by "+orElse(author, "somebody")+".")
}

// finish brings a job to its end. What still runs of it is stopped beside.
func (b *Batch) finish(ctx context.Context, account, id string, state State, because string) (Job, error) {
	d, err := jobs.Get(ctx, b.c.DB, store.Account(account), id)
	if err != nil {
		return Job{}, err
	}
	d, err = b.change(ctx, d, func(d document) (move, bool, error) { return concluded(d, state, because, b.c.Clock.Now().UTC()) })
	return job(d), err
}

// concluded is a job that somebody brings to its end; fault.Conflict when it has come to one.
func concluded(d document, state State, because string, now time.Time) (m move, changed bool, err error) {
	m = move{doc: clone(d)}
	if d.Value.State.Final() {
		return m, false, fault.Of(fault.Conflict, "state", "Job %s is %s already.", d.ID, d.Value.State)
	}
	return m, true, m.to(state, now, because)
}

// Announce is called by an instance job's own machine when it has booted: its job runs from now on. The same answer on repeat. fault.Invalid when the instance is no
// running instance job's.
func (b *Batch) Announce(ctx context.Context, account, region, id, peer string) (Job, error) {
	found, err := b.jobOn(ctx, account, region, id, peer)
	if err != nil || found.State != Starting {
		return found, err
	}
	d, err := jobs.Get(ctx, b.c.DB, store.Account(account), found.ID)
	if err != nil {
		return Job{}, err
	}
	d, err = b.change(ctx, d, func(d document) (move, bool, error) {
		m := move{doc: clone(d)}
		a, now := m.doc.Value.last(), b.c.Clock.Now().UTC()
		if d.Value.State != Starting || a.N != found.last().N {
			return m, false, nil
		}
		a.StartedAt, a.Host = now, id
		return m, true, m.to(Running, now, "Its instance has announced itself.")
	})
	return job(d), err
}

// Release is called by an instance job's own machine when its work is done: the instance is terminated, and its job has succeeded. fault.Invalid as for Announce, and for
// the second call.
func (b *Batch) Release(ctx context.Context, account, region, id, peer string) (Job, error) {
	found, err := b.jobOn(ctx, account, region, id, peer)
	if err != nil {
		return found, err
	}
	return b.finish(ctx, account, found.ID, Succeeded, "Its instance has said that the work is done.")
}

// jobOn is the job that an instance was got for, while it goes on.
func (b *Batch) jobOn(ctx context.Context, account, region, id, peer string) (Job, error) {
	unknown := fault.Of(fault.Invalid, "instance", "No visible spot request for this instance")
	if b.c.Instances == nil {
		return Job{}, unknown
	}
	m, known, err := b.c.Instances.Find(ctx, account, region, id)
	if err != nil || !known {
		return Job{}, orUnknown(err, unknown)
	}
	of, attempt := jobOf(m.Task)
	found, err := b.Get(ctx, account, of)
	if err != nil {
		return Job{}, orUnknown(err, unknown)
	}
	if peer != m.PrivateIP && peer != m.PublicIP {
		b.c.Log.Info("an instance's call came from another address than its own", "job", of, "instance", id, "peer", peer)
	}
	if last := found.last(); found.State != Starting && found.State != Running || last == nil || last.N != attempt {
		return Job{}, unknown
	}
	return found, nil
}

func orUnknown(err, unknown error) error {
	if err == nil || fault.Is(err, fault.NotFound) {
		return unknown
	}
	return err
}
