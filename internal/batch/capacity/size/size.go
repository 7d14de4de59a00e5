// Package size decides how many machines a demand is worth: how much capacity a lane is to have, of which types, and which idle machines may go.
//
// It owns the rule and nothing else: it is pure, and the same question has the same answer. It must not know fleets, clouds or prices of the day: where capacity is bought is the
// fleet room's. Start reading at Decide; pack.go says how tasks are packed.
package size

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
)

// State is what a machine is good for.
type State string

const (
	Coming  State = "coming"  // it will take tasks, and nobody could give it any yet
	Ready   State = "ready"   // it takes tasks; what waits has not found room on it
	Leaving State = "leaving" // it takes none any more, and is on its way out without being told
)

// Host is a machine that is there, or on its way.
type Host struct {
	ID    string // "" = a launch that has no instance yet
	Units int    // that it counts for in the fleet's capacity
	Has   runtime.Resources
	State State
}

// Kind is a type of machine that can be had.
type Kind struct {
	Name  string
	Units int // at least 1
	Has   runtime.Resources
	Price int64 // usual, of an hour, in any unit: what costs less is preferred
}

// Question is a lane with its demand.
type Question struct {
	Hosts   []Host
	Busy    map[string]runtime.Resources // by host; one that is not in it has no work
	Waiting []runtime.Resources          // in the order in which it is to be served
	Kinds   []Kind
	Room    runtime.Resources    // that more machines may take, all together; see Unbounded
	Idle    map[string]time.Time // since when nobody needs a host, as the last answer had it
	IdleFor time.Duration        // how long such a host stays
	Hurry   bool                 // somebody else waits for the room: it does not stay
	Now     time.Time
}

// Answer is what is to be done.
type Answer struct {
	// Target is the capacity that is needed, in units: of machines with work, of those that what waits will find room on, of the new ones, and of those that take the place of machines
	// that leave with work on them. While something is bought it counts all that stays, because the fleet counts so, too.
	Target int
	New    int               // units of it that are to be bought
	Most   int               // units that the fleet may have at most: the last machine bought may be larger than what is missing
	Kinds  []string          // to buy from, the cheapest first; none when New is 0
	Takes  runtime.Resources // what the new machines may take of the room, at most
	Go     []string          // hosts that nobody has needed for so long that they are to go
	Idle   map[string]time.Time
	Short  int               // tasks for which no machine is bought because there is no room
	First  runtime.Resources // of these
}

// Unbounded is a room without walls.
func Unbounded() runtime.Resources {
	const much = math.MaxInt64 / 4
	return runtime.Resources{MilliCPU: much, MemoryMiB: much, GPUs: much}
}

const (
	loose = 4 // a type may have a 1/loose-th more units than the best-fitting one for the same tasks
	// mostMachines spread the risk of losing one well enough. More and smaller ones would only take longer to come, and use up what may be launched in a minute.
	mostMachines = 16
	// leastMachines are bought where there is work for so many: one that is lost, or let go for another lane, is not all there is.
	leastMachines = 4
	mostKinds     = 24 // types are offered to the market: enough for every choice, and few enough to be weighed in no time
)

// Decide answers a question.
//
// What waits is packed onto the machines that are coming, and for the rest machines are bought: of the types that hold every one of these tasks, those on which they take about the
// fewest units. The fleet may buy any mixture of them; should the tasks not fit onto what it chose, the next answer asks for more. A host with work never goes, nor one
// that is about to get some.
func Decide(q Question) Answer {
	q.Hosts = slices.SortedStableFunc(slices.Values(q.Hosts), func(a, b Host) int { return cmp.Or(cmp.Compare(a.ID, b.ID), larger(a.Has, b.Has)) })
	needed, left := onto(q)
	lost := displaced(q, needed)
	buys := buy(left, q.Kinds, q.Room)
	a := Answer{New: buys.units, Kinds: buys.kinds, Takes: buys.takes, Short: buys.short, First: buys.first}
	q.Hurry = q.Hurry || a.Short > 0
	a.Idle, a.Go = rest(q, needed)
	going := map[string]bool{}
	for _, id := range a.Go {
		going[id] = true
	}
	largest := buys.slack
	for n, h := range q.Hosts {
		if h.State == Leaving || going[h.ID] && h.ID != "" {
			continue
		}
		if needed[n] || a.New > 0 {
			a.Target += h.Units
		}
	}
	a.Target += a.New
	if isUnbounded(q.Room) {
		a.Target += lost
	}
	a.Most = a.Target + largest
	return a
}

// onto packs what waits onto the machines that are coming. It tells which machines are needed, and which tasks are left over, in their order.
func onto(q Question) (needed []bool, left []runtime.Resources) {
	needed = make([]bool, len(q.Hosts))
	var coming []int
	for n, h := range q.Hosts {
		_, busy := q.Busy[h.ID]
		needed[n] = busy && h.ID != "" && h.State != Leaving
		if h.State == Coming {
			coming = append(coming, n)
		}
	}
	if len(coming) == 0 || len(q.Waiting) == 0 {
		return needed, q.Waiting
	}
	rooms := make([]runtime.Resources, len(coming))
	for k, n := range coming {
		rooms[k] = minus(q.Hosts[n].Has, q.Busy[q.Hosts[n].ID])
	}
	order := make([]int, len(q.Waiting))
	for n := range order {
		order[n] = n
	}
	slices.SortStableFunc(order, func(a, b int) int { return larger(q.Waiting[a], q.Waiting[b]) })
	placed := make([]bool, len(q.Waiting))
	from := 0 // of equal tasks, the next fits no earlier than the last did
	for at, n := range order {
		if at > 0 && q.Waiting[order[at-1]] != q.Waiting[n] {
			from = 0
		}
		for ; from < len(rooms); from++ {
			if fits(q.Waiting[n], rooms[from]) {
				rooms[from] = minus(rooms[from], q.Waiting[n])
				placed[n], needed[coming[from]] = true, true
				break
			}
		}
	}
	for n, task := range q.Waiting {
		if !placed[n] {
			left = append(left, task)
		}
	}
	return needed, left
}

// displaced keeps machines that nobody needs for the work of those that leave: it will be there again in a moment. It returns the units that no machine is there for yet.
func displaced(q Question, needed []bool) (units int) {
	for _, h := range q.Hosts {
		if _, busy := q.Busy[h.ID]; busy && h.State == Leaving && h.ID != "" {
			units += h.Units
		}
	}
	for n, h := range q.Hosts {
		if units > 0 && !needed[n] && h.State != Leaving {
			needed[n] = true
			units -= h.Units
		}
	}
	return max(0, units)
}

// rest tells since when the hosts that nobody needs are idle, and which of them have been for long enough.
func rest(q Question, needed []bool) (idle map[string]time.Time, leave []string) {
	idle = map[string]time.Time{}
	for n, h := range q.Hosts {
		if h.ID == "" || h.State == Leaving || needed[n] {
			continue
		}
		since, known := q.Idle[h.ID]
		if !known || since.After(q.Now) {
			since = q.Now
		}
		idle[h.ID] = since
		if q.Hurry || q.Now.Sub(since) >= q.IdleFor {
			leave = append(leave, h.ID)
		}
	}
	slices.Sort(leave)
	for _, id := range leave {
		delete(idle, id)
	}
	return idle, leave
}

// purchase is what is to be bought.
type purchase struct {
	units int
	slack int               // units that the last machine may be too large by
	short int               // tasks that there is no room for
	first runtime.Resources // of these
	kinds []string
	takes runtime.Resources
}

// offer is a kind with what the tasks make of it.
type offer struct {
	Kind
	machines int
}

func (o offer) units() int { return o.machines * o.Units }

// buy finds what serves the tasks, or as many of the first of them as there is room for.
func buy(tasks []runtime.Resources, kinds []Kind, room runtime.Resources) purchase {
	tasks, kinds = together(tasks, kinds)
	if len(tasks) == 0 {
		return purchase{}
	}
	p := newPacking(tasks)
	offers, served := p.longest(kinds, room)
	if served == 0 {
		return purchase{short: len(tasks), first: tasks[0]}
	}
	least := math.MaxInt
	for _, o := range offers {
		least = min(least, o.units())
	}
	offers = slices.DeleteFunc(offers, func(o offer) bool { return o.units() > least+least/loose })
	fewest := math.MaxInt
	for _, o := range offers {
		fewest = min(fewest, o.machines)
	}
	isSpread := slices.ContainsFunc(offers, func(o offer) bool { // without a unit more
		return o.machines >= leastMachines && o.machines <= mostMachines && o.units() == least
	})
	offers = slices.DeleteFunc(offers, func(o offer) bool {
		return o.machines > max(fewest, mostMachines) || isSpread && o.machines < leastMachines
	})
	slices.SortFunc(offers, func(a, b offer) int {
		return cmp.Or(cmp.Compare(int64(a.machines)*a.Price, int64(b.machines)*b.Price), cmp.Compare(a.Name, b.Name))
	})
	offers = offers[:min(len(offers), mostKinds)]
	least = offers[0].units()
	for _, o := range offers {
		least = min(least, o.units())
	}
	bought := purchase{units: least, short: len(tasks) - served}
	if bought.short > 0 {
		bought.first = tasks[served]
	}
	bounded := !isUnbounded(room)
	for _, o := range offers {
		if bounded && o.Units > least {
			continue // it would not be bought: nothing may be too large here
		}
		bought.kinds = append(bought.kinds, o.Name)
		bought.takes = most(bought.takes, times(o.Has, int64(o.machines)))
		if !bounded {
			bought.slack = max(bought.slack, o.Units-1)
		}
	}
	return bought
}

// together are the tasks that machines of one kind can hold, each by itself, and these kinds: a task that leaves no kind that can hold all before it waits for the next purchase. So do
// those beyond the mostSizes-th size.
func together(tasks []runtime.Resources, kinds []Kind) ([]runtime.Resources, []Kind) {
	var some []runtime.Resources
	sizes := map[runtime.Resources]bool{} // that were looked at, and whether they are in
	for _, task := range tasks {
		in, known := sizes[task]
		if !known {
			if len(sizes) == mostSizes {
				break
			}
			holding := slices.DeleteFunc(slices.Clone(kinds), func(k Kind) bool { return !fits(task, k.Has) })
			if in = len(holding) > 0; in {
				kinds = holding
			}
			sizes[task] = in
		}
		if in {
			some = append(some, task)
		}
	}
	return some, kinds
}

// Holds reports whether a machine of a kind could run a task at all.
func (k Kind) Holds(task runtime.Resources) bool { return fits(task, k.Has) }

// Tight are the kinds that one task alone would be given, the cheapest first.
func Tight(task runtime.Resources, kinds []Kind) []Kind {
	bought := buy([]runtime.Resources{task}, kinds, Unbounded())
	byName := map[string]Kind{}
	for _, k := range kinds {
		byName[k.Name] = k
	}
	var list []Kind
	for _, name := range bought.kinds {
		list = append(list, byName[name])
	}
	return list
}

func isUnbounded(room runtime.Resources) bool { return room == Unbounded() }
