package capacity

import (
	"cmp"
	"slices"
	"strings"

	"github.com/neap-cloud/neap/internal/batch/capacity/size"
	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/runtime"
)

// product is what lanes' machines run.
const product = catalog.Linux

// A lane has a group for machines without GPUs, and one for those with: a task that needs none must not buy any.
const (
	plain = ""
	gpu   = "gpu"
)

func classes() []string { return []string{plain, gpu} }

// shelf is what a lane may buy, by class, in the order of the catalogue.
type shelf map[string][]size.Kind

// shelf lists the types that a queue may use: its own, or else the current ones for general work, with x86 processors, as large as the installation's limit lets them be.
// It is not to be changed: whoever asks for the same is given the same.
func (f *Fleets) shelf(q Queue) shelf {
	key := shelfKey{q.Region, q.Lifecycle, strings.Join(q.Types, " "), f.Catalog.Edition()}
	if known, is := f.shelves.Load(key); is {
		return known.(shelf)
	}
	s := f.stocked(q)
	f.shelves.Store(key, s)
	return s
}

// shelfKey is what a shelf depends on.
type shelfKey struct {
	region    string
	lifecycle cloud.Lifecycle
	types     string
	edition   int // of the catalogue
}

func (f *Fleets) stocked(q Queue) shelf {
	s := shelf{}
	for _, offer := range f.Catalog.Offers(q.Region, product) {
		price := offer.OnDemand
		if q.Lifecycle == cloud.Spot {
			price = offer.Spot
		}
		if price <= 0 || len(offer.Zones) == 0 || !q.mayUse(offer.Type) {
			continue
		}
		class := plain
		if offer.Type.GPUs > 0 {
			class = gpu
		}
		s[class] = append(s[class], size.Kind{Name: offer.Type.Name, Units: max(1, offer.Type.VCPUs), Has: f.lends(offer.Type), Price: int64(price)})
	}
	for class := range s {
		s[class] = f.limited(s[class])
	}
	return s
}

// classOf is the class of machines that a task goes to. Without GPUs it goes to machines with GPUs only where there are no others.
func (s shelf) classOf(task runtime.Resources) string {
	if task.GPUs > 0 || len(s[plain]) == 0 && len(s[gpu]) > 0 {
		return gpu
	}
	return plain
}

// general are the families of types for any work, by the letter that they begin with, and since which generation they are current: AWS's in small letters, Azure's in
// capitals.
var general = map[byte]int{'c': 5, 'm': 5, 'r': 5, 'D': 4, 'E': 4, 'F': 2}

// accelerated are those with GPUs.
var accelerated = map[byte]int{'g': 4, 'p': 4}

func (q Queue) mayUse(t catalog.Type) bool {
	if len(q.Types) > 0 {
		return slices.Contains(q.Types, t.Name)
	}
	families := general
	if t.GPUs > 0 {
		families = accelerated
	}
	since, known := families[t.Family[0]]
	return known && t.Generation >= since && t.Arch == "x86_64" && !t.BareMetal && !t.Burstable
}

// has is what a type has.
func has(t catalog.Type) runtime.Resources {
	return runtime.Resources{MilliCPU: 1000 * int64(t.VCPUs), MemoryMiB: int64(t.MemoryMiB), GPUs: int64(t.GPUs)}
}

// lends is what tasks may use of a machine: all of it, but no more than the whole installation may. Types come in steps, and few have just the memory that a real machine shows: without
// this, the last step below it would be all that could be used.
func (f *Fleets) lends(t catalog.Type) runtime.Resources {
	whole, limit := has(t), f.limit()
	return runtime.Resources{MilliCPU: min(whole.MilliCPU, limit.MilliCPU), MemoryMiB: min(whole.MemoryMiB, limit.MemoryMiB), GPUs: min(whole.GPUs, limit.GPUs)}
}

// limited leaves out types with more vCPUs than the installation may use; where all have more, the smallest stay.
func (f *Fleets) limited(kinds []size.Kind) []size.Kind {
	smallest := slices.MinFunc(kinds, func(a, b size.Kind) int { return cmp.Compare(a.Units, b.Units) }).Units
	most := max(smallest, int(f.limit().MilliCPU/1000))
	return slices.DeleteFunc(kinds, func(k size.Kind) bool { return k.Units > most })
}

// limit is the installation's, with no bound where none is stated. GPUs are bounded as soon as anything is.
func (f *Fleets) limit() runtime.Resources {
	if f.Limit == (runtime.Resources{}) {
		return size.Unbounded()
	}
	limit := bounds(f.Limit)
	limit.GPUs = f.Limit.GPUs
	return limit
}

// bounds takes nothing stated for no bound.
func bounds(r runtime.Resources) runtime.Resources {
	much := size.Unbounded()
	return runtime.Resources{MilliCPU: cmp.Or(r.MilliCPU, much.MilliCPU), MemoryMiB: cmp.Or(r.MemoryMiB, much.MemoryMiB), GPUs: cmp.Or(r.GPUs, much.GPUs)}
}

// less is what is left of a bound; of none, as much as before.
func less(bound, used runtime.Resources) runtime.Resources {
	much := size.Unbounded()
	left := func(bound, used, much int64) int64 {
		if bound == much {
			return much
		}
		return max(0, bound-used)
	}
	return runtime.Resources{
		MilliCPU:  left(bound.MilliCPU, used.MilliCPU, much.MilliCPU),
		MemoryMiB: left(bound.MemoryMiB, used.MemoryMiB, much.MemoryMiB),
		GPUs:      left(bound.GPUs, used.GPUs, much.GPUs),
	}
}

func plus(a, b runtime.Resources) runtime.Resources {
	return runtime.Resources{MilliCPU: a.MilliCPU + b.MilliCPU, MemoryMiB: a.MemoryMiB + b.MemoryMiB, GPUs: a.GPUs + b.GPUs}
}

func least(a, b runtime.Resources) runtime.Resources {
	return runtime.Resources{MilliCPU: min(a.MilliCPU, b.MilliCPU), MemoryMiB: min(a.MemoryMiB, b.MemoryMiB), GPUs: min(a.GPUs, b.GPUs)}
}

func within(task, room runtime.Resources) bool { return least(task, room) == task }

// nameOf is what people read.
func (l Lane) nameOf(class string) string {
	return strings.TrimSpace("jobs " + l.Region + " " + l.Queue + " " + class)
}
