package batch

import (
	"context"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/store"
)

// Get reads a job.
func (b *Batch) Get(ctx context.Context, account, id string) (Job, error) {
	d, err := jobs.Get(ctx, b.c.DB, store.Account(account), id)
	if err != nil || d.State != active {
		return job(d), err
	}
	a := d.Value.last() // what it has written by now is written down with its end only
	a.Lines, err = b.c.Output.Book.Newest(ctx, b.c.DB, account, id, a.N)
	return job(d), err
}

// AccountOf names the account of a job, for authorisation.
func (b *Batch) AccountOf(ctx context.Context, id string) (string, error) {
	d, err := jobs.Get(ctx, b.c.DB, store.Installation(), id)
	return d.Account, err
}

// ListQuery selects jobs. Zero fields don't restrict.
type ListQuery struct {
	Customer, Class, Cloud, Region string
	States                         []State
	From, Until                    time.Time // both included, by submission
	Limit                          int
	After                          string // cursor of the page before
}

func (q ListQuery) takes(j *Job) bool {
	return (q.Class == "" || j.Class == q.Class) && (q.Cloud == "" || j.Cloud == q.Cloud) && (q.Region == "" || j.Region == q.Region) &&
		(len(q.States) == 0 || slices.Contains(q.States, j.State))
}

const (
	listPage = 500    // jobs that are read in one go
	listLook = 20_000 // jobs that one call looks at
)

// List gives jobs newest first. A page may be shorter than asked for although there is a next one: a query that few jobs answer looks at so many at a time.
func (b *Batch) List(ctx context.Context, account string, q ListQuery) (found []Job, next string, err error) {
	limit := q.Limit
	if limit <= 0 {
		limit = listPage
	}
	// The wire knows milliseconds, and the store less than a clock does; both ends count.
	from, until := q.From.Truncate(time.Millisecond), q.Until
	if !until.IsZero() {
		until = until.Add(time.Millisecond)
	}
	looked := 0
	for next = q.After; ; {
		docs, after, err := jobs.List(ctx, b.c.DB, store.Account(account), store.Query{
			Name: q.Customer, Since: from, Until: until, Descending: true, Limit: listPage, After: next,
		})
		if err != nil {
			return nil, "", err
		}
		for i, d := range docs {
			if j := job(d); q.takes(&j) {
				found = append(found, j)
			}
			if len(found) == limit && (i < len(docs)-1 || after != "") {
				return found, d.Cursor(), nil
			}
		}
		looked += len(docs)
		if next = after; next == "" || looked >= listLook {
			return found, next, nil
		}
	}
}

// Transition is one change of a job's state.
type Transition struct {
	At      time.Time `json:"at"`
	From    State     `json:"from"`
	To      State     `json:"to"`
	Attempt int       `json:"attempt,omitempty"` // 0 = none
	Host    string    `json:"host,omitempty"`
	Because string    `json:"because,omitempty"` // one sentence
}

// History is everything that happened to a job, oldest first.
func (b *Batch) History(ctx context.Context, account, id string) ([]Transition, error) {
	if _, err := jobs.Get(ctx, b.c.DB, store.Account(account), id); err != nil {
		return nil, err
	}
	records, err := history.List(ctx, b.c.DB, store.Account(account), store.LogQuery{Resource: id})
	told := make([]Transition, 0, len(records))
	for _, r := range records {
		told = append(told, r.Value)
	}
	return told, err
}

// Ahead is how many jobs wait in the line of a job that waits, before it.
func (b *Batch) Ahead(ctx context.Context, account, id string) (int, error) {
	d, err := jobs.Get(ctx, b.c.DB, store.Account(account), id)
	if err != nil || d.State != waiting {
		return 0, err
	}
	return jobs.Count(ctx, b.c.DB, store.Account(account), store.Query{Parent: d.Parent, States: []string{waiting}, Until: d.At})
}
