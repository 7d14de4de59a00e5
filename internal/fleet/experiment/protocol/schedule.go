package protocol

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan"
)

// Arm is the side that a block is on.
type Arm string

// The two sides of every experiment.
const (
	Model    Arm = "model"
	Baseline Arm = "baseline"
)

func (a Arm) other() Arm {
	if a == Model {
		return Baseline
	}
	return Model
}

// Schedule says which policy holds for a group at any time, from itself alone. Blocks follow each other without gaps; blocks 2k and 2k+1 are pair k, which
// has one of each arm in an order that the seed draws for each group and pair by itself.
type Schedule struct {
	Seed     uint64
	Baseline plan.Policy
	From     time.Time
	Every    time.Duration // of a block
	Washout  time.Duration // of each block, not measured
	Pairs    int           // of each group
}

// Blocks is how many each group has.
func (s Schedule) Blocks() int { return 2 * s.Pairs }

// Until is when the last block ends.
func (s Schedule) Until() time.Time { return s.Begin(s.Blocks()) }

// Begin is when a block begins.
func (s Schedule) Begin(block int) time.Time { return s.From.Add(time.Duration(block) * s.Every) }

// Measured is the part of a block that counts.
func (s Schedule) Measured(block int) (from, to time.Time) {
	return s.Begin(block).Add(s.Washout), s.Begin(block + 1)
}

// At is the block that a time lies in; false before the first and after the last.
func (s Schedule) At(t time.Time) (block int, within bool) {
	if t.Before(s.From) || !t.Before(s.Until()) {
		return 0, false
	}
	return int(t.Sub(s.From) / s.Every), true
}

// Arm is the side that a group's block is on.
func (s Schedule) Arm(group string, block int) Arm {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %d", s.Seed, group, block/2))
	first := Model
	if sum[0]&1 == 1 {
		first = Baseline
	}
	if block%2 == 1 {
		return first.other()
	}
	return first
}

// ArmAt is the side on which a group stands at a time. Outside of the experiment everything is the model's.
func (s Schedule) ArmAt(group string, t time.Time) Arm {
	block, within := s.At(t)
	if !within {
		return Model
	}
	return s.Arm(group, block)
}

// Policy is what weighs a group's markets at a time.
func (s Schedule) Policy(group string, t time.Time) plan.Policy {
	if s.ArmAt(group, t) == Baseline {
		return s.Baseline
	}
	return plan.ByModel
}

// Called is an arm's name in sentences.
func (s Schedule) Called(a Arm) string {
	if a == Baseline {
		return string(s.Baseline)
	}
	return "Neap's model"
}
