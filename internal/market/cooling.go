package market

import (
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

// How long a scope cools after its first refusal, and at most. Each repeat doubles it; a scope that was quiet for forgiveAfter starts anew. All [ours].
const (
	poolCooling    = 2 * time.Minute
	poolCoolingMax = 4 * time.Minute // to ask costs nothing, and time on demand while spot is to be had costs much

	subnetCooling    = 5 * time.Minute // addresses come back as instances end
	subnetCoolingMax = time.Hour

	quotaCooling    = 15 * time.Minute // limits are raised by people
	quotaCoolingMax = 2 * time.Hour

	throttleCooling    = 5 * time.Second
	throttleCoolingMax = 30 * time.Second

	deniedCooling    = time.Minute // credentials and permissions are mended by people, who look at once whether it helped
	deniedCoolingMax = 10 * time.Minute

	forgiveAfter = 2 * time.Hour
)

type scopeKey struct {
	scope cloud.Scope
	key   string
}

// cooling is how a scope has fared.
type cooling struct {
	strikes int
	until   time.Time
	why     string
}

// strike counts a refusal or loss. While the scope cools nobody should have asked: what comes then was under way already, and is no repeat.
func (c *cooling) strike(o observation, at time.Time) (counts bool) {
	if at.Before(c.until) {
		return false
	}
	if c.strikes > 0 && at.Sub(c.until) >= forgiveAfter {
		c.strikes = 0
	}
	first, longest := span(o)
	c.until = at.Add(min(first<<min(c.strikes, 20), longest))
	c.strikes++
	c.why = o.Why
	return true
}

func span(o observation) (first, longest time.Duration) {
	switch {
	case o.Kind == cloud.Denied:
		return deniedCooling, deniedCoolingMax
	case o.Scope == cloud.ScopePool:
		return poolCooling, poolCoolingMax
	case o.Scope == cloud.ScopeSubnet:
		return subnetCooling, subnetCoolingMax
	case o.Scope == cloud.ScopeQuota:
		return quotaCooling, quotaCoolingMax
	default:
		return throttleCooling, throttleCoolingMax
	}
}

// apply cools the pools inside the scope. A subnet is no pool: who launches looks at Snapshot.Cooling for those.
func (c Cooling) apply(pools []Pool) {
	switch c.Scope {
	case cloud.ScopePool:
		if n, ok := find(pools, c.Key); ok {
			c.cool(&pools[n])
		}
	case cloud.ScopeQuota:
		for n := range pools {
			if inQuota(c.Key, pools[n].Market) {
				c.cool(&pools[n])
			}
		}
	case cloud.ScopeAccount:
		for n := range pools {
			c.cool(&pools[n])
		}
	}
}

func (c Cooling) cool(p *Pool) {
	if c.Until.After(p.CoolUntil) {
		p.CoolUntil, p.Why = c.Until, c.Why
	}
}

// inQuota reports whether a market counts against a quota, named as providers do: class and lifecycle, "Standard/spot". A class that is not in the table is
// taken to hold every type, because asking on would only be refused again.
func inQuota(key string, m cloud.Market) bool {
	class, lifecycle, found := strings.Cut(key, "/")
	if found && lifecycle != string(m.Lifecycle) {
		return false
	}
	return !cloud.IsQuotaClass(class) || cloud.QuotaClass(m.Type) == class
}
