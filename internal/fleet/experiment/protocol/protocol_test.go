package protocol

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/plan"
)

func noon() time.Time { return time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC) }

// draft is one that may be made.
func draft(groups ...string) Draft {
	return Draft{Name: "check", Groups: groups, Baseline: plan.ByPriceCapacityOptimized, From: noon(), For: 14 * 24 * time.Hour, Seed: 7}
}

func made(t testing.TB, d Draft) Protocol {
	t.Helper()
	p, err := Make(d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestADraftTakesWhatIsUsual(t *testing.T) {
	p := made(t, draft("sig-b", "sig-a", "sig-b"))
	if p.Every != 24*time.Hour || p.Washout != time.Hour || p.Pairs != 7 || p.Measure != Cost || fmt.Sprint(p.Groups) != "[sig-a sig-b]" {
		t.Errorf("%+v", p)
	}
	short := draft("sig-a")
	short.Every, short.For = time.Hour, 12*time.Hour
	if p := made(t, short); p.Washout != 15*time.Minute {
		t.Errorf("the wash-out of an hour's block lasts %s", p.Washout)
	}
}

func TestADraftThatCannotAnswerIsRefusedWithWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Draft)
		field  string
		says   string
	}{
		{"too few pairs", func(d *Draft) { d.For = 4 * 24 * time.Hour }, "groups", "1 group with 2 pairs of blocks each make 2, and an answer needs at least 6: name 3 groups, or let these run for 12d"},
		{"no whole pairs", func(d *Draft) { d.For = 15 * 24 * time.Hour }, "for", "14d or 16d would be"},
		{"less than a pair", func(d *Draft) { d.For = 24 * time.Hour }, "for", "2d would be"},
		{"no length", func(d *Draft) { d.For = 0 }, "for", "Say how long"},
		{"for ever", func(d *Draft) { d.For = 400 * 24 * time.Hour }, "for", "at most 366d"},
		{"no groups", func(d *Draft) { d.Groups = nil }, "groups", "at least one"},
		{"no baseline", func(d *Draft) { d.Baseline = "" }, "baseline", "lowest-price"},
		{"another measure", func(d *Draft) { d.Measure = "luck" }, "measure", "cost-per-capacity-hour or interruptions"},
		{"a name for a path", func(d *Draft) { d.Name = "../x" }, "name", "begins with a letter"},
		{"blocks of a minute", func(d *Draft) { d.Every = time.Minute }, "switchEvery", "at least 10m"},
		{"all wash-out", func(d *Draft) { d.Washout = &d.For }, "washOut", "at most half"},
		{"too many pairs", func(d *Draft) { d.Every = 10 * time.Minute; d.For = 300 * 24 * time.Hour }, "for", "at most 20000"},
	} {
		d := draft("sig-a")
		c.change(&d)
		_, err := Make(d)
		if f := fault.As(err); err == nil || f.Field != c.field || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestTheHashChangesWithEveryPartOfAProtocolAndWithNothingElse(t *testing.T) {
	p := made(t, draft("sig-a", "sig-b"))
	if again := made(t, draft("sig-b", "sig-a")); again.Hash() != p.Hash() {
		t.Error("the order in which groups are named matters")
	}
	for name, change := range map[string]func(*Protocol){
		"name": func(p *Protocol) { p.Name = "x" }, "groups": func(p *Protocol) { p.Groups = p.Groups[:1] }, "seed": func(p *Protocol) { p.Seed++ },
		"measure": func(p *Protocol) { p.Measure = Interruptions }, "baseline": func(p *Protocol) { p.Baseline = plan.ByLowestPrice },
		"start": func(p *Protocol) { p.From = p.From.Add(1) }, "blocks": func(p *Protocol) { p.Every++ }, "wash-out": func(p *Protocol) { p.Washout++ },
		"length": func(p *Protocol) { p.Pairs++ }, "design": func(p *Protocol) { p.Design = "x" }, "analysis": func(p *Protocol) { p.Analysis = "x" },
	} {
		other := p
		if change(&other); other.Hash() == p.Hash() {
			t.Errorf("another %s has the same hash", name)
		}
	}
}

func drawn(r *rapid.T) Schedule {
	every := time.Duration(rapid.IntRange(10, 3000).Draw(r, "minutes")) * time.Minute
	return Schedule{
		Seed: rapid.Uint64().Draw(r, "seed"), Baseline: plan.ByLowestPrice, From: noon(), Every: every,
		Washout: every / time.Duration(rapid.IntRange(2, 20).Draw(r, "wash-out")), Pairs: rapid.IntRange(1, 60).Draw(r, "pairs"),
	}
}

func TestEveryPairHasOneBlockOfEachArmAndOnlyTimeAndProtocolSayWhich(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s, group := drawn(r), rapid.StringMatching(`sig-[0-9a-f]{8}`).Draw(r, "group")
		for n := range s.Pairs {
			if s.Arm(group, 2*n) == s.Arm(group, 2*n+1) {
				r.Fatalf("pair %d is not balanced", n)
			}
		}
		at := s.From.Add(time.Duration(rapid.Int64Range(-int64(s.Every), int64(s.Every)*int64(s.Blocks()+1)).Draw(r, "at")))
		block, within := s.At(at)
		switch {
		case !within && s.Policy(group, at) != plan.ByModel:
			r.Fatalf("outside of the experiment %s holds", s.Policy(group, at))
		case within && (at.Before(s.Begin(block)) || !at.Before(s.Begin(block+1))):
			r.Fatalf("%s is not in block %d", at, block)
		case within && (s.Policy(group, at) == plan.ByModel) != (s.Arm(group, block) == Model):
			r.Fatalf("the policy is not its block's")
		}
		if copied := s; copied.Policy(group, at) != s.Policy(group, at) {
			r.Fatal("the same protocol gives another policy")
		}
	})
}

func TestTheOrderIsDrawnForEachGroupAndPairByItself(t *testing.T) {
	const groups = 100
	s := Schedule{Seed: 3, Baseline: plan.ByLowestPrice, From: noon(), Every: time.Hour, Pairs: 40}
	first, same := 0, 0
	for g := range groups {
		for n := range s.Pairs {
			if s.Arm(fmt.Sprint(g), 2*n) == Model {
				first++
			}
			if s.Arm(fmt.Sprint(g), 2*n) == s.Arm(fmt.Sprint(g+1), 2*n) {
				same++
			}
		}
	}
	// Of 4,000 fair draws, 2,000 ± 160 in all but one case of a million.
	if first < 1840 || first > 2160 || same < 1840 || same > 2160 {
		t.Errorf("of 4000 pairs %d begin with the model, and %d begin as the next group's do", first, same)
	}
	if other := (Schedule{Seed: 4, From: noon(), Every: time.Hour, Pairs: 40}); fmt.Sprint(orders(s)) == fmt.Sprint(orders(other)) {
		t.Error("another seed draws the same orders")
	}
}

func orders(s Schedule) (arms []Arm) {
	for n := range s.Pairs {
		arms = append(arms, s.Arm("sig-a", 2*n))
	}
	return arms
}

func TestSpansAreWrittenAndReadWithDays(t *testing.T) {
	for text, d := range map[string]time.Duration{"14d": 14 * 24 * time.Hour, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute, "0s": 0, "1m1s": time.Minute + time.Second} {
		if got := Span(d); got != text {
			t.Errorf("%s is written %s", d, got)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(1000*24*time.Hour)).Draw(r, "span"))
		if got, err := ParseSpan(Span(d)); err != nil || got != d {
			r.Fatalf("%s is read as %s, %v", Span(d), got, err)
		}
	})
	for _, text := range []string{"", "d", "-1d", "1dx", "1d-1h", "14 days", "99999999d"} {
		if got, err := ParseSpan(text); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}

func FuzzParseSpan(f *testing.F) {
	f.Add("14d")
	f.Add("1d12h")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseSpan(text); err == nil && strings.Contains(text, "d") && d < 0 {
			t.Errorf("%q is %s", text, d)
		}
	})
}
