package deadline

import (
	"math"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// Decide says where the job runs from now on, given where it runs now. The pool of a job on spot has to be among the market's, open or not:
//
//   - The safety net. Spot is started, and spot is waited for, only while the job would still be in time if everything went wrong from here: a start on spot that is
//     lost at its last second, news of it that come as late as they may, another start. Below that the job runs on demand until it is done. What runs on
//     spot by then may stay: it keeps what the net needs.
//   - A job that waits takes spot as soon as there is some: the pool whose work costs least, its expected losses counted in.
//   - With none, it waits as long as it is ahead of its pace, else it runs on demand. The pace lets the work left take 80 % of the time left, or what it
//     took at the beginning if that was more: so on demand is used bit by bit, as insurance, and spot is found on the way whenever it comes. Waiting until the net forces on
//     demand would lose all spot that comes later; running on demand at first would lose what comes in time.
//   - A job on demand moves to spot when the move pays for itself and for a move back, or when the job is two restarts ahead of its pace and can afford both. It doesn't
//     go back to waiting: what that saves, the next start costs.
//   - A job on spot stays until it is lost, unless another place has become so much cheaper that a move pays for itself.
//   - Without checkpoints a loss costs the whole run. The net has room for that; an attempt on spot is made when it is cheaper on average than none, and since on demand
//     has to do the whole work anyhow, it is never begun before the net.
//
// A deadline that on demand alone would meet, launched at the first decision, is met whatever the pools do, if decisions and news of losses come no later than promised.
func Decide(j Job, at Where, m Market, now time.Time) Decision {
	r := &room{j: j, at: at, m: m, now: now, left: j.Until.Sub(now)}
	r.terms = Terms{Slack: r.left - r.toDo() - j.Restart, BestPool: -1}
	return r.decide()
}

// room is one decision being made.
type room struct {
	j    Job
	at   Where
	m    Market
	now  time.Time
	left time.Duration // until the deadline

	terms Terms
	best  *Pool
	reach float64 // of the best pool
}

// toDo is the work of a job that is started anew somewhere else.
func (r *room) toDo() time.Duration { return r.j.Left + r.j.Unsaved }

// net is the time without which spot is not started: for that start, for all the work that can be lost with it, and for doing it on demand.
func (r *room) net() time.Duration { return r.j.Net(r.m.Every) }

// Net is the time before its deadline at which a job that does not run has to be started on demand, when decisions come every so often: below it, a start
// on spot could make it late.
func (j Job) Net(every time.Duration) time.Duration {
	work := j.Left + j.Unsaved
	if !j.Checkpoint {
		work *= 2
	}
	return work + 2*j.Restart + every
}

func (r *room) decide() Decision {
	switch {
	case r.j.Left <= 0:
		return r.final(Where{Kind: Wait}, "the work is done")
	case r.at.Kind == Spot:
		return r.onSpot()
	case r.at.Kind == OnDemand && !r.j.Checkpoint:
		return r.final(r.at, "without checkpoints, what is done would be lost by leaving")
	case r.left < r.net():
		return r.final(Where{Kind: OnDemand}, r.netSentence())
	}
	r.weigh()
	if r.at.Kind == OnDemand {
		return r.onDemand()
	}
	return r.waiting()
}

// waiting decides for a job that runs nowhere.
func (r *room) waiting() Decision {
	switch {
	case r.best != nil && r.isWorthTrying():
		return r.next(r.spot(), r.startSentence())
	case !r.j.Checkpoint:
		return r.next(Where{Kind: Wait}, r.patientSentence())
	case r.terms.Ahead >= 0:
		return r.next(Where{Kind: Wait}, r.aheadSentence())
	}
	return r.next(Where{Kind: OnDemand}, r.behindSentence())
}

// onDemand decides for a job with checkpoints.
func (r *room) onDemand() Decision {
	switch {
	case r.best == nil:
		return r.next(r.at, shutText)
	case r.terms.Moving > 0:
		return r.next(r.spot(), r.moveSentence())
	case r.terms.Ahead >= 2*r.j.Restart && r.terms.Useful > 2*r.j.Restart:
		return r.next(r.spot(), r.leadSentence())
	}
	return r.next(r.at, r.stayDemandSentence())
}

// onSpot stays, unless a price drives the job away, or it came here without the net.
func (r *room) onSpot() Decision {
	slack := r.terms.Slack
	if slack >= 0 && slack < r.m.Every {
		return r.final(Where{Kind: OnDemand}, r.netSentence())
	}
	if !r.j.Checkpoint || slack < r.j.Restart+r.m.Every {
		return r.next(r.at, staysText)
	}
	r.weigh()
	if r.best != nil && r.terms.Moving > 0 {
		return r.next(r.spot(), r.moveSentence())
	}
	// Prices come back: one hour's difference has to pay for the start.
	if dearer := r.own().Price - r.m.OnDemand; float64(dearer) > float64(r.m.OnDemand)*r.j.Restart.Hours() && dearer > 0 {
		return r.next(Where{Kind: OnDemand}, r.dearSentence())
	}
	return r.next(r.at, staysText)
}

func (r *room) own() *Pool { return &r.m.Pools[r.at.Pool] }

func (r *room) spot() Where { return Where{Spot, r.terms.BestPool} }

// weigh fills in the terms.
func (r *room) weigh() {
	restart := r.j.Restart.Hours()
	r.choose(restart)
	if r.best != nil {
		r.terms.Moving = r.moving(restart)
	}
	r.terms.Ahead = r.pace() - r.j.Left
}

// choose finds the open pool whose work costs least: what is paid for an instance's expected life, and on demand for the start that its loss brings, by the
// work it does in that life.
func (r *room) choose(restart float64) {
	scale := r.m.History.scale()
	lowest := math.Inf(1)
	for n := range r.m.Pools {
		p := &r.m.Pools[n]
		if !p.Open || p.Price >= r.m.OnDemand || r.at == (Where{Spot, n}) {
			continue
		}
		reach := p.reach(scale, r.now)
		life := lasts(reach, r.toDo().Hours()+restart)
		useful := life - lasts(reach, restart)
		if cost := (float64(p.Price)*life + float64(r.m.OnDemand)*restart) / useful; useful > 0 && cost < lowest {
			lowest, r.best, r.reach = cost, p, reach
			r.terms.BestPool, r.terms.Useful = n, hours(useful)
		}
	}
}

// isWorthTrying judges a start from waiting. With checkpoints it can only lose time, and the net has that.
func (r *room) isWorthTrying() bool {
	if r.j.Checkpoint {
		return true
	}
	whole := (r.toDo() + r.j.Restart).Hours()
	return survives(r.reach, whole)*whole*float64(r.m.OnDemand) > lasts(r.reach, whole)*float64(r.best.Price)
}

// moving is what a move to the best pool is worth: what it saves on the work to be expected there, doubted, less the start there and a start back to what is
// paid now.
func (r *room) moving(restart float64) money.Amount {
	useful, price, paid := r.terms.Useful.Hours(), float64(r.best.Price), 0.0
	switch r.at.Kind {
	case OnDemand:
		paid = float64(r.m.OnDemand)
	case Spot:
		own := r.own()
		paid, useful = float64(own.Price), min(useful, lasts(own.reach(r.m.History.scale(), r.now), r.j.Left.Hours()))
	default:
		return 0
	}
	return money.Amount((doubt*useful*(paid-price) - restart*(price+paid)) * float64(money.Price(1).For(time.Hour)))
}

// pace is the work that may be left now, to the second: a job that has just begun is not behind by a rounding.
func (r *room) pace() time.Duration {
	share := loose
	if whole := r.j.Until.Sub(r.j.Began); whole > 0 {
		share = max(share, r.j.Work.Seconds()/whole.Seconds())
	}
	return hours(share * r.left.Hours()).Round(time.Second)
}

func hours(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }

// next is a decision that holds until the next one is due.
func (r *room) next(where Where, because string) Decision {
	d := r.final(where, because)
	d.Next = r.now.Add(r.m.Every)
	return d
}

// final is a decision that holds until the job is done.
func (r *room) final(where Where, because string) Decision {
	return Decision{Where: where, Because: upperFirst(because) + ".", Terms: r.terms}
}
