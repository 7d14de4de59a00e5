package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/workflow"
)

const (
	learnEvery  = time.Minute      // between two looks for regions that nothing has been learned of
	learnAgain  = time.Hour        // between two questions to one; a provider may remember for longer
	learnWithin = 2 * time.Minute  // a region has hundreds of types
	learnFirst  = 20 * time.Second // that a start waits for all of it
	tidyEvery   = time.Hour
)

// upkeep is what real clouds need besides: to be asked what they sell, and to be rid of what they were told only in order to launch.
type upkeep struct {
	app     *App
	facts   *catalog.Cloud       // of AWS, as far as it was asked
	learned map[string]time.Time // by cloud and region
}

// learn asks each real region what it sells, unless it was asked lately. The answer is kept in memory, so every replica asks.
func (u *upkeep) learn(ctx context.Context) error {
	return u.each(ctx, func(ctx context.Context, region string, p cloud.Provider) error {
		at := p.Info().Name + "/" + region
		if last, is := u.learned[at]; is && time.Since(last) < learnAgain {
			return nil
		}
		u.learned[at] = time.Now()
		return cloud.Learn(ctx, u.facts, p, region)
	})
}

// each goes through the real regions one after the other: nobody waits for this work.
func (u *upkeep) each(ctx context.Context, work func(ctx context.Context, region string, p cloud.Provider) error) error {
	places, err := u.app.Fleet.Places(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, place := range places {
		provider, err := u.app.clouds.For(ctx, place.Account)
		if err != nil || provider.Info().Simulated {
			continue // an account that can't be reached is its groups' trouble, and told there
		}
		limited, cancel := context.WithTimeout(ctx, learnWithin)
		if err := work(limited, place.Region, provider); err != nil {
			failed = append(failed, fmt.Errorf("%s in %s: %w", place.Account, place.Region, err))
		}
		cancel()
	}
	return errors.Join(failed...)
}

// first learns before anything is planned: a group may name types that only its region has told of.
func (u *upkeep) first(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, learnFirst)
	defer cancel()
	u.note(u.learn(limited))
}

// keepLearning goes on until the engine stops.
func (u *upkeep) keepLearning(ctx context.Context) {
	tick := time.NewTicker(learnEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := u.learn(ctx); ctx.Err() == nil {
				u.note(err)
			}
		}
	}
}

func (u *upkeep) note(err error) {
	if err != nil {
		u.app.config.Log.Warn("what a region sells is taken from the built-in facts: it can't be asked", "error", err)
	}
}

// tidy removes what a provider itself has made and needs no more; one replica does so.
func (u *upkeep) tidy() workflow.Periodic {
	return workflow.Periodic{Name: "cloud.tidy", Every: tidyEvery, Do: func(ctx context.Context) error {
		return u.each(ctx, func(ctx context.Context, region string, p cloud.Provider) error {
			tidier, ok := cloud.As[cloud.Tidier](p)
			if !ok {
				return nil
			}
			return tidier.Tidy(ctx, region)
		})
	}}
}
