package size

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"github.com/neap-cloud/neap/internal/runtime"
)

// mostSizes bounds the different sizes of tasks that are packed at once, and so the time that takes.
const mostSizes = 64

// packing is a list of tasks, counted by size.
type packing struct {
	order []int               // the size of each task, in the order of the tasks
	sizes []runtime.Resources // the largest first
}

func newPacking(tasks []runtime.Resources) *packing {
	p := &packing{order: make([]int, len(tasks))}
	known := map[runtime.Resources]int{}
	for _, task := range tasks {
		if _, is := known[task]; !is {
			known[task] = 0
			p.sizes = append(p.sizes, task)
		}
	}
	slices.SortFunc(p.sizes, larger)
	for n, size := range p.sizes {
		known[size] = n
	}
	for n, task := range tasks {
		p.order[n] = known[task]
	}
	return p
}

// bins are machines with the same room left.
type bins struct {
	room  runtime.Resources
	count int64
}

// machines is how many empty machines of one shape the first n tasks take, the largest tasks first, each where it fits first. Every task fits an empty one.
func (p *packing) machines(n int, shape runtime.Resources) int {
	counts := make([]int64, len(p.sizes))
	for _, size := range p.order[:n] {
		counts[size]++
	}
	var open []bins
	total := int64(0)
	for size, left := range counts {
		var next []bins
		for _, b := range open {
			next, left = b.take(next, p.sizes[size], left)
		}
		if left > 0 {
			each := times1(shape, p.sizes[size])
			fresh := (left + each - 1) / each
			total += fresh
			next, _ = bins{shape, fresh}.take(next, p.sizes[size], left)
		}
		open = next
	}
	return int(total)
}

// take puts as many of left tasks into the bins as they hold, and appends what that makes of them.
func (b bins) take(to []bins, task runtime.Resources, left int64) ([]bins, int64) {
	each := times1(b.room, task)
	if each == 0 || left == 0 {
		return append(to, b), left
	}
	full := min(b.count, left/each)
	if full > 0 {
		to = append(to, bins{minus(b.room, times(task, each)), full})
	}
	left -= full * each
	rest := b.count - full
	if rest > 0 && left > 0 { // the last of them is filled in part
		to = append(to, bins{minus(b.room, times(task, left)), 1})
		rest, left = rest-1, 0
	}
	if rest > 0 {
		to = append(to, bins{b.room, rest})
	}
	return to, left
}

// longest finds the kinds that serve the most of the first tasks within the room, and how many tasks these are.
func (p *packing) longest(kinds []Kind, room runtime.Resources) (offers []offer, served int) {
	type pack struct{ machines, served int }
	shapes := map[runtime.Resources]pack{}
	for _, kind := range kinds {
		packed, known := shapes[kind.Has]
		if !known {
			packed.served = p.within(kind.Has, times1(room, kind.Has))
			packed.machines = p.machines(packed.served, kind.Has)
			shapes[kind.Has] = packed
		}
		switch {
		case packed.served < served || packed.served == 0:
			continue
		case packed.served > served:
			offers, served = nil, packed.served
		}
		offers = append(offers, offer{kind, packed.machines})
	}
	return offers, served
}

// within is how many of the first tasks fit onto so many machines.
func (p *packing) within(shape runtime.Resources, machines int64) int {
	all := len(p.order)
	if int64(p.machines(all, shape)) <= machines {
		return all
	}
	return sort.Search(all, func(n int) bool { return int64(p.machines(n+1, shape)) > machines })
}

// larger orders tasks by what is scarcest first: GPUs, then vCPUs, then memory.
func larger(a, b runtime.Resources) int {
	return cmp.Or(cmp.Compare(b.GPUs, a.GPUs), cmp.Compare(b.MilliCPU, a.MilliCPU), cmp.Compare(b.MemoryMiB, a.MemoryMiB))
}

func fits(task, room runtime.Resources) bool {
	return task.MilliCPU <= room.MilliCPU && task.MemoryMiB <= room.MemoryMiB && task.GPUs <= room.GPUs
}

// times1 is how often one thing fits into a room.
func times1(room, thing runtime.Resources) int64 {
	n := int64(math.MaxInt32)
	for _, d := range [...]struct{ room, thing int64 }{{room.MilliCPU, thing.MilliCPU}, {room.MemoryMiB, thing.MemoryMiB}, {room.GPUs, thing.GPUs}} {
		if d.thing > 0 {
			n = min(n, max(0, d.room)/d.thing)
		}
	}
	return n
}

func times(r runtime.Resources, n int64) runtime.Resources {
	return runtime.Resources{MilliCPU: r.MilliCPU * n, MemoryMiB: r.MemoryMiB * n, GPUs: r.GPUs * n}
}

func minus(a, b runtime.Resources) runtime.Resources {
	return runtime.Resources{MilliCPU: a.MilliCPU - b.MilliCPU, MemoryMiB: a.MemoryMiB - b.MemoryMiB, GPUs: a.GPUs - b.GPUs}
}

func most(a, b runtime.Resources) runtime.Resources {
	return runtime.Resources{MilliCPU: max(a.MilliCPU, b.MilliCPU), MemoryMiB: max(a.MemoryMiB, b.MemoryMiB), GPUs: max(a.GPUs, b.GPUs)}
}
