package aws

import (
	"cmp"
	"context"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws/calls"
	"github.com/neap-cloud/neap/internal/cloud/aws/feeds"
)

// feedsOf is what a region's feeds take from the settings that all have in common.
func feedsOf(c Config) feeds.Config {
	f := feeds.Config{Queue: cmp.Or(c.Queue, DefaultQueue), Log: c.Log, Clock: c.Clock, Refused: refused, Cause: cause}
	if f.Clock == nil {
		f.Clock = clock.Wall{}
	}
	return f
}

// feed makes a region's feeds.
func (a *Account) feed(region string, instances *calls.EC2, queue *calls.SQS) *feeds.Region {
	c := a.feeds
	c.Name, c.EC2, c.SQS = region, instances, queue
	if partitionOf(region) == "aws" {
		c.Pricing = a.prices()
	}
	return feeds.New(c)
}

// Notices is cloud.Notifier's.
func (a *Account) Notices(ctx context.Context, region string) ([]cloud.Notice, error) {
	return a.in(region).told.Notices(ctx)
}

// Acknowledge is cloud.Notifier's.
func (a *Account) Acknowledge(ctx context.Context, region string, ids []string) error {
	return a.in(region).told.Acknowledge(ctx, ids)
}

// Prices is cloud.Pricer's: spot prices, and of the price list as much as has been read so far.
func (a *Account) Prices(ctx context.Context, region string) ([]cloud.Price, error) {
	return a.in(region).told.Prices(ctx)
}

// Offerings is cloud.Offerer's.
func (a *Account) Offerings(ctx context.Context, region string) ([]catalog.Sold, error) {
	return a.in(region).told.Offerings(ctx)
}

var (
	_ cloud.Notifier = (*Account)(nil)
	_ cloud.Pricer   = (*Account)(nil)
	_ cloud.Offerer  = (*Account)(nil)
)
