package protocol

import (
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// Seconds are whole, of one thing or of many together: a year of many thousand instances is more than a time.Duration holds.
type Seconds int64

// Hours is the same in hours.
func (s Seconds) Hours() float64 { return float64(s) / 3600 }

// SecondsOf are the whole seconds of a duration.
func SecondsOf(d time.Duration) Seconds { return Seconds(d / time.Second) }

// Block is what the measured part of one group's block came to.
type Block struct {
	Cost          money.Amount // metered, at the prices that were paid
	OnDemand      money.Amount // the same seconds at the list price
	Running       Seconds      // metered, of all instances together
	Spot          Seconds      // of Running
	Own           Seconds      // of Running: instances that were bought while the block's own policy held
	Fresh         Seconds      // of Running: instances that were bought within the block
	Served        Seconds      // units of capacity × seconds in service, never more units than were wanted
	Covered       Seconds      // while anything was in service
	Interruptions int          // by the cloud
	Moves         int          // instances launched to take another's place of our own wish
	LeftOut       string       `json:",omitempty"` // why it cannot be measured, as a sentence
}

// Stay is a time during which something was in service.
type Stay struct {
	Units    int
	From, To time.Time
}

// Wanted is how many units a group was to have from a time on.
type Wanted struct {
	Since time.Time
	Units int
}

// Serve fills in what was served from … to: at each moment the units in service, at most as many as were wanted. wanted is in order of time; what is before
// its first is wanted without limit.
func (b *Block) Serve(stays []Stay, wanted []Wanted, from, to time.Time) {
	type step struct {
		at    time.Time
		units int // that join, or leave
		limit int // from now on; -1 = as before
	}
	var steps []step
	for _, s := range stays {
		begin, end := later(s.From, from), earlier(s.To, to)
		if begin.Before(end) {
			steps = append(steps, step{begin, s.Units, -1}, step{end, -s.Units, -1})
		}
	}
	limit := int(^uint(0) >> 1)
	for _, w := range wanted {
		if !w.Since.After(from) {
			limit = w.Units
		} else if w.Since.Before(to) {
			steps = append(steps, step{w.Since, 0, w.Units})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return a.at.Compare(b.at) })
	units, at := 0, from
	for _, s := range append(steps, step{to, 0, -1}) {
		passed := Seconds(s.at.Unix() - at.Unix())
		b.Served += passed * Seconds(min(units, limit))
		if units > 0 {
			b.Covered += passed
		}
		units, at = units+s.units, s.at
		if s.limit >= 0 {
			limit = s.limit
		}
	}
}

// add counts another one in.
func (b *Block) add(o Block) {
	b.Cost += o.Cost
	b.OnDemand += o.OnDemand
	b.Running += o.Running
	b.Spot += o.Spot
	b.Own += o.Own
	b.Fresh += o.Fresh
	b.Served += o.Served
	b.Covered += o.Covered
	b.Interruptions += o.Interruptions
	b.Moves += o.Moves
}

// UnitCost is dollars per served capacity hour.
func (b Block) UnitCost() float64 {
	if b.Served <= 0 {
		return 0
	}
	return b.Cost.Dollars() / b.Served.Hours()
}

// Rate is interruptions per 1,000 instance hours.
func (b Block) Rate() float64 {
	if b.Running <= 0 {
		return 0
	}
	return 1000 * float64(b.Interruptions) / b.Running.Hours()
}

// objection is why a block does not count, "" when it does. part is how long it was measured.
func (b Block) objection(part Seconds) string {
	switch {
	case b.LeftOut != "":
		return b.LeftOut
	case 2*b.Covered < part || b.Served <= 0 || b.Cost <= 0:
		return "nothing was in service for half of the measured time or longer"
	}
	return ""
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
