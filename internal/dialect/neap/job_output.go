package neap

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/batch/output"
	"github.com/neap-cloud/neap/internal/op"
)

// lineView is a line that a job wrote.
type lineView struct {
	Attempt int       `json:"attempt"`
	N       int64     `json:"n"`
	At      time.Time `json:"at"`
	Stream  string    `json:"stream"`
	Text    string    `json:"text"`
	Dropped int64     `json:"dropped,omitempty"` // lines before this one that were not kept
}

func fromLines(lines []output.Line) []lineView {
	views := make([]lineView, 0, len(lines))
	for _, l := range lines {
		views = append(views, lineView(l))
	}
	return views
}

type readLogs struct {
	oneJob
	Attempt int    `query:"attempt" minimum:"1" doc:"Only of this attempt"`
	After   string `query:"after" doc:"Next of the page before"`
	Limit   int    `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"Lines on a page; a page ends early when it is large"`
	Tail    int    `query:"tail" minimum:"1" maximum:"10000" doc:"The last so many lines instead; next is then where to follow from"`
}

func (d Deps) jobLogs(ctx context.Context, in readLogs) (page[lineView], error) {
	q := output.Query{Attempt: in.Attempt, After: in.After, Limit: in.Limit}
	if in.Tail > 0 {
		q.Newest, q.Limit = true, in.Tail
	}
	lines, next, err := d.Batch.Output(ctx, op.CallOf(ctx).Account, in.Job, q)
	return page[lineView]{fromLines(lines), next}, err
}

type followLogs struct {
	oneJob
	After string `query:"after" doc:"Next of a page of lines, or the id of an event: only what comes behind it"`
}

// followed is the data of an event: of "lines" some lines, of "end" how the job came to its end.
type followed struct {
	Items []lineView  `json:"items,omitempty"`
	State batch.State `json:"state,omitempty"`
}

func (d Deps) followJob(ctx context.Context, in followLogs, send func(op.Event[followed]) error) error {
	account := op.CallOf(ctx).Account
	if _, err := d.Batch.Get(ctx, account, in.Job); err != nil {
		return err
	}
	if err := send(op.Event[followed]{}); err != nil {
		return err
	}
	err := d.Batch.Follow(ctx, account, in.Job, in.After, func(lines []output.Line, next string) error {
		return send(op.Event[followed]{ID: next, Name: "lines", Data: followed{Items: fromLines(lines)}})
	})
	if err != nil {
		return err
	}
	j, err := d.Batch.Get(ctx, account, in.Job)
	if err != nil {
		return err
	}
	return send(op.Event[followed]{Name: "end", Data: followed{State: j.State}})
}

// transitionView is one change of a job's state.
type transitionView struct {
	At      time.Time   `json:"at"`
	From    batch.State `json:"from,omitempty"`
	To      batch.State `json:"to"`
	Attempt int         `json:"attempt,omitempty"`
	Host    string      `json:"host,omitempty"`
	Because string      `json:"because"`
}

func (d Deps) jobHistory(ctx context.Context, in oneJob) (page[transitionView], error) {
	list, err := d.Batch.History(ctx, op.CallOf(ctx).Account, in.Job)
	items := make([]transitionView, 0, len(list))
	for _, t := range list {
		items = append(items, transitionView(t))
	}
	return page[transitionView]{Items: items}, err
}
