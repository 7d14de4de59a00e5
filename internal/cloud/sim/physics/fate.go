package physics

import (
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

// Pace is how fast a cloud does what it does to instances.
type Pace struct {
	Boot   Span          // pending → running
	Checks Span          // running → status ok
	End    Span          // shutting-down → terminated, and stopping → stopped
	Notice time.Duration // before an interruption
}

// Fate is what will become of an instance if nobody interferes.
type Fate struct {
	Running Instant
	OK      Instant
	Notice  Instant // when its interruption is announced, or Never
	Ends    Instant
	Gone    Instant   // shutting-down is over
	Signals []Instant // rebalance recommendations
}

const (
	// horizon is how far ahead fates are drawn; what is not interrupted by then never is.
	horizon = 3 * 365 * Day
	// lossSpread is the mean delay of a loss after its pool's reclaim began (exponential), lossMost the longest.
	lossSpread = Minute
	lossMost   = 10 * Minute
	// announced is the share of interruptions that a rebalance recommendation precedes, by 2–20 minutes.
	announced = 0.6
	// falseAlarms is how many pool alarms without a loss there are for each reclaim.
	falseAlarms = 0.5
)

// Delay draws how long after the beginning of its pool's reclaim an instance is told.
func Delay(d *Dice) Instant { return min(lossMost, d.exponential(lossSpread)) }

// FateOf draws the fate of the instance whose own dice are given. On-demand instances are never interrupted.
func (p Pool) FateOf(own Dice, lifecycle cloud.Lifecycle, pace Pace, launched Instant) Fate {
	d := own.On("fate")
	f := Fate{Notice: Never, Ends: Never, Gone: Never}
	f.Running = launched + pace.Boot.Draw(&d)
	f.OK = f.Running + pace.Checks.Draw(&d)
	if lifecycle != cloud.Spot {
		return f
	}
	if hit, ok := p.firstHit("reclaim", own, launched); ok {
		f.Notice = hit + Delay(&d)
		f.Ends = f.Notice + Lasting(pace.Notice)
		f.Gone = f.Ends + pace.End.Draw(&d)
		if signal := f.Notice - d.Between(2*Minute, 20*Minute); d.Chance(announced) && signal > f.Running {
			f.Signals = append(f.Signals, signal)
		}
	}
	if alarm, ok := p.firstHit("alarm", own, launched); ok && alarm < f.Notice {
		f.Signals = append(f.Signals, alarm)
	}
	return f
}

// firstHit is the first moment of that kind in the pool after launch that strikes this instance.
func (p Pool) firstHit(kind string, own Dice, launched Instant) (Instant, bool) {
	for from := launched; from < launched+horizon; from += reclaimWindow {
		moments := p.reclaims(kind, from, from+reclaimWindow)
		slices.Sort(moments)
		for _, moment := range moments {
			if strike := own.On(kind).At(int64(moment)); strike.Chance(hitShare) {
				return moment, true
			}
		}
	}
	return 0, false
}
