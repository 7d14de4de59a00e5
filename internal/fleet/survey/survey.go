// Package survey tells what Neap would do with the scaling groups that an account has now, and what that would save.
//
// It owns the reading of a scaling group as an intent, and the sums. It decides nothing itself: fleet/plan does, the very planner that runs fleets. It is
// pure: no cloud is asked and nothing is changed. It must not know stores or dialects. Start reading at Of.
package survey

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/market"
)

// Input is what was seen of an account.
type Input struct {
	At      time.Time
	Catalog *catalog.Cloud
	Regions []Region
	Group   string // only scaling groups of this name, and no single instances; "" = everything
}

// Region is what was seen of one region.
type Region struct {
	Name      string
	Groups    []cloud.ScalingGroup
	Instances []cloud.Instance
	Snapshots []market.Snapshot // one for each product that occurs
	Gaps      []Gap
	Managed   int // instances that a Neap keeps already; they are not among Instances
}

// Gap is something that could not be seen, and what the report lacks for it.
type Gap struct {
	Region  string   `json:"region"`
	Needs   []string `json:"needs"`  // the permissions that it takes: "ec2:DescribeInstances"
	Reason  string   `json:"reason"` // which of them is missing, as the cloud says it
	LeftOut string   `json:"leftOut"`
}

// Of surveys an account. The same input gives the same report; an account with nothing in it gives an empty one.
func Of(in Input) Report {
	r := Report{
		TakenAt: in.At.UTC(), HoursPerMonth: HoursPerMonth, Unit: unitText, Baseline: baselineText, Rule: ruleText, Caveat: caveatText,
		Groups: []Row{}, Singles: []Single{}, Gaps: []Gap{},
	}
	if in.Catalog != nil {
		r.CatalogueAsOf = in.Catalog.PricesFrom().AsOf
	}
	for _, region := range in.Regions {
		r.Regions = append(r.Regions, region.Name)
		r.Gaps = append(r.Gaps, region.Gaps...)
		r.Apart.Managed += region.Managed
		s := newSite(in, region)
		for _, group := range region.Groups {
			if in.Group == "" || group.Name == in.Group {
				r.Groups = append(r.Groups, s.row(group))
			}
		}
		if in.Group == "" {
			r.Singles = append(r.Singles, s.singles()...)
			r.Apart.Stopped += s.stopped()
		}
	}
	r.add()
	return r
}

// site is a region while it is looked at.
type site struct {
	Region
	at      time.Time
	catalog *catalog.Cloud
	byID    map[string]cloud.Instance
	grouped map[string]bool // ids of members of scaling groups
}

func newSite(in Input, region Region) *site {
	s := &site{Region: region, at: in.At, catalog: in.Catalog, byID: map[string]cloud.Instance{}, grouped: map[string]bool{}}
	for _, i := range region.Instances {
		s.byID[i.ID] = i
	}
	for _, g := range region.Groups {
		for _, m := range g.Members {
			s.grouped[m.Instance] = true
		}
	}
	return s
}

// singles are the living instances that no scaling group holds.
func (s *site) singles() []Single {
	var list []Single
	for _, i := range s.Instances {
		if s.grouped[i.ID] || !costs(i) {
			continue
		}
		one := Single{
			Region: s.Name, Instance: i.ID, Name: i.Tags["Name"], Type: i.Market.Type, Zone: i.Market.Zone, Lifecycle: i.Market.Lifecycle, Product: i.Market.Product,
		}
		if p, ok := s.price(i.Market); ok {
			one.Price, one.OnDemand, one.Source = p.Price, p.OnDemand, p.Source
		} else {
			one.Why = noPrice(i.Market)
		}
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b Single) int { return cmp.Compare(a.Instance, b.Instance) })
	return list
}

// stopped counts instances that exist and cost no instance hours.
func (s *site) stopped() int {
	n := 0
	for _, i := range s.Instances {
		if i.State == cloud.Stopped || i.State == cloud.Stopping {
			n++
		}
	}
	return n
}

func costs(i cloud.Instance) bool { return i.State == cloud.Pending || i.State == cloud.Running }

// snapshot is the market of a product; an empty one when nothing is sold here for it.
func (s *site) snapshot(product string) market.Snapshot {
	at := slices.IndexFunc(s.Snapshots, func(m market.Snapshot) bool { return m.Product == product })
	if at < 0 {
		return market.Snapshot{Region: s.Name, Product: product}
	}
	return s.Snapshots[at]
}

// price finds what an instance in a market costs. A list price is the region's, so that of another zone will do.
func (s *site) price(m cloud.Market) (market.Pool, bool) {
	for _, p := range s.snapshot(m.Product).Of(m.Type) {
		switch {
		case p.Market.Zone == m.Zone && p.Market.Lifecycle == m.Lifecycle && p.Price > 0 && p.OnDemand > 0:
			return p, true
		case m.Lifecycle == cloud.OnDemand && p.OnDemand > 0:
			return market.Pool{Market: m, Price: p.OnDemand, OnDemand: p.OnDemand, VCPUs: p.VCPUs, Source: market.SourceCatalogue}, true
		}
	}
	return market.Pool{}, false
}

func noPrice(m cloud.Market) string {
	return "No price is known for " + strings.Join([]string{string(m.Lifecycle), m.Type, "in", m.Zone, "with", m.Product}, " ") + "."
}
