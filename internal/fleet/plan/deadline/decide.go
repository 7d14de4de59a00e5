package deadline

import (
	"math"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// Decide says where the job runs from now on, given where it runs now. Steps, in order:
//
//   - The safety net. Spot is started, and spot is waited for, only while the job could still be done in time if everything went wrong from here: a start that
//     is lost at its last second, a decision that comes as late as it may, another start. Below that the job runs on demand until it is done. What runs
//     on spot by then stays: it keeps what the net needs.
//   - Waiting, with a pool open: the one whose work is cheapest, its expected losses counted in.
//   - Waiting, with none open: on, while spot can be expected to do what is left, or while the job is ahead of its pace; else on demand. The pace spreads the
//     use of on demand over the time that is left, so that spot is found on the way whenever it comes.
//   - On demand: to spot when the move pays for itself and for a move back, or when the job is so far ahead of its pace that both can be afforded.
//   - On spot: there until it is lost, unless its price has risen so far above another place's that a move pays for itself.
//
// A deadline that on demand could meet, started at the first decision, is met whatever the pools do, if decisions come as promised.
func Decide(j Job, at Where, m Market, now time.Time) Decision {
	r := &room{j: j, at: at, m: m, now: now, left: j.Until.Sub(now)}
	r.terms.Slack = r.left - r.toDo() - j.Restart
	r.terms.BestPool = -1
	return r.decide()
}

// room is one decision being made.
type room struct {
	j    Job
	at   Where
	m    Market
	now  time.Time
	left time.Duration

	terms Terms
	best  *Pool
	life  float64 // hours that an instance in the best pool can be expected to live
}

// toDo is the work of a job that is started anew somewhere else.
func (r *room) toDo() time.Duration { return r.j.Left + r.j.Unsaved }

// net is the time without which spot may not be started: for the start itself, for all the work that may be lost with it, and for doing it on demand.
func (r *room) net() time.Duration {
	net := r.toDo() + 2*r.j.Restart + r.m.Every
	if !r.j.Checkpoint {
		net += r.toDo()
	}
	return net
}

func (r *room) decide() Decision {
	switch {
	case r.j.Left <= 0:
		return r.final(Where{Kind: Wait}, "the work is done")
	case r.at.Kind == Spot:
		return r.onSpot()
	case r.at.Kind == OnDemand && !r.j.Checkpoint:
		return r.final(r.at, "without checkpoints, leaving would lose what is done")
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
	case r.best != nil && r.isWorthStarting():
		return r.next(r.spot(), r.startSentence())
	case r.left < r.net()+r.m.Every:
		return r.next(Where{Kind: OnDemand}, r.netSentence())
	case r.terms.Spot >= r.j.Left+2*r.j.Restart && r.best == nil:
		return r.next(Where{Kind: Wait}, r.hopeSentence())
	case r.terms.Ahead >= 0 && r.j.Checkpoint:
		return r.next(Where{Kind: Wait}, r.aheadSentence())
	}
	return r.next(Where{Kind: OnDemand}, r.behindSentence())
}

// onDemand decides for a job with checkpoints. It never goes back to waiting: what that saves, the next start costs.
func (r *room) onDemand() Decision {
	switch {
	case r.best == nil:
		return r.next(r.at, "no spot pool is open that is worth a move")
	case r.terms.Moving > 0:
		return r.next(r.spot(), r.moveSentence())
	case r.terms.Ahead >= 2*r.j.Restart && r.terms.Useful > 2*r.j.Restart:
		return r.next(r.spot(), r.leadSentence())
	}
	return r.next(r.at, r.stayDemandSentence())
}

// onSpot stays, unless the price drives it away or the job came here without the net.
func (r *room) onSpot() Decision {
	slack := r.terms.Slack
	if slack >= 0 && slack < r.m.Every {
		return r.final(Where{Kind: OnDemand}, r.netSentence())
	}
	if !r.j.Checkpoint || slack < r.j.Restart+r.m.Every {
		return r.next(r.at, "it stays in its pool until it is done or lost")
	}
	r.weigh()
	own := r.m.Pools[r.at.Pool].Price
	if r.best != nil && r.terms.Moving > 0 {
		return r.next(r.spot(), r.moveSentence())
	}
	// Prices come back: an hour of the difference has to pay for a start.
	if own-r.m.OnDemand > 0 && float64(own-r.m.OnDemand) > float64(r.m.OnDemand)*r.j.Restart.Hours() {
		return r.next(Where{Kind: OnDemand}, r.dearSentence())
	}
	return r.next(r.at, "it stays in its pool until it is done or lost")
}

func (r *room) spot() Where { return Where{Spot, r.terms.BestPool} }

// weigh fills in the terms.
func (r *room) weigh() {
	restart := r.j.Restart.Hours()
	r.choose(restart)
	if r.best == nil {
		r.terms.Spot = hours(r.m.expected(r.left.Hours(), restart, r.now) * hope)
	} else {
		r.terms.Moving = r.moving(restart)
	}
	r.terms.Ahead = r.j.Work - r.j.Left - r.pace()
}

// choose finds the open pool whose work is cheapest: what is paid for an instance's expected life and for the start that a loss brings, by what it does.
func (r *room) choose(restart float64) {
	scale := r.m.History.scale()
	lowest := math.Inf(1)
	for n := range r.m.Pools {
		p := &r.m.Pools[n]
		if !p.Open || p.Price >= r.m.OnDemand || r.at.Kind == Spot && r.at.Pool == n {
			continue
		}
		reach := p.reach(scale, r.now)
		life := lasts(lifeShape, reach, r.toDo().Hours()+restart)
		useful := life - lasts(lifeShape, reach, restart)
		if cost := (float64(p.Price)*life + float64(r.m.OnDemand)*restart) / useful; useful > 0 && cost < lowest {
			lowest, r.best, r.life, r.terms.BestPool, r.terms.Useful = cost, p, life, n, hours(useful)
		}
	}
}

// isWorthStarting judges a start from waiting. With checkpoints nothing is lost but time, and the net has that; without, all that was paid for may be.
func (r *room) isWorthStarting() bool {
	if r.j.Checkpoint {
		return true
	}
	whole := (r.toDo() + r.j.Restart).Hours()
	chance := survives(lifeShape, r.best.reach(r.m.History.scale(), r.now), whole)
	return chance*whole*float64(r.m.OnDemand) > r.life*float64(r.best.Price)
}

// moving is what a move to the best pool is worth: what is saved on the work that is to be expected of it, doubted, less the start there, less, for a job on
// demand, the start back, less what the time of both is worth, in which spot could have worked.
func (r *room) moving(restart float64) money.Amount {
	price, demand := float64(r.best.Price), float64(r.m.OnDemand)
	useful := r.terms.Useful.Hours()
	idle := r.m.History.rate(restart) * (demand - price) // worth of an hour of slack
	worth := 0.0
	switch r.at.Kind {
	case OnDemand:
		worth = doubt*useful*(demand-price) - restart*(price+demand) - 2*restart*idle
	case Spot:
		own := &r.m.Pools[r.at.Pool]
		useful = min(useful, lasts(lifeShape, own.reach(r.m.History.scale(), r.now), r.j.Left.Hours()))
		worth = doubt*useful*float64(own.Price-r.best.Price) - restart*price - restart*idle
	}
	return money.Amount(worth * float64(money.Price(1).For(time.Hour)))
}

// pace is the work that should be done by now.
func (r *room) pace() time.Duration {
	whole := r.j.Until.Sub(r.j.Began)
	if whole <= 0 {
		return r.j.Work
	}
	even := r.j.Work.Seconds() * (whole - r.left).Seconds() / whole.Seconds()
	latest := max(0, (r.j.Work - r.left + 2*r.j.Restart).Seconds())
	return hours(((1-lean)*even + lean*latest) / 3600)
}

func hours(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }

// next is a decision that holds until the next one is due.
func (r *room) next(where Where, because string) Decision {
	return Decision{Where: where, Because: upperFirst(because) + ".", Terms: r.terms, Next: r.now.Add(r.m.Every)}
}

// final is a decision that holds until the job is done.
func (r *room) final(where Where, because string) Decision {
	return Decision{Where: where, Because: upperFirst(because) + ".", Terms: r.terms}
}
