package market

import (
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/market/model"
)

// observation is something an account went through. Observations are only ever added, so that two replicas can't get in each other's way; what they mean is
// worked out when they are read.
type observation struct {
	Event event             `json:"event,omitempty"`
	Pools []string          `json:"pools,omitempty"` // by PoolKey, of a signal or a hold
	Scope cloud.Scope       `json:"scope,omitempty"`
	Key   string            `json:"key,omitempty"`
	Kind  cloud.RefusalKind `json:"kind,omitempty"` // of a refusal
	Why   string            `json:"why,omitempty"`
}

// event is what an observation tells beside refusals and losses, which have none.
type event string

const (
	signalled event = "signal" // the provider sees a raised risk
	holds     event = "hold"   // something of ours runs there
)

// refusalOf is what an account goes through with a refusal; ok is false for those that no waiting cures.
func refusalOf(r *cloud.Refusal) (o observation, ok bool) {
	o = observation{Scope: r.Scope, Key: r.Key, Kind: r.Kind, Why: r.Code}
	if r.Message != "" {
		o.Why += ": " + r.Message
	}
	if o.Scope == "" {
		o.Scope = cloud.ScopeAccount // a refusal that names nothing speaks for everything
	}
	return o, r.Kind != cloud.BadRequest && r.Kind != cloud.Unknown
}

func lossOf(in cloud.Market) observation {
	return observation{Scope: cloud.ScopePool, Key: in.PoolKey(), Why: "an instance of this pool was interrupted"}
}

// told is an observation of an event in pools; only spot has any.
func told(e event, in ...cloud.Market) observation {
	o := observation{Event: e}
	for _, m := range in {
		if m.Lifecycle == cloud.Spot {
			o.Pools = append(o.Pools, m.PoolKey())
		}
	}
	return o
}

// isLoss tells losses from everything else.
func (o observation) isLoss() bool { return o.Event == "" && o.Kind == "" }

// isTrouble says that the pool itself gave nothing, or took something back.
func (o observation) isTrouble() bool {
	return o.isLoss() || o.Event == "" && o.Kind == cloud.NoCapacity && o.Scope == cloud.ScopePool
}

// Experience is what one account went through in one region: which scopes cool, and what its pools have proven to be. It lives in memory and is a function of what
// it was told, in order. It is not safe for concurrent use; Market keeps one for each account and region, and a replay keeps its own.
type Experience struct {
	parameters model.Parameters
	cooling    map[scopeKey]*cooling
	book       model.Book
	version    int // raised by whatever changes more than ages
}

// NewExperience is a newcomer's, who goes by the model's parameters; model.Usual() are the engine's.
func NewExperience(p model.Parameters) *Experience {
	return &Experience{parameters: p, cooling: map[scopeKey]*cooling{}}
}

// Refused takes in a refusal: its scope cools. One that no waiting cures (BadRequest, Unknown) teaches nothing.
func (e *Experience) Refused(r *cloud.Refusal, at time.Time) {
	if o, ok := refusalOf(r); ok {
		e.take(o, at)
	}
}

// Lost takes in that a spot instance was interrupted: its pool cools.
func (e *Experience) Lost(in cloud.Market, at time.Time) { e.take(lossOf(in), at) }

// Signalled takes in a rebalance signal.
func (e *Experience) Signalled(in cloud.Market, at time.Time) { e.take(told(signalled, in), at) }

// Held takes in where spot instances of the account run; it is to be told every half hour.
func (e *Experience) Held(in []cloud.Market, at time.Time) { e.take(told(holds, in...), at) }

// take draws the conclusions. When the whole of a pool is lost at once, only the first loss has any.
func (e *Experience) take(o observation, at time.Time) {
	isNews := false
	switch o.Event {
	case signalled, holds:
		isNews = o.Event == signalled
	default:
		key := scopeKey{o.Scope, o.Key}
		if e.cooling[key] == nil {
			e.cooling[key] = &cooling{}
		}
		isNews = e.cooling[key].strike(o, at)
	}
	for _, key := range o.Pools {
		if place, ok := placeOf(key); ok && o.Event == signalled {
			e.book.Signal(e.parameters, place, at)
		} else if ok {
			e.book.Held(e.parameters, place, at)
		}
	}
	if place, ok := placeOf(o.Key); ok && o.isTrouble() {
		e.book.Trouble(e.parameters, place, at)
	}
	if isNews {
		e.version++
	}
}

// placeOf reads the PoolKey of a spot pool. Products share a pool's fate: they run on the same machines.
func placeOf(key string) (model.Place, bool) {
	parts := strings.SplitN(key, "/", 4)
	if len(parts) < 3 || parts[2] != string(cloud.Spot) {
		return model.Place{}, false
	}
	return model.Place{Type: parts[0], Zone: parts[1]}, true
}

// isEmpty says that there is nothing to tell about any pool now.
func (e *Experience) isEmpty(now time.Time) bool {
	if !e.book.IsCalm() {
		return false
	}
	for _, c := range e.cooling {
		if c.until.After(now) {
			return false
		}
	}
	return true
}

// See lays the experience over pools, which are sorted as those of a Snapshot: their laws, and until when they cool. Cooling lists every scope that cools, those of
// subnets and the account too.
func (e *Experience) See(pools []Pool, now time.Time) []Cooling {
	if !e.book.IsCalm() {
		for n := range pools {
			p := &pools[n]
			place := model.Place{Type: p.Market.Type, Zone: p.Market.Zone}
			if p.Market.Lifecycle == cloud.Spot && e.book.IsTroubled(place) {
				p.Law = e.book.Law(e.parameters, place, p.facts(), now)
				p.Risk = p.Law.Risk()
			}
		}
	}
	active := e.active(now)
	for _, c := range active {
		c.apply(pools)
	}
	return active
}

// Weigh gives a spot pool the law that holds without any experience. It is to be called when the price has changed.
func (p *Pool) Weigh(with model.Parameters) {
	p.Law = with.Prior(p.facts())
	p.Risk = p.Law.Risk()
}

func (p *Pool) facts() model.Facts {
	return model.Facts{Class: p.Class, Price: float64(p.Price), Usual: float64(p.Usual)}
}

// active are the scopes that cool now, in a fixed order.
func (e *Experience) active(now time.Time) []Cooling {
	var list []Cooling
	for key, c := range e.cooling {
		if c.until.After(now) {
			list = append(list, Cooling{Scope: key.scope, Key: key.key, Until: c.until, Why: c.why})
		}
	}
	slices.SortFunc(list, func(a, b Cooling) int {
		return strings.Compare(string(a.Scope)+"\x00"+a.Key, string(b.Scope)+"\x00"+b.Key)
	})
	return list
}
