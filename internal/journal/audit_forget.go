package journal

import (
	"context"
	"slices"

	"github.com/neap-cloud/neap/internal/journal/chain"
	"github.com/neap-cloud/neap/internal/store"
)

// forget looks at the entries that retention is about to delete, up to the place last, and returns what signs for it, so that it can be told from an intruder's doing.
// Dates are hashed too: entries that were dated back, so that retention would delete them, are noticed here, and signed for as doubtful.
func (j *Journal) forget(ctx context.Context, db *store.DB, last int64) (gone func(ctx context.Context, tx *store.Tx) error, err error) {
	nothing := func(context.Context, *store.Tx) error { return nil }
	if j.signer == nil {
		return nothing, nil
	}
	base, _, err := j.base(ctx, db)
	if err != nil || base.Kind == "" || last <= base.Seq {
		return nothing, err // the chain begins behind what goes
	}
	walk := chain.NewWalk(base.Seq, base.Hash)
	if err := walkAlong(ctx, db, walk, last, func(int) {}); err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) error {
		return j.forgot(ctx, tx, chain.Mark{Kind: chain.Pruned, Seq: last, Hash: walk.Hash()}, walk.IsIntact())
	}, nil
}

// base is where the chain begins now, with all marks there are.
func (j *Journal) base(ctx context.Context, s store.Session) (base chain.Mark, all []mark, err error) {
	public, err := j.signer.PublicKey()
	if err != nil {
		return base, nil, err
	}
	all, _, err = marks.List(ctx, s, store.Installation(), store.Query{})
	base, _ = beginning(signedBy(public, all))
	return base, all, err
}

// forgot signs for what has been deleted, and drops marks of what is gone.
func (j *Journal) forgot(ctx context.Context, tx *store.Tx, gone chain.Mark, isIntact bool) error {
	base, all, err := j.base(ctx, tx)
	if err != nil || gone.Seq <= base.Seq {
		return err
	}
	head := mark{}
	for _, m := range all {
		if slices.Contains(headKinds, m.State) {
			head = m
		}
	}
	for _, m := range all {
		if past := m.Value.Seq <= gone.Seq || m.State == chain.Pruned; !past || m.ID == head.ID {
			continue
		}
		if err := marks.Delete(ctx, tx, store.Installation(), m.ID); err != nil {
			return err
		}
	}
	newest, err := j.mark(ctx, tx, all[len(all)-1], gone)
	if err != nil || isIntact {
		return err
	}
	j.slog.ErrorContext(ctx, "audit entries that retention deleted were not as they had been sealed", "upTo", gone.Seq)
	_, err = j.mark(ctx, tx, newest, chain.Mark{Kind: chain.Doubtful, Seq: max(head.Value.Seq, gone.Seq+1), Hash: gone.Hash})
	return err
}

// walkAlong takes a walk to the place until, telling how many entries each page had.
func walkAlong(ctx context.Context, db *store.DB, w *chain.Walk, until int64, tell func(read int)) error {
	for {
		read := 0
		err := audit.Raw(ctx, db, w.Passed(), until, verifyPage, func(r *store.Raw) error {
			read++
			e := entryOf(r)
			w.Take(&e, hashOf(r))
			return nil
		})
		if err != nil {
			return err
		}
		tell(read)
		if read < verifyPage {
			return nil
		}
	}
}
