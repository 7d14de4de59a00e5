package batch

import (
	"context"
	"errors"

	"github.com/neap-cloud/neap/internal/batch/output"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// Output reads what a job wrote.
func (b *Batch) Output(ctx context.Context, account, id string, q output.Query) (lines []output.Line, next string, err error) {
	if _, err := jobs.Version(ctx, b.c.DB, store.Account(account), id); err != nil {
		return nil, "", err
	}
	return b.c.Output.Book.Read(ctx, account, id, q)
}

// Follow hands what a job writes to take, from the cursor after on ("" = from its first line), as it comes, until the job has come to its end and everything was
// handed over, take fails, or ctx ends. next is the cursor behind the last line of the batch.
func (b *Batch) Follow(ctx context.Context, account, id, after string, take func(lines []output.Line, next string) error) error {
	if _, err := jobs.Version(ctx, b.c.DB, store.Account(account), id); err != nil {
		return err
	}
	ended := func(ctx context.Context) (bool, error) {
		d, err := jobs.Get(ctx, b.c.DB, store.Account(account), id)
		return d.State == done, err
	}
	return b.c.Output.Book.Follow(ctx, account, id, after, ended, take)
}

// collect copies what tasks wrote, before anybody hears that they have ended. Tasks whose attempts nobody follows any more are left alone.
func (b *Batch) collect(ctx context.Context, rt runtime.Runtime, tasks []runtime.Task) error {
	var failed []error
	for _, t := range tasks {
		account, followed := b.owners.Load(t.ID)
		if t.Lines == 0 || !followed {
			continue
		}
		id, attempt := jobOf(t.ID)
		ref := output.Ref{Account: account.(string), Job: id, Attempt: attempt}
		failed = append(failed, b.c.Output.Collect(ctx, rt, t, ref, t.State == runtime.Ended || t.State == runtime.Lost))
	}
	return errors.Join(failed...)
}
