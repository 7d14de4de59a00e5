package app

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/cloud/sim"
	"github.com/neap-cloud/neap/internal/fleet/intake"
	"github.com/neap-cloud/neap/internal/identity"
)

// clouds finds the cloud behind an account.
type clouds struct {
	identity *identity.Identity
	sim      *sim.Cloud
	unusual  Unusual
	hook     func(point string)
	budget   *budget.Budget
	known    *sync.Map // account → *intake.Recent[identity.Account]
}

// freshFor is how long a change of an account may go unnoticed: every turn and every look for notices asks for its cloud.
const freshFor = time.Second

// For gives the provider of an account's cloud.
func (c clouds) For(ctx context.Context, account string) (cloud.Provider, error) {
	a, err := c.account(ctx, account)
	if err != nil {
		return nil, err
	}
	if a.Cloud != simCloud {
		return nil, fmt.Errorf("account %s is in the cloud %q, which this release can't reach", account, a.Cloud)
	}
	var provider cloud.Provider = c.sim.Account(cmp.Or(c.unusual.Owner, account))
	if c.hook != nil {
		provider = watched{provider, c.hook}
	}
	if around := c.unusual.Around; around != nil {
		provider = around(c.budget.Clock, account, provider)
	}
	return c.budget.Wrap(account, provider), nil
}

func (c clouds) account(ctx context.Context, id string) (identity.Account, error) {
	known, is := c.known.Load(id)
	if !is {
		read := func(ctx context.Context) (identity.Account, error) { return c.identity.Account(ctx, id) }
		known, _ = c.known.LoadOrStore(id, &intake.Recent[identity.Account]{For: freshFor, Read: read})
	}
	return known.(*intake.Recent[identity.Account]).Get(ctx)
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
