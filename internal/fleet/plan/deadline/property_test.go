package deadline

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/money"
)

// adversary is a market that does what it likes: pools open, shut and change their price at every look, instances are lost whenever it hurts, and the news of it
// come as late as they may.
type adversary struct {
	t      *rapid.T
	job    Job
	market Market
	at     Where
	works  time.Time // when the instance does
	paid   time.Duration
	starts int
	undone time.Duration // work that was lost
}

// TestNoMarketMakesAJobLateThatOnDemandCouldHaveDone is the promise of the package.
func TestNoMarketMakesAJobLateThatOnDemandCouldHaveDone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := draw(t)
		now := begin
		for a.job.Left > 0 {
			now = a.step(now)
		}
		if now.After(a.job.Until) {
			t.Fatalf("done %s late", now.Sub(a.job.Until))
		}
		if most := a.job.Work + a.undone + time.Duration(a.starts)*a.job.Restart; a.paid > most {
			t.Fatalf("%s were paid for, and %s would have been enough for the work and %d starts", a.paid, most, a.starts)
		}
		if d := Decide(a.job, a.at, a.market, now); d.Kind != Wait {
			t.Fatalf("the work is done, and it says %q", d.Because)
		}
	})
}

func draw(t *rapid.T) *adversary {
	minutes := func(least, most int, what string) time.Duration {
		return time.Duration(rapid.IntRange(least, most).Draw(t, what)) * time.Minute
	}
	a := &adversary{t: t, at: Where{Kind: Wait}}
	a.job = Job{Work: minutes(1, 600, "work"), Restart: minutes(0, 40, "restart"), Began: begin, Checkpoint: rapid.Bool().Draw(t, "checkpoint")}
	a.job.Left = a.job.Work
	a.job.Until = begin.Add(a.job.Work + a.job.Restart + minutes(0, 1500, "slack"))
	a.market = Market{OnDemand: 1_000_000, Every: minutes(1, 15, "every"), Pools: make([]Pool, rapid.IntRange(0, 3).Draw(t, "pools"))}
	return a
}

// step goes from one decision to the next.
func (a *adversary) step(now time.Time) time.Time {
	a.change(now)
	d := Decide(a.job, a.at, a.market, now)
	switch {
	case d.Kind == Spot && d.Where != a.at && !a.market.Pools[d.Pool].Open:
		a.t.Fatal("it starts in a pool that is shut")
	case d.Where != a.at:
		a.forget()
		a.at, a.works = d.Where, now.Add(a.job.Restart)
		if a.at.Kind != Wait {
			a.starts++
		}
	}
	passes := time.Duration(rapid.Int64Range(1, int64(a.market.Every/time.Second)).Draw(a.t, "passes")) * time.Second
	switch {
	case a.at.Kind == Spot && rapid.IntRange(0, 3).Draw(a.t, "lost") == 0:
		lost := rapid.SampledFrom([]time.Time{now, now.Add(passes), a.works, a.works.Add(a.job.Left - time.Second)}).Draw(a.t, "when")
		if lost.Before(now) || lost.After(now.Add(passes)) {
			break
		}
		if until := a.work(now, lost); a.job.Left == 0 {
			return until // just in time
		}
		a.at = Where{Kind: Wait}
		a.forget()
		return lost.Add(a.market.Every) // the news come late
	case a.at.Kind == Wait && d.Next.IsZero():
		a.t.Fatalf("it waits for ever: %q", d.Because)
	}
	return a.work(now, now.Add(passes))
}

// change draws the market anew.
func (a *adversary) change(now time.Time) {
	for n := range a.market.Pools {
		p := &a.market.Pools[n]
		is := rapid.Bool().Draw(a.t, "open")
		if is != p.Open {
			p.Open, p.Since = is, now
		}
		p.Price = money.Price(rapid.Int64Range(1, 3_000_000).Draw(a.t, "price"))
		p.Hazard = rapid.SampledFrom([]float64{0, 0.001, 10}).Draw(a.t, "hazard")
	}
	a.market.History = History{Open: time.Duration(rapid.IntRange(0, 1000).Draw(a.t, "seen")) * time.Hour, Losses: rapid.IntRange(0, 1000).Draw(a.t, "losses")}
}

// work lets the instance run, and tells until when it did: less if the work is done before.
func (a *adversary) work(from, until time.Time) time.Time {
	if a.at.Kind == Wait {
		return until
	}
	start := from
	if a.works.After(start) {
		start = a.works
	}
	if done := start.Add(a.job.Left); done.Before(until) {
		until = done
	}
	a.paid += until.Sub(from)
	if did := until.Sub(start); did > 0 {
		a.job.Left -= did
		if !a.job.Checkpoint {
			a.job.Unsaved += did
		}
	}
	return until
}

// forget undoes what was not saved.
func (a *adversary) forget() {
	a.undone += a.job.Unsaved
	a.job.Left, a.job.Unsaved = a.job.Left+a.job.Unsaved, 0
}
