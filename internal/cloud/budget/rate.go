package budget

import "time"

// Class is a kind of call that clouds count by itself.
type Class string

// The classes are the calls of cloud.Provider and its abilities.
const (
	Launch      Class = "Launch"
	Describe    Class = "Describe"
	Terminate   Class = "Terminate"
	Check       Class = "Check"
	Notice      Class = "Notices"
	Acknowledge Class = "Acknowledge"
	Prices      Class = "Prices"
	Interrupt   Class = "Interrupt"
	Tag         Class = "Tag"
	Stop        Class = "Stop"
	Start       Class = "Start"
	Reboot      Class = "Reboot"
	Modify      Class = "Modify"
	Console     Class = "ConsoleOutput"
)

// rate is a cloud's own limit for an account in a region: a bucket of requests that refills steadily.
type rate struct{ burst, perSecond float64 }

// kept is the part of a cloud's limit that Neap uses. The rest is for people and tools on the same account, and for clocks that differ.
const kept = 0.95

// limits are the clouds' own limits; a class without one is not limited. EC2's are the published defaults, where Describe calls and Check
// (a dry run) share no bucket with others here; an account may have been given more.
var limits = map[string]map[Class]rate{
	"sim": {
		Launch: {100, 10}, Terminate: {200, 20}, Describe: {500, 50}, Check: {500, 50}, Prices: {100, 5}, Tag: {200, 20},
		Interrupt: {100, 10}, Stop: {200, 20}, Start: {200, 20}, Reboot: {200, 20},
		Modify: {200, 20}, Console: {200, 20},
	},
	"aws": {
		Launch: {5, 2}, Terminate: {100, 5}, Describe: {100, 20}, Check: {50, 10}, Prices: {50, 10}, Tag: {100, 10},
		Interrupt: {50, 5}, Stop: {5, 2}, Start: {5, 2}, Reboot: {50, 5},
		Modify: {50, 5}, Console: {50, 5},
	},
}

// How a throttled class recovers.
const (
	drainedFor   = time.Second             // refusals within this time count as one: the calls were under way together
	slowest      = 1.0 / 16                // of its rate, at least
	recoveryPart = 0.05                    // of its rate comes back …
	recoveryStep = 5 * time.Second         // … every so often
	oldestTurn   = 8                       // one call in so many goes to whoever has waited longest
	callLimit    = 10 * time.Second        // wall time that a cloud has for an answer …
	listLimit    = time.Minute             // … and for a listing, which may have very many pages
	gatherFor    = 20 * time.Millisecond   // wall time between two merged calls of a class
	gatherMost   = 200                     // ids in one merged call
	mostAtOnce   = 16                      // calls in flight per account and region …
	forNotices   = 2                       // … of which so many are kept for notices
	mostLaunches = 8                       // launches in flight per account and region
	failuresOpen = 5                       // failures in a row that open the circuit
	openFirst    = 5 * time.Second         // how long it stays open at first …
	openLongest  = time.Minute             // … and at most, doubling with every failed trial
	wellAfter    = 1500 * time.Millisecond // a caller who gave up later than this waited long enough to count as a failure
)

// bucket is this process's budget for one class of calls. A bucket whose rate is zero never runs dry.
type bucket struct {
	rate
	left      float64
	at        time.Time // when left was right
	part      float64   // of the rate that a throttling cloud has left us; 1 = all
	throttled time.Time
	grants    int
}

// refill brings the bucket up to a moment. A clock that went back gives nothing.
func (b *bucket) refill(now time.Time, share float64) {
	if b.rate == (rate{}) {
		return
	}
	passed := max(0, now.Sub(b.at)).Seconds()
	b.part = min(1, b.part+recoveryPart*passed/recoveryStep.Seconds())
	b.left = min(b.size(share), b.left+passed*b.speed(share))
	b.at = now
}

func (b *bucket) size(share float64) float64  { return max(1, b.burst*kept*share*b.part) }
func (b *bucket) speed(share float64) float64 { return b.perSecond * kept * share * b.part }

// has reports whether a call may be made.
func (b *bucket) has() bool { return b.rate == (rate{}) || b.left >= 1 }

func (b *bucket) take() {
	b.grants++
	if b.rate != (rate{}) {
		b.left--
	}
}

// wait is how long it takes until the bucket has a call; 0 when it has one.
func (b *bucket) wait(share float64) time.Duration {
	if b.has() {
		return 0
	}
	return time.Duration((1-b.left)/b.speed(share)*float64(time.Second)) + time.Microsecond
}

// throttle is the cloud's word that our count is wrong, or that others use the account too: the bucket is drained and its rate halved.
func (b *bucket) throttle(now time.Time) {
	b.left = min(b.left, 0)
	if now.Sub(b.throttled).Abs() < drainedFor {
		return
	}
	b.throttled, b.part = now, max(slowest, b.part/2)
}
