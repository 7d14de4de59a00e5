package fleet

import (
	"hash/maphash"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/tags"
	"github.com/neap-cloud/neap/internal/workflow"
)

func newSight() *sight {
	return &sight{seed: maphash.MakeSeed(), prints: map[string]uint64{}, strange: map[string]bool{}, awaited: map[string]awaited{}}
}

func TestAPrintTellsWhatOurRowsTakeAndNothingElse(t *testing.T) {
	s, before := newSight(), cloud.Instance{ID: "i-1", State: cloud.Running, Status: cloud.StatusOK, Tags: map[string]string{tags.Owner: "sig-1", "team": "a"}}
	for name, c := range map[string]struct {
		change  func(*cloud.Instance)
		differs bool
	}{
		"nothing":       {func(*cloud.Instance) {}, false},
		"a user's tag":  {func(i *cloud.Instance) { i.Tags["team"] = "b" }, false},
		"state":         {func(i *cloud.Instance) { i.State = cloud.ShuttingDown }, true},
		"status":        {func(i *cloud.Instance) { i.Status = cloud.StatusImpaired }, true},
		"how it ended":  {func(i *cloud.Instance) { i.Ended = cloud.EndedByUser }, true},
		"address":       {func(i *cloud.Instance) { i.PrivateIP = "10.0.0.9" }, true},
		"another owner": {func(i *cloud.Instance) { i.Tags[tags.Owner] = "sig-2" }, true},
	} {
		after := before
		after.Tags = maps.Clone(before.Tags)
		c.change(&after)
		if differs := s.print(before) != s.print(after); differs != c.differs {
			t.Errorf("%s: told apart %v", name, differs)
		}
	}
}

func TestAMemoryWithGapsComparesEverything(t *testing.T) {
	s := newSight()
	l := &look{sight: s, shown: map[string]cloud.Instance{"same": {ID: "same"}, "new": {ID: "new"}, "changed": {ID: "changed", State: cloud.Running}}, lease: workflow.Turn{Epoch: 5}}
	if ids := l.doubtful(); ids != nil {
		t.Errorf("an empty memory doubts only %v", ids)
	}
	remember := func() {
		s.complete, s.prints = true, map[string]uint64{"same": s.print(l.shown["same"]), "changed": 1, "gone": 1}
	}
	remember()
	l.lease.Epoch = 6
	if ids := l.doubtful(); !slices.Equal(ids, []string{"changed", "gone", "new"}) {
		t.Errorf("doubts %v", ids)
	}
	remember()
	l.lease.Epoch = 8 // somebody else held the place in between
	if ids := l.doubtful(); ids != nil || s.complete || len(s.prints) > 0 {
		t.Errorf("after another replica's look it doubts only %v", ids)
	}
}

func TestGroupsWithStrangersAreToldOnce(t *testing.T) {
	s := newSight()
	s.strange["sig-1"] = true
	if !s.isStrange("sig-1") || s.isStrange("sig-1") || s.isStrange("sig-2") {
		t.Error("strangers are not told exactly once")
	}
}

func TestWhatIsAwaitedIsLookedAfterUntilItIsOverdue(t *testing.T) {
	s, now := newSight(), time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	s.watched = true
	s.awaited["i-1"] = awaited{group: "sig-1", since: now.Add(-awaitMost - time.Second)}
	s.awaited["i-2"] = awaited{group: "sig-1", since: now}
	if waiting := s.waiting(now); len(waiting) != 1 || waiting["i-2"].group != "sig-1" || !s.watched {
		t.Errorf("looked after: %v", waiting)
	}
	s.told(map[string]uint64{"i-2": 7, "i-9": 8})
	if waiting := s.waiting(now); len(waiting) != 1 || waiting["i-2"].print != 7 {
		t.Errorf("what was told is not remembered: %v", waiting)
	}
	if waiting := s.waiting(now.Add(awaitMost + time.Second)); waiting != nil || s.watched {
		t.Errorf("the watch goes on for %v", waiting)
	}
}

func TestARowIsTrustedOnlyWhileALookThatFoundItRightIsNew(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		change func(*sight)
		trust  bool
	}{
		"just looked":      {func(*sight) {}, true},
		"an interval late": {func(s *sight) { s.seen = now.Add(-2 * s.every) }, true},
		"too long ago":     {func(s *sight) { s.seen = now.Add(-2*s.every - 1) }, false},
		"in the future":    {func(s *sight) { s.seen = now.Add(time.Hour) }, false},
		"with gaps":        {func(s *sight) { s.complete = false }, false},
		"found to differ":  {func(s *sight) { s.prints["i-1"] = 0 }, false},
		"launched since":   {func(s *sight) { delete(s.prints, "i-1") }, false},
		"never looked":     {func(s *sight) { s.seen, s.every = time.Time{}, 0 }, false},
	} {
		s := newSight()
		s.complete, s.every, s.seen, s.prints["i-1"] = true, lookEvery, now, 7
		c.change(s)
		if trust := s.agrees("i-1", now); trust != c.trust {
			t.Errorf("%s: trusted %t", name, trust)
		}
	}
}

func TestASingleInstanceIsNoStrangerToAnyGroup(t *testing.T) {
	for owner, strange := range map[string]bool{"sig-1": true, tags.Single: false, "": false} {
		l := &look{sight: newSight(), raise: map[string]bool{}, shown: map[string]cloud.Instance{"i-1": {ID: "i-1", State: cloud.Running, Tags: map[string]string{tags.Owner: owner}}}}
		l.wonder("i-1")
		if l.raise[owner] != strange || l.sight.isStrange(owner) != strange {
			t.Errorf("owner %q wakes %v", owner, l.raise)
		}
	}
}
