// Package order decides whose turn it is: which of the jobs that wait for the same machines is begun next.
//
// It owns the rule between priorities, between customers, and between the old and the new. It must not know where jobs are kept or what runs them: it is told who waits
// and what has begun and ended, and the same story gives the same order. Start reading at Order and Next.
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
	low      int64 // running in LOW, in thousandths of vCPUs
	credit   int64 // owed to old LOW jobs, in the same, × owed
}

// Waiter is the job at the head of a line.
type Waiter struct {
	Line
	Since time.Time // it has waited
	CPU   int64     // thousandths of vCPUs that it asks for
}

func (o *Order) of(l Line) *account {
	if o.accounts == nil {
		o.accounts = map[customer]*account{}
	}
	key := customer{l.Customer, l.Low}
	a := o.accounts[key]
	if a == nil {
		a = &account{served: o.least(l.Low)}
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

// Next is the place in waiters of the job whose turn it is; -1 when there is none.
func (o *Order) Next(waiters []Waiter, now time.Time) int {
	best, old := -1, -1
	for i := range waiters {
		w := &waiters[i]
		if best < 0 || o.before(w, &waiters[best]) {
			best = i
		}
		if w.Low && now.Sub(w.Since) > Patience && (old < 0 || o.before(w, &waiters[old])) {
			old = i
		}
	}
	if best >= 0 && old >= 0 && !waiters[best].Low && o.owes(waiters[old].CPU) {
		return old
	}
	return best
}

// owes reports whether an old LOW job goes before HIGH ones.
func (o *Order) owes(cpu int64) bool {
	if o.Slots == 0 || cpu*owed > o.Slots { // the part is smaller than the job
		return o.credit >= cpu*owed
	}
	return (o.low+cpu)*owed <= o.Slots
}

func (o *Order) before(a, b *Waiter) bool {
	if a.Low != b.Low {
		return b.Low
	}
	if a.Customer != b.Customer {
		x, y := o.of(a.Line), o.of(b.Line)
		if c := cmp.Or(cmp.Compare(x.running, y.running), cmp.Compare(x.served, y.served)); c != 0 {
			return c < 0
		}
	}
	if c := a.Since.Compare(b.Since); c != 0 {
		return c < 0
	}
	return cmp.Or(cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.Lane, b.Lane)) < 0
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
