package crash

import (
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim"
)

// wanted is how many instances the story calls for: three, two more, and one that replaces the interrupted one.
const wanted = 6

// judge asks the cloud's own record, which Neap can't write to, what really happened.
func (s *story) judge() {
	s.t.Helper()
	folder := s.path("data/sim.db")
	record, err := sim.ReadLedger(s.t.Context(), folder, time.Now())
	if err != nil {
		s.t.Fatalf("read the cloud's record: %v", err)
	}
	if len(record.Calls) == 0 {
		s.t.Fatal("the cloud saw no call at all")
	}
	// The engine's clock is ahead of the wall: the record is read again as of its own end.
	last := record.Calls[len(record.Calls)-1].At
	if record, err = sim.ReadLedger(s.t.Context(), folder, last.Add(time.Minute)); err != nil {
		s.t.Fatalf("read the cloud's record: %v", err)
	}
	interrupted := 0
	perToken := map[string]int{}
	for _, i := range record.Instances {
		if i.Alive {
			s.t.Errorf("leaked: %s, launched %s by %s, is still alive", i.ID, i.LaunchedAt.Format(time.TimeOnly), i.Token)
		}
		// Neap ends an interrupted instance itself, ahead of its deadline. Others may be interrupted by the cloud's own wish.
		if i.Ended == cloud.EndedByInterruption && i.ID != s.victim {
			interrupted++
		}
		if i.Tags["neap:owner"] != s.group {
			s.t.Errorf("%s carries the owner %q, not %s", i.ID, i.Tags["neap:owner"], s.group)
		}
		perToken[i.Token]++
	}
	if launched := len(record.Instances); launched != wanted+interrupted {
		s.t.Errorf("%d instances were launched where %d were wanted and %d others interrupted: %v", launched, wanted, interrupted, perToken)
	}
}
