package chain

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func drawEntry(t *rapid.T) Entry {
	word := rapid.StringOfN(rapid.RuneFrom([]rune("ab\x00é")), 0, 4, -1)
	return Entry{
		Seq: rapid.Int64Range(0, 3).Draw(t, "seq"), ID: word.Draw(t, "id"), Account: word.Draw(t, "account"), Resource: word.Draw(t, "resource"),
		Kind: word.Draw(t, "kind"), At: rapid.Int64Range(-2, 2).Draw(t, "at"), Doc: word.Draw(t, "doc"),
	}
}

func TestDifferentEntriesHaveDifferentDigests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawEntry(t), drawEntry(t)
		var d Digester
		if same := d.Digest(&a) == d.Digest(&b); same != (a == b) {
			t.Fatalf("%+v and %+v: same digest %t", a, b, same)
		}
	})
}

// What is written here is in files that people keep: it never changes.
func TestTheDefinitionOfHashesAndMarksStays(t *testing.T) {
	e := Entry{Seq: 7, ID: "i", Account: "act-1", Resource: "org", Kind: "done", At: 1_700_000_000_000_000, Doc: `{"a":1}`}
	var d Digester
	digest := d.Digest(&e)
	if got := digest.String(); got != "a610965f5fc14fb33292657c6204cb0bab5154f444f5ac05074621337aa241bf" {
		t.Errorf("digest %s", got)
	}
	if got := Link(Hash{}, digest).String(); got != "62b0e4e2093d796cc6afd5353abfd8632a80f1d47c12e62d62f0963766d72827" {
		t.Errorf("link %s", got)
	}
	m := Mark{Kind: Sealed, Seq: 7, Hash: digest, At: time.UnixMicro(e.At).UTC(), Key: "k"}
	if got, want := string(m.Message()), "neap audit mark 1\nsealed\n7\n"+digest.String()+"\n1700000000000000\nk\n"; got != want {
		t.Errorf("%q", got)
	}
}

func TestAMarkCountsOnlyAsItWasSigned(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	stranger, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	m := Mark{Kind: Sealed, Seq: 7, At: time.UnixMicro(5).UTC(), Key: KeyMark(public)}
	m.Signature = ed25519.Sign(private, m.Message())
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var read Mark
	if err := json.Unmarshal(text, &read); err != nil || !read.SignedBy(public) {
		t.Errorf("%s, %v", text, err)
	}
	for name, change := range map[string]func(m *Mark){
		"kind": func(m *Mark) { m.Kind = Pruned }, "seq": func(m *Mark) { m.Seq++ }, "hash": func(m *Mark) { m.Hash[31] ^= 1 },
		"at": func(m *Mark) { m.At = m.At.Add(time.Microsecond) }, "key": func(m *Mark) { m.Key = KeyMark(stranger) },
		"signature": func(m *Mark) { m.Signature = slices.Concat(m.Signature[:63], []byte{m.Signature[63] ^ 1}) }, "none": func(m *Mark) { m.Signature = nil },
	} {
		changed := m
		change(&changed)
		if changed.SignedBy(public) || changed.SignedBy(stranger) {
			t.Errorf("with another %s it counts", name)
		}
	}
	if m.SignedBy(stranger) || m.SignedBy(nil) {
		t.Error("it counts with another key")
	}
}

func TestAHashHasOneTextOnly(t *testing.T) {
	h := Hash{0xab}
	text := h.String()
	var read Hash
	if err := read.UnmarshalText([]byte(text)); err != nil || read != h {
		t.Errorf("%v, %v", read, err)
	}
	for _, wrong := range []string{"", text[1:], text + "0", strings.ToUpper(text), "x" + text[1:]} {
		if err := read.UnmarshalText([]byte(wrong)); err == nil {
			t.Errorf("%q is read", wrong)
		}
	}
}

// place is an entry in the log, as it lies there.
type place struct {
	entry Entry
	hash  *Hash
}

// logOf makes a chain of n entries, of which those that bare names have no hash.
func logOf(n int, bare func(seq int) bool) []place {
	var d Digester
	var before Hash
	var log []place
	for seq := 1; seq <= n; seq++ {
		p := place{entry: Entry{Seq: int64(seq), ID: fmt.Sprint("e", seq), Doc: "{}"}}
		if !bare(seq) {
			before = Link(before, d.Digest(&p.entry))
			hash := before
			p.hash = &hash
		}
		log = append(log, p)
	}
	return log
}

func walkAlong(log []place, until int64) []Problem {
	w := NewWalk(0, Hash{})
	for _, p := range log {
		w.Take(&p.entry, p.hash)
	}
	return Review(nil, w.End(until, CutOff)).Problems
}

func TestAnyChainIsWholeAndAnyChangeOfItIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 40).Draw(t, "length")
		none := rapid.SliceOfN(rapid.IntRange(1, n), 0, 5).Draw(t, "bare")
		log := logOf(n, func(seq int) bool { return seq != n && slices.Contains(none, seq) })
		if found := walkAlong(log, int64(n)); len(found) > 0 {
			t.Fatalf("untouched: %+v", found)
		}
		victim := rapid.IntRange(1, n).Draw(t, "victim")
		p := &log[victim-1]
		if p.hash == nil {
			return // nobody vouches for it
		}
		kind, last := rapid.SampledFrom([]string{"doc", "hash", "bare", "remove", "double"}).Draw(t, "change"), victim == n
		switch kind {
		case "doc":
			p.entry.Doc = "{ }"
		case "hash":
			other := *p.hash
			other[5] ^= 4
			p.hash = &other
		case "bare":
			if last {
				return // only a signed head shows it
			}
			p.hash = nil
		case "remove":
			log = slices.Delete(log, victim-1, victim)
		case "double":
			log = slices.Insert(log, victim, *p)
		}
		found := walkAlong(log, int64(n))
		if len(found) == 0 {
			t.Fatalf("%s of %d is not found", kind, victim)
		}
		if len(none) == 0 && (len(found) != 1 || found[0].Seq != int64(victim) || found[0].Last != int64(victim)) {
			t.Fatalf("%s of %d: %+v", kind, victim, found)
		}
	})
}

func TestEntriesThatWereMovedAreToldFromChangedOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 30).Draw(t, "length")
		log := logOf(n, func(int) bool { return false })
		a := rapid.IntRange(0, n-2).Draw(t, "one")
		b := rapid.IntRange(a+1, n-1).Draw(t, "other")
		withHash := rapid.Bool().Draw(t, "with their hashes")
		log[a], log[b] = log[b], log[a]
		log[a].entry.Seq, log[b].entry.Seq = int64(a+1), int64(b+1)
		if !withHash {
			log[a].hash, log[b].hash = log[b].hash, log[a].hash
		}
		found := walkAlong(log, int64(n))
		if len(found) != 2 || found[0].Kind != Reordered || found[1].Kind != Reordered || found[0].Seq != int64(a+1) || found[1].Seq != int64(b+1) {
			t.Fatalf("%d and %d swapped: %+v", a+1, b+1, found)
		}
	})
}

func TestEveryProblemIsCountedThoughNotEveryOneIsListed(t *testing.T) {
	log := logOf(3000, func(int) bool { return false })
	for n := range log {
		log[n].entry.Doc = "x"
	}
	w := NewWalk(0, Hash{})
	for _, p := range log {
		w.Take(&p.entry, p.hash)
	}
	all := Review(nil, w.End(3000, CutOff))
	if len(all.Problems) != listed || int(all.Unlisted)+listed != 3000 {
		t.Errorf("%d listed, %d not", len(all.Problems), all.Unlisted)
	}
}

func TestOfAnotherTenantsEntryTheDigestIsEnough(t *testing.T) {
	log := logOf(5, func(int) bool { return false })
	var d Digester
	w := NewWalk(0, Hash{})
	for _, p := range log {
		w.Pass(p.entry.Seq, d.Digest(&p.entry), p.hash)
	}
	if all := Review(nil, w.End(5, CutOff)); len(all.Problems) > 0 || all.Entries != 5 {
		t.Errorf("%+v", all)
	}
}
