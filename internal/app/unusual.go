package app

import (
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/mishap"
	"github.com/neap-cloud/neap/internal/cloud/sim"
)

// Unusual are settings for rehearsing bad days. The zero value changes nothing, and only binaries built for tests can set any.
type Unusual struct {
	World string               // where the simulated cloud is kept: a PostgreSQL URL or a file; "" = beside the database
	Owner string               // the cloud account that every account of ours stands for, so that two installations meet in one; "" = one each
	Skew  func() time.Duration // how wrong the engine's clock is, by now; the simulated cloud keeps the true time
	// Around puts something around the provider of each account, or another one in its place. It is asked whenever an account's cloud is needed; nil = nothing.
	Around func(c clock.Clock, account string, p cloud.Provider) cloud.Provider
	Tuning *sim.Tuning // of the simulated cloud; nil = as usual
}

// Mishaps lets go wrong at every cloud what a file with a mishap.Plan says. It is read at every call; while it is missing or unreadable, nothing goes wrong.
func Mishaps(file string) func(clock.Clock, string, cloud.Provider) cloud.Provider {
	return mishap.New(1, func() (p mishap.Plan) {
		text, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(text, &p) != nil {
			return mishap.Plan{}
		}
		return p
	}).Wrap
}

// world moves the simulated cloud to where it is wanted.
func (u Unusual) world(s sim.Config) sim.Config {
	s.Tuning = u.Tuning
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
