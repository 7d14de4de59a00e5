package neap

import (
	"context"
	"encoding/json"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/experiment"
	"github.com/neap-cloud/neap/internal/fleet/experiment/protocol"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/op"
)

// experimentRows measure Neap's model against a baseline on the caller's own groups. A group is opted in as itself, so that rights on groups hold here too.
func (d Deps) experimentRows() []op.Row {
	one := op.Target{Noun: "experiment", Param: "experimentId", AccountOf: d.Experiments.AccountOf}
	group := op.Target{Noun: "group", Param: "groupId", AccountOf: d.Fleet.AccountOf}
	return []op.Row{
		{ID: "experiments.create", Route: "POST /neap/v1/experiments", Need: "neap:createExperiment", Title: "Fix an experiment's protocol and begin", Mutates: true, Do: op.Func(d.createExperiment)},
		{ID: "experiments.list", Route: "GET /neap/v1/experiments", Need: "neap:listExperiments", Title: "List experiments", Do: op.Func(d.experiments)},
		{ID: "experiments.read", Route: "GET /neap/v1/experiments/{experimentId}", Need: "neap:readExperiment", Title: "Read an experiment's protocol and how far it is", Target: one, Do: op.Func(d.experiment)},
		{ID: "experiments.stop", Route: "POST /neap/v1/experiments/{experimentId}/stop", Need: "neap:stopExperiment", Title: "Stop an experiment before its end", Target: one, Mutates: true, Do: op.Func(d.stopExperiment)},
		{ID: "experiments.report", Route: "GET /neap/v1/experiments/{experimentId}/report", Need: "neap:readExperiment", Title: "Read what an experiment found", Target: one, Do: op.Func(d.experimentReport)},
		{ID: "experiments.groups", Route: "GET /neap/v1/experiment-groups", Need: "neap:listExperiments", Title: "List groups that may take part in experiments", Do: op.Func(d.experimentGroups)},
		{ID: "experiments.optIn", Route: "PUT /neap/v1/groups/{groupId}/experiments", Need: "neap:optInGroup", Title: "Let a group take part in experiments, or not", Target: group, Mutates: true, Do: op.Func(d.optIn)},
	}
}

// experimentView is an experiment on the wire. Schedule comes with a single read only.
type experimentView struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	State     string            `json:"state"`
	Hash      string            `json:"hash"` // of the protocol
	Protocol  protocolView      `json:"protocol"`
	Outlook   outlookView       `json:"outlook"`
	Author    string            `json:"author"`
	Created   time.Time         `json:"created"`
	Ended     time.Time         `json:"ended,omitzero"`
	StoppedBy string            `json:"stoppedBy,omitempty"`
	Measured  int               `json:"blocksMeasured"` // of each group
	Expected  int               `json:"blocksExpected"`
	Complete  bool              `json:"complete"`
	Schedule  []groupOfSchedule `json:"schedule,omitempty"`
}

// protocolView is what was fixed when the experiment was created.
type protocolView struct {
	Groups      []string  `json:"groups"`
	Baseline    string    `json:"baseline"`
	Measure     string    `json:"measure"`
	Begins      time.Time `json:"begins"`
	Ends        time.Time `json:"ends"`
	For         string    `json:"for"`
	SwitchEvery string    `json:"switchEvery"`
	WashOut     string    `json:"washOut"`
	Pairs       int       `json:"pairsOfBlocks"` // of each group
	Seed        uint64    `json:"seed"`
	Design      string    `json:"design"`
	Analysis    string    `json:"analysis"`
}

type outlookView struct {
	Pairs      int     `json:"pairs"`
	Past       int     `json:"pastPairs"`
	Detectable float64 `json:"detectable,omitempty"` // a share of the cost, or interruptions per 1,000 instance hours
	Words      string  `json:"words"`
}

type groupOfSchedule struct {
	Group  string        `json:"group"`
	Blocks []blockOfTime `json:"blocks"`
}

type blockOfTime struct {
	Begins time.Time `json:"begins"`
	Policy string    `json:"policy"` // "model" or the baseline
}

// policyName is what an arm is called on the wire.
func policyName(p protocol.Protocol, a protocol.Arm) string {
	if a == protocol.Baseline {
		return string(p.Baseline)
	}
	return string(a)
}

func fromExperiment(e experiment.Experiment, full bool) experimentView {
	p := e.Protocol
	out := experimentView{
		ID: e.ID, Name: p.Name, State: string(e.State), Hash: e.Hash, Author: e.Author, Created: e.Created, Ended: e.Ended, StoppedBy: e.Stopper,
		Measured: e.Measured, Expected: e.Expected, Complete: e.Complete(),
		Protocol: protocolView{
			Groups: p.Groups, Baseline: string(p.Baseline), Measure: string(p.Measure), Begins: p.From, Ends: p.Until(), For: protocol.Span(p.Until().Sub(p.From)),
			SwitchEvery: protocol.Span(p.Every), WashOut: protocol.Span(p.Washout), Pairs: p.Pairs, Seed: p.Seed, Design: p.Design, Analysis: p.Analysis,
		},
		Outlook: outlookView{e.Outlook.Pairs, e.Outlook.Past, e.Outlook.Detectable, e.Outlook.Words},
	}
	if !full {
		return out
	}
	for _, group := range p.Groups {
		g := groupOfSchedule{Group: group}
		for n := range p.Blocks() {
			g.Blocks = append(g.Blocks, blockOfTime{p.Begin(n), policyName(p, p.Arm(group, n))})
		}
		out.Schedule = append(out.Schedule, g)
	}
	return out
}

// span reads a duration of the request; none is zero.
func span(field, text string) (time.Duration, *fault.Error) {
	if text == "" {
		return 0, nil
	}
	d, err := protocol.ParseSpan(text)
	if err != nil {
		return 0, fault.Field(field, "%.40q is no duration; write it like 14d, 36h or 90m", text)
	}
	return d, nil
}

func (d Deps) createExperiment(ctx context.Context, in withBody) (experimentView, error) {
	var asked struct {
		Name        string   `json:"name"`
		Groups      []string `json:"groups"`
		AllOptedIn  bool     `json:"allOptedIn"`
		Baseline    string   `json:"baseline"`
		Measure     string   `json:"measure"`
		For         string   `json:"for"`
		SwitchEvery string   `json:"switchEvery"`
		WashOut     string   `json:"washOut"`
		Seed        *uint32  `json:"seed"`
	}
	if err := json.Unmarshal(in.Body, &asked); err != nil {
		return experimentView{}, fault.Field("name", "Say what to measure: {\"name\": \"november\", \"groups\": [\"sig-…\"], \"baseline\": \"price-capacity-optimized\", \"for\": \"14d\"}. A seed is a whole number below 2^32.")
	}
	length, wrongFor := span("for", asked.For)
	every, wrongEvery := span("switchEvery", asked.SwitchEvery)
	washout, wrongWashout := span("washOut", asked.WashOut)
	var faults []*fault.Error
	for _, wrong := range []*fault.Error{wrongFor, wrongEvery, wrongWashout} {
		if wrong != nil {
			faults = append(faults, wrong)
		}
	}
	if len(faults) > 0 {
		return experimentView{}, fault.All(faults)
	}
	wanted := experiment.Asked{AllOptedIn: asked.AllOptedIn, Seed: asked.Seed, Draft: protocol.Draft{
		Name: asked.Name, Groups: asked.Groups, Baseline: plan.Policy(asked.Baseline), Measure: protocol.Measure(asked.Measure), For: length, Every: every,
	}}
	if asked.WashOut != "" {
		wanted.Washout = &washout
	}
	call := op.CallOf(ctx)
	e, err := d.Experiments.Create(ctx, call.Account, call.Caller.Name, wanted)
	if err != nil {
		return experimentView{}, err
	}
	return fromExperiment(e, true), nil
}

func (d Deps) experiments(ctx context.Context, _ nothing) (page[experimentView], error) {
	list, err := d.Experiments.List(ctx, op.CallOf(ctx).Account)
	items := make([]experimentView, 0, len(list))
	for _, e := range list {
		items = append(items, fromExperiment(e, false))
	}
	return page[experimentView]{Items: items}, err
}

type oneExperiment struct {
	ID string `path:"experimentId"`
}

func (d Deps) experiment(ctx context.Context, in oneExperiment) (experimentView, error) {
	e, err := d.Experiments.Get(ctx, op.CallOf(ctx).Account, in.ID)
	if err != nil {
		return experimentView{}, err
	}
	return fromExperiment(e, true), nil
}

func (d Deps) stopExperiment(ctx context.Context, in oneExperiment) (experimentView, error) {
	call := op.CallOf(ctx)
	e, err := d.Experiments.Stop(ctx, call.Account, call.Caller.Name, in.ID)
	if err != nil {
		return experimentView{}, err
	}
	return fromExperiment(e, false), nil
}

// reportView is what an experiment found.
type reportView struct {
	Experiment experimentView `json:"experiment"`
	Peek       bool           `json:"peek"` // it was looked at before it was complete
	Verdict    string         `json:"verdict"`
	Caveats    []string       `json:"caveats"`
	Estimates  []estimateView `json:"estimates"` // the protocol's own measure is the one that counts
	Policies   []policyView   `json:"policies"`
	Pairs      []pairView     `json:"pairs"`
	Counted    int            `json:"pairsCounted"`
}

type estimateView struct {
	Measure    string   `json:"measure"`
	Primary    bool     `json:"primary"`
	Pairs      int      `json:"pairs"`
	Difference float64  `json:"difference"` // of the model: a share of the cost, or interruptions per 1,000 instance hours
	Low        *float64 `json:"low,omitempty"`
	High       *float64 `json:"high,omitempty"`
	P          float64  `json:"p"`
	Exact      bool     `json:"exact"` // p counts every draw there could have been
	Detectable *float64 `json:"detectable,omitempty"`
	Words      string   `json:"words"`
}

// policyView adds up the blocks of one side that count.
type policyView struct {
	Policy string `json:"policy"`
	blockView
}

type blockView struct {
	Cost          float64 `json:"cost"` // dollars
	OnDemand      float64 `json:"onDemandCost"`
	CapacityHours float64 `json:"capacityHours"`
	InstanceHours float64 `json:"instanceHours"`
	UnitCost      float64 `json:"costPerCapacityHour"`
	Spot          float64 `json:"spotShare"` // of the instance hours
	Own           float64 `json:"ownShare"`  // of the instance hours: bought while the policy held
	Interruptions int     `json:"interruptions"`
	Rate          float64 `json:"interruptionsPer1000Hours"`
	Moves         int     `json:"moves"`
}

type pairView struct {
	Group    string    `json:"group"`
	Pair     int       `json:"pair"` // from 1
	Begins   time.Time `json:"begins"`
	First    string    `json:"first"` // policy
	Model    blockView `json:"model"`
	Baseline blockView `json:"baseline"`
	LeftOut  string    `json:"leftOut,omitempty"`
}

func fromBlock(b protocol.Block) blockView {
	out := blockView{
		Cost: b.Cost.Dollars(), OnDemand: b.OnDemand.Dollars(), CapacityHours: b.Served.Hours(), InstanceHours: b.Running.Hours(), UnitCost: b.UnitCost(),
		Interruptions: b.Interruptions, Rate: b.Rate(), Moves: b.Moves,
	}
	if b.Running > 0 {
		out.Spot, out.Own = float64(b.Spot)/float64(b.Running), float64(b.Own)/float64(b.Running)
	}
	return out
}

func fromEstimate(e protocol.Estimate) estimateView {
	out := estimateView{Measure: string(e.Measure), Primary: e.Primary, Pairs: e.Pairs, Difference: e.Difference, P: e.P, Exact: e.Exact, Words: e.Words}
	if e.HasInterval {
		out.Low, out.High, out.Detectable = &e.Low, &e.High, &e.Detectable
	}
	return out
}

type readReport struct {
	ID   string `path:"experimentId"`
	Peek bool   `query:"peek" doc:"Show what there is before the experiment is complete."`
}

func (d Deps) experimentReport(ctx context.Context, in readReport) (reportView, error) {
	r, err := d.Experiments.Report(ctx, op.CallOf(ctx).Account, in.ID, in.Peek)
	if err != nil {
		return reportView{}, err
	}
	p := r.Experiment.Protocol
	out := reportView{Experiment: fromExperiment(r.Experiment, false), Peek: r.Peek, Verdict: r.Verdict, Caveats: append([]string{}, r.Caveats...), Counted: r.Counted, Pairs: []pairView{}}
	for _, e := range r.Estimates {
		out.Estimates = append(out.Estimates, fromEstimate(e))
	}
	for _, arm := range []protocol.Arm{protocol.Model, protocol.Baseline} {
		out.Policies = append(out.Policies, policyView{policyName(p, arm), fromBlock(r.Arms[arm])})
	}
	for _, pair := range r.Pairs {
		out.Pairs = append(out.Pairs, pairView{
			Group: pair.Group, Pair: pair.Pair + 1, Begins: p.Begin(2 * pair.Pair), First: policyName(p, pair.First),
			Model: fromBlock(pair.Model), Baseline: fromBlock(pair.Baseline), LeftOut: pair.LeftOut,
		})
	}
	return out, nil
}

// enrolmentView is a group that may take part in experiments.
type enrolmentView struct {
	Group      string    `json:"group"`
	By         string    `json:"by"`
	Since      time.Time `json:"since"`
	Experiment string    `json:"experiment,omitempty"` // that has it
}

func (d Deps) experimentGroups(ctx context.Context, _ nothing) (page[enrolmentView], error) {
	list, err := d.Experiments.Groups(ctx, op.CallOf(ctx).Account)
	items := make([]enrolmentView, 0, len(list))
	for _, e := range list {
		items = append(items, enrolmentView(e))
	}
	return page[enrolmentView]{Items: items}, err
}

type optInGroup struct {
	Group string `path:"groupId"`
	Body  op.Document
}

type optedIn struct {
	Group   string `json:"group"`
	OptedIn bool   `json:"optedIn"`
}

func (d Deps) optIn(ctx context.Context, in optInGroup) (optedIn, error) {
	var asked struct {
		OptedIn *bool `json:"optedIn"`
	}
	if err := json.Unmarshal(in.Body, &asked); err != nil || asked.OptedIn == nil {
		return optedIn{}, fault.Field("optedIn", "Say whether the group may take part in experiments: {\"optedIn\": true}.")
	}
	call := op.CallOf(ctx)
	if !*asked.OptedIn {
		return optedIn{in.Group, false}, d.Experiments.OptOut(ctx, call.Account, call.Caller.Name, in.Group)
	}
	e, err := d.Experiments.OptIn(ctx, call.Account, call.Caller.Name, in.Group)
	return optedIn{e.Group, true}, err
}
