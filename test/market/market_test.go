package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/market/model"
	"github.com/neap-cloud/neap/internal/money"
)

// drawn are groups of normal values around a mean.
func drawn(groups, pieces int, mean, off float64) [][]float64 {
	random := rand.New(rand.NewPCG(3, 4))
	all := make([][]float64, groups)
	for n := range all {
		for range pieces {
			all[n] = append(all[n], mean+off*random.NormFloat64())
		}
	}
	return all
}

func sizes(all [][]float64) (list []int) {
	for _, of := range all {
		list = append(list, len(of))
	}
	return list
}

// meanOf is the mean of the picked values.
func meanOf(all [][]float64) func([]pick) []float64 {
	return func(picks []pick) []float64 {
		return []float64{mean(picks, func(p pick) float64 {
			sum := 0.0
			for _, at := range p.pieces {
				sum += all[p.of][at]
			}
			return sum / float64(len(p.pieces))
		})}
	}
}

func TestAnIntervalOfAMeanIsAboutTwoStandardErrorsToEitherSide(t *testing.T) {
	values := drawn(1, 400, 10, 2)
	e := bootstrap(sizes(values), false, meanOf(values))[0]
	if math.Abs(e.Mean-10) > 0.3 || math.Abs((e.High-e.Low)/2-1.96*2/20) > 0.03 {
		t.Errorf("%+v", e)
	}
	if again := bootstrap(sizes(values), false, meanOf(values))[0]; again != e {
		t.Errorf("%+v, and once more %+v", e, again)
	}
}

func TestDrawingGroupsTooMakesAnIntervalWider(t *testing.T) {
	values := drawn(8, 5, 10, 0.1)
	for n := range values {
		for i := range values[n] {
			values[n][i] += float64(n)
		}
	}
	stay, draw := bootstrap(sizes(values), false, meanOf(values))[0], bootstrap(sizes(values), true, meanOf(values))[0]
	if stay.Mean != draw.Mean || draw.High-draw.Low < 5*(stay.High-stay.Low) {
		t.Errorf("%+v, and with groups drawn %+v", stay, draw)
	}
}

func TestWhatIsAlikeEverywhereHasNoInterval(t *testing.T) {
	values := [][]float64{{2, 2, 2}, {4, 4}}
	if e := bootstrap(sizes(values), false, meanOf(values))[0]; e != exactly(3) {
		t.Errorf("%+v", e)
	}
}

func TestAQuantileLiesBetweenValuesAndLeavesOutWhatIsNotKnown(t *testing.T) {
	values := []float64{math.NaN(), 1, 2, 3, 4, 5}
	for part, want := range map[float64]float64{0: 1, 0.5: 3, 1: 5, 0.125: 1.5} {
		if got := quantile(values, part); got != want {
			t.Errorf("%v: %v, want %v", part, got, want)
		}
	}
}

// twoPolicies are arenas in which windows differ much and the second policy is always dearer than base by a tenth.
func twoPolicies() []arena {
	random := rand.New(rand.NewPCG(5, 6))
	a := arena{name: "one"}
	for part := range a.parts {
		for range 8 {
			hours := 100 * (1 + 9*random.Float64())
			first := tally{cost: hours, fair: hours, best: hours * 0.8, onDemand: 3 * hours, target: hours, spot: hours, forced: math.Round(hours / 10)}
			second := first
			second.cost, second.fair, second.forced, second.voluntary, second.demand, second.spot = 1.1*hours, 1.1*hours, first.forced/4, first.forced/4, hours/2, hours/2
			a.parts[part] = append(a.parts[part], piece{first, second})
		}
	}
	return []arena{a}
}

func TestADifferenceIsTakenWindowByWindow(t *testing.T) {
	c := compare(twoPolicies(), 1, 0, false)
	d := c.values[1][dearer]
	if math.Abs(d.Mean-0.1) > 1e-9 || d.High-d.Low > 1e-9 {
		t.Errorf("one is a tenth dearer in every window, and the comparison says %+v", d)
	}
	if f := c.values[1][fewer]; math.Abs(f.Mean-0.5) > 1e-9 || f.High-f.Low > 1e-9 {
		t.Errorf("half the interruptions are %+v fewer", f)
	}
	if v := c.values[0]; math.Abs(v[overBest].Mean-1.25) > 1e-9 || math.Abs(v[ofOnDemand].Mean-1.0/3) > 1e-9 || v[dearer].Mean != 0 || v[fewer].Mean != 0 {
		t.Errorf("%+v", v)
	}
	if share := c.values[1][onDemand].Mean; math.Abs(share-0.5) > 1e-9 {
		t.Errorf("half the hours were on demand, not %v", share)
	}
}

func TestWhereBaseWasNeverInterruptedNothingIsCalmer(t *testing.T) {
	arenas := twoPolicies()
	for part := range arenas[0].parts {
		for _, p := range arenas[0].parts[part] {
			p[0].forced = 0
		}
	}
	c := compare(arenas, 1, 0, false)
	if !math.IsNaN(c.values[1][fewer].Mean) || percent(c.values[1][fewer], 0).Text != "–" {
		t.Errorf("%+v", c.values[1][fewer])
	}
	if lines := c.better("here", 1, base()); len(lines) != 1 {
		t.Errorf("%+v", lines)
	}
}

func TestALineTellsHowFarItIsFromItsBound(t *testing.T) {
	l := atMost("cost", number(estimate{1.12, 1.1, 1.14}, 1, 3, " ×"), 1.1, 1, 3, " ×")
	if l.Holds || l.By != "+0.020 ×" || l.Bound != "≤ 1.100 ×" || l.Measured != "1.120 × [1.100, 1.140]" {
		t.Errorf("%+v", l)
	}
	if l := atMost("cost", number(exactly(math.NaN()), 1, 3, ""), 1, 1, 3, ""); l.Holds {
		t.Errorf("what is not known holds: %+v", l)
	}
	lines := []line{{Text: "one", Holds: true}, {Text: "two"}}
	judge(lines)
	if err := verdict([]result{{Name: "x", Lines: lines}}); err == nil || !strings.Contains(err.Error(), "x: two") || strings.Contains(err.Error(), "x: one") {
		t.Error(err)
	}
	if err := verdict([]result{{Lines: lines[:1]}}); err != nil {
		t.Error(err)
	}
}

func TestFiguresReplaceWhatStandsBetweenTheirMarkersAndNothingElse(t *testing.T) {
	page := "# A\n<!-- figures: a -->\nold\n<!-- /figures -->\nprose\n<!-- figures: b -->\n<!-- /figures -->\nend\n"
	once, err := replace(page, "a", "new\n")
	if err != nil || once != "# A\n<!-- figures: a -->\n\nnew\n\n<!-- /figures -->\nprose\n<!-- figures: b -->\n<!-- /figures -->\nend\n" {
		t.Errorf("%q %v", once, err)
	}
	if twice, err := replace(once, "a", "new"); err != nil || twice != once {
		t.Errorf("%q %v", twice, err)
	}
	for _, c := range []struct{ page, name, want string }{
		{page, "c", "there is no"},
		{page + page, "a", "more than one"},
		{"<!-- figures: a -->\n<!-- figures: b -->\n<!-- /figures -->", "a", "where its figures end"},
		{"<!-- figures: a -->", "a", "where its figures end"},
	} {
		if _, err := replace(c.page, c.name, ""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.page, err)
		}
	}
}

func TestThePageHasAPlaceForEverySection(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "market.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"must-hold"}
	for _, s := range sections() {
		names = append(names, s.name)
	}
	for _, name := range names {
		if _, err := replace(string(raw), name, ""); err != nil {
			t.Error(err)
		}
	}
}

func TestATableKeepsItsColumnsWhateverACellSays(t *testing.T) {
	text := table{Title: "T", Columns: []string{"a", "b"}, Rows: [][]cell{{words("x|y"), percent(estimate{0.5, 0.25, 0.75}, 0)}}}.markdown()
	if want := "**T**\n\n| a | b |\n| --- | --- |\n| x\\|y | 50 % [25, 75] |\n"; text != want {
		t.Errorf("%q", text)
	}
	if text := (table{Title: "T & U", Detail: true, Columns: []string{"a"}}).markdown(); text != "<details><summary>T &amp; U</summary>\n\n| a |\n| --- |\n\n</details>\n" {
		t.Errorf("%q", text)
	}
}

func TestThePictureIsWellFormedAndShowsEveryWorld(t *testing.T) {
	who := []contender{base(), ours("balanced"), lasting("balanced", 6), hindsight(0), hindsight(15)}
	a := arena{name: "<one> & only", parts: [2][]piece{{{}}}}
	for n := range who {
		w := tally{cost: float64(n + 1), fair: float64(n + 1), best: 1, onDemand: 9, target: 100, spot: 100, forced: float64(9 - n)}
		a.parts[0][0] = append(a.parts[0][0], w)
	}
	c := compare([]arena{a}, 0, 0, false)
	picture := draw([]panel{panelOf(a.name, who, c), panelOf("two", who, c), panelOf("three", who, c)})
	titles, in := 0, xml.NewDecoder(bytes.NewReader(picture))
	for {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, is := token.(xml.CharData); is && (string(text) == a.name || string(text) == "two" || string(text) == "three") {
			titles++
		}
	}
	if titles != 3 {
		t.Errorf("%d of 3 panels have their title", titles)
	}
}

func TestWindowsAreEvenAndEndWithTheRecording(t *testing.T) {
	from := time.Date(2023, 2, 15, 0, 0, 0, 0, time.UTC)
	for days, want := range map[float64]int{1.9: 8, 6.3: 8, 45.5: 12} {
		s := span{from, from.Add(time.Duration(days * 24 * float64(time.Hour)))}
		ends := windows(s)
		if len(ends) != want || !ends[len(ends)-1].Equal(s.until) || len(ends)%2 != 0 {
			t.Errorf("%v days have %d windows, want %d", days, len(ends), want)
		}
	}
}

func TestAMoveIsRegrettedWhenItLosesMoreThanItsStatedRisk(t *testing.T) {
	var c churn
	c.add([]lab.Move{
		{Count: 2, Promised: 5 * money.Dollar, AtRisk: money.Dollar, Saved: 4 * money.Dollar},
		{Count: 1, Promised: 5 * money.Dollar, AtRisk: money.Dollar, Saved: -money.Dollar},
		{Count: 3, Promised: 5 * money.Dollar, AtRisk: money.Dollar, Saved: -3 * money.Dollar},
		{Count: 4, Saved: -2 * money.Dollar},
	})
	want := churn{moves: 3, instances: 6, regretted: 1, promised: 15 * money.Dollar, saved: 0, worst: -2 * money.Dollar, others: 4, otherSaved: -2 * money.Dollar}
	if c != want {
		t.Errorf("%+v", c)
	}
}

func TestASettingChangesThatParameterAlone(t *testing.T) {
	for n, s := range settings(model.Usual()) {
		if s.in(model.Usual()) != model.Usual() {
			t.Errorf("%s as it is changes something", s.name)
		}
		s.value *= 2
		changed := settings(s.in(model.Usual()))
		for i, other := range settings(model.Usual()) {
			if (changed[i].value != other.value) != (i == n && other.value != 0) {
				t.Errorf("%s twice as large makes %s %v", s.name, other.name, changed[i].value)
			}
		}
	}
}

func TestAStruckPoolTakesBackAllItGaveWithinThreeMinutesAndThenGivesNothing(t *testing.T) {
	at := time.Date(2026, 10, 1, 2, 0, 0, 0, time.UTC)
	s := struck{at, 7, 30 * time.Second}
	for n := range uint64(200) {
		f := s.Fate(n, at.Add(-time.Hour))
		if f.Notice.Before(at) || f.Notice.After(at.Add(stormLasts)) || f.End.Sub(f.Notice) != 30*time.Second {
			t.Fatalf("%+v", f)
		}
	}
	if s.Room(0, at) != 0 || s.Room(0, at.Add(-time.Second)) == 0 || s.Room(0, at.Add(stormDry)) == 0 || s.Fate(1, at.Add(2*time.Hour)) != (world.Fate{}) {
		t.Error("it gives instances in the storm, or none beside it")
	}
}

func TestSectionsAreChosenByNameInTheOrderOfThePage(t *testing.T) {
	chosen, err := choose("storm,recorded")
	if err != nil || len(chosen) != 2 || chosen[0].name != "recorded" {
		t.Errorf("%v %v", chosen, err)
	}
	if _, err := choose("stom"); err == nil || !strings.Contains(err.Error(), "storm") {
		t.Error(err)
	}
}

func TestTheMeaningOfEveryParameterStandsInTheCode(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	var r result
	if err := runParameters(nil, &r); err != nil {
		t.Fatal(err)
	}
	for _, table := range r.Tables {
		if len(table.Rows) < 5 {
			t.Errorf("%s has %d rows", table.Title, len(table.Rows))
		}
		for _, row := range table.Rows {
			if row[1].Text == "" || len(row[2].Text) < 10 {
				t.Errorf("%v", row)
			}
		}
	}
}
