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

// awsCloud is the name of AWS among the markets.
const awsCloud = "aws"

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

// Observed is what an observation found: the report as JSON, and as a page of HTML.
type Observed struct {
	Report json.RawMessage
	Page   func(w io.Writer) error
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
	return Observed{Report: raw, Page: report.Page}, err
}

// aws is the account as AWS shows it. The credentials are tried first, so that what is wrong with them is not taken for a missing permission.
func (c ObserveConfig) aws(ctx context.Context) (Sight, error) {
	amazon, err := aws.New(ctx, aws.Config{Endpoint: c.Endpoint, Endpoints: map[string]string{"": c.Endpoint}, Log: c.Log})
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
	return sightOf(amazon.Account(c.Role, c.ExternalID))
}

// sightOf narrows an account to what is asked of it.
func sightOf(account any) (Sight, error) {
	provider, isProvider := account.(cloud.Provider)
	scaler, isScaler := account.(cloud.Scaler)
	pricer, isPricer := account.(cloud.Pricer)
	if !isProvider || !isScaler || !isPricer {
		return Sight{}, fault.Of(fault.Internal, "cloud", "This release cannot list the scaling groups, instances and prices of this cloud.")
	}
	return Sight{Instances: provider.Describe, Groups: scaler.ScalingGroups, Prices: pricer.Prices}, nil
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

// region asks for all that is in a region.
func (l look) region(ctx context.Context, name string) (survey.Region, error) {
	r := survey.Region{Name: name}
	var err error
	if r.Groups, err = l.Groups(ctx, name, l.names()); err != nil && !l.isElsewhere(err) {
		if err = miss(&r, err, "autoscaling:DescribeAutoScalingGroups", "The scaling groups: their instances are shown as single ones, and nothing is planned for them."); err != nil {
			return r, err
		}
	}
	all, err := l.Instances(ctx, cloud.Query{Region: name})
	if err != nil {
		if err = miss(&r, err, "ec2:DescribeInstances", "All instances: those in no group are not shown, and of those in groups neither type nor price is known."); err != nil {
			return r, err
		}
	}
	for _, i := range all {
		if i.Tags[tags.Owner] != "" {
			r.Managed++
			continue
		}
		r.Instances = append(r.Instances, i)
	}
	told, err := l.Prices(ctx, name)
	if err == nil {
		err = l.market.Observe(ctx, awsCloud, told)
	}
	if err != nil {
		if err = miss(&r, err, "ec2:DescribeSpotPriceHistory", "Today's spot prices: the catalogue's stand in for them."); err != nil {
			return r, err
		}
	}
	r.Snapshots, err = l.snapshots(ctx, r)
	return r, err
}

func (l look) names() []string {
	if l.group == "" {
		return nil
	}
	return []string{l.group}
}

// isElsewhere says that the group asked for is not in this region: it may be in another one.
func (l look) isElsewhere(err error) bool {
	var refusal *cloud.Refusal
	return l.group != "" && errors.As(err, &refusal) && refusal.Kind == cloud.Unknown
}

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
func miss(r *survey.Region, err error, permission, leftOut string) error {
	var refusal *cloud.Refusal
	if !errors.As(err, &refusal) || refusal.Kind != cloud.Denied {
		return fmt.Errorf("%s, asked for with %s: %w", r.Name, permission, err)
	}
	if !lacksPermission(refusal.Code) {
		return fault.Of(fault.Denied, "cloud", "The cloud refuses the credentials themselves (%s) when it is asked with %s in %s: they have ended, or the region is not switched on for the account.",
			refusal.Code, permission, r.Name).With(err)
	}
	r.Gaps = append(r.Gaps, survey.Gap{Region: r.Name, Permission: permission, Reason: shortened(refusal.Error()), LeftOut: leftOut})
	return nil
}

// lacksPermission tells a right that is missing from credentials that are no good at all, by the cloud's own code.
func lacksPermission(code string) bool {
	return slices.Contains([]string{"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}, code)
}

// shortened leaves out the ciphertext that the cloud may append to a refusal.
func shortened(text string) string {
	const most = 240
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// worthIt refuses to call nothing a report.
func worthIt(in survey.Input) error {
	blind, found := 0, 0
	var missing []string
	for _, r := range in.Regions {
		found += len(r.Groups)
		denied := 0
		for _, gap := range r.Gaps {
			if gap.Permission != "ec2:DescribeSpotPriceHistory" {
				denied++
				missing = append(missing, gap.Permission+" in "+gap.Region)
			}
		}
		if denied == 2 {
			blind++
		}
	}
	switch {
	case blind == len(in.Regions):
		return fault.Of(fault.Denied, "cloud", "The credentials may read neither scaling groups nor instances. Allow them these, and ask again: %s.", strings.Join(missing, ", "))
	case in.Group != "" && found == 0 && len(missing) == 0:
		return fault.Of(fault.NotFound, "group", "There is no scaling group %q in the regions asked about; check the name, and name its region with --region.", in.Group)
	}
	return nil
}
