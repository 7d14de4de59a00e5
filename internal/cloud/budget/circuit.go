package budget

import (
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

// Position is how a circuit stands.
type Position string

// The positions of a circuit.
const (
	Closed Position = "closed" // calls are made
	Open   Position = "open"   // calls fail at once
	Trying Position = "trying" // one call finds out whether the cloud answers again
)

// circuit keeps calls from a region that does not answer. Notices have their own service at most clouds: they neither open nor close it, but
// are still looked for while it is open, one call at a time, and an answer to one makes the next trial due at once.
type circuit struct {
	failures  int           // in a row
	openFor   time.Duration // 0 = closed
	since     time.Time     // when it was opened last
	isTrying  bool
	isLooking bool // for notices, although it is open
}

// verdict is what a circuit says to a call.
type verdict int

const (
	pass verdict = iota
	trial
	look // for notices
	refuse
)

func (c *circuit) admit(now time.Time, p Priority) verdict {
	if now.Before(c.since) {
		c.since = now // the clock went back
	}
	switch {
	case c.openFor == 0:
		return pass
	case p == Notices && !c.isLooking:
		return look
	case p != Notices && !c.isTrying && now.Sub(c.since) >= c.openFor:
		return trial
	}
	return refuse
}

// begin notes that an admitted call is made.
func (c *circuit) begin(v verdict) {
	c.isTrying = c.isTrying || v == trial
	c.isLooking = c.isLooking || v == look
}

// end takes in how a call went. A call that its caller ended early says nothing.
func (c *circuit) end(now time.Time, v verdict, p Priority, how result) {
	switch v {
	case trial:
		c.isTrying = false
	case look:
		c.isLooking = false
	}
	switch {
	case how == unknown:
	case p == Notices:
		if how == answered && c.openFor > 0 {
			c.since = now.Add(-c.openFor)
		}
	case how == answered:
		c.failures, c.openFor = 0, 0
	case v == trial:
		c.since, c.openFor = now, min(2*c.openFor, openLongest)
	case c.openFor == 0:
		if c.failures++; c.failures >= failuresOpen {
			c.since, c.openFor = now, openFirst
		}
	}
}

func (c *circuit) position() Position {
	switch {
	case c.openFor == 0:
		return Closed
	case c.isTrying:
		return Trying
	}
	return Open
}

func (c *circuit) opensAt() time.Time {
	if c.openFor == 0 {
		return time.Time{}
	}
	return c.since.Add(c.openFor)
}

// refusal is what a call is told instead of being made.
func (c *circuit) refusal(key placeKey) error {
	return fault.Of(fault.Unavailable, "cloud", "The cloud has not answered for account %s in %s; it is asked again at %s.",
		key.account, key.region, c.opensAt().UTC().Format(time.TimeOnly))
}
