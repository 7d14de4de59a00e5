package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/survey"
	"github.com/neap-cloud/neap/internal/fleet/tags"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/store"
)

// ObserveConfig says which account to look at, and how. No server and no data folder are needed for it.
type ObserveConfig struct {
	Regions          []string
	Role, ExternalID string // "" = the account of Neap's own credentials
	Group            string // only scaling groups of this name; "" = everything
	Endpoint         string // of AWS; "" = AWS's own
	Log              *slog.Logger
	Clock            clock.Clock                              // nil = the wall's
	Account          func(ctx context.Context) (Sight, error) // nil = AWS, by the fields above
}

// Sight is all that an observation asks of a cloud. Nothing that changes anything can be reached through it.
type Sight struct {
	Instances func(ctx context.Context, query cloud.Query) ([]cloud.Instance, error)
	Groups    func(ctx context.Context, region string, names []string) ([]cloud.ScalingGroup, error)
	Prices    func(ctx context.Context, region string) ([]cloud.Price, error)
}

// Observed is what an observation found: the report as JSON, as a page of HTML, and as a table.
type Observed struct {
	Report json.RawMessage
	Page   func(w io.Writer) error
	Table  func(w io.Writer, wide, why bool) error
}

// Observe tells what Neap would do with an account's scaling groups, and what that would save. What the credentials may not read becomes a gap of the report; when
// they may read nothing at all it is fault.Denied.
func Observe(ctx context.Context, c ObserveConfig) (found Observed, err error) {
	facts := catalog.AWS()
	if err := knownRegions(facts, c.Regions); err != nil {
		return Observed{}, err
	}
	if c.Clock == nil {
		c.Clock = clock.Wall{}
	}
	if c.Account == nil {
		c.Account = c.aws
	}
	sight, err := c.Account(ctx)
	if err != nil {
		return Observed{}, err
	}
	db, err := store.Open(ctx, store.Config{Memory: true, Log: c.Log})
	if err != nil {
		return Observed{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	prices, err := market.New(market.Config{DB: db, Clock: c.Clock, Catalog: facts})
	if err != nil {
		return Observed{}, err
	}
	in := survey.Input{At: c.Clock.Now(), Catalog: facts, Group: c.Group}
	for _, name := range c.Regions {
		region, err := look{sight, prices, c.Group}.region(ctx, name)
		if err != nil {
			return Observed{}, err
		}
		in.Regions = append(in.Regions, region)
	}
	if err := worthIt(in); err != nil {
		return Observed{}, err
	}
	report := survey.Of(in)
	raw, err := json.Marshal(report)
	return Observed{Report: raw, Page: report.Page, Table: report.Table}, err
}

// aws is the account as AWS shows it. The credentials are tried first, so that what is wrong with them is not taken for a missing permission.
func (c ObserveConfig) aws(ctx context.Context) (Sight, error) {
	// Its log stays silent: what an account lacks is told as a gap, and list prices may be the catalogue's.
	amazon, err := aws.New(ctx, aws.Config{Endpoint: c.Endpoint, Endpoints: map[string]string{"": c.Endpoint}})
	if err != nil {
		return Sight{}, err
	}
	if c.Role != "" {
		_, err = amazon.AssumeRole(ctx, c.Role, c.ExternalID)
	} else {
		_, err = amazon.Principal(ctx)
	}
	if err != nil {
		return Sight{}, err
	}
	account := amazon.Account(c.Role, c.ExternalID)
	return Sight{Instances: account.Describe, Groups: account.ScalingGroups, Prices: account.Prices}, nil
}

func knownRegions(facts *catalog.Cloud, regions []string) error {
	var faults []*fault.Error
	for _, name := range regions {
		if !slices.Contains(facts.Regions(), name) {
			faults = append(faults, fault.Field("region", "The catalogue knows no region %q; it knows %s.", name, strings.Join(facts.Regions(), ", ")))
		}
	}
	return fault.All(faults)
}

// look is one look at an account.
type look struct {
	Sight
	market *market.Market
	group  string
}

// What a report lacks when a question is denied.
const (
	withoutGroups    = "The scaling groups: their instances are shown as single ones, and nothing is planned for them."
	withoutInstances = "All instances: those in no group are not shown, and of those in groups neither type nor price is known."
	withoutChecks    = "How the instances pass the cloud's checks. No figure needs that."
	withoutPrices    = "Today's spot prices: the catalogue's stand in for them."
)

// region asks for all that is in a region.
func (l look) region(ctx context.Context, name string) (survey.Region, error) {
	r := survey.Region{Name: name}
	var names []string
	if l.group != "" {
		names = []string{l.group}
	}
	var err error
	r.Groups, err = l.Groups(ctx, name, names)
	if err = miss(&r, err, withoutGroups, "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeLaunchConfigurations", "ec2:DescribeLaunchTemplateVersions"); err != nil {
		return r, err
	}
	all, err := l.Instances(ctx, cloud.Query{Region: name})
	without := withoutInstances
	if len(all) > 0 {
		without = withoutChecks
	}
	if err = miss(&r, err, without, "ec2:DescribeInstances", "ec2:DescribeInstanceStatus"); err != nil {
		return r, err
	}
	for _, i := range all {
		if i.Tags[tags.Owner] != "" {
			r.Managed++
			continue
		}
		r.Instances = append(r.Instances, i)
	}
	if err := l.prices(ctx, &r); err != nil {
		return r, err
	}
	r.Snapshots, err = l.snapshots(ctx, r)
	return r, err
}

// pricesTime is for one region's prices: with the price list, which comes last and may stay unfinished, they are many pages.
const pricesTime = 30 * time.Second

// prices hands today's prices to the market. Where they cannot be had the catalogue's stand in, whatever the reason.
func (l look) prices(ctx context.Context, r *survey.Region) error {
	limited, cancel := context.WithTimeout(ctx, pricesTime)
	defer cancel()
	told, err := l.Prices(limited, r.Name)
	var refusal *cloud.Refusal
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return l.market.Observe(ctx, awsCloud, told)
	case errors.As(err, &refusal) && refusal.Kind == cloud.Denied:
		return miss(r, err, withoutPrices, pricesNeed)
	}
	r.Gaps = append(r.Gaps, survey.Gap{Region: r.Name, Needs: []string{pricesNeed}, Reason: "The cloud did not tell them now (" + err.Error() + ").", LeftOut: withoutPrices})
	return nil
}

const pricesNeed = "ec2:DescribeSpotPriceHistory"

// snapshots are the markets of the products that the instances run.
func (l look) snapshots(ctx context.Context, r survey.Region) (list []market.Snapshot, err error) {
	for _, i := range r.Instances {
		known := func(s market.Snapshot) bool { return s.Product == i.Market.Product }
		if slices.ContainsFunc(list, known) || !slices.Contains(catalog.Products(), i.Market.Product) {
			continue
		}
		snapshot, err := l.market.Snapshot(ctx, "", awsCloud, r.Name, i.Market.Product)
		if err != nil {
			return nil, err
		}
		list = append(list, snapshot)
	}
	return list, nil
}

// miss makes a gap of what the credentials may not read. Any other failure ends the observation: half of an account would look like all of it.
func miss(r *survey.Region, err error, leftOut string, needs ...string) error {
	if err == nil {
		return nil
	}
	var refusal *cloud.Refusal
	if !errors.As(err, &refusal) || refusal.Kind != cloud.Denied {
		return fmt.Errorf("look at %s: %w", r.Name, err)
	}
	if !lacksPermission(refusal.Code) {
		return fault.Of(fault.Denied, "cloud", "%s: %s", r.Name, refusal.Message).With(err)
	}
	r.Gaps = append(r.Gaps, survey.Gap{Region: r.Name, Needs: needs, Reason: refusal.Message, LeftOut: leftOut})
	return nil
}

// lacksPermission tells a right that is missing from credentials that are no good at all, by the cloud's own code.
func lacksPermission(code string) bool {
	return slices.Contains([]string{"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}, code)
}

// worthIt refuses to call nothing a report.
func worthIt(in survey.Input) error {
	blind, found, groupless := 0, 0, 0
	var needs []string
	for _, r := range in.Regions {
		found += len(r.Groups)
		lacks := func(what string) bool {
			return slices.ContainsFunc(r.Gaps, func(g survey.Gap) bool { return g.LeftOut == what })
		}
		if lacks(withoutGroups) {
			groupless++
		}
		if lacks(withoutGroups) && (lacks(withoutInstances) || in.Group != "") {
			blind++
		}
		for _, g := range r.Gaps {
			needs = append(needs, g.Needs...)
		}
	}
	slices.Sort(needs)
	switch {
	case blind == len(in.Regions):
		return fault.Of(fault.Denied, "cloud", "The credentials may not read what there is to be looked at. Allow them these, and ask again: %s.", strings.Join(slices.Compact(needs), ", "))
	case in.Group != "" && found == 0 && groupless == 0:
		return fault.Of(fault.NotFound, "group", "There is no scaling group %q in the regions asked about; check the name, and name its region with --region.", in.Group)
	}
	return nil
}
