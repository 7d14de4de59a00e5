package optimum

import (
	"container/heap"
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// stretch is the lowest price of all that is up, for a time.
type stretch struct {
	from, until int64
	price       money.Price
}

// envelope is the lowest price at every second of a time.
func envelope(all []market, from, until int64) (list []stretch) {
	bounds := []int64{from, until}
	add := func(at int64) {
		if at > from && at < until {
			bounds = append(bounds, at)
		}
	}
	for n := range all {
		for _, p := range all[n].within(from, until) {
			add(p.at)
		}
		for _, u := range all[n].ups {
			add(u.from)
			add(u.end)
		}
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	meters, ups := make([]meter, len(all)), make([]int, len(all))
	for n, at := range bounds[:len(bounds)-1] {
		least := stretch{at, bounds[n+1], all[0].prices[0].price}
		for n := range all {
			for ups[n] < len(all[n].ups) && all[n].ups[ups[n]].end <= at {
				ups[n]++
			}
			if ups[n] < len(all[n].ups) && all[n].ups[ups[n]].from <= at {
				meters[n].pass(all[n].prices, at)
				least.price = min(least.price, money.Price(meters[n].rate))
			}
		}
		list = append(list, least)
	}
	return list
}

// inCheapest is what so many seconds cost at the lowest prices of a time.
func inCheapest(list []stretch, work int64) (cost money.Amount) {
	slices.SortFunc(list, func(a, b stretch) int { return int(a.price - b.price) })
	for _, s := range list {
		taken := min(work, s.until-s.from)
		cost += money.Amount(int64(s.price) * taken)
		work -= taken
	}
	return cost
}

// spare is instance-seconds that nobody has taken yet, at a price.
type spare struct {
	price   money.Price
	seconds int64
}

// spares is a heap by price.
type spares []spare

func (s spares) Len() int           { return len(s) }
func (s spares) Less(a, b int) bool { return s[a].price < s[b].price }
func (s spares) Swap(a, b int)      { s[a], s[b] = s[b], s[a] }
func (s *spares) Push(x any)        { *s = append(*s, x.(spare)) }
func (s *spares) Pop() any {
	last := len(*s) - 1
	x := (*s)[last]
	*s = (*s)[:last]
	return x
}

// Batch is a bound on what an elastic batch costs: the tasks arrive evenly from World.From on, as long as they can be done before World.Until, and load.Most run at a
// time. It leaves out that instances boot, that tasks run in one piece on one instance, and that what was begun may be lost: work flows, at each moment at the lowest
// price of what is up, wherever load.Most and the arrivals let it.
//
// Least cost of such a flow: the later a task arrives, the fewer seconds it may take, all of which an earlier one may take too. So the last one takes its cheapest
// seconds first, then the one before it the cheapest of what is left, and so on.
func Batch(w *world.World, load lab.Workload) (Result, error) {
	if load.Kind != lab.Batch || load.PerHour < 1 || load.Work < time.Second {
		return Result{}, fmt.Errorf("the workload %q is no batch of tasks: Batch takes %s with tasks that arrive and last", load, lab.Batch)
	}
	all, isKnown, err := markets(w)
	if err != nil {
		return Result{}, err
	}
	work, last := seconds(load.Work), second(w, w.Until)
	tasks := 0
	if last >= work {
		tasks = int((last-work)*int64(load.PerHour)/3600) + 1
	}
	var cost money.Amount
	var free spares
	list := envelope(all, 0, last)
	for n := tasks - 1; n >= 0; n-- {
		arrives := int64(n) * 3600 / int64(load.PerHour)
		for len(list) > 0 && list[len(list)-1].until > arrives {
			s := &list[len(list)-1]
			from := max(s.from, arrives)
			heap.Push(&free, spare{s.price, int64(load.Most) * (s.until - from)})
			if s.until = from; from == s.from {
				list = list[:len(list)-1]
			}
		}
		one, err := free.take(work)
		if err != nil {
			return Result{}, fmt.Errorf("the batch %q can't be done before the world %q ends, even on demand: %w", load, w.Name, err)
		}
		cost += one
	}
	total := time.Duration(tasks) * load.Work
	result := Result{Outcome: lab.Outcome{
		Policy: lab.PolicyHindsight, Cost: cost, OnDemand: money.Amount(tasks) * all[0].over(0, work), TargetHours: total.Hours(), Jobs: tasks,
	}}
	gaps := []string{"instances need no boot, and tasks may be cut up at will"}
	if !isKnown {
		gaps = append(gaps, drawnGap)
	}
	result.judge(gaps)
	return result, nil
}

// take gives up the cheapest seconds.
func (s *spares) take(seconds int64) (cost money.Amount, err error) {
	for seconds > 0 {
		if len(*s) == 0 {
			return 0, fmt.Errorf("%d instance-seconds are missing", seconds)
		}
		taken := min(seconds, (*s)[0].seconds)
		cost += money.Amount(int64((*s)[0].price) * taken)
		seconds -= taken
		if (*s)[0].seconds -= taken; (*s)[0].seconds == 0 {
			heap.Pop(s)
		}
	}
	return cost, nil
}
