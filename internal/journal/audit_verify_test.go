package journal

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/journal/chain"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// pen signs for tests.
type pen struct{ key ed25519.PrivateKey }

func newPen(fill byte) pen {
	return pen{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{fill}, ed25519.SeedSize))}
}

func (p pen) Sign(message []byte) ([]byte, error)   { return ed25519.Sign(p.key, message), nil }
func (p pen) PublicKey() (ed25519.PublicKey, error) { return p.key.Public().(ed25519.PublicKey), nil }
func signing(db *store.DB, signer Signer) *Journal {
	return New(Config{DB: db, Clock: clock.NewManual(noon), Signer: signer})
}
func (j *Journal) exec(t testing.TB, s string, a ...any) {
	t.Helper()
	check(t, "rows changed by "+s, j.change(t, s, a...), 1)
}

func (j *Journal) change(t testing.TB, statement string, args ...any) (n int64) {
	t.Helper()
	must(t, j.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		n, err = tx.Exec(ctx, statement, args...)
		return err
	}))
	return n
}

// sealed records n entries in batches, each of which gets a head.
func (j *Journal) sealed(t testing.TB, n, batch int) {
	t.Helper()
	for n > 0 {
		must(t, j.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			for i := range min(n, batch) {
				e := entry("act-1", "done")
				e.Path = fmt.Sprintf("/aws/ec2/group/%d", n-i)
				if err := j.Record(ctx, tx, e); err != nil {
					return err
				}
			}
			return nil
		}))
		_, err := j.Seal(t.Context())
		must(t, err)
		n -= batch
	}
}

func (j *Journal) verified(t testing.TB) AuditReport {
	t.Helper()
	r, err := j.VerifyAudit(t.Context(), AuditPlace{}, nil)
	must(t, err)
	return r
}

// told is what a report's problems are, in short: "changed 17".
func told(problems []chain.Problem) string {
	var found []string
	for _, p := range problems {
		text := fmt.Sprint(p.Kind, " ", p.Seq)
		if p.Last != p.Seq {
			text += fmt.Sprint("-", p.Last)
		}
		found = append(found, text)
	}
	return strings.Join(found, ", ")
}

func TestAnUntouchedAuditVerifiesWholeInPartsThatRunBesideEachOther(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		j := signing(at.Open(t), newPen(1))
		j.sealed(t, 10_123, 2000)
		var done, total atomic.Int64
		r, err := j.VerifyAudit(t.Context(), AuditPlace{}, func(d, n int64) { done.Store(d); total.Store(n) })
		must(t, err)
		check(t, "problems", told(r.Problems), "")
		check(t, "entries", r.Entries, 10_123)
		check(t, "the newest head", r.Head.Seq, 10_123)
		check(t, "the beginning", r.Begin.Kind, chain.Began)
		check(t, "done in the end", done.Load(), 10_123)
		check(t, "of", total.Load(), 10_123)
		must(t, j.Record(t.Context(), nil, entry("act-1", "done")))
		check(t, "waiting", j.verified(t).Waiting, 1)
	})
}

// flip changes one bit of a letter.
func flip(text string, at int) string { return text[:at] + string(text[at]^1) + text[at+1:] }

func TestEveryChangeOfAStoredAuditIsFoundAndLocated(t *testing.T) {
	const n, victim = 3500, 1717
	raw := func(t *testing.T, j *Journal, seq int64) (found store.Raw) {
		must(t, audit.Raw(t.Context(), j.db, seq-1, seq, 1, func(r *store.Raw) error { found = *r; return nil }))
		return found
	}
	column := func(name string, of func(r store.Raw) string) func(t *testing.T, j *Journal) {
		return func(t *testing.T, j *Journal) {
			value := of(raw(t, j, victim))
			j.exec(t, "UPDATE audit SET "+name+" = ? WHERE seq = ?", value, victim)
		}
	}
	swap := func(t *testing.T, j *Journal, a, b int64) {
		j.exec(t, "UPDATE audit SET seq = -1 WHERE seq = ?", a)
		j.exec(t, "UPDATE audit SET seq = ? WHERE seq = ?", a, b)
		j.exec(t, "UPDATE audit SET seq = ? WHERE seq = -1", b)
	}
	rewrite := func(t *testing.T, j *Journal, from int64) { // changes an entry and makes all hashes behind it fit again
		previous := *hashOf(ptr(raw(t, j, from-1)))
		for seq := from; seq <= n; seq++ {
			r := raw(t, j, seq)
			if seq == from {
				r.Account = "act-x"
			}
			e := entryOf(&r)
			previous = chain.Link(previous, new(chain.Digester).Digest(&e))
			j.exec(t, "UPDATE audit SET account = ?, hash = ? WHERE seq = ?", r.Account, previous.String(), seq)
		}
	}
	for _, c := range []struct {
		name string
		do   func(t *testing.T, j *Journal)
		want string
	}{
		{"nothing", func(*testing.T, *Journal) {}, ""},
		{"a bit of id", column("id", func(r store.Raw) string { return flip(r.ID, 5) }), "changed 1717"},
		{"a bit of account", column("account", func(r store.Raw) string { return flip(r.Account, 2) }), "changed 1717"},
		{"a bit of resource", column("resource", func(r store.Raw) string { return flip(r.Resource, 7) }), "changed 1717"},
		{"a bit of kind", column("kind", func(r store.Raw) string { return flip(r.Kind, 0) }), "changed 1717"},
		{"a bit of doc", column("doc", func(r store.Raw) string { return strings.Replace(r.Doc, "req-1", "req-0", 1) }), "changed 1717"},
		{"a space in doc", column("doc", func(r store.Raw) string { return r.Doc + " " }), "changed 1717"},
		{"a bit of hash", column("hash", func(r store.Raw) string { return flip(r.Hash, 63) }), "changed 1717"},
		{"a capital letter in hash", column("hash", func(r store.Raw) string { return strings.ToUpper(r.Hash) }), "changed 1717"},
		{"a bit of at", func(t *testing.T, j *Journal) {
			j.exec(t, "UPDATE audit SET at = at + 1 - 2 * (at % 2) WHERE seq = ?", victim)
		}, "changed 1717"},
		{"a bit of seq", func(t *testing.T, j *Journal) { j.exec(t, "UPDATE audit SET seq = seq + 8192 WHERE seq = ?", victim) }, "missing 1717, head 3501-9909, missing 3501-9908"},
		{"a hash taken away", func(t *testing.T, j *Journal) { j.exec(t, "UPDATE audit SET hash = NULL WHERE seq = ?", victim) }, "changed 1717"},
		{"two hashes taken away", func(t *testing.T, j *Journal) { j.change(t, "UPDATE audit SET hash = NULL WHERE seq IN (17, 18)") }, "changed 17, changed 18"},
		{"the newest hash taken away", func(t *testing.T, j *Journal) { j.exec(t, "UPDATE audit SET hash = NULL WHERE seq = ?", n) }, "changed 3500"},
		{"one removed", func(t *testing.T, j *Journal) { j.exec(t, "DELETE FROM audit WHERE seq = ?", victim) }, "missing 1717"},
		{"the oldest removed", func(t *testing.T, j *Journal) { j.change(t, "DELETE FROM audit WHERE seq <= 200") }, "missing 1-200"},
		{"one between two parts removed", func(t *testing.T, j *Journal) { j.exec(t, "DELETE FROM audit WHERE seq = 1751") }, "missing 1751"},
		{"two neighbours swapped", func(t *testing.T, j *Journal) { swap(t, j, 17, 18) }, "reordered 17, reordered 18"},
		{"two distant ones swapped", func(t *testing.T, j *Journal) { swap(t, j, 17, 3018) }, "reordered 17, reordered 3018"},
		{"the newest cut off", func(t *testing.T, j *Journal) { j.change(t, "DELETE FROM audit WHERE seq > 3400") }, "cutOff 3401-3500"},
		{"everything cut off", func(t *testing.T, j *Journal) { j.change(t, "DELETE FROM audit") }, "cutOff 1-3500"},
		{"written anew from one on", func(t *testing.T, j *Journal) { rewrite(t, j, 3490) }, "head 3500"},
		{"a forged head", func(t *testing.T, j *Journal) {
			j.exec(t, "UPDATE audit_marks SET doc = replace(doc, '\"seq\":3500', '\"seq\":3499') WHERE state = 'sealed'")
		}, "head 1-3500, signature 3499"},
		{"a removed head", func(t *testing.T, j *Journal) { j.exec(t, "DELETE FROM audit_marks WHERE state = 'sealed'") }, "head 1-3500"},
		{"all marks removed", func(t *testing.T, j *Journal) { j.change(t, "DELETE FROM audit_marks") }, "head 1-3500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := signing(storetest.Memory(t), newPen(1))
			j.sealed(t, n, 2000)
			c.do(t, j)
			r := j.verified(t)
			check(t, "problems", told(r.Problems), c.want)
			for _, p := range r.Problems {
				if p.Message == "" || (p.Kind == chain.Changed || p.Kind == chain.Reordered) && p.ID == "" {
					t.Errorf("not told well: %+v", p)
				}
			}
		})
	}
}

func ptr[T any](value T) *T { return &value }

func TestWhatWasChangedBeforeTheNextEntriesAreSealedIsStillFoundAfterwards(t *testing.T) {
	for name, c := range map[string]struct {
		statement, want string
	}{
		"an entry":         {"UPDATE audit SET account = 'act-x' WHERE seq = 50", "changed 50"},
		"the newest entry": {"UPDATE audit SET account = 'act-x' WHERE seq = 100", "changed 100"},
		"the newest hash":  {"UPDATE audit SET hash = '" + strings.Repeat("0", 64) + "' WHERE seq = 100", "changed 100"},
		"cut off":          {"DELETE FROM audit WHERE seq > 90", "missing 91-100"},
		"no head":          {"DELETE FROM audit_marks WHERE state = 'sealed'", "head 100"},
		"no mark":          {"DELETE FROM audit_marks", "head 100"},
		"a forged head":    {"UPDATE audit_marks SET doc = replace(doc, '\"seq\":100', '\"seq\":101') WHERE state = 'sealed'", "head 101, signature 101, missing 101"},
	} {
		t.Run(name, func(t *testing.T) {
			j := signing(storetest.Memory(t), newPen(1))
			j.sealed(t, 100, 10)
			j.change(t, c.statement)
			j.sealed(t, 10, 5)
			check(t, "problems", told(j.verified(t).Problems), c.want)
		})
	}
}

func TestAHeadThatWasKeptElsewhereShowsThatTheNewestEntriesWereRemovedTogetherWithTheirHeads(t *testing.T) {
	at := storetest.SQLite(t)
	j := signing(at.Open(t), newPen(1))
	j.sealed(t, 30, 30)
	old := j.verified(t).Head
	j.sealed(t, 20, 20)
	kept := AuditPlace{Seq: 50, Hash: j.verified(t).Head.Hash}
	look := func(kept AuditPlace) string {
		t.Helper()
		r, err := j.VerifyAudit(t.Context(), kept, nil)
		must(t, err)
		return told(r.Problems)
	}
	check(t, "untouched", look(kept), "")
	check(t, "an older one", look(AuditPlace{Seq: 30, Hash: old.Hash}), "")
	check(t, "one of another chain", look(AuditPlace{Seq: 40, Hash: old.Hash}), "head 40")
	check(t, "another one for the newest", look(AuditPlace{Seq: 50, Hash: old.Hash}), "head 50")
	j.change(t, "DELETE FROM audit WHERE seq > 30")
	j.change(t, "DELETE FROM audit_marks WHERE state = 'sealed'")
	must(t, j.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := marks.Insert(ctx, tx, mark{Meta: store.Meta{ID: "again", State: old.Kind, At: old.At}, Value: old})
		return err
	}))
	check(t, "without it", look(AuditPlace{}), "")
	check(t, "with it", look(kept), "cutOff 31-50")
}

func TestEntriesOfAReleaseWithoutHashesAreCountedAndTheChainGoesOnAroundThem(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		older, newer := signing(db, nil), signing(db, newPen(1))
		for _, j := range []*Journal{older, newer, older, newer, older} {
			j.sealed(t, 20, 10)
		}
		r := newer.verified(t)
		check(t, "problems", told(r.Problems), "")
		check(t, "before the chain", r.Before, 20)
		check(t, "begins behind", r.Begin.Seq, 20)
		check(t, "hashed", r.Entries, 40)
		check(t, "without a hash", r.Bare, 40)
		check(t, "stretches", fmt.Sprint(r.Stretches), "[{41 60} {81 100}]")
		newer.exec(t, "UPDATE audit SET hash = NULL WHERE seq = 61")
		check(t, "problems when the first behind them loses its hash", told(newer.verified(t).Problems) != "", true)
	})
}

func TestAnotherServerKeyBeginsAnewAndSaysSo(t *testing.T) {
	db := storetest.Memory(t)
	signing(db, newPen(1)).sealed(t, 20, 10)
	j := signing(db, newPen(2))
	j.sealed(t, 20, 10)
	r := j.verified(t)
	check(t, "problems", told(r.Problems), "")
	check(t, "begin", r.Begin.Kind, chain.Rekeyed)
	check(t, "older", r.Before, 20)
	check(t, "entries", r.Entries, 20)
}

func TestTheNewestHeadOfEachDayStays(t *testing.T) {
	j := signing(storetest.Memory(t), newPen(1))
	j.sealed(t, 10, 2)
	yesterday := time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Microsecond)
	all, _, err := marks.List(t.Context(), j.db, store.Installation(), store.Query{States: []string{chain.Sealed}})
	must(t, err)
	check(t, "heads of today", len(all), 1)
	m := all[0]
	m.Value.At = yesterday
	m.Value.Signature, err = j.signer.Sign(m.Value.Message())
	must(t, err)
	must(t, marks.Delete(t.Context(), j.db, store.Installation(), m.ID))
	m.At = yesterday
	_, err = marks.Insert(t.Context(), j.db, m)
	must(t, err)
	j.exec(t, "UPDATE audit_marks SET at = ? WHERE state = 'began'", yesterday.Add(-time.Hour).UnixMicro())
	j.sealed(t, 10, 2)
	all, _, err = marks.List(t.Context(), j.db, store.Installation(), store.Query{States: []string{chain.Sealed}})
	must(t, err)
	check(t, "heads of two days", len(all), 2)
	check(t, "problems", told(j.verified(t).Problems), "")
}

func TestRetentionIsToldFromAnIntruder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		j := signing(at.Open(t), newPen(1))
		j.sealed(t, 500, 100)
		prune := func() (n int) {
			t.Helper()
			for _, rule := range j.Retention(-1, time.Hour, -1) {
				went, err := j.db.Prune(t.Context(), rule, noon, 1000)
				must(t, err)
				n += went
			}
			return n
		}
		age := func(where string) { // an entry's date is hashed, so it is sealed anew for a test
			j.change(t, "UPDATE audit SET at = at - 7200000000, seq = NULL, hash = NULL WHERE "+where)
		}
		j.change(t, "DELETE FROM audit_marks")
		j.change(t, "UPDATE audit SET seq = NULL, hash = NULL")
		age("ord <= (SELECT min(ord) + 249 FROM audit)")
		age("ord = (SELECT min(ord) + 300 FROM audit)") // older than those around it
		_, err := j.Seal(t.Context())
		must(t, err)
		check(t, "entries before", j.verified(t).Entries, 500)
		check(t, "entries that went", prune(), 250)
		r := j.verified(t)
		check(t, "problems", told(r.Problems), "")
		check(t, "begin", fmt.Sprint(r.Begin.Kind, r.Begin.Seq), "pruned250")
		check(t, "entries", r.Entries, 250)
		check(t, "again", prune(), 0)
		j.sealed(t, 10, 10)
		check(t, "problems after more", told(j.verified(t).Problems), "")
		j.change(t, "DELETE FROM audit WHERE seq <= 260")
		check(t, "an intruder's doing", told(j.verified(t).Problems), "missing 251-260")
		j.exec(t, "UPDATE audit_marks SET doc = CAST(replace(CAST(doc AS TEXT), '\"seq\":250', '\"seq\":260') AS "+map[string]string{"sqlite": "TEXT", "postgres": "JSON"}[at.Driver]+") WHERE state = 'pruned'")
		check(t, "and a forged mark", strings.Contains(told(j.verified(t).Problems), "signature 260"), true)
	})
}

func TestEntriesThatSomebodyDatedBackForRetentionLeaveATraceThatStays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		j := signing(at.Open(t), newPen(1))
		j.sealed(t, 200, 100)
		j.change(t, "UPDATE audit SET at = at - 7200000000 WHERE seq <= 50")
		for range 2 {
			for _, rule := range j.Retention(-1, time.Hour, -1) {
				_, err := j.db.Prune(t.Context(), rule, noon, 1000)
				must(t, err)
			}
			j.sealed(t, 10, 10)
			r := j.verified(t)
			check(t, "problems", told(r.Problems), "head 200")
			check(t, "begin", fmt.Sprint(r.Begin.Kind, r.Begin.Seq), "pruned50")
		}
	})
}

func TestTheChainIsOneAlthoughTwoSealAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		one, two := signing(at.Open(t), newPen(1)), signing(at.Open(t), newPen(1))
		for range 40 {
			for range 5 {
				must(t, one.Record(t.Context(), nil, entry("act-1", "done")))
			}
			errs := make(chan error, 2)
			for _, j := range []*Journal{one, two} {
				go func() { _, err := j.Seal(t.Context()); errs <- err }()
			}
			must(t, <-errs)
			must(t, <-errs)
		}
		r := one.verified(t)
		check(t, "problems", told(r.Problems), "")
		check(t, "entries", r.Entries, 200)
	})
}

func TestAVerificationBesideSealersAndRetentionFindsNothingWrong(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		j := signing(at.Open(t), newPen(1))
		j.sealed(t, 1500, 500)
		over := make(chan error)
		go func() {
			for range 30 {
				err := j.Record(t.Context(), nil, entry("act-1", "done"))
				if err == nil {
					_, err = j.Seal(t.Context())
				}
				for _, rule := range j.Retention(-1, time.Nanosecond, -1) {
					if err == nil && rule.Table == audit.Table {
						_, err = j.db.Prune(t.Context(), rule, noon, 50)
					}
				}
				if err != nil {
					over <- err
					return
				}
			}
			close(over)
		}()
		for {
			check(t, "problems", told(j.verified(t).Problems), "")
			select {
			case err := <-over:
				must(t, err)
				return
			default:
			}
		}
	})
}

func TestOnlyOneVerificationRunsAtATime(t *testing.T) {
	j := signing(storetest.Memory(t), newPen(1))
	j.sealed(t, 10, 10)
	_, err := j.VerifyAudit(t.Context(), AuditPlace{}, func(int64, int64) {
		if _, err := j.VerifyAudit(t.Context(), AuditPlace{}, nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("a second one: %v", err)
		}
	})
	must(t, err)
	if _, err := signing(j.db, nil).VerifyAudit(t.Context(), AuditPlace{}, nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("without a signer: %v", err)
	}
}

func BenchmarkVerifyAudit(b *testing.B) {
	at := storetest.SQLite(b)
	j := signing(at.Open(b), newPen(1))
	const n = 100_000
	for range n / 10_000 {
		var records []store.Record[audited]
		for i := range 10_000 {
			e := entry("act-1", "done")
			e.Remote, e.Agent, e.Source, e.Status = "192.0.2.1", "spotinst-sdk-go/1.415.0", "API", 200
			e.Context = fmt.Sprintf(`{"body":{"group":{"capacity":{"target":%d}}},"url":"/aws/ec2/group/sig-1?accountId=act-1","query":{"accountId":["act-1"]}}`, i)
			records = append(records, store.Record[audited]{ID: recordID(), Account: e.Account, Resource: e.Organisation, Kind: e.Outcome, At: time.Now(), Value: storedForm(e)})
		}
		must(b, audit.Append(b.Context(), j.db, records...))
		_, err := j.Seal(b.Context())
		must(b, err)
	}
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if r := j.verified(b); r.Entries != n || len(r.Problems) > 0 {
				b.Fatalf("%+v", r)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n*1e6/1e9, "s/million")
	})
	b.Run("hash alone", func(b *testing.B) {
		var all []chain.Entry
		must(b, audit.Raw(b.Context(), j.db, 0, maxSeq, n, func(r *store.Raw) error { all = append(all, entryOf(r)); return nil }))
		var digester chain.Digester
		for b.Loop() {
			var h chain.Hash
			for i := range all {
				h = chain.Link(h, digester.Digest(&all[i]))
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n*1e6/1e9, "s/million")
	})
}
