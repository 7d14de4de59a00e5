package job

import (
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
)

// The policies that the production rule is measured against. All of them stop paying when the work is done, stay on spot until it is lost, and have a safety
// net; they take the cheapest open pool and know nothing of what pools did before. The net is as late as their authors have it, with room for one look, and for a
// job without checkpoints, which they don't treat, it is the production rule's.

// always is on demand from beginning to end.
func always(deadline.Job, deadline.Where, deadline.Market, time.Time) deadline.Decision {
	return onDemand()
}

// greedy waits for spot until the net makes it run on demand to the end.
func greedy(j deadline.Job, at deadline.Where, m deadline.Market, now time.Time) deadline.Decision {
	switch best, isOpen := cheapest(m); {
	case at.Kind == deadline.Spot:
		return deadline.Decision{Where: at}
	case at.Kind == deadline.OnDemand || j.Until.Sub(now) < j.Net(m.Every):
		return onDemand()
	case isOpen:
		return spot(best)
	}
	return deadline.Decision{Where: deadline.Where{Kind: deadline.Wait}}
}

// uniform is Uniform Progress (Wu et al., "Can't Be Late", NSDI 2024). Progress is held against an even line from the job's beginning to its deadline:
//
//   - waiting, it takes spot when there is some, and goes on demand when it is behind the line;
//   - on demand, it takes spot once it is ahead of the line by two restarts, and stays where it is while there is none. So does the authors' program; the paper can be
//     read as going back to waiting, which is 1 to 3 % dearer on the recorded series;
//   - on spot it stays until it is lost, behind the line or not.
//
// While a deadline is loose, that is until the work left is 0.7 of the time left, it is greedy, and the line begins after that, as the paper's appendix has it.
type uniform struct {
	began time.Time // of the line; zero: the deadline is loose
	work  time.Duration
}

const loose = 0.7

func (u *uniform) decide(j deadline.Job, at deadline.Where, m deadline.Market, now time.Time) deadline.Decision {
	left := j.Until.Sub(now)
	if u.began.IsZero() {
		if j.Left.Seconds() < loose*left.Seconds() {
			return greedy(j, at, m, now)
		}
		u.began, u.work = now, j.Left
	}
	if at.Kind == deadline.Spot || at.Kind == deadline.OnDemand && !j.Checkpoint {
		return deadline.Decision{Where: at}
	}
	pace := u.work.Seconds() / j.Until.Sub(u.began).Seconds()
	ahead := (u.work - j.Left).Seconds() - pace*now.Sub(u.began).Seconds()
	best, isOpen := cheapest(m)
	switch isDemand := at.Kind == deadline.OnDemand; {
	case left < j.Net(m.Every), isDemand && (!isOpen || ahead < pace*2*j.Restart.Seconds()):
		return onDemand()
	case isOpen:
		return spot(best)
	case ahead < 0:
		return onDemand()
	}
	return deadline.Decision{Where: deadline.Where{Kind: deadline.Wait}}
}

func onDemand() deadline.Decision {
	return deadline.Decision{Where: deadline.Where{Kind: deadline.OnDemand}}
}

func spot(pool int) deadline.Decision {
	return deadline.Decision{Where: deadline.Where{Kind: deadline.Spot, Pool: pool}}
}

// cheapest is the open pool with the lowest price, the first of several.
func cheapest(m deadline.Market) (best int, isOpen bool) {
	for n := range m.Pools {
		if m.Pools[n].Open && (!isOpen || m.Pools[n].Price < m.Pools[best].Price) {
			best, isOpen = n, true
		}
	}
	return best, isOpen
}
