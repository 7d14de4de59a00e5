package app

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/cloud/sim"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/intake"
	"github.com/neap-cloud/neap/internal/identity"
)

// clouds finds the cloud behind an account.
type clouds struct {
	identity *identity.Identity
	sim      *sim.Cloud
	aws      *aws.AWS
	unusual  Unusual
	hook     func(point string)
	budget   *budget.Budget
	known    *sync.Map // account → *intake.Recent[way]
	ways     *sync.Map // way → *aws.Account: one for all that go through the same role, so that they share its session
}

// way is how an account is reached. A change of its credentials makes it another one.
type way struct{ cloud, role, external string }

// freshFor is how long a change of an account may go unnoticed: every turn and every look for notices asks for its cloud.
const freshFor = time.Second

// For gives the provider of an account's cloud.
func (c clouds) For(ctx context.Context, account string) (cloud.Provider, error) {
	w, err := c.way(ctx, account)
	if err != nil {
		return nil, err
	}
	var provider cloud.Provider
	switch {
	case w.cloud == simCloud:
		provider = c.sim.Account(cmp.Or(c.unusual.Owner, account))
	case w.cloud == awsCloud && w.role != "":
		provider = c.amazon(w)
	case w.cloud == "" || w.cloud == awsCloud:
		return nil, fmt.Errorf("account %s is in no cloud yet: it has no credentials", account)
	default:
		return nil, fmt.Errorf("account %s is in the cloud %q, which this release can't reach", account, w.cloud)
	}
	if c.hook != nil {
		provider = watched{provider, c.hook}
	}
	if around := c.unusual.Around; around != nil {
		provider = around(c.budget.Clock, account, provider)
	}
	return c.budget.Wrap(account, provider), nil
}

func (c clouds) amazon(w way) *aws.Account {
	known, is := c.ways.Load(w)
	if !is {
		known, _ = c.ways.LoadOrStore(w, c.aws.Account(w.role, w.external))
	}
	return known.(*aws.Account)
}

func (c clouds) way(ctx context.Context, account string) (way, error) {
	known, is := c.known.Load(account)
	if !is {
		read := func(ctx context.Context) (way, error) { return c.readWay(ctx, account) }
		known, _ = c.known.LoadOrStore(account, &intake.Recent[way]{For: freshFor, Read: read})
	}
	return known.(*intake.Recent[way]).Get(ctx)
}

func (c clouds) readWay(ctx context.Context, account string) (way, error) {
	a, err := c.identity.Account(ctx, account)
	if err != nil || a.Cloud == simCloud {
		return way{cloud: a.Cloud}, err
	}
	own, err := c.identity.Credentials(ctx, a.Organisation, account)
	if fault.Is(err, fault.NotFound) {
		err = nil
	}
	return way{a.Cloud, own.Role, own.External}, err
}

// watched tells a hook of every call that changes something, before and after.
type watched struct {
	cloud.Provider
	hook func(point string)
}

// Unwrap lets the provider's other abilities be found.
func (w watched) Unwrap() cloud.Provider { return w.Provider }

// Launch is cloud.Provider's.
func (w watched) Launch(ctx context.Context, l cloud.Launch) ([]cloud.Instance, error) {
	w.hook("launch:before")
	defer w.hook("launch:after")
	return w.Provider.Launch(ctx, l)
}

// Terminate is cloud.Provider's.
func (w watched) Terminate(ctx context.Context, region string, ids []string) error {
	w.hook("terminate:before")
	defer w.hook("terminate:after")
	return w.Provider.Terminate(ctx, region, ids)
}
