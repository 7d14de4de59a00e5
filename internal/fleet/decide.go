package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/breaker"
	"github.com/neap-cloud/neap/internal/fleet/offer"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
)

// inputs are everything that a plan follows from. A decision keeps them, so that it can be replayed.
type inputs struct {
	group, account string
	Intent         plan.Intent
	Observed       plan.Observed
	Now            time.Time
	market         plan.Market
	full           map[string]market.Cooling // subnets without addresses, by id
	Budgets        []breaker.Allowance       `json:",omitempty"` // none: nothing was to be done, so nothing was counted
	HoldMoves      string                    `json:",omitempty"` // why moves that only save money wait
}

// plan is what the planner wants and the breaker allows.
func (in *inputs) plan() (plan.Decision, []breaker.Trip) {
	d := plan.Plan(in.Intent, in.Observed, in.market, in.Now)
	return breaker.Limit(d, in.Budgets, in.Observed, func(a plan.Action) money.Price { return breaker.PriceOf(in.market, a) }, in.HoldMoves)
}

// weigh plans, and counts what was done already only when there is something to do.
func (f *Fleet) weigh(ctx context.Context, doc store.Doc[record], in *inputs) (plan.Decision, []breaker.Trip, error) {
	decision, _ := in.plan()
	if len(decision.Actions) == 0 {
		return decision, nil, nil
	}
	var err error
	if in.Budgets, err = f.allowances(ctx, doc, in.Intent, in.Observed, false); err != nil {
		return plan.Decision{}, nil, err
	}
	if slices.ContainsFunc(decision.Actions, func(a plan.Action) bool { return breaker.IsVoluntary(a.Reason) }) {
		in.HoldMoves = f.unaccepted(doc, in.Intent)
	}
	decision, trips := in.plan()
	if len(trips) == 0 {
		return decision, nil, nil
	}
	// Nothing is held back on account of sizes that are not the newest: it would be for long.
	if in.Budgets, err = f.allowances(ctx, doc, in.Intent, in.Observed, true); err != nil {
		return plan.Decision{}, nil, err
	}
	decision, trips = in.plan()
	return decision, trips, nil
}

// inputs gathers what the planner needs. rows are the group's living instances, open its pending actions.
func (f *Fleet) inputs(ctx context.Context, doc store.Doc[record], intent Intent, rows []store.Doc[Instance], open []store.Doc[action]) (*inputs, error) {
	provider, err := f.provider(ctx, doc.Account)
	if err != nil {
		return nil, err
	}
	snapshot, err := f.Market.Snapshot(ctx, doc.Account, provider.Info().Name, intent.Region, intent.Product)
	if err != nil {
		return nil, err
	}
	now := f.Clock.Now()
	if f.Trials != nil {
		if intent.Choice.Policy, err = f.Trials.Policy(ctx, doc.ID, now); err != nil {
			return nil, err
		}
	}
	observed := plan.Observed{Deleting: doc.State == deleting, Notice: cloud.NoticeIn(provider, intent.Region)}
	for _, row := range rows {
		observed.Instances = append(observed.Instances, row.Value.Instance)
		if !row.Value.MissingAt.IsZero() {
			observed.Unseen = append(observed.Unseen, row.ID)
		}
	}
	for _, a := range open {
		if l := a.Value.expected(a.ID, rows); l.Count > 0 {
			observed.Launches = append(observed.Launches, l)
		}
	}
	full := offer.Full(snapshot)
	return &inputs{
		group: doc.ID, account: doc.Account, Intent: intent, Observed: observed, Now: now,
		market: offer.Market(intent, snapshot, full), full: full,
	}, nil
}

// packed makes a decision with its inputs ready to be kept.
func (f *Fleet) packed(ctx context.Context, in *inputs, decision plan.Decision, dry bool) (journal.PackedDecision, error) {
	asked, err := json.Marshal(in)
	if err != nil {
		return journal.PackedDecision{}, fmt.Errorf("encode planner inputs of %s: %w", in.group, err)
	}
	bought, err := json.Marshal(in.market)
	if err != nil {
		return journal.PackedDecision{}, fmt.Errorf("encode market of %s: %w", in.group, err)
	}
	answered, err := json.Marshal(decision)
	if err != nil {
		return journal.PackedDecision{}, fmt.Errorf("encode plan of %s: %w", in.group, err)
	}
	return f.Journal.Pack(ctx, journal.Decision{
		Account: in.account, Group: in.group, At: in.Now, Version: decision.Version,
		DryRun: dry, Summary: decision.Summary, Inputs: asked, Plan: answered,
	}, bought)
}

// Replayed compares a stored plan with what this release's planner makes of the same inputs.
type Replayed struct {
	Same     bool // byte for byte
	Version  string
	Running  string // version of the planner that replayed
	Stored   json.RawMessage
	Replayed json.RawMessage
}

// Replay plans again from a decision's stored inputs. With the planner version that made it, the bytes are the same.
func (f *Fleet) Replay(ctx context.Context, account, group, id string) (Replayed, error) {
	stored, bought, err := f.Journal.Decision(ctx, account, group, id)
	if err != nil {
		return Replayed{}, err
	}
	var in inputs
	if err := json.Unmarshal(stored.Inputs, &in); err != nil {
		return Replayed{}, fault.Of(fault.Internal, "decision", "The inputs of decision %s can't be read.", id).With(err)
	}
	if err := json.Unmarshal(bought, &in.market); err != nil {
		return Replayed{}, fault.Of(fault.Internal, "decision", "The market of decision %s can't be read.", id).With(err)
	}
	decision, _ := in.plan()
	again, err := json.Marshal(decision)
	if err != nil {
		return Replayed{}, fmt.Errorf("encode replayed plan of %s: %w", id, err)
	}
	return Replayed{
		Same: bytes.Equal(again, stored.Plan), Version: stored.Version, Running: plan.Version, Stored: stored.Plan, Replayed: again,
	}, nil
}
