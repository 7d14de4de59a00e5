package sim

import (
	"context"
	"fmt"
	"strings"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// grant says how many of the instances asked for can start, in which subnets, and why not more.
func (a *Account) grant(ctx context.Context, tx runner, l cloud.Launch, offer catalog.Offer, p physics.Pool, now physics.Instant) (int, []string, *cloud.Refusal, error) {
	granted := l.Count
	var short *cloud.Refusal
	limit := func(room int, refusal func() *cloud.Refusal) {
		if room = max(0, room); room < granted {
			granted, short = room, refusal()
		}
	}
	used, err := a.usedQuota(ctx, tx, l.Market.Region, quotaClass(offer, l.Market.Lifecycle), now)
	if err != nil {
		return 0, nil, nil, err
	}
	limit((a.cloud.quota(l.Market.Region)-used)/max(1, offer.Type.VCPUs), func() *cloud.Refusal { return a.overQuota(l.Market, offer, used) })
	room, err := a.cloud.room(ctx, tx, l.Market, p, now)
	if err != nil {
		return 0, nil, nil, err
	}
	limit(room, func() *cloud.Refusal { return dryRefusal(l.Market) })
	subnets, err := a.seats(ctx, tx, a.candidates(l), granted, now)
	if err != nil {
		return 0, nil, nil, err
	}
	limit(len(subnets), func() *cloud.Refusal { return a.fullSubnet(a.candidates(l)[0]) })
	if short != nil {
		short.Message += fmt.Sprintf(" %d of %d could start.", granted, l.Count)
	}
	return granted, subnets, short, nil
}

// room is how many more instances the pool holds.
func (c *Cloud) room(ctx context.Context, tx runner, m cloud.Market, p physics.Pool, now physics.Instant) (int, error) {
	if room, set := c.faults.room(m, now); set {
		return room, nil
	}
	if t := c.find(m.Region, RoomTrouble, onPool(m)); t != nil {
		return t.Count, nil
	}
	if p.IsDry(m.Lifecycle, now) {
		return 0, nil
	}
	var living int
	query := c.db.sql("SELECT COUNT(*) FROM instance WHERE pool = ? AND lifecycle = ? AND ends_at > ?")
	err := tx.QueryRowContext(ctx, query, p.Key, string(m.Lifecycle), int64(now)).Scan(&living)
	return p.Depth(m.Lifecycle) - living, err
}

func dryRefusal(m cloud.Market) *cloud.Refusal {
	return &cloud.Refusal{Kind: cloud.NoCapacity, Scope: cloud.ScopePool, Key: m.PoolKey(), Code: "InsufficientInstanceCapacity",
		Message: fmt.Sprintf("There is not enough %s capacity of %s in %s now (simulated).", m.Lifecycle, m.Type, m.Zone)}
}

// quotaClass groups instance families as their cloud does for its vCPU limits: EC2 by the first letter, separately for spot and on demand; Azure by series, and all
// of spot together.
func quotaClass(offer catalog.Offer, lifecycle cloud.Lifecycle) string {
	family := offer.Type.Family
	if strings.HasPrefix(offer.Type.Name, "Standard_") {
		if lifecycle == cloud.Spot {
			return "lowPriorityCores"
		}
		return "standard" + family + "Family"
	}
	class := "other"
	for _, rule := range []struct{ prefixes, class string }{
		{"inf", "Inf"}, {"trn", "Trn"}, {"dl", "DL"}, {"hpc", "HPC"}, {"mac", "Mac"}, {"u-,u7", "High Memory"}, {"g,vt", "G and VT"},
		{"p", "P"}, {"f", "F"}, {"x", "X"}, {"a,c,d,h,i,m,r,t,z", "Standard"},
	} {
		if hasPrefix(family, rule.prefixes) {
			class = rule.class
			break
		}
	}
	return class + "/" + string(lifecycle)
}

func hasPrefix(family, prefixes string) bool {
	for prefix := range strings.SplitSeq(prefixes, ",") {
		if strings.HasPrefix(family, prefix) {
			return true
		}
	}
	return false
}

func (a *Account) usedQuota(ctx context.Context, tx runner, region, class string, now physics.Instant) (int, error) {
	var used int
	query := a.cloud.db.sql("SELECT COALESCE(SUM(vcpus), 0) FROM instance WHERE account = ? AND region = ? AND quota = ? AND ends_at > ?")
	err := tx.QueryRowContext(ctx, query, a.id, region, class, int64(now)).Scan(&used)
	return used, err
}

func (a *Account) overQuota(m cloud.Market, offer catalog.Offer, used int) *cloud.Refusal {
	code := "VcpuLimitExceeded"
	if m.Lifecycle == cloud.Spot {
		code = "MaxSpotInstanceCountExceeded"
	}
	class := quotaClass(offer, m.Lifecycle)
	return &cloud.Refusal{Kind: cloud.NoQuota, Scope: cloud.ScopeQuota, Key: class, Code: code,
		Message: fmt.Sprintf("%d of the %d vCPUs that this account may use in %s for %q are in use (simulated).", used, a.cloud.quota(m.Region), m.Region, class)}
}

// seats finds free addresses for up to count instances, in the order of the subnets given.
func (a *Account) seats(ctx context.Context, tx runner, subnets []string, count int, now physics.Instant) ([]string, error) {
	seats := make([]string, 0, count)
	for _, subnet := range subnets {
		if len(seats) == count {
			break
		}
		var living int
		query := a.cloud.db.sql("SELECT COUNT(*) FROM instance WHERE subnet = ? AND account = ? AND ends_at > ?")
		if err := tx.QueryRowContext(ctx, query, subnet, a.id, int64(now)).Scan(&living); err != nil {
			return nil, err
		}
		for free := a.cloud.tuning.SubnetAddresses - living; free > 0 && len(seats) < count; free-- {
			seats = append(seats, subnet)
		}
	}
	return seats, nil
}

func (a *Account) fullSubnet(subnet string) *cloud.Refusal {
	return &cloud.Refusal{Kind: cloud.NoCapacity, Scope: cloud.ScopeSubnet, Key: subnet, Code: "InsufficientFreeAddressesInSubnet",
		Message: fmt.Sprintf("The subnet %s has no free addresses left of %d (simulated).", subnet, a.cloud.tuning.SubnetAddresses)}
}
