// Package order decides whose turn it is: which of the jobs that wait for the same machines is begun next.
//
// It owns the rule between priorities, between customers, and between the old and the new. It must not know where jobs are kept or what runs them: it is told who waits
// and what has begun and ended, and the same story gives the same order. Start reading at Order and Round.
//
// The rule:
//
//   - HIGH goes before LOW.
//   - LOW jobs that have waited for longer than Patience are owed a part of the slots, however many HIGH jobs there are: as long as less than that part runs LOW, and one
//     start in so many where the part is smaller than a job, the oldest of them goes first.
//   - Inside of a priority the customer goes first of whom least is running, in vCPUs; of those with the same, the one who was served least since he has been waiting.
//   - Of one customer's jobs the oldest goes first.
package order

import (
	"cmp"
	"container/heap"
	"time"
)

const (
	// Patience is how long a LOW job waits before it counts as old.
	Patience = 10 * time.Minute
	// owed is the part of the slots that old LOW jobs are owed: one of so many.
	owed = 20
)

// Line is where jobs wait one behind the other: one customer's, of one priority, for the same machines. Comparable.
type Line struct {
	Lane     string // which machines
	Low      bool
	Customer string
}

// customer is who shares fairly with others of the same priority, whatever machines the jobs wait for.
type customer struct {
	name string
	low  bool
}

// account is what a customer has had.
type account struct {
	running int64 // thousandths of vCPUs
	served  int64 // the same, added up at every start since he has been waiting
}

// Order keeps the account of who had what. Not safe for concurrent use.
type Order struct {
	Slots int64 // that all jobs share, in thousandths of vCPUs; 0 = no limit: then old LOW jobs are owed one start in so many

	accounts map[customer]*account
	level    map[bool]int64 // what least gave in this round, of HIGH and of LOW
	low      int64          // running in LOW, in thousandths of vCPUs
	credit   int64          // owed to old LOW jobs, in the same, × owed
}

// Waiter is the job at the head of a line.
type Waiter struct {
	Line
	Since time.Time // it has waited
	CPU   int64     // thousandths of vCPUs that it asks for
	Place int       // for the caller, to know it again

	account  *account
	standing account // as it was when the waiter was last looked at
}

func (o *Order) of(l Line) *account {
	if o.accounts == nil {
		o.accounts, o.level = map[customer]*account{}, map[bool]int64{}
	}
	key := customer{l.Customer, l.Low}
	a := o.accounts[key]
	if a == nil {
		level, known := o.level[l.Low]
		if !known {
			level = o.least(l.Low)
			o.level[l.Low] = level
		}
		a = &account{served: level}
		o.accounts[key] = a
	}
	return a
}

// least is where a customer begins who has not been served before: level with the one who was served least, so that he owes nothing and is owed nothing.
func (o *Order) least(low bool) int64 {
	least, found := int64(0), false
	for key, a := range o.accounts {
		if key.low == low && (!found || a.served < least) {
			least, found = a.served, true
		}
	}
	return least
}

// Round is one round of giving turns. Nothing may end while it goes on, so that whoever has stood behind somebody stays behind him until he gets his turn.
type Round struct {
	o    *Order
	now  time.Time
	high heads // HIGH
	old  heads // LOW, and waits for longer than Patience
	rest heads // LOW
}

// Round begins one.
func (o *Order) Round(now time.Time) *Round {
	clear(o.level)
	return &Round{o: o, now: now}
}

// Join lets the head of a line take part; of each line one at a time.
func (r *Round) Join(w Waiter) {
	w.account = r.o.of(w.Line)
	w.standing = *w.account
	heap.Push(r.heads(&w), &w)
}

func (r *Round) heads(w *Waiter) *heads {
	switch {
	case !w.Low:
		return &r.high
	case r.now.Sub(w.Since) > Patience:
		return &r.old
	}
	return &r.rest
}

// Next takes out the waiter whose turn it is; passed says that an old LOW job waits, be it this one.
func (r *Round) Next() (w Waiter, passed, ok bool) {
	high, old, rest := r.high.first(), r.old.first(), r.rest.first()
	passed = old != nil
	of := &r.high
	switch {
	case high != nil && (old == nil || !r.o.owes(old.CPU)):
	case old != nil && (high != nil || rest == nil || before(old, rest)):
		of = &r.old
	case rest != nil:
		of = &r.rest
	default:
		return Waiter{}, passed, false
	}
	return *heap.Pop(of).(*Waiter), passed, true
}

// heads are waiters as a heap, in the order of what their customers had when they were last looked at. That only ever grows within a round.
type heads []*Waiter

// first is the waiter who goes before the others; nil when there is none.
func (h *heads) first() *Waiter {
	for len(*h) > 0 {
		w := (*h)[0]
		if w.standing == *w.account {
			return w
		}
		w.standing = *w.account // his customer has got a turn since
		heap.Fix(h, 0)
	}
	return nil
}

func (h heads) Len() int           { return len(h) }
func (h heads) Less(i, j int) bool { return before(h[i], h[j]) }
func (h heads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *heads) Push(w any)        { *h = append(*h, w.(*Waiter)) }
func (h *heads) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// owes reports whether an old LOW job goes before HIGH ones.
func (o *Order) owes(cpu int64) bool {
	if o.Slots == 0 || cpu*owed > o.Slots { // the part is smaller than the job
		return o.credit >= cpu*owed
	}
	return (o.low+cpu)*owed <= o.Slots
}

func before(a, b *Waiter) bool {
	if a.Low != b.Low {
		return b.Low
	}
	return cmp.Or(
		cmp.Compare(a.standing.running, b.standing.running), cmp.Compare(a.standing.served, b.standing.served), a.Since.Compare(b.Since),
		cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.Lane, b.Lane),
	) < 0
}

// Began notes that a job of a line was begun; passed says that an old LOW job was waiting then.
func (o *Order) Began(l Line, cpu int64, passed bool) {
	o.Resumed(l, cpu)
	o.of(l).served += max(cpu, 1)
	switch {
	case l.Low:
		o.credit = max(0, o.credit-cpu*owed)
	case passed:
		o.credit = min(o.credit+cpu, max(o.Slots, cpu)*owed)
	}
}

// Resumed notes that a job runs which was begun before this account was opened.
func (o *Order) Resumed(l Line, cpu int64) {
	o.of(l).running += cpu
	if l.Low {
		o.low += cpu
	}
}

// Ended notes that a job runs no more.
func (o *Order) Ended(l Line, cpu int64) {
	o.of(l).running -= cpu
	if l.Low {
		o.low -= cpu
	}
}

// Forget closes the accounts of customers of whom nothing runs and, as waiting says, nothing waits.
func (o *Order) Forget(waiting func(name string, low bool) bool) {
	for key, a := range o.accounts {
		if a.running == 0 && !waiting(key.name, key.low) {
			delete(o.accounts, key)
		}
	}
}
