package journal

import (
	"context"
	"strconv"
	"time"

	"github.com/neap-cloud/neap/internal/store"
)

// LastEvent is the place of the newest sealed event of all accounts, 0 when there is none.
func (j *Journal) LastEvent(ctx context.Context, s store.Session) (int64, error) {
	newest, err := events.List(ctx, s, store.Installation(), store.LogQuery{Sealed: true, Descending: true, Limit: 1})
	if err != nil || len(newest) == 0 {
		return 0, err
	}
	return newest[0].Seq, nil
}

// AccountsWithEvents tells which accounts ("" = the installation itself) have sealed events beyond a place, looking at no more than limit events, and the
// place that the look reached.
func (j *Journal) AccountsWithEvents(ctx context.Context, after int64, limit int) (accounts map[string]bool, reached int64, err error) {
	newer, err := events.List(ctx, j.db, store.Installation(), store.LogQuery{Sealed: true, AfterSeq: after, Limit: limit})
	accounts, reached = map[string]bool{}, after
	for _, e := range newer {
		accounts[e.Account], reached = true, e.Seq
	}
	return accounts, reached, err
}

// SealerLag is how long the oldest record of any log has waited for its final order, in wall time; zero when none waits.
func (j *Journal) SealerLag(ctx context.Context) (time.Duration, error) {
	var longest time.Duration
	for _, oldest := range []func(context.Context, store.Session) (string, error){lines.Waiting, events.Waiting, audit.Waiting} {
		id, err := oldest(ctx, j.db)
		if err != nil {
			return 0, err
		}
		longest = max(longest, recordAge(id, time.Now()))
	}
	return longest, nil
}

// recordAge reads the time out of a record's id; zero when it has none.
func recordAge(id string, now time.Time) time.Duration {
	const dated = 16 // digits of the time, see recordID; what follows is random
	if len(id) <= dated {
		return 0
	}
	nanos, err := strconv.ParseInt(id[:dated], 16, 64)
	if err != nil {
		return 0
	}
	return max(0, now.Sub(time.Unix(0, nanos)))
}
