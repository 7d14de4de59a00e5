package sim

import (
	"time"

	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// Tuning is how the world behaves towards its callers. docs/sim.md says why the usual figures are what they are.
type Tuning struct {
	Boot            physics.Span  // pending → running
	Checks          physics.Span  // running → status ok
	End             physics.Span  // shutting-down → terminated, and stopping → stopped
	Settle          time.Duration // a read may be up to this old
	StaleReads      float64       // share of reads of an instance that are old
	NoticesTwice    float64       // share of notices that come again under another id
	NoticesLate     float64       // share of notices that come 5–20 s late
	Remember        time.Duration // how long Describe still lists what has ended
	QuotaVCPUs      int           // living vCPUs per account, region, quota class and lifecycle
	SubnetAddresses int           // living instances per subnet
	Rates           map[Call]Rate // requests per account, region and call; a call without one is unlimited
}

// Rate is a bucket of requests that refills steadily.
type Rate struct{ Burst, PerSecond float64 }

// Call names one call of the provider.
type Call string

const (
	LaunchCall      Call = "Launch"
	DescribeCall    Call = "Describe"
	TerminateCall   Call = "Terminate"
	CheckCall       Call = "Check"
	NoticesCall     Call = "Notices"
	AcknowledgeCall Call = "Acknowledge"
	PricesCall      Call = "Prices"
	InterruptCall   Call = "Interrupt"
	TagCall         Call = "Tag"
	StopCall        Call = "Stop"
	StartCall       Call = "Start"
	RebootCall      Call = "Reboot"
	ModifyCall      Call = "Modify"
	ConsoleCall     Call = "ConsoleOutput"
)

// Usual is how the world behaves unless told otherwise: like EC2 in kind, with shorter boots and wider limits.
func Usual() Tuning {
	return Tuning{
		Boot:            physics.Span{Min: 2 * time.Second, Max: 5 * time.Second},
		Checks:          physics.Span{Min: 1 * time.Second, Max: 3 * time.Second},
		End:             physics.Span{Min: 1 * time.Second, Max: 3 * time.Second},
		Settle:          3 * time.Second,
		StaleReads:      0.1,
		NoticesTwice:    0.1,
		NoticesLate:     0.05,
		Remember:        time.Hour,
		QuotaVCPUs:      20_000,
		SubnetAddresses: 4_091, // a /20 without EC2's five reserved addresses
		Rates: map[Call]Rate{
			LaunchCall:    {Burst: 100, PerSecond: 10},
			TerminateCall: {Burst: 200, PerSecond: 20},
			DescribeCall:  {Burst: 500, PerSecond: 50},
			CheckCall:     {Burst: 500, PerSecond: 50},
			PricesCall:    {Burst: 100, PerSecond: 5},
			TagCall:       {Burst: 200, PerSecond: 20},
			InterruptCall: {Burst: 100, PerSecond: 10},
			StopCall:      {Burst: 200, PerSecond: 20},
			StartCall:     {Burst: 200, PerSecond: 20},
			RebootCall:    {Burst: 200, PerSecond: 20},
			ModifyCall:    {Burst: 200, PerSecond: 20},
			ConsoleCall:   {Burst: 200, PerSecond: 20},
		},
	}
}

// Tame is Usual without surprises: every read is fresh, notices come once and at once, and requests are unlimited. Pools still run dry
// and instances are still interrupted.
func Tame() Tuning {
	t := Usual()
	t.Settle, t.StaleReads, t.NoticesTwice, t.NoticesLate, t.Rates = 0, 0, 0, 0, nil
	return t
}

// pace is how fast instances come and go, given how long before its end one is told.
func (t Tuning) pace(notice time.Duration) physics.Pace {
	return physics.Pace{Boot: t.Boot, Checks: t.Checks, End: t.End, Notice: notice}
}
