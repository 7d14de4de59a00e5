package journal

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/journal/chain"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	verifyPage  = 4096 // entries that one statement reads: it must not hold up checkpoints for long
	verifyShare = 1000 // entries that are worth a walker of their own
)

// AuditReport is what a verification found. The audit is as it was sealed when there are no Problems; what Before and Bare count, nobody can vouch for.
type AuditReport struct {
	Entries   int64           // whose hash was computed anew
	Before    int64           // older than the chain: of a release that knew no hashes, or from before the server key was changed
	Bare      int64           // without a hash inside of the chain: sealed by such a release that worked beside this one
	Stretches []chain.Stretch // where those are, the first thousand
	Waiting   int64           // not sealed yet
	Begin     chain.Mark      // behind which the chain begins; its Kind is "" when it has not begun
	Head      chain.Mark      // the newest that is signed; its Kind is "" when there is none
	Problems  []chain.Problem // the first thousand, by place
	Unlisted  int64           // further problems
	Took      time.Duration
}

// AuditPlace is a head that somebody kept outside of this database. Seq 0 is none.
type AuditPlace struct {
	Seq  int64
	Hash chain.Hash
}

// verification is one run.
type verification struct {
	j       *Journal
	public  ed25519.PublicKey
	report  AuditReport
	signed  map[int64]chain.Hash
	newest  int64 // place
	hashed  int64 // place of the newest entry that has a hash
	mu      sync.Mutex
	passed  int64
	entries func(done, total int64)
}

// VerifyAudit computes every hash of the audit anew, beside those who write, and compares: entries with their neighbours, heads with entries, kept with what is there.
// progress may be nil. fault.Conflict while another verification runs here, or when this journal cannot sign.
func (j *Journal) VerifyAudit(ctx context.Context, kept AuditPlace, progress func(done, total int64)) (AuditReport, error) {
	if j.signer == nil {
		return AuditReport{}, fault.Of(fault.Conflict, "audit", "The audit of this installation is not signed, so there is nothing to verify.")
	}
	if !j.verifying.TryLock() {
		return AuditReport{}, fault.Of(fault.Conflict, "audit", "The audit is being verified already; ask again when that is done.")
	}
	defer j.verifying.Unlock()
	began := time.Now()
	public, err := j.signer.PublicKey()
	if err != nil {
		return AuditReport{}, err
	}
	v := &verification{j: j, public: public, signed: map[int64]chain.Hash{}, entries: progress}
	if err := v.readMarks(ctx); err != nil {
		return AuditReport{}, err
	}
	v.compare(kept)
	if err := v.readEntries(ctx); err != nil {
		return AuditReport{}, err
	}
	slices.SortStableFunc(v.report.Problems, func(a, b chain.Problem) int { return cmp.Compare(a.Seq, b.Seq) })
	v.report.Took = time.Since(began)
	return v.report, nil
}

func (v *verification) problem(p chain.Problem) {
	p.Last = max(p.Last, p.Seq)
	v.report.Problems = append(v.report.Problems, p)
}

// readMarks looks at the signed marks. The newest entries are looked up before: then no head that belongs to them can be too young to be found.
func (v *verification) readMarks(ctx context.Context) error {
	newest, err := audit.Newest(ctx, v.j.db, maxSeq, false)
	if err != nil {
		return err
	}
	hashed, err := audit.Newest(ctx, v.j.db, maxSeq, true)
	if err != nil {
		return err
	}
	v.newest, v.hashed = max(newest.Seq, hashed.Seq), hashed.Seq
	all, _, err := marks.List(ctx, v.j.db, store.Installation(), store.Query{})
	if err != nil {
		return err
	}
	valid := signedBy(v.public, all)
	v.report.Begin, _ = beginning(valid)
	rekeyed := int64(-1)
	for _, m := range valid {
		switch m.State {
		case chain.Rekeyed:
			rekeyed = max(rekeyed, m.Value.Seq)
		case chain.Sealed:
			v.signed[m.Value.Seq] = m.Value.Hash
			if m.Value.Seq >= v.report.Head.Seq {
				v.report.Head = m.Value
			}
		case chain.Doubtful:
			v.problem(chain.Problem{Kind: chain.Head, Seq: m.Value.Seq, Message: fmt.Sprintf("On %s retention deleted entries that were not as they had been sealed: somebody had changed or removed some of them before. This was the newest one then.", m.Value.At.Format(time.RFC3339))})
		case chain.Broken:
			v.problem(chain.Problem{Kind: chain.Head, Seq: m.Value.Seq, Message: fmt.Sprintf("On %s the newest signed head was missing or did not fit the entries, of which this was the newest; they may have been written anew.", m.Value.At.Format(time.RFC3339))})
		}
	}
	for _, m := range all {
		older := m.Value.Key != chain.KeyMark(v.public) && m.Value.Seq <= rekeyed
		if !older && len(signedBy(v.public, []mark{m})) == 0 {
			v.problem(chain.Problem{Kind: chain.Signature, Seq: m.Value.Seq, Message: fmt.Sprintf("The mark %q for this place was not signed with this installation's key, or was changed afterwards.", m.State)})
		}
	}
	v.newest = max(v.newest, v.report.Head.Seq) // which may have been sealed since
	signedFor := max(v.report.Head.Seq, v.report.Begin.Seq)
	switch {
	case v.report.Begin.Kind == "" && v.hashed > 0:
		v.problem(chain.Problem{Kind: chain.Head, Seq: 1, Last: v.hashed, Message: "There are hashed entries, and no signed mark says where they begin: the marks were removed or changed."})
	case v.hashed > signedFor:
		v.problem(chain.Problem{Kind: chain.Head, Seq: signedFor + 1, Last: v.hashed, Message: "No signed head covers these entries: the newest head was removed or changed."})
	}
	return nil
}

// compare looks for the head that somebody kept.
func (v *verification) compare(kept AuditPlace) {
	known, is := v.signed[kept.Seq]
	switch {
	case kept.Seq <= v.report.Begin.Seq && (kept.Seq != v.report.Begin.Seq || kept.Seq == 0 || kept.Hash == v.report.Begin.Hash):
	case kept.Seq > v.newest:
		v.problem(chain.Problem{Kind: chain.CutOff, Seq: v.newest + 1, Last: kept.Seq, Message: "The head that was kept is newer than all that is here: the newest entries were removed together with their heads, or an older backup was restored."})
	case kept.Seq == v.report.Begin.Seq, is && known != kept.Hash:
		v.problem(chain.Problem{Kind: chain.Head, Seq: kept.Seq, Message: "The head that was kept has another hash than the one that is signed here: entries were written anew by somebody who has the server key, or it is another installation's."})
	default:
		v.signed[kept.Seq] = kept.Hash
	}
}

// readEntries walks along the chain, in several parts at once: each entry bears its own hash, so a part can begin behind any of them.
func (v *verification) readEntries(ctx context.Context) (err error) {
	begin := v.report.Begin
	if v.report.Waiting, err = audit.Unsealed(ctx, v.j.db); err != nil {
		return err
	}
	before := begin.Seq
	if begin.Kind == "" {
		before = v.newest
	}
	if v.report.Before, err = audit.Sealed(ctx, v.j.db, 1, before); err != nil || begin.Kind == "" {
		return err
	}
	walks, ends, err := v.parts(ctx)
	if err != nil {
		return err
	}
	var walking sync.WaitGroup
	errs := make([]error, len(walks))
	for n, w := range walks {
		walking.Go(func() { errs[n] = walkAlong(ctx, v.j.db, w, ends[n], v.tell) })
	}
	walking.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	findings := make([]*chain.Findings, len(walks))
	for n, w := range walks {
		if n < len(walks)-1 {
			findings[n] = w.End(ends[n], chain.Missing)
		} else {
			findings[n] = w.End(v.report.Head.Seq, chain.CutOff)
		}
	}
	all := chain.Review(v.signed, findings...)
	v.report.Entries, v.report.Bare, v.report.Stretches, v.report.Unlisted = all.Entries, all.Bare, all.Stretches, all.Unlisted
	v.report.Problems = append(v.report.Problems, all.Problems...)
	return v.leaveOutPruned(ctx)
}

// parts divides the chain at entries that have a hash.
func (v *verification) parts(ctx context.Context) (walks []*chain.Walk, ends []int64, err error) {
	from, hash := v.report.Begin.Seq, v.report.Begin.Hash
	share := max(verifyShare, (v.newest-from)/int64(max(2, runtime.GOMAXPROCS(0)))+1)
	for {
		w := chain.NewWalk(from, hash)
		w.Signed = v.signed
		walks = append(walks, w)
		if from+share >= v.newest {
			return walks, append(ends, v.newest), nil
		}
		at, err := audit.Newest(ctx, v.j.db, from+share, true)
		if err != nil {
			return nil, nil, err
		}
		if at.Seq <= from { // none has a hash for long
			return walks, append(ends, v.newest), nil
		}
		from, hash = at.Seq, *hashOf(&at)
		ends = append(ends, from)
	}
}

func (v *verification) tell(read int) {
	if v.entries == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.passed += int64(read)
	v.entries(v.passed, max(v.passed, v.newest-v.report.Begin.Seq))
}

// leaveOutPruned drops what is missing because retention went on meanwhile.
func (v *verification) leaveOutPruned(ctx context.Context) error {
	pruned, _, err := marks.List(ctx, v.j.db, store.Installation(), store.Query{States: []string{chain.Pruned}})
	if err != nil {
		return err
	}
	gone, _ := beginning(signedBy(v.public, pruned))
	if gone.Seq <= v.report.Begin.Seq {
		return nil
	}
	var left []chain.Problem
	for _, p := range v.report.Problems {
		if isGone := p.Kind == chain.Missing || p.Kind == chain.CutOff; !isGone || p.Last > gone.Seq {
			left = append(left, p)
		}
	}
	v.report.Begin, v.report.Problems = gone, left
	return nil
}
