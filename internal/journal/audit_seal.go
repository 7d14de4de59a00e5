package journal

import (
	"context"
	"crypto/ed25519"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/journal/chain"
	"github.com/neap-cloud/neap/internal/store"
)

// Signer signs for this installation; identity satisfies it.
type Signer interface {
	Sign(message []byte) (signature []byte, err error)
	PublicKey() (ed25519.PublicKey, error)
}

// marks are signed statements about the chain of audit entries: State is the mark's kind, At its time, which grows from one mark to the next. Of the heads of a day
// the newest stays until retention has passed it.
var marks = store.Collection[chain.Mark]{Table: "audit_marks", Noun: "mark of the audit"}

type mark = store.Doc[chain.Mark]

// headKinds are the marks behind which the sealer goes on.
var headKinds = []string{chain.Sealed, chain.Began, chain.Rekeyed, chain.Broken}

// sealer seals the audit: entries get their place and their hash, and the newest is signed for.
type sealer struct{ *Journal }

// Waiting is the audit's.
func (s sealer) Waiting(ctx context.Context, session store.Session) (string, error) {
	return audit.Waiting(ctx, session)
}

// Seal goes on behind the newest head as it was signed, not behind the newest entry as it is found: what was changed meanwhile is not signed for.
func (s sealer) Seal(ctx context.Context, tx *store.Tx, limit int) (int, error) {
	if s.signer == nil {
		return audit.Seal(ctx, tx, limit)
	}
	if err := audit.Lock(ctx, tx); err != nil {
		return 0, err
	}
	head, last, err := s.head(ctx, tx)
	if err != nil {
		return 0, err
	}
	hash := head.Value.Hash
	var digester chain.Digester
	sealed, newest, err := audit.SealHashed(ctx, tx, last, limit, func(r *store.Raw) string {
		e := entryOf(r)
		hash = chain.Link(hash, digester.Digest(&e))
		return hash.String()
	})
	if err != nil || sealed == 0 {
		return 0, err
	}
	now, err := s.mark(ctx, tx, head, chain.Mark{Kind: chain.Sealed, Seq: newest.Seq, Hash: hash})
	if err != nil {
		return 0, err
	}
	if sameDay := head.At.Truncate(24 * time.Hour).Equal(now.At.Truncate(24 * time.Hour)); sameDay && head.State == chain.Sealed {
		err = marks.Delete(ctx, tx, store.Installation(), head.ID)
	}
	return sealed, err
}

// head is the mark that the chain goes on behind, and the last number that was given. Where no head can be believed, the chain goes on from what is there, and a
// mark says for ever that it did.
func (s sealer) head(ctx context.Context, tx *store.Tx) (head mark, last int64, err error) {
	found, _, err := marks.List(ctx, tx, store.Installation(), store.Query{States: headKinds, Descending: true, Limit: 1})
	if err != nil {
		return head, 0, err
	}
	newest, err := audit.Newest(ctx, tx, maxSeq, false)
	if err != nil {
		return head, 0, err
	}
	public, err := s.signer.PublicKey()
	if err != nil {
		return head, 0, err
	}
	next := chain.Mark{Kind: chain.Broken, Seq: newest.Seq}
	if len(found) > 0 {
		head = found[0]
		next.Seq = max(next.Seq, head.Value.Seq)
		switch {
		case head.Value.Key != chain.KeyMark(public):
			next.Kind = chain.Rekeyed
		case len(signedBy(public, found)) > 0 && (newest.Hash == "" || newest.Seq <= head.Value.Seq):
			return head, next.Seq, nil
		}
	}
	hashed, err := audit.Newest(ctx, tx, maxSeq, true)
	if err != nil {
		return head, 0, err
	}
	if hashed.Seq == 0 && len(found) == 0 {
		next.Kind = chain.Began
	}
	if hashed.Hash != "" {
		// A hash that cannot be read is as good as any other: the mark says that the chain was broken here.
		_ = next.Hash.UnmarshalText([]byte(hashed.Hash))
	}
	if next.Kind == chain.Broken {
		s.slog.ErrorContext(ctx, "the audit was changed behind Neap's back: its newest signed head does not fit; see neap audit verify", "entry", next.Seq)
	}
	head, err = s.mark(ctx, tx, head, next)
	return head, next.Seq, err
}

const maxSeq = 1<<63 - 1

// mark signs and stores a statement, dated behind the one before.
func (j *Journal) mark(ctx context.Context, tx *store.Tx, before mark, m chain.Mark) (mark, error) {
	public, err := j.signer.PublicKey()
	if err != nil {
		return mark{}, err
	}
	m.At, m.Key = time.Now().UTC().Truncate(time.Microsecond), chain.KeyMark(public)
	if !m.At.After(before.At) {
		m.At = before.At.Add(time.Microsecond)
	}
	if m.Signature, err = j.signer.Sign(m.Message()); err != nil {
		return mark{}, err
	}
	return marks.Insert(ctx, tx, mark{Meta: store.Meta{ID: recordID(), State: m.Kind, At: m.At}, Value: m})
}

// signedBy are the marks that count.
func signedBy(public ed25519.PublicKey, all []mark) (valid []mark) {
	for _, m := range all {
		if m.State == m.Value.Kind && m.Value.SignedBy(public) {
			valid = append(valid, m)
		}
	}
	return valid
}

// beginning is where the chain begins that is there now: behind what retention deleted, else behind its first mark.
func beginning(ascending []mark) (base chain.Mark, found bool) {
	for _, m := range ascending {
		switch {
		case m.State == chain.Pruned && (base.Kind != chain.Pruned || m.Value.Seq > base.Seq):
			base, found = m.Value, true
		case slices.Contains([]string{chain.Began, chain.Rekeyed, chain.Broken}, m.State) && !found:
			base, found = m.Value, true
		}
	}
	return base, found
}

func entryOf(r *store.Raw) chain.Entry {
	return chain.Entry{Seq: r.Seq, ID: r.ID, Account: r.Account, Resource: r.Resource, Kind: r.Kind, At: r.At, Doc: r.Doc}
}

// hashOf reads a stored hash; nil when there is none. One that cannot be read is no entry's.
func hashOf(r *store.Raw) *chain.Hash {
	if r.Hash == "" {
		return nil
	}
	var h chain.Hash
	if err := h.UnmarshalText([]byte(r.Hash)); err != nil {
		return &chain.Hash{}
	}
	return &h
}
