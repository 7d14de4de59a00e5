package plan

import "time"

// Plan decides what to do next for one fleet. It is deterministic: the same arguments give the same Decision, byte for byte when encoded.
func Plan(intent Intent, observed Observed, market Market, now time.Time) Decision { panic("unbuilt") }
