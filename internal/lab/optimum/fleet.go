package optimum

import (
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// leastPaid is how many seconds every instance is paid for at least.
const leastPaid = 60

// change makes the target larger by so many instances, or smaller.
type change struct {
	at int64
	by int
}

// Fleet is the least that a steady or diurnal fleet costs if every interruption, forced or wished, is priced at perInterruption on top of the bill; with a price
// of zero it is the least bill, and of equal ones that with the fewest interruptions. Outcome.Cost is the bill alone. The target is covered at every moment from
// World.From + World.Boot on; who is needed at a moment was launched one boot before, and whoever is replaced is paid for until the other one serves.
// Instances that a falling target sends away are no interruptions.
//
// Where the result is a bound, it is the sum of the bill and the priced interruptions that no schedule undercuts: a straight line below the frontier of the two, of
// which Cost and the interruptions are one point. For a diurnal fleet it is within a thousandth of the least bill, but some tenths low where an interruption is dear.
func Fleet(w *world.World, load lab.Workload, perInterruption money.Amount) (Result, error) {
	if load.Kind != lab.Steady && load.Kind != lab.Diurnal {
		return Result{}, fmt.Errorf("the workload %q is no fleet: Fleet takes %s and %s", load, lab.Steady, lab.Diurnal)
	}
	if perInterruption < 0 {
		return Result{}, fmt.Errorf("an interruption can't be priced at %s: less than zero would make them welcome", perInterruption)
	}
	return fleet(w, targets(w, load), perInterruption)
}

func fleet(w *world.World, changes []change, price money.Amount) (Result, error) {
	all, isKnown, err := markets(w)
	if err != nil {
		return Result{}, err
	}
	boot, last := int64(w.Boot/time.Second), second(w, w.Until)
	if boot >= last {
		return Result{}, fmt.Errorf("the world %q lasts %s, no longer than an instance takes to boot (%s)", w.Name, w.Until.Sub(w.From), w.Boot)
	}
	first, later := 0, changes
	for len(later) > 0 && later[0].at <= boot {
		first, later = first+later[0].by, later[1:]
	}
	s, least, end := newSweep(all, boot, price), score{}, 0
	for n, surplus := range surpluses(price, later) {
		other := newSweep(all, boot, price)
		if so, market := other.run(later, first, last, surplus); n == 0 || least.before(so) {
			s, least, end = other, so, market
		}
	}

	result := Result{Outcome: least.outcome(price)}
	s.wanted(&result.Outcome, changes, last)
	var gaps []string
	if len(later) == 0 {
		result.Stays = s.stays(w, end, last)
		spread(&result.Outcome, first, result.Stays)
	} else {
		gaps = append(gaps, "which instance goes when the target falls is left open")
	}
	if !isKnown {
		gaps = append(gaps, drawnGap)
	}
	if boot < leastPaid && slices.ContainsFunc(result.Stays, isShort) {
		gaps = append(gaps, fmt.Sprintf("instances are billed by the second from the first, not for %d s at least", leastPaid))
	}
	result.judge(gaps)
	return result, nil
}

// run gives what all units of capacity come to together, at least, and the market of the best schedule at the end.
//
// A target that rises and falls is a problem of transport: every rise is a source of units, every fall and the end are sinks, and a unit that goes from a rise to a
// later fall costs the cheapest schedule between them, a unit from a rise to an earlier fall nothing (an instance was kept over the valley). Any choice of a value V for
// each rise gives a lower bound: the sum of the values Z of the falls, less the sum of the V, where Z is the least of V plus the way from there, and no more
// than the V of any later rise. One sweep finds all Z if each rise lets new schedules begin at its V. Each V here is what the best schedule has come to, less
// the cheapest boot, so that who begins stands beside who was there, and the rise pays for one boot. A surplus on top makes a rise a dearer way to change markets
// without an interruption, and takes itself off the bound once for every rise. With a steady target there is one rise and one fall, and the bound is the optimum.
func (s *sweep) run(changes []change, first int, last int64, surplus money.Amount) (total score, end int) {
	s.begin(score{}, s.boot)
	values := make([]score, len(changes))
	list := events(s.markets, changes, s.boot, last)
	for len(list) > 0 {
		now := slices.IndexFunc(list, func(e event) bool { return e.at != list[0].at })
		if now < 0 {
			now = len(list)
		}
		s.step(list[:now], values, surplus)
		list = list[now:]
	}
	least, end := s.cheapest(last)
	count := first
	for _, c := range changes {
		count += c.by
	}
	total = total.times(count, least)
	later := hopeless()
	for n := len(changes) - 1; n >= 0; n-- {
		if changes[n].by > 0 {
			if values[n].before(later) {
				later = values[n]
			}
		} else if later.before(values[n]) {
			values[n] = later
		}
		total = total.times(-changes[n].by, values[n])
	}
	return total, end
}

// surpluses are those worth trying: shares of what an interruption costs. The best of them is near where a fleet of that size would rather stay than move.
func surpluses(price money.Amount, changes []change) []money.Amount {
	if price == 0 || len(changes) == 0 {
		return []money.Amount{0}
	}
	return []money.Amount{0, price / 100, price / 30, price / 10, price / 3, price}
}

// step deals with one second, and notes the values of the rises and falls in it.
func (s *sweep) step(list []event, values []score, surplus money.Amount) {
	at := list[0].at
	if list[0].kind == fall {
		values[list[0].of], _ = s.cheapest(at)
	}
	s.pass(list)
	if e := list[len(list)-1]; e.kind == rise {
		value, _ := s.cheapest(at)
		values[e.of] = value.plus(surplus - s.leastOverlap(at))
		s.begin(values[e.of], at)
	}
}

// leastOverlap is what the cheapest boot costs of those that could end now.
func (s *sweep) leastOverlap(at int64) money.Amount {
	least := s.overlap(0, at)
	for n := range s.markets {
		if s.isOpen(n, at) {
			least = min(least, s.overlap(n, at))
		}
	}
	return least
}

// stays are those of the schedule that ends in a market.
func (s *sweep) stays(w *world.World, end int, last int64) (all []Stay) {
	until, isLost := last, false
	for node := s.last[end]; ; node = s.nodes[node.before] {
		all = append(all, Stay{Pool: s.markets[node.market].pool, Launched: moment(w, node.serves-s.boot), Until: moment(w, until), Lost: isLost})
		if node.before == none {
			slices.Reverse(all)
			return all
		}
		until, isLost = node.serves, node.lost
	}
}

// spread enters the hours of a schedule that so many units follow.
func spread(out *lab.Outcome, units int, stays []Stay) {
	spot, demand := paid(stays)
	out.SpotHours, out.DemandHours = float64(units)*spot, float64(units)*demand
	out.CapacityHours, out.Launches = out.TargetHours, units*len(stays)
}

func isShort(s Stay) bool { return s.Until.Sub(s.Launched) < leastPaid*time.Second }

// outcome tells the bill from the price of the interruptions.
func (s score) outcome(price money.Amount) lab.Outcome {
	if s.forced < 0 || s.wished < 0 { // of a bound, a sum of differences; only both together are worth something
		s.forced, s.wished = 0, max(0, s.forced+s.wished)
	}
	bill := s.cost - price*money.Amount(s.forced+s.wished)
	return lab.Outcome{Policy: lab.PolicyHindsight, Cost: bill, Forced: int(s.forced), Voluntary: int(s.wished)}
}

// wanted enters what the target comes to. What it would have cost on demand counts from the beginning, as instances do; the hours count from when one can serve.
func (s *sweep) wanted(out *lab.Outcome, changes []change, last int64) {
	target := 0
	for n, c := range changes {
		until := last
		if n+1 < len(changes) {
			until = changes[n+1].at
		}
		target += c.by
		out.OnDemand += money.Amount(target) * s.markets[0].over(c.at, until)
		out.TargetHours += float64(target) * float64(max(0, until-max(s.boot, c.at))) / 3600
	}
}

// targets are the changes of a target, the first one at second 0.
func targets(w *world.World, load lab.Workload) []change {
	at := func(second int64) int { return load.Target(moment(w, second)) }
	changes := []change{{0, at(0)}}
	var search func(from, until int64)
	search = func(from, until int64) {
		switch by := at(until) - at(from); {
		case by == 0:
		case until-from == 1:
			changes = append(changes, change{until, by})
		default:
			middle := (from + until) / 2
			search(from, middle)
			search(middle, until)
		}
	}
	// The target only rises or only falls between the hours of its low and its high.
	const piece = 12 * time.Hour
	last := second(w, w.Until)
	next := w.From.Truncate(piece).Add(4 * time.Hour)
	for from := int64(0); from < last; next = next.Add(piece) {
		if until := min(last, second(w, next)); until > from {
			search(from, until)
			from = until
		}
	}
	return slices.DeleteFunc(changes, func(c change) bool { return c.at >= last })
}
