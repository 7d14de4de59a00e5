package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

func keepDecision(ctx context.Context, j *Journal, s store.Session, d Decision, market json.RawMessage) (id string, err error) {
	p, err := j.Pack(ctx, d, market)
	if err != nil {
		return "", err
	}
	return p.ID, j.Keep(ctx, s, p)
}

func TestWhatAPlannerSawAndSaidComesBackByteForByte(t *testing.T) {
	j, _ := newJournal(t)
	awkward := []string{
		"{ \"b\" : 1.0,\n\t\"a\": 1e400, \"a\": \"<&>\u2028\" }\n", `{"x":12345678901234567890.000}`, "null", "", "{\"bad\": \"\xff\"}", `"\u0000"`,
	}
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.OneOf(rapid.SampledFrom(awkward), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
		inputs, plan, market := draw.Draw(t, "inputs"), draw.Draw(t, "plan"), draw.Draw(t, "market")
		kept, err := keepDecision(context.Background(), j, j.db, Decision{
			Account: "act-1", Group: "sig-1", Version: "1", Summary: "Launches 1.", Inputs: json.RawMessage(inputs), Plan: json.RawMessage(plan),
		}, json.RawMessage(market))
		if err != nil {
			t.Fatal(err)
		}
		read, seen, err := j.Decision(context.Background(), "act-1", "sig-1", kept)
		if err != nil {
			t.Fatal(err)
		}
		if string(read.Inputs) != inputs || string(read.Plan) != plan || string(seen) != market {
			t.Fatalf("%q, %q, %q came back as %q, %q, %q", inputs, plan, market, read.Inputs, read.Plan, seen)
		}
	})
}

func TestADecisionComesBackWhole(t *testing.T) {
	j, _ := newJournal(t)
	want := Decision{
		Account: "act-1", Group: "sig-1", Version: "7", DryRun: true, Summary: "Launches 1.", Inputs: json.RawMessage(`{}`), Plan: json.RawMessage(`[]`),
	}
	id, err := keepDecision(t.Context(), j, j.db, want, json.RawMessage(`{"pools":[]}`))
	must(t, err)
	read, _, err := j.Decision(t.Context(), "act-1", "sig-1", id)
	must(t, err)
	want.ID, want.At, want.Market = id, noon, fmt.Sprintf("%x", sha256.Sum256([]byte(`{"pools":[]}`)))
	check(t, "decision", fmt.Sprintf("%+v", read), fmt.Sprintf("%+v", want))
}

func TestMarketsAreStoredOncePerContent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) { marketsAreStoredOnce(t, at.Open(t)) })
}

func marketsAreStoredOnce(t *testing.T, db *store.DB) {
	j, _ := journalOn(db)
	var all sync.WaitGroup
	for _, market := range []string{`{"a":1}`, `{"a":1}`, `{"a": 1}`, `{"a":1}`, `{"a":1}`, `{"a": 1}`} {
		all.Go(func() {
			err := j.db.Tx(context.Background(), func(ctx context.Context, tx *store.Tx) error {
				_, err := keepDecision(ctx, j, tx, Decision{Account: "act-1", Group: "sig-1"}, json.RawMessage(market))
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	stored, err := snapshots.Count(t.Context(), j.db, store.Installation(), store.Query{})
	must(t, err)
	check(t, "stored markets", stored, 2)
	kept, err := decisions.Count(t.Context(), j.db, store.Account("act-1"), store.Query{})
	must(t, err)
	check(t, "stored decisions", kept, 6)
}

func TestADecisionOfAnotherAccountOrGroupReadsLikeAMissingOne(t *testing.T) {
	j, _ := newJournal(t)
	kept, err := keepDecision(t.Context(), j, j.db, Decision{Account: "act-1", Group: "sig-1"}, nil)
	must(t, err)
	_, _, missing := j.Decision(t.Context(), "act-1", "sig-1", "dec-none")
	check(t, "missing", fault.KindOf(missing), fault.NotFound)
	for _, where := range [][2]string{{"act-2", "sig-1"}, {"act-1", "sig-2"}} {
		_, _, err := j.Decision(t.Context(), where[0], where[1], kept)
		check(t, fmt.Sprint(where), fmt.Sprint(fault.As(err)), fmt.Sprint(fault.Missing("decision", kept)))
	}
}

func TestADecisionThatStandsAloneIsKeptInADryRun(t *testing.T) {
	j, _ := newJournal(t)
	kept, err := keepDecision(store.WithDryRun(t.Context()), j, j.db, Decision{Account: "act-1", Group: "sig-1", DryRun: true}, json.RawMessage(`{}`))
	must(t, err)
	_, _, err = j.Decision(t.Context(), "act-1", "sig-1", kept)
	must(t, err)
}

func TestDecisionsArePagedNewestFirst(t *testing.T) {
	j, now := newJournal(t)
	for n := range 5 {
		_, err := keepDecision(t.Context(), j, j.db, Decision{Account: "act-1", Group: "sig-1", Summary: fmt.Sprint(n)}, nil)
		must(t, err)
		now.Advance(time.Second)
	}
	text, pages := "", 0
	for after := ""; ; pages++ {
		list, next, err := j.Decisions(t.Context(), "act-1", "sig-1", 2, after)
		must(t, err)
		for _, d := range list {
			text += d.Summary
		}
		if next == "" {
			break
		}
		after = next
	}
	check(t, "order", text, "43210")
	check(t, "further pages", pages, 2)
}

func TestAMarketTakesLittleRoom(t *testing.T) {
	var market bytes.Buffer
	for n := range 1000 {
		fmt.Fprintf(&market, `{"Type":"m5.%dxlarge","Zone":"us-east-1%c","Lifecycle":"spot","Price":%d,"OnDemand":96000,"VCPUs":4,"Risk":0.05},`, n%24, 'a'+n%6, 30_000+n*37%9973)
	}
	small, err := new(packer).pack(market.Bytes())
	must(t, err)
	stored, err := json.Marshal(small)
	must(t, err)
	if len(stored)*3 > market.Len() {
		t.Errorf("%d bytes are stored as %d", market.Len(), len(stored))
	}
}

func TestDamagedBytesAreRefused(t *testing.T) {
	for _, damaged := range []string{`"!!"`, `"AAAA"`, `12`} {
		var p packed
		err := json.Unmarshal([]byte(damaged), &p)
		if err == nil {
			_, err = p.unpack()
		}
		if err == nil {
			t.Errorf("%s was read", damaged)
		}
	}
}

func BenchmarkKeep(b *testing.B) {
	j, _ := newJournal(b)
	inputs := json.RawMessage(bytes.Repeat([]byte(`{"ID":"i-0123456789abcdef0","Type":"m5.large","Zone":"us-east-1a"},`), 100))
	for n := 0; b.Loop(); n++ {
		market := json.RawMessage(fmt.Sprintf(`{"takenAt":%d,"pools":%q}`, n, bytes.Repeat(inputs, 10)))
		_, err := keepDecision(b.Context(), j, j.db, Decision{Account: "act-1", Group: "sig-1", Inputs: inputs, Plan: inputs}, market)
		must(b, err)
	}
}
