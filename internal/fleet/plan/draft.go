package plan

import (
	"cmp"
	"slices"
	"time"
)

// fate is what a plan has in mind for a member.
type fate int

const (
	stays fate = iota
	goes       // serves until its replacement does, then leaves
	gone       // leaves now, or is leaving already
)

// member is an instance with its place in the plan. The instance is the caller's, and never changed.
type member struct {
	*Instance
	units  int
	fate   fate
	reason Reason // why it goes
	linked bool   // a launch or an instance takes its place already
}

// active members are not yet on the way out of the cloud.
func (m *member) active() bool { return m.Phase == Launching || m.Phase == Running }

// place is a pool without its figures.
type place struct {
	typ, zone string
	lifecycle Lifecycle
}

func (i *Instance) place() place { return place{i.Type, i.Zone, i.Lifecycle} }

// draft is a plan in the making. have, zones and held count what stays and what is on its way; they are kept up to date by keep and lose.
type draft struct {
	intent  Intent
	market  Market
	now     time.Time
	seen    time.Time // when the cloud was asked
	unseen  []string  // ids that it did not show
	notice  time.Duration
	members []member
	pending []PendingLaunch
	units   map[string]int // by type, when capacity is in weight units
	max     int

	have  count
	zones []zoneCount   // of the intent, in its order
	held  map[place]int // units per pool

	spot, onDemand *shelf // built when first asked for

	urgent, ends, relief []Action
	orders               []*order
	losses               []*member // leave a gap that no launch fills yet
	moving               int       // units that go …
	saving               int       // … of these, only to save money
	leaving              int       // units that leave now, for other reasons than scale-in
	replaced             int       // of these, units whose replacement came first, for safety
	short                int
	notes                []string
	next                 time.Time
}

// count is in units.
type count struct{ spot, onDemand int }

func (c count) all() int { return c.spot + c.onDemand }

func (c *count) add(l Lifecycle, units int) {
	if l == Spot {
		c.spot += units
	} else {
		c.onDemand += units
	}
}

type zoneCount struct {
	name string
	count
}

func newDraft(intent Intent, observed Observed, market Market, now time.Time) *draft {
	d := &draft{
		intent: intent, market: market, now: now.UTC(), seen: now, unseen: observed.Unseen, notice: observed.Notice, pending: observed.Launches,
		max:  max(intent.Capacity.Max, intent.Capacity.Target), // a bound that forbids the target itself is a mistake, not a wish
		held: make(map[place]int, len(observed.Instances)),
	}
	if !observed.SeenAt.IsZero() {
		d.seen = observed.SeenAt
	}
	for n, zone := range intent.Choice.Zones {
		if !slices.Contains(intent.Choice.Zones[:n], zone) {
			d.zones = append(d.zones, zoneCount{name: zone})
		}
	}
	d.weighTypes()
	for _, launch := range d.pending {
		d.keep(place{launch.Type, launch.Zone, launch.Lifecycle}, launch.Count*d.unitsOf(launch.Type, launch.VCPUs))
	}
	d.muster(observed)
	return d
}

// muster takes in the instances, oldest first, and decides who is on the way out already.
func (d *draft) muster(observed Observed) {
	successors := d.successors(observed)
	d.members = make([]member, 0, len(observed.Instances))
	for n := range observed.Instances {
		i := &observed.Instances[n]
		m := member{Instance: i, units: d.unitsOf(i.Type, i.VCPUs)}
		m.reason, m.linked = successors[i.ID]
		switch i.Phase {
		case Launching, Running:
			d.keep(i.place(), m.units)
		case Draining, Terminating, Terminated:
			m.fate, m.reason = gone, Reason(i.LeaveReason)
		default:
			continue // detached, or set aside by the shell: not ours to plan
		}
		d.members = append(d.members, m)
	}
	slices.SortFunc(d.members, func(a, b member) int {
		return cmp.Or(a.LaunchedAt.Compare(b.LaunchedAt), cmp.Compare(a.ID, b.ID))
	})
	for n := range d.members {
		m := &d.members[n]
		switch {
		case m.fate == gone:
			d.mourn(m)
		case m.linked && !(m.reason.isVoluntary() && d.isLocked(m)):
			d.send(m, m.reason)
		}
	}
}

// successors tells which instances have a replacement that is still to be counted on, and why it was launched.
func (d *draft) successors(observed Observed) map[string]Reason {
	isAny := len(d.pending) > 0
	for n := range observed.Instances {
		isAny = isAny || observed.Instances[n].ReplacedBy != ""
	}
	if !isAny {
		return nil // as with most plans
	}
	found := map[string]Reason{}
	living := map[string]Reason{}
	for _, launch := range d.pending {
		living[launch.Action] = launch.Reason
		for _, old := range launch.Replaces {
			found[old] = launch.Reason
		}
	}
	for _, i := range observed.Instances {
		if i.Phase == Launching || i.Phase == Running {
			living[i.ID] = i.LaunchReason
		}
	}
	for _, i := range observed.Instances {
		if i.ReplacedBy == "" {
			continue
		}
		if reason, ok := living[i.ReplacedBy]; ok {
			found[i.ID] = reason
		}
	}
	return found
}

// isVoluntary tells moves that only save money from those that keep the fleet alive.
func (r Reason) isVoluntary() bool { return r == ReasonRevert || r == ReasonCheaper }

// mourn takes note of a member that is on its way out already. One that nothing replaces yet leaves a gap, unless we wished it gone.
func (d *draft) mourn(m *member) {
	switch m.reason {
	case ReasonScaleIn, ReasonDelete:
		return
	case ReasonInterruption, ReasonDetach, ReasonRebalance, ReasonEvacuation, ReasonUnhealthy, ReasonRevert, ReasonCheaper, ReasonReplaced:
	default:
		m.reason = ReasonLost
	}
	if m.Phase != Terminated {
		d.leaving += m.units
		if slices.Contains([]Reason{ReasonRebalance, ReasonEvacuation, ReasonUnhealthy, ReasonReplaced}, m.reason) {
			d.replaced += m.units
		}
	}
	if m.ReplacedBy == "" {
		d.miss(m)
	}
}

// keep and lose count units into and out of what the fleet can rely on.
func (d *draft) keep(p place, units int) {
	d.have.add(p.lifecycle, units)
	d.held[p] += units
	for n := range d.zones {
		if d.zones[n].name == p.zone {
			d.zones[n].add(p.lifecycle, units)
		}
	}
}

func (d *draft) lose(m *member) {
	d.keep(m.place(), -m.units)
	for _, s := range []*shelf{d.spot, d.onDemand} {
		s.gaveBack(m)
	}
}

// send marks a member that is to leave once its replacement serves.
func (d *draft) send(m *member, why Reason) {
	if why == "" || why == ReasonCapacity || why == ReasonFallback || why == ReasonVolatile {
		why = ReasonReplaced // its successor was bought for several reasons at once
	}
	m.fate, m.reason = goes, why
	d.moving += m.units
	if why.isVoluntary() {
		d.saving += m.units
	}
	d.lose(m)
}

// replace sends a member away and leaves its place to be filled.
func (d *draft) replace(m *member, why Reason) {
	d.send(m, why)
	d.miss(m)
}

// miss notes the gap that a member leaves, unless it is filled already or not to be filled.
func (d *draft) miss(m *member) {
	if !m.linked && !m.SkipReplace {
		d.losses = append(d.losses, m)
	}
}

// missing is how many units are wanted and neither there nor on their way; negative when there are too many.
func (d *draft) missing() int { return d.intent.Capacity.Target - d.have.all() }

// room is how many units the maximum still allows.
func (d *draft) room() int { return d.max - d.have.all() }

// dismiss takes a member out of service now: it drains until the moment given, or ends at once when it does not serve yet.
func (d *draft) dismiss(m *member, why Reason, until time.Time, because string) Action {
	if m.fate == stays {
		d.lose(m)
	}
	m.fate, m.reason = gone, why
	if m.Phase == Launching {
		return Action{Verb: TerminateVerb, Instance: m.ID, Reason: why, Because: because}
	}
	d.wake(until)
	return Action{Verb: DrainVerb, Instance: m.ID, DrainUntil: until, Reason: why, Because: because}
}

// drainEnd is when an instance that begins to drain now may be terminated: in time before the cloud takes it.
func (d *draft) drainEnd(i *Instance) time.Time {
	until := d.now.Add(d.intent.Drain)
	if !i.DrainUntil.IsZero() {
		until = i.DrainUntil.UTC()
	}
	return d.beforeNotice(i, until)
}

// beforeNotice moves a moment ahead of an announced interruption, but never into the past.
func (d *draft) beforeNotice(i *Instance, until time.Time) time.Time {
	if i.InterruptAt.IsZero() {
		return until
	}
	if last := i.InterruptAt.UTC().Add(-noticeMargin); last.Before(until) {
		until = last
	}
	if until.Before(d.now) {
		until = d.now
	}
	return until
}

// noticeMargin is kept free before an announced end, for the calls that terminate and for clocks that differ [ours].
const noticeMargin = 5 * time.Second

// wake asks for another plan at t, when nothing but time has passed.
func (d *draft) wake(t time.Time) {
	if !t.IsZero() && !t.Before(d.now) && (d.next.IsZero() || t.Before(d.next)) {
		d.next = t.UTC()
	}
}

func (d *draft) isLocked(m *member) bool { return m.LockedUntil.After(d.now) }

// weighTypes learns how many units the types count for. Where capacity is in instances, every type counts one.
func (d *draft) weighTypes() {
	if d.intent.Capacity.Unit != Weight {
		return
	}
	d.units = make(map[string]int, 64)
	for n := range d.market.Pools {
		pool := &d.market.Pools[n]
		d.units[pool.Type] = d.intent.UnitsOf(pool.Type, pool.VCPUs)
	}
	for _, w := range d.intent.Choice.Weights {
		d.units[w.Type] = w.Units
	}
}

// unitsOf is the intent's, looked up once for every type of the market.
func (d *draft) unitsOf(typ string, vcpus int) int {
	if d.units == nil {
		return 1
	}
	return max(1, cmp.Or(d.units[typ], vcpus))
}
