package app

import (
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud/sim"
)

// Unusual are settings for rehearsing bad days. The zero value changes nothing, and only binaries built for tests can set any.
type Unusual struct {
	World string               // where the simulated cloud is kept: a PostgreSQL URL or a file; "" = beside the database
	Owner string               // the cloud account that every account of ours stands for, so that two installations meet in one; "" = one each
	Skew  func() time.Duration // how wrong the engine's clock is, by now; the simulated cloud keeps the true time
}

// world moves the simulated cloud to where it is wanted.
func (u Unusual) world(s sim.Config) sim.Config {
	switch {
	case u.World == "":
	case strings.HasPrefix(u.World, "postgres"):
		s.Memory, s.Path, s.URL = false, "", u.World
	default:
		s.Memory, s.Path, s.URL = false, u.World, ""
	}
	return s
}

// wrong is the clock as the engine sees it.
func (u Unusual) wrong(c clock.Clock) clock.Clock {
	if u.Skew == nil {
		return c
	}
	return skewed{c, u.Skew}
}

// skewed is a clock that somebody sets wrong. Waiting is not affected, as with a machine's clock.
type skewed struct {
	clock.Clock
	by func() time.Duration
}

// Now is clock.Clock's.
func (s skewed) Now() time.Time { return s.Clock.Now().Add(s.by()) }
