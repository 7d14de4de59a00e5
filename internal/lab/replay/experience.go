package replay

import (
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/market"
)

// experience is what an account has gone through, and what it makes of its markets.
type experience interface {
	Refused(r *cloud.Refusal, at time.Time)
	Lost(in cloud.Market, at time.Time)
	Signalled(in cloud.Market, at time.Time)
	Held(in []cloud.Market, at time.Time)
	See(pools []market.Pool, now time.Time) ([]market.Pool, []market.Cooling)
}

// simple cools a pool for five minutes after a refusal or a loss.
type simple struct{ until map[string]time.Time }

func newExperience() experience { return &simple{map[string]time.Time{}} }

func (s *simple) Refused(r *cloud.Refusal, at time.Time) { s.until[r.Key] = at.Add(5 * time.Minute) }
func (s *simple) Lost(in cloud.Market, at time.Time)     { s.until[in.PoolKey()] = at.Add(5 * time.Minute) }
func (s *simple) Signalled(cloud.Market, time.Time)      {}
func (s *simple) Held([]cloud.Market, time.Time)         {}

func (s *simple) See(pools []market.Pool, now time.Time) ([]market.Pool, []market.Cooling) {
	for n := range pools {
		pools[n].CoolUntil = time.Time{}
		if len(s.until) == 0 {
			continue
		}
		if until := s.until[pools[n].Market.PoolKey()]; until.After(now) {
			pools[n].CoolUntil = until
		}
	}
	return pools, nil
}
