package capacity

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

var queues = store.Collection[Queue]{Table: "job_queues", Noun: "queue"}

// mostTypes bounds the list of a queue.
const mostTypes = 100

var queueName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// key names a lane among all: no part of it has a slash.
func (l Lane) key() string { return l.Account + "/" + l.Cloud + "/" + l.Region + "/" + l.Queue }

// queue is a lane's, named or not; fault.NotFound when there is none.
func (f *Fleets) queue(ctx context.Context, lane Lane) (Queue, error) {
	if q, is := usual(lane); is {
		return q, nil
	}
	doc, err := queues.Get(ctx, f.DB, store.Account(lane.Account), lane.key())
	return doc.Value, err
}

// Queues are the named queues of an account, with the two that each region has left out.
func (f *Fleets) Queues(ctx context.Context, account string) ([]Queue, error) {
	docs, _, err := queues.List(ctx, f.DB, store.Account(account), store.Query{})
	list := make([]Queue, 0, len(docs))
	for _, d := range docs {
		list = append(list, d.Value)
	}
	return list, err
}

// PutQueue makes or changes one; fault.Invalid when it can't be. What runs already goes on as it is.
func (f *Fleets) PutQueue(ctx context.Context, q Queue) (Queue, error) {
	if err := f.check(ctx, q); err != nil {
		return Queue{}, err
	}
	err := f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		doc, err := queues.Get(ctx, tx, store.Account(q.Account), q.key())
		switch {
		case fault.Is(err, fault.NotFound):
			q.Created = f.Clock.Now()
			meta := store.Meta{ID: q.key(), Account: q.Account, Parent: q.Cloud + "/" + q.Region, Name: q.Queue, At: q.Created}
			_, err = queues.Insert(ctx, tx, store.Doc[Queue]{Meta: meta, Value: q})
		case err == nil:
			q.Created = doc.Value.Created
			doc.Value = q
			_, err = queues.Update(ctx, tx, doc)
		}
		return err
	})
	return q, err
}

// check finds everything that is wrong with a queue.
func (f *Fleets) check(ctx context.Context, q Queue) error {
	var faults []*fault.Error
	wrong := func(path, format string, args ...any) { faults = append(faults, fault.Field(path, format, args...)) }
	if _, reserved := usual(q.Lane); reserved {
		wrong("queue", "Every region has a queue %q that can't be changed; choose another name.", q.Queue)
	} else if !queueName.MatchString(q.Queue) {
		wrong("queue", "%q is no name of a queue: use up to 64 letters, digits, - and _, with a letter or digit first.", q.Queue)
	}
	if q.Lifecycle != cloud.Spot && q.Lifecycle != cloud.OnDemand {
		wrong("lifecycle", "Machines are bought %q or %q, not %q.", cloud.Spot, cloud.OnDemand, q.Lifecycle)
	}
	if q.Most.MilliCPU < 0 || q.Most.MemoryMiB < 0 || q.Most.GPUs < 0 {
		wrong("most", "A bound can't be negative; leave it out where there is none.")
	}
	regions, err := f.regions(ctx, q.Account, q.Cloud)
	switch {
	case err != nil:
		return err
	case len(regions) == 0:
		wrong("cloud", "This account has no machines in the cloud %q.", q.Cloud)
	case !slices.Contains(regions, q.Region):
		wrong("region", "There is no region %q in %s.", q.Region, q.Cloud)
	default:
		faults = append(faults, f.checkTypes(q)...)
	}
	if len(faults) == 0 && !f.isOfUse(q) {
		wrong("most", "No machine that the queue may use has as little as %s; raise that, or allow smaller types.", all(q.Most))
	}
	return fault.All(faults)
}

func (f *Fleets) checkTypes(q Queue) (faults []*fault.Error) {
	if len(q.Types) > mostTypes {
		return []*fault.Error{fault.Field("types", "A queue names at most %d types; name fewer, or none for all that are usual.", mostTypes)}
	}
	for n, name := range q.Types {
		path := fmt.Sprintf("types[%d]", n)
		offer, sold := f.Catalog.Offer(q.Region, product, name)
		switch {
		case !sold || len(offer.Zones) == 0:
			faults = append(faults, fault.Field(path, "%q is not sold in %s.", name, q.Region))
		case q.Lifecycle == cloud.Spot && offer.Spot <= 0:
			faults = append(faults, fault.Field(path, "%q is not sold on spot in %s.", name, q.Region))
		case slices.Contains(q.Types[:n], name):
			faults = append(faults, fault.Field(path, "%q is named twice.", name))
		}
	}
	return faults
}

// isOfUse reports whether at least one machine fits under the queue's bound.
func (f *Fleets) isOfUse(q Queue) bool {
	for _, kinds := range f.shelf(q) {
		for _, k := range kinds {
			if within(k.Has, bounds(q.Most)) {
				return true
			}
		}
	}
	return false
}

// DropQueue removes one; fault.Conflict while machines of it run. Its group goes with it, once there is one.
func (f *Fleets) DropQueue(ctx context.Context, lane Lane) error {
	if _, reserved := usual(lane); reserved {
		return fault.Of(fault.Invalid, queues.Noun, "Every region has a queue %q; it can't be removed.", lane.Queue)
	}
	if _, err := queues.Get(ctx, f.DB, store.Account(lane.Account), lane.key()); err != nil {
		if fault.Is(err, fault.NotFound) {
			return fault.Missing(queues.Noun, lane.Queue)
		}
		return err
	}
	held, _, err := lanes.List(ctx, f.DB, store.Account(lane.Account), store.Query{IDs: laneIDs(lane)})
	if err != nil {
		return err
	}
	for _, l := range held {
		members, err := f.Fleet.Instances(ctx, lane.Account, l.Value.Group)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if len(members) > 0 {
			return fault.Of(fault.Conflict, queues.Noun, "%d machines of queue %s in %s run still; wait until its jobs are done, or cancel them.", len(members), lane.Queue, lane.Region)
		}
	}
	// The queue goes first: what is left when this is cut short costs nothing, and serves a queue of the same name.
	if err := queues.Delete(ctx, f.DB, store.Account(lane.Account), lane.key()); err != nil {
		return err
	}
	for _, l := range held {
		if err := f.dissolve(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// dissolve deletes the group of a lane, and forgets it.
func (f *Fleets) dissolve(ctx context.Context, l store.Doc[lane]) error {
	if err := f.Fleet.Delete(ctx, l.Account, author, l.Value.Group); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err := lanes.Delete(ctx, f.DB, store.Account(l.Account), l.ID); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return nil
}
