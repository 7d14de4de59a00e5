package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/batch/channel"
	"github.com/neap-cloud/neap/internal/batch/output"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/journal/webhook"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

// Retention is how long what grows with time is kept; 0 = as long as is usual, negative = for ever.
type Retention struct {
	Logs      time.Duration // log lines, events, closed alerts, revisions of deleted groups
	Decisions time.Duration // decisions with their market snapshots, settled actions, ended runs
	Ledger    time.Duration // ledger lines, meters, ended instances
	Audit     time.Duration // audit entries
	Dead      time.Duration // letters that a webhook's receiver did not take
}

const (
	usualLogs      = 90 * 24 * time.Hour
	usualDecisions = 30 * 24 * time.Hour
	usualLedger    = 395 * 24 * time.Hour // thirteen months: a year can be compared with the one before
	usualAudit     = 400 * 24 * time.Hour // a year, and time to look into it
	usualDead      = 30 * 24 * time.Hour
)

func (r Retention) usual() Retention {
	for _, d := range []struct {
		is    *time.Duration
		usual time.Duration
	}{{&r.Logs, usualLogs}, {&r.Decisions, usualDecisions}, {&r.Ledger, usualLedger}, {&r.Audit, usualAudit}, {&r.Dead, usualDead}} {
		if *d.is == 0 {
			*d.is = d.usual
		}
	}
	return r
}

// rules is the table of everything that is forgotten some day. What has no row here is kept for ever: live groups, accounts, tokens, settings.
func (r Retention) rules(diary *journal.Journal) []store.Rule {
	r = r.usual()
	var all []store.Rule
	all = append(all, diary.Retention(r.Logs, r.Audit, r.Decisions)...)
	all = append(all, webhook.Retention(r.Dead)...)
	all = append(all, fleet.Retention(r.Decisions, r.Ledger, r.Logs)...)
	all = append(all, workflow.Retention(r.Decisions)...)
	all = append(all, ledger.Retention(r.Ledger)...)
	all = append(all, identity.Retention()...)
	all = append(all, channel.Retention()...)
	all = append(all, batch.Retention(r.Logs)...)
	all = append(all, output.Retention(r.Logs)...)
	return append(all, market.Retention()...)
}

const (
	pruneEvery = time.Minute    // wall time: little and often …
	pruneAged  = 12 * time.Hour // … and this much engine time, where the engine runs fast
	pruneMost  = 20_000         // rows of one table at a time, so that a long backlog does not keep the others waiting
)

// pruneInterval is wall time.
func (a *App) pruneInterval() time.Duration {
	aged := time.Duration(float64(pruneAged) / cmp.Or(a.config.Rate, 1))
	return max(min(pruneEvery, aged), time.Second)
}

// post posts costs, and then lets the market thin out prices that no cost waits for any more.
func post(books *ledger.Ledger, prices *market.Market) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := books.Post(ctx); err != nil {
			return err
		}
		return prices.Thin(ctx, books.PostedUpTo())
	}
}

// Prune deletes what need not be kept any longer, and tells how many rows of which tables there were.
func (a *App) Prune(ctx context.Context) (map[string]int, error) {
	gone := map[string]int{}
	var failed []error
	for _, rule := range a.config.Retention.rules(a.diary) {
		if rule.Idle || rule.Of != "" || rule.Wall { // told in wall time, which passes more slowly than a fast engine's
			rule.Keep = time.Duration(float64(rule.Keep) / cmp.Or(a.config.Rate, 1))
		}
		n, err := a.db.Prune(ctx, rule, a.clock.Now(), pruneMost)
		if gone[rule.Table] += n; err != nil {
			failed = append(failed, err)
		}
	}
	return gone, errors.Join(failed...)
}

func (a *App) prune(ctx context.Context) error {
	gone, err := a.Prune(ctx)
	total := 0
	for _, n := range gone {
		total += n
	}
	if total > 0 && a.config.Log != nil {
		a.config.Log.LogAttrs(ctx, slog.LevelDebug, "old rows were deleted", slog.Int("rows", total), slog.Any("tables", gone))
	}
	return err
}
