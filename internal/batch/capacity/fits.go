package capacity

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/neap-cloud/neap/internal/batch/capacity/size"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/runtime"
)

// Fits says whether a lane could ever hold such a task: nil, or a *runtime.Refusal of kind Never with the reason.
func (f *Fleets) Fits(ctx context.Context, lane Lane, task runtime.Resources) error {
	q, err := f.open(ctx, lane)
	if err != nil {
		return err
	}
	if !within(task, f.limit()) {
		return never("The job needs %s; this machine lends %s.", beyond(task, f.limit()), beyondOf(task, f.limit()))
	}
	if !within(task, bounds(q.Most)) {
		return never("The job needs %s; all machines of queue %s together have at most %s.", beyond(task, bounds(q.Most)), lane.Queue, beyondOf(task, bounds(q.Most)))
	}
	return f.holds(q, task)
}

// holds finds a machine for a task, which by itself fits every bound.
func (f *Fleets) holds(q Queue, task runtime.Resources) error {
	shelf := f.shelf(q)
	kinds := shelf[shelf.classOf(task)]
	if len(kinds) == 0 && task.GPUs > 0 {
		return never("The job needs %s, and queue %s in %s has no machines with any.", amount(task.GPUs, "GPU"), q.Queue, q.Region)
	}
	var largest runtime.Resources
	tooLarge := false
	for _, k := range kinds {
		switch {
		case !k.Holds(task):
			largest = runtime.Resources{MilliCPU: max(largest.MilliCPU, k.Has.MilliCPU), MemoryMiB: max(largest.MemoryMiB, k.Has.MemoryMiB), GPUs: max(largest.GPUs, k.Has.GPUs)}
		case within(k.Has, bounds(q.Most)):
			return nil
		default:
			tooLarge = true
		}
	}
	switch {
	case tooLarge:
		return never("Every machine of queue %s that holds the job has more than the queue may use, %s; raise that, or ask for less.", q.Queue, all(q.Most))
	case !within(task, largest):
		return never("The job needs %s; the largest machine of queue %s in %s has %s.", beyond(task, largest), q.Queue, q.Region, beyondOf(task, largest))
	}
	return never("The job needs %s, and no machine of queue %s in %s has all of that at once.", all(task), q.Queue, q.Region)
}

// open is the queue of a lane, or a refusal that says why there is none.
func (f *Fleets) open(ctx context.Context, lane Lane) (Queue, error) {
	regions, err := f.regions(ctx, lane.Account, lane.Cloud)
	switch {
	case err != nil:
		return Queue{}, err
	case len(regions) == 0:
		return Queue{}, never("This account has no machines in the cloud %s.", strconv.Quote(lane.Cloud))
	case !slices.Contains(regions, lane.Region) || len(f.Catalog.Offers(lane.Region, product)) == 0:
		return Queue{}, never("There is no region %s in %s.", strconv.Quote(lane.Region), lane.Cloud)
	}
	q, err := f.queue(ctx, lane)
	if fault.Is(err, fault.NotFound) {
		return Queue{}, never("There is no queue %s in %s; %s and %s are there always, and others are made first.", lane.Queue, lane.Region, SpotQueue, OnDemandQueue)
	}
	return q, err
}

// regions are those in which an account may have machines.
func (f *Fleets) regions(ctx context.Context, account, of string) ([]string, error) {
	if f.Regions != nil {
		return f.Regions(ctx, account, of)
	}
	var own []string
	for _, region := range f.Catalog.Regions() {
		if f.Catalog.Vendor(region) == of {
			own = append(own, region)
		}
	}
	return own, nil
}

func never(format string, args ...any) error {
	return &runtime.Refusal{Kind: runtime.Never, Message: fmt.Sprintf(format, args...)}
}

// beyond are the parts of a task that a bound does not allow, and beyondOf what it allows of them.
func beyond(task, bound runtime.Resources) string { return listed(task, over(task, bound)) }

func beyondOf(task, bound runtime.Resources) string { return listed(bound, over(task, bound)) }

type parts struct{ cpu, memory, gpus bool }

func over(task, bound runtime.Resources) parts {
	return parts{task.MilliCPU > bound.MilliCPU, task.MemoryMiB > bound.MemoryMiB, task.GPUs > bound.GPUs}
}

func all(r runtime.Resources) string {
	return listed(r, parts{r.MilliCPU > 0, r.MemoryMiB > 0, r.GPUs > 0})
}

func listed(r runtime.Resources, p parts) string {
	var texts []string
	if p.cpu {
		texts = append(texts, vcpus(r.MilliCPU))
	}
	if p.memory {
		texts = append(texts, strconv.FormatInt(r.MemoryMiB, 10)+" MiB of memory")
	}
	if p.gpus {
		texts = append(texts, amount(r.GPUs, "GPU"))
	}
	return strings.Join(texts, " and ")
}

func vcpus(milli int64) string {
	text := strconv.FormatFloat(float64(milli)/1000, 'f', -1, 64)
	if milli == 1000 {
		return text + " vCPU"
	}
	return text + " vCPUs"
}

func amount(n int64, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return strconv.FormatInt(n, 10) + " " + noun + "s"
}

// usual is one of the two queues that each region has without being asked.
func usual(lane Lane) (Queue, bool) {
	lifecycle, is := map[string]cloud.Lifecycle{SpotQueue: cloud.Spot, OnDemandQueue: cloud.OnDemand}[lane.Queue]
	return Queue{Lane: lane, Lifecycle: lifecycle}, is
}

// buyable are the kinds for a task that it would be given if it were the only one.
func (s shelf) buyable(task runtime.Resources) []size.Kind {
	return size.Tight(task, s[s.classOf(task)])
}
