package sim

import (
	"slices"

	"github.com/neap-cloud/neap/internal/cloud"
)

// fate is what will become of an instance if nobody interferes. It is drawn at launch and written down with it.
type fate struct {
	running instant
	ok      instant
	notice  instant // when its interruption is announced, or never
	ends    instant
	gone    instant   // shutting-down is over
	signals []instant // rebalance recommendations
}

const (
	// horizon is how far ahead fates are drawn; what is not interrupted by then never is.
	horizon = 3 * 365 * day
	// lossSpread is the mean delay of a loss after its pool's reclaim began (exponential), lossMost the longest.
	lossSpread = minute
	lossMost   = 10 * minute
	// announced is the share of interruptions that a rebalance recommendation precedes, by 2–20 minutes.
	announced = 0.6
	// falseAlarms is how many pool alarms without a loss there are for each reclaim.
	falseAlarms = 0.5
)

// fateOf draws the fate of the instance whose own dice are given. On-demand instances are never interrupted.
func (p pool) fateOf(own dice, lifecycle cloud.Lifecycle, tuning Tuning, launched instant) fate {
	d := own.on("fate")
	f := fate{notice: never, ends: never, gone: never}
	f.running = launched + tuning.Boot.draw(&d)
	f.ok = f.running + tuning.Checks.draw(&d)
	if lifecycle != cloud.Spot {
		return f
	}
	if hit, ok := p.firstHit("reclaim", own, launched); ok {
		f.notice = hit + min(lossMost, d.exponential(lossSpread))
		f.ends = f.notice + span(noticeTime)
		f.gone = f.ends + tuning.End.draw(&d)
		if signal := f.notice - d.between(2*minute, 20*minute); d.chance(announced) && signal > f.running {
			f.signals = append(f.signals, signal)
		}
	}
	if alarm, ok := p.firstHit("alarm", own, launched); ok && alarm < f.notice {
		f.signals = append(f.signals, alarm)
	}
	return f
}

// firstHit is the first moment of that kind in the pool after launch that strikes this instance.
func (p pool) firstHit(kind string, own dice, launched instant) (instant, bool) {
	for from := launched; from < launched+horizon; from += reclaimWindow {
		moments := p.reclaims(kind, from, from+reclaimWindow)
		slices.Sort(moments)
		for _, moment := range moments {
			if strike := own.on(kind).at(int64(moment)); strike.chance(hitShare) {
				return moment, true
			}
		}
	}
	return 0, false
}
