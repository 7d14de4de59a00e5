package protocol

import (
	"fmt"
	"math"
)

// words says what an estimate means, and above all when it means nothing.
func words(p Protocol, e Estimate) string {
	against := p.Called(Baseline)
	switch {
	case e.Pairs == 0:
		return "Nothing to tell: no pair of blocks was measured."
	case !e.HasInterval:
		return "Not enough to tell: one pair of blocks shows no spread."
	case e.deviation == 0 && e.center == 0:
		return fmt.Sprintf("Not enough to tell: in all %d pairs there was no difference from %s at all.", e.Pairs, against)
	}
	evidence := fmt.Sprintf("95 %% interval, p = %s, %d pairs", chance(e.P), e.Pairs)
	if e.isClear() {
		return fmt.Sprintf("Under Neap's model there was %s than under %s (%s; %s).", e.Measure.amount(e.Difference), against, e.Measure.between(e.Low, e.High), evidence)
	}
	return fmt.Sprintf("Not enough to tell: Neap's model against %s lies anywhere between %s (%s). With this spread, a difference of less than %s would most likely stay unseen.",
		against, e.Measure.between(e.Low, e.High), evidence, e.Measure.size(e.Detectable))
}

// isClear holds an estimate to both tests: the interval leaves out zero, and chance alone would seldom do as much.
func (e Estimate) isClear() bool {
	return e.HasInterval && e.P <= 1-confidence && (e.Low > 0 || e.High < 0)
}

// amount is a difference with its direction: "4.2 % less cost per capacity hour".
func (m Measure) amount(x float64) string {
	if m == Cost {
		return m.size(x) + " " + direction(x, "less", "more") + " cost per capacity hour"
	}
	return m.size(x) + " " + direction(x, "fewer", "more") + " interruptions per 1,000 instance hours"
}

// between is an interval with its directions.
func (m Measure) between(low, high float64) string {
	less := "less"
	if m != Cost {
		less = "fewer"
	}
	ends := [2]float64{low, high}
	if low < 0 && high <= 0 {
		ends = [2]float64{high, low}
	}
	if direction(low, less, "more") == direction(high, less, "more") {
		return fmt.Sprintf("%s to %s %s", m.size(ends[0]), m.size(ends[1]), direction(low, less, "more"))
	}
	return fmt.Sprintf("%s %s and %s %s", m.size(low), less, m.size(high), "more")
}

func direction(x float64, less, more string) string {
	if x < 0 {
		return less
	}
	return more
}

func (m Measure) size(x float64) string {
	if m == Cost {
		return fmt.Sprintf("%.1f %%", 100*math.Abs(x))
	}
	return fmt.Sprintf("%.2f", math.Abs(x))
}

func chance(p float64) string {
	if p < 0.0005 {
		return "less than 0.001"
	}
	return fmt.Sprintf("%.3f", p)
}

func (o Outlook) words(m Measure) string {
	said := fmt.Sprintf("%d pairs of blocks. In %d pairs of the past, neighbouring blocks differed so much that a difference of %s or more would be shown in four cases of five; a smaller one would most likely stay unseen.",
		o.Pairs, o.Past, m.size(o.Detectable))
	if o.Past < FewestPairs {
		said = fmt.Sprintf("%d pairs of blocks. How small a difference they can show is not known: the past of these groups has only %d pairs of such blocks.", o.Pairs, o.Past)
	}
	if o.Past > 0 && o.Fresh < ownEnough {
		said += fmt.Sprintf(" Only %.0f %% of what ran was bought within the block that it ran in: as a switch moves nothing, the policies can differ in little more than that. Longer blocks let them differ in more.", 100*o.Fresh)
	}
	return said
}

const (
	ownEnough = 0.5 // of what ran was bought under the policy that is measured: below that, differences are mostly hidden
)

// caveats are what a reader has to know besides.
func caveats(p Protocol, r Result) (list []string) {
	for _, arm := range []Arm{Model, Baseline} {
		b := r.Arms[arm]
		if b.Running == 0 {
			continue
		}
		if own := float64(b.Own) / float64(b.Running); own < ownEnough {
			list = append(list, fmt.Sprintf("Under %s, only %.0f %% of the metered time was on instances bought while it held: the rest was bought before a switch. Differences between the policies look smaller than they are; longer blocks show more of them.",
				p.Called(arm), 100*own))
		}
	}
	out := 0
	for _, pair := range r.Pairs {
		if pair.LeftOut != "" {
			out++
		}
	}
	if out > 0 {
		list = append(list, fmt.Sprintf("%d of %d pairs do not count; the list of pairs says why.", out, len(r.Pairs)))
	}
	return list
}
