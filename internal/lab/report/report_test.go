package report

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

const day = 24 * time.Hour

func began() time.Time { return time.Date(2021, 3, 2, 0, 0, 0, 0, time.UTC) }

// outcome of a made-up policy that costs so many cents and was interrupted so often; dearer ones have more on demand.
func outcome(name string, cents int64, forced int) lab.Outcome {
	o := lab.Outcome{
		Policy: name, Cost: money.Dollar / 100 * money.Amount(cents), OnDemand: 500 * money.Dollar, CapacityHours: 6710, TargetHours: 6720, ShortHours: 10,
		SpotHours: 6500, DemandHours: 250, Forced: forced, Voluntary: forced / 3, Launches: 20 + forced, Refusals: 2,
	}
	for n := range forced / 3 {
		o.Moves = append(o.Moves, lab.Move{At: began().Add(time.Duration(n) * time.Hour), Count: 1, Saved: money.Dollar / 2})
	}
	for n := range 1000 {
		s := lab.Sample{At: began().Add(14 * day * time.Duration(n) / 1000), Target: 20, Serving: 20, Spot: 19, Demand: 1}
		if forced > 0 && n%(1000/forced) == 7 {
			s.Serving, s.Spot = 14, 13
		}
		o.Timeline = append(o.Timeline, s)
	}
	return o
}

func bound(cents int64) lab.Outcome {
	return lab.Outcome{Policy: lab.PolicyHindsight, Bound: true, Cost: money.Dollar / 100 * money.Amount(cents), OnDemand: 500 * money.Dollar}
}

// outcomes of five policies; each seed makes the losses a little more.
func outcomes(seed int64) []lab.Outcome {
	return []lab.Outcome{
		outcome(lab.PolicyNeap, 19_950+60*seed, 6), outcome(lab.PolicyLowestPrice, 20_520+100*seed, 40+int(seed)), outcome(lab.PolicyPriceCapacityOptimized, 20_300+90*seed, 12),
		outcome(lab.PolicyOnDemand, 50_000, 0), bound(18_900 + 10*seed),
	}
}

// made is a report of made-up outcomes over fourteen days and so many pools.
func made(pools int, seeds ...uint64) Report {
	r := Report{
		Workload: lab.Workload{Kind: lab.Steady, Least: 20, Most: 20}, Rule: "balanced", Seeds: seeds, World: World{Name: "us-east-1", From: began(), Until: began().Add(14 * day), Notice: 2 * time.Minute},
		Data:      []Source{{Kind: "prices", Name: "prices.csv.gz", Digest: strings.Repeat("0123456789abcdef", 4), Skipped: []Skip{{Why: "an unknown type", Rows: 3, First: 17}}}},
		Hindsight: "a bound.", Notes: []string{"A note."},
	}
	var runs [][]lab.Outcome
	var best []lab.Outcome
	for _, seed := range seeds {
		runs = append(runs, outcomes(int64(seed)))
		best = append(best, runs[len(runs)-1][4])
	}
	r.Policies = Compare(runs, best)
	for n := range pools {
		p := Pool{Type: fmt.Sprintf("m%d.large", 5+n/3), Zone: "us-east-1" + string(rune('a'+n%3)), OnDemand: 96_000}
		for h := range 14 * 6 {
			wave := 8_000 * math.Sin(float64(h)/9+float64(n))
			p.Prices = append(p.Prices, world.Change{At: began().Add(time.Duration(4*h) * time.Hour), Price: money.Price(35_000 + 500*float64(n) + wave)})
		}
		if n == 0 {
			p.Downs = []world.Span{{From: began().Add(3 * day), Until: began().Add(4 * day)}}
		}
		r.Pools = append(r.Pools, p)
	}
	return r
}

func tableOf(t *testing.T, r Report, wide bool) string {
	t.Helper()
	var out strings.Builder
	if err := r.Table(&out, wide); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTheTableTellsTheEvidenceTheFiguresAndTheData(t *testing.T) {
	const want = `Drawn losses: the prices were recorded on a real cloud, but what could be had and what was lost is drawn by the simulated cloud's rules.
steady:20 for 14 days from 2021-03-02 to 2021-03-16, in 9 pools of us-east-1, seed 1.

POLICY                    COST     ×HINDSIGHT  OF-ON-DEMAND  INTERRUPTIONS/1000H  SHORT-HOURS     MOVES  MOVES-SAVED  ON-DEMAND-SHARE
neap                      $200.10  1.058       40.0%         1.19 (6 + 2)         10.00 (0.149%)  2      $1.00        3.7%
lowest-price              $206.20  1.090       41.2%         8.00 (41 + 13)       10.00 (0.149%)  13     $6.50        3.7%
price-capacity-optimized  $203.90  1.078       40.8%         2.37 (12 + 4)        10.00 (0.149%)  4      $2.00        3.7%
on-demand                 $500.00  2.644       100.0%        0.00 (0 + 0)         10.00 (0.149%)  0      $0.00        3.7%
hindsight                 $189.10  1.000       37.8%         -                    -               -      -            -

Data: prices from prices.csv.gz (SHA-256 0123456789ab…); skipped 3 rows, the first in line 17: an unknown type.
Hindsight: a bound.
A note.
`
	if got := tableOf(t, made(9, 1), false); got != want {
		t.Errorf("got\n%s", got)
	}
	wide := tableOf(t, made(9, 1, 2, 3), true)
	for _, wanted := range []string{"HOURS-SERVED", "means over 3 seeds ±", "$200.70 ± $1.49"} {
		if !strings.Contains(wide, wanted) {
			t.Errorf("%q is missing in\n%s", wanted, wide)
		}
	}
}

func TestJobsAreToldWithTheirDeadlines(t *testing.T) {
	r := made(1, 1)
	o := outcome(lab.PolicyNeap, 100, 3)
	o.Jobs, o.Missed = 10, 1
	r.Workload = lab.Workload{Kind: lab.Deadline, Work: 24 * time.Hour, Within: 36 * time.Hour}
	r.Policies = Compare([][]lab.Outcome{{o}}, []lab.Outcome{bound(90)})
	if text := tableOf(t, r, false); !strings.Contains(text, "DEADLINES-MISSED") || !strings.Contains(text, "1 of 10") || strings.Contains(text, "MOVES") {
		t.Error(text)
	}
}

func TestEveryWorldSaysWhatItsFiguresAreWorth(t *testing.T) {
	for want, w := range map[string]World{
		"Simulated: the recording that Neap ships": {Shipped: true, Simulated: true, Recorded: true},
		"Simulated: the data say":                  {Simulated: true},
		"Recorded: ":                               {Recorded: true},
		"Drawn losses: ":                           {},
	} {
		r := made(1, 1)
		r.World.Shipped, r.World.Simulated, r.World.Recorded = w.Shipped, w.Simulated, w.Recorded
		if text := tableOf(t, r, false); !strings.HasPrefix(text, want) {
			t.Errorf("%+v: %s", w, text)
		}
		if page := pageOf(t, r); !strings.Contains(page, "<h1>Replay of steady:20 <span>("+w.Kind()+")</span></h1>") {
			t.Errorf("%+v: the page's heading does not say %q", w, w.Kind())
		}
	}
}

func TestJSONHasEveryPromisedNumber(t *testing.T) {
	for _, seeds := range [][]uint64{{1}, {1, 2, 3}} {
		raw, err := made(9, seeds...).JSON()
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Policies           []map[string]any
			Workload, World    string
			Recorded, Simulted *bool
			Seeds              int
			Skipped            int `json:"skipped_rows"`
			Span               struct{ From, To time.Time }
			Data               []struct {
				Name, SHA256 string
				Skipped      []map[string]any
			}
		}
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		if len(got.Policies) != 5 || got.Workload != "steady:20" || got.World != "us-east-1" || got.Recorded == nil || got.Seeds != len(seeds) || got.Skipped != 3 || len(got.Data) != 1 || len(got.Data[0].SHA256) != 64 || got.Span.To.Sub(got.Span.From) != 14*day {
			t.Errorf("%s", raw)
		}
		for _, p := range got.Policies {
			for _, name := range []string{"cost", "cost_over_hindsight", "interruptions", "moves", "short_capacity_hours", "capacity_hours", "deadline_misses"} {
				if _, is := p[name].(float64); !is {
					t.Errorf("%v: %s is %v, no number", p["policy"], name, p[name])
				}
			}
			if _, has := p["intervals"]; has != (len(seeds) > 1) {
				t.Errorf("intervals with %d seeds: %t", len(seeds), has)
			}
			unknown := p["unknown"].([]any)
			if isBound := p["policy"] == lab.PolicyHindsight; p["bound"] != isBound || slices.Contains(unknown, any("interruptions")) != isBound {
				t.Errorf("%v", p)
			}
		}
		if cost := got.Policies[0]["cost"]; len(seeds) == 1 && cost != 200.1 {
			t.Errorf("cost is %v", cost)
		}
	}
}

func TestCSVHasTheSameFigures(t *testing.T) {
	for _, seeds := range [][]uint64{{1}, {1, 2}} {
		var out strings.Builder
		if err := made(9, seeds...).CSV(&out); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
		if err != nil || len(lines) != 6 {
			t.Fatalf("%v\n%s", err, out.String())
		}
		at := func(name string) int { return slices.Index(lines[0], name) }
		if lines[1][0] != "neap" || lines[5][at("cost_over_hindsight")] != "1" || lines[5][at("interruptions")] != "" || lines[1][at("simulated")] != "false" {
			t.Error(out.String())
		}
		if len(seeds) == 1 && (lines[1][at("cost")] != "200.1" || at("cost_low") >= 0) || len(seeds) == 2 && lines[1][at("cost_low")] >= lines[1][at("cost")] {
			t.Error(out.String())
		}
	}
}

func pageOf(t *testing.T, r Report) string {
	t.Helper()
	var out strings.Builder
	if err := r.Page(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestThePageNeedsNothingFromElsewhereAndRunsNothing(t *testing.T) {
	text := pageOf(t, made(40, 1))
	if found := regexp.MustCompile(`(?i)<script|<link|<img|<iframe|https?:|url\(|@import| on[a-z]+=|NaN|Inf\b|ZgotmplZ`).FindString(text); found != "" {
		t.Errorf("the page has %q", found)
	}
	if !strings.Contains(text, "default-src 'none'") {
		t.Error("the page forbids nothing")
	}
}

func TestThePageIsWellFormedAndEveryChartSaysWhatItShows(t *testing.T) {
	for _, seeds := range [][]uint64{{1}, {1, 2, 3}} {
		text := pageOf(t, made(40, seeds...))
		reader := xml.NewDecoder(strings.NewReader(regexp.MustCompile(`(<(?:meta |br)[^>]*)>`).ReplaceAllString(text, "$1/>")))
		reader.Entity = xml.HTMLEntity
		ids := map[string]bool{}
		charts, titled := 0, 0
		for {
			token, err := reader.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			start, is := token.(xml.StartElement)
			if !is {
				continue
			}
			for _, a := range start.Attr {
				if a.Name.Local == "id" {
					if ids[a.Value] {
						t.Errorf("two elements are called %s", a.Value)
					}
					ids[a.Value] = true
				}
				if a.Name.Local == "role" && a.Value == "img" {
					charts++
				}
				if a.Name.Local == "aria-labelledby" {
					titled++
				}
			}
		}
		// One scatter, four policies with a timeline, twelve pools and the others.
		if charts != 1+4+12+1 || titled != charts || len(ids) != 2*charts {
			t.Errorf("%d charts, %d with a title, %d ids", charts, titled, len(ids))
		}
	}
}

func TestNamesCannotBreakOutOfThePage(t *testing.T) {
	const nasty = `"><script>alert(1)</script>{{.}}`
	r := made(2, 1)
	r.World.Name, r.Hindsight, r.Rule, r.Data[0].Name, r.Data[0].Skipped[0].Why, r.Pools[0].Type, r.Pools[1].Zone = nasty, nasty, nasty, nasty, nasty, nasty, nasty
	for i := range r.Policies {
		r.Policies[i].Name = nasty
	}
	if text := pageOf(t, r); strings.Contains(text, "<script") || strings.Count(text, "&lt;script&gt;") < 15 {
		t.Errorf("%d times escaped", strings.Count(text, "&lt;script&gt;"))
	}
}

func TestThePageOfAThousandPoolsStaysSmall(t *testing.T) {
	r := made(1000, 1, 2)
	for i := range r.Pools {
		for h := range 14 * 24 * 3 {
			at := began().Add(time.Duration(20*h) * time.Minute)
			r.Pools[i].Downs = append(r.Pools[i].Downs, world.Span{From: at, Until: at.Add(10 * time.Minute)})
		}
	}
	for i := range 3 {
		more := outcomes(int64(i))
		r.Policies = append(r.Policies, Compare([][]lab.Outcome{more[:1], more[:1]}, more[3:])...)
	}
	if size := len(pageOf(t, r)); size > 400_000 {
		t.Errorf("%d bytes", size)
	}
}

func TestAReportOfNothingStillMakesAPage(t *testing.T) {
	r := made(0, 1)
	r.Policies = Compare([][]lab.Outcome{{{Policy: lab.PolicyNeap}}}, []lab.Outcome{{}})
	if text := pageOf(t, r); !strings.Contains(text, "<td") || strings.Contains(text, "NaN") {
		t.Error(text)
	}
	if text := tableOf(t, r, true); strings.Contains(text, "NaN") {
		t.Error(text)
	}
}

func TestDecimatingKeepsTheWorstMoments(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		samples := make([]lab.Sample, rapid.IntRange(2, 3000).Draw(r, "samples"))
		for i := range samples {
			samples[i] = lab.Sample{At: began().Add(time.Duration(i) * time.Minute), Target: 20, Serving: 20}
		}
		at, missing := rapid.IntRange(0, len(samples)-1).Draw(r, "at"), rapid.IntRange(1, 20).Draw(r, "missing")
		samples[at].Serving -= missing
		kept := worst(samples, 100)
		if len(kept) > 100 && len(kept) != len(samples) {
			r.Fatalf("%d kept of %d", len(kept), len(samples))
		}
		lowest := slices.MinFunc(kept, func(a, b lab.Sample) int { return a.Serving - b.Serving })
		if lowest.Serving != 20-missing {
			r.Fatalf("%d served at the worst moment kept, %d were missing", lowest.Serving, missing)
		}
	})
}

// Whatever policies there are, no name covers another, unless there is no room at all.
func TestNamesInTheScatterDoNotCoverEachOther(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var all []lab.Outcome
		for i, name := range []string{lab.PolicyNeap, lab.PolicyLowestPrice, lab.PolicyCapacityOptimized, lab.PolicyPriceCapacityOptimized, lab.PolicyAutoSpotting, lab.PolicyOnDemand} {
			all = append(all, outcome(name, rapid.Int64Range(18_000, 50_000).Draw(r, fmt.Sprint("cents", i)), rapid.IntRange(0, 40).Draw(r, fmt.Sprint("forced", i))))
		}
		report := made(1, 1)
		report.Policies = Compare([][]lab.Outcome{append(all, bound(17_000))}, []lab.Outcome{bound(17_000)})
		c, drawn := report.scatter()
		if !drawn {
			r.Fatal("no chart")
		}
		var names []box
		for _, m := range c.Marks {
			if m.Class != "name" {
				continue
			}
			wide := 7.3 * float64(len([]rune(m.Text)))
			left := m.X - map[string]float64{"start": 0, "middle": wide / 2, "end": wide}[m.Anchor]
			at := box{left, m.Y - 12, left + wide, m.Y + 3}
			if at.left < -20 || at.right > c.Width+20 {
				r.Fatalf("%q is outside", m.Text)
			}
			if crowded(at, names, box{0, 0, c.Width, c.Height}) > 1 {
				r.Fatalf("%q covers another name", m.Text)
			}
			names = append(names, at)
		}
	})
}

func TestMeansHaveIntervals(t *testing.T) {
	// By hand: mean 3, deviation 1.5811, t = 2.776: 3 ± 1.963.
	v := mean([]float64{1, 2, 3, 4, 5})
	if v.Mean != 3 || math.Abs(v.half()-1.963) > 0.001 {
		t.Errorf("%+v", v)
	}
	if v := mean([]float64{7}); v != (Value{7, 7, 7}) {
		t.Errorf("%+v", v)
	}
	for n := 1; n < 200; n++ {
		if student(n+1) > student(n) {
			t.Errorf("student grows at %d", n)
		}
	}
}

func TestShadesThatCannotBeToldApartBecomeOne(t *testing.T) {
	at := func(minute int) time.Time { return began().Add(time.Duration(minute) * time.Minute) }
	b, x := box{0, 0, 100, 10}, scale{float64(at(0).Unix()), float64(at(1000).Unix()), 0, 100}
	for want, downs := range map[string][]world.Span{
		"":                                 nil,
		"M10 0H20V10H10Z":                  {{From: at(100), Until: at(200)}},
		"M10 0H20V10H10ZM50 0H50.5V10H50Z": {{From: at(100), Until: at(150)}, {From: at(152), Until: at(200)}, {From: at(500), Until: at(501)}},
		"M0 0H20V10H0Z":                    {{From: at(-100), Until: at(200)}},
	} {
		if got := shades(downs, x, b); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestDownsAreWhatLiesBetweenSpells(t *testing.T) {
	at := func(hour int) time.Time { return began().Add(time.Duration(hour) * time.Hour) }
	spells := world.Spells{Ups: []world.Span{{From: at(-5), Until: at(2)}, {From: at(4), Until: at(6)}, {From: at(20), Until: at(22)}}}
	want := []world.Span{{From: at(2), Until: at(4)}, {From: at(6), Until: at(10)}}
	if got := Downs(spells, world.Span{From: at(0), Until: at(10)}); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got := Downs(world.Spells{}, world.Span{From: at(0), Until: at(10)}); len(got) != 1 {
		t.Errorf("%v", got)
	}
}
