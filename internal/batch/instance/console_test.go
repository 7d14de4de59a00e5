package instance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/runtime"
)

func texts(t transcript) (list []string) {
	for _, l := range t.Lines {
		list = append(list, l.Text)
	}
	return list
}

func TestAConsoleOfWhichOnlyTheEndIsShownIsPutTogetherAgain(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var whole strings.Builder
		for n := range rapid.IntRange(0, 60).Draw(r, "lines") {
			fmt.Fprintf(&whole, "%d %s\n", n, rapid.StringMatching(`[a-z]{0,12}`).Draw(r, "text"))
		}
		all := whole.String()
		var known transcript
		shownUpTo := 0
		for shownUpTo < len(all) {
			// The cloud shows what was written up to a moment, and of that the newest part, in which something that is known is left.
			next := rapid.IntRange(shownUpTo+1, len(all)).Draw(r, "next")
			from := 0
			if lines := strings.Split(all[:shownUpTo], "\n"); len(lines) > 4 {
				kept := strings.Join(lines[len(lines)-rapid.IntRange(4, len(lines)).Draw(r, "kept"):], "\n")
				from = shownUpTo - len(kept) + rapid.IntRange(0, 1).Draw(r, "cut")
			}
			before := texts(known)
			known = known.merged(all[from:next], epoch, next == len(all))
			if after := texts(known); !slices.Equal(after[:len(before)], before) {
				r.Fatalf("lines changed from %q to %q", before, after)
			}
			shownUpTo = next
		}
		want := strings.Split(strings.TrimSuffix(all, "\n"), "\n")
		if all == "" {
			want = nil
		}
		if got := texts(known); !slices.Equal(got, want) {
			r.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestATranscriptTakesAnything(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var known transcript
		for range 3 {
			before := known.newest()
			known = known.merged(string(rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(r, "shown")), epoch, rapid.Bool().Draw(r, "final"))
			if known.newest() < before {
				r.Fatal("numbers went back")
			}
			for _, text := range texts(known) {
				if !utf8.ValidString(text) || strings.ContainsAny(text, "\n\x00") || len(text) > lineMost {
					r.Fatalf("the line %q", text)
				}
			}
		}
		if again := known.merged("", epoch, true); again.newest() != known.newest() {
			r.Fatal("nothing added something")
		}
	})
}

func TestALongLineIsCutBetweenCharacters(t *testing.T) {
	got := texts(transcript{}.merged(strings.Repeat("ä", lineMost)+"\n", epoch, false))
	if len(got) != 2 || strings.Join(got, "") != strings.Repeat("ä", lineMost) {
		t.Errorf("%d lines", len(got))
	}
}

func TestOfALongConsoleTheLastLinesAreKept(t *testing.T) {
	var shown strings.Builder
	for n := range linesMost + 10 {
		fmt.Fprintln(&shown, "line", n+1)
	}
	known := transcript{}.merged(shown.String(), epoch, true)
	if known.Dropped != 10 || known.newest() != linesMost+10 || known.Lines[0].Text != "line 11" {
		t.Errorf("%d dropped, newest %d, first %q", known.Dropped, known.newest(), known.Lines[0].Text)
	}
}

func TestTheConsoleIsATasksOutputAndSaysThatItIsSimulated(t *testing.T) {
	t.Parallel()
	w := begin(t)
	task := w.runs(spec("a", "acc-1"))
	if lines, err := w.Output(t.Context(), "a", 0, 10); err != nil || len(lines) > 0 {
		t.Errorf("at once there is %+v, %v", lines, err)
	}
	w.until("its console was read", 5*time.Minute, func() bool { return w.task("a").Lines > 0 })
	first, err := w.Output(t.Context(), "a", 0, 100)
	if err != nil || len(first) == 0 || int64(len(first)) != w.task("a").Lines {
		t.Fatalf("%+v, %v", first, err)
	}
	w.interrupt("acc-1", task.Instance)
	w.until("it is lost", 5*time.Minute, w.in("a", runtime.Lost))
	all, err := w.Output(t.Context(), "a", 0, 100)
	if err != nil || len(all) <= len(first) || int64(len(all)) != w.task("a").Lines {
		t.Fatalf("%+v, %v", all, err)
	}
	for n, l := range all {
		if l.N != int64(n+1) || !strings.Contains(l.Text, " simulated: ") || l.Stream != "stdout" || n < len(first) && l != first[n] {
			t.Errorf("line %d is %+v", n, l)
		}
	}
	if last := all[len(all)-1].Text; !strings.Contains(last, "shuts down (interruption)") {
		t.Errorf("the last line is %q", last)
	}
	some, err := w.Output(t.Context(), "a", 1, 2)
	if err != nil || !slices.Equal(some, all[1:3]) {
		t.Errorf("behind the first, two lines are %+v, %v", some, err)
	}
}
