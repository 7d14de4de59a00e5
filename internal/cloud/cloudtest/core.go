package cloudtest

import (
	"context"
	"slices"
	"sync"

	"github.com/neap-cloud/neap/internal/cloud"
)

func (s *suite) claims() {
	for ability, claimed := range claims() {
		if is, listed := claimed(s.Provider), slices.Contains(s.Claims, ability); is != listed {
			s.Errorf("%s: the provider claims it: %t, the fixture lists it: %t", ability, is, listed)
		}
	}
	for _, ability := range s.Claims {
		if claims()[ability] == nil {
			s.Errorf("%s: no ability of that name is known", ability)
		}
	}
}

func (s *suite) launches() {
	for _, market := range []cloud.Market{s.Market, s.onDemand()} {
		request := s.request(market, 3)
		started, err := s.Provider.Launch(s.Context(), request)
		if err != nil {
			s.Fatalf("Launch: %v", err)
		}
		if ids := idsOf(started); len(ids) != 3 || len(slices.Compact(ids)) != 3 {
			s.Fatalf("started %v, want three different instances", ids)
		}
		for _, i := range started {
			s.isAsRequested(i, request)
		}
	}
}

func (s *suite) isAsRequested(i cloud.Instance, request cloud.Launch) {
	s.Helper()
	if i.ID == "" || i.Market != request.Market || (i.State != cloud.Pending && i.State != cloud.Running) {
		s.Errorf("started %+v, want a new instance in %+v", i, request.Market)
	}
	if i.Image != request.Template.Image || i.LaunchedAt.IsZero() || !i.EndedAt.IsZero() || i.Ended != "" {
		s.Errorf("started %+v, want the image %s, a launch time and no end", i, request.Template.Image)
	}
	if (i.Request != "") != (request.Market.Lifecycle == cloud.Spot) {
		s.Errorf("the spot request of a %s instance is %q", request.Market.Lifecycle, i.Request)
	}
	for key, value := range request.Tags {
		if i.Tags[key] != value {
			s.Errorf("tag %s is %q, want %q", key, i.Tags[key], value)
		}
	}
}

func (s *suite) repeatsTokens() {
	request := s.request(s.Market, 2)
	var ids [4][]string
	var errs [4]error
	var group sync.WaitGroup
	for n := range ids {
		group.Go(func() {
			started, err := s.Provider.Launch(s.Context(), request)
			ids[n], errs[n] = idsOf(started), err
		})
	}
	group.Wait()
	for n := range ids {
		if errs[n] != nil || len(ids[n]) != 2 || !slices.Equal(ids[n], ids[0]) {
			s.Fatalf("concurrent call %d got %v, %v; the first got %v", n, ids[n], errs[n], ids[0])
		}
	}
	if err := s.Provider.Terminate(s.Context(), s.region, ids[0]); err != nil {
		s.Fatalf("Terminate: %v", err)
	}
	again, err := s.Provider.Launch(s.Context(), request)
	if err != nil || !slices.Equal(idsOf(again), ids[0]) {
		s.Errorf("after their end the token gives %v, %v; want the same instances", idsOf(again), err)
	}
	if n := s.countAll(); n != 2 {
		s.Errorf("there are %d instances, want 2", n)
	}
}

func (s *suite) guardsTokens() {
	request := s.request(s.Market, 1)
	if _, err := s.Provider.Launch(s.Context(), request); err != nil {
		s.Fatalf("Launch: %v", err)
	}
	for what, change := range map[string]func(*cloud.Launch){
		"another count":     func(l *cloud.Launch) { l.Count = 2 },
		"another lifecycle": func(l *cloud.Launch) { l.Market.Lifecycle = cloud.OnDemand },
		"other tags":        func(l *cloud.Launch) { l.Tags = map[string]string{"cloudtest": s.mark} },
	} {
		changed := request
		change(&changed)
		_, err := s.Provider.Launch(s.Context(), changed)
		s.refused(what, err, cloud.BadRequest)
	}
	if n := s.countAll(); n != 1 {
		s.Errorf("there are %d instances, want 1", n)
	}
}

func (s *suite) launchesPartly() {
	s.Room(s.Market, 2)
	request := s.request(s.Market, 5)
	started, err := s.Provider.Launch(s.Context(), request)
	s.isDry(s.refused("the rest", err, cloud.NoCapacity))
	if len(started) != 2 {
		s.Fatalf("started %d, want 2", len(started))
	}
	again, err := s.Provider.Launch(s.Context(), request)
	s.isDry(s.refused("the rest of the repeated call", err, cloud.NoCapacity))
	if !slices.Equal(idsOf(again), idsOf(started)) {
		s.Errorf("repeated: %v, want %v", idsOf(again), idsOf(started))
	}
	if n := s.countAll(); n != 2 {
		s.Errorf("there are %d instances, want 2", n)
	}
}

func (s *suite) isDry(refusal *cloud.Refusal) {
	s.Helper()
	if refusal.Scope != cloud.ScopePool || refusal.Key != s.Market.PoolKey() {
		s.Errorf("the refusal reaches %s %q, want %s %q", refusal.Scope, refusal.Key, cloud.ScopePool, s.Market.PoolKey())
	}
}

func (s *suite) refusesWhenDry() {
	s.Room(s.Market, 0)
	started, err := s.Provider.Launch(s.Context(), s.request(s.Market, 1))
	s.isDry(s.refused("a dry pool", err, cloud.NoCapacity))
	if len(started) != 0 || s.countAll() != 0 {
		s.Errorf("started %v in a dry pool", idsOf(started))
	}
}

func (s *suite) refusesNonsense() {
	for what, change := range map[string]func(*cloud.Launch){
		"no such type":      func(l *cloud.Launch) { l.Market.Type = "m5.gigantic" },
		"no such zone":      func(l *cloud.Launch) { l.Market.Zone = s.region + "z" },
		"no such product":   func(l *cloud.Launch) { l.Market.Product = "Plan 9" },
		"no such lifecycle": func(l *cloud.Launch) { l.Market.Lifecycle = "borrowed" },
		"nothing":           func(l *cloud.Launch) { l.Count = 0 },
		"no token":          func(l *cloud.Launch) { l.Token = "" },
		"malformed image":   func(l *cloud.Launch) { l.Template.Image = "not an image" },
	} {
		request := s.request(s.Market, 1)
		change(&request)
		started, err := s.Provider.Launch(s.Context(), request)
		s.refused(what, err, cloud.BadRequest)
		if len(started) != 0 {
			s.Errorf("%s: started %v", what, idsOf(started))
		}
	}
	if n := s.countAll(); n != 0 {
		s.Errorf("there are %d instances, want none", n)
	}
}

func (s *suite) throttles() {
	s.Throttle()
	_, err := s.Provider.Launch(s.Context(), s.request(s.Market, 1))
	refusal := s.refused("too many requests", err, cloud.Throttled)
	if refusal.Scope != cloud.ScopeAccount || refusal.Key != s.region {
		s.Errorf("the refusal reaches %s %q, want %s %q", refusal.Scope, refusal.Key, cloud.ScopeAccount, s.region)
	}
}

func (s *suite) describes() {
	first, second := s.start(s.Market, 2), s.start(s.onDemand(), 1)
	s.settle()
	all := idsOf(append(first, second...))
	for range 20 { // from now on no read may miss one
		if got := idsOf(s.describe(cloud.Query{IDs: append(all, "i-00000000000000000")})); !slices.Equal(got, all) {
			s.Fatalf("by id: %v, want %v", got, all)
		}
		s.Advance(s.Provider.Info().Settle / 4)
	}
	for what, c := range map[string]struct {
		tags map[string]string
		want []string
	}{
		"one value":    {map[string]string{"cloudtest": s.mark}, all},
		"any value":    {map[string]string{"cloudtest": s.mark, "cloudtest:launch": ""}, all},
		"all of them":  {map[string]string{"cloudtest": s.mark, "cloudtest:launch": "1"}, idsOf(first)},
		"the other":    {map[string]string{"cloudtest": s.mark, "cloudtest:launch": "2"}, idsOf(second)},
		"other value":  {map[string]string{"cloudtest": "no"}, nil},
		"part of one":  {map[string]string{"cloudtest": s.mark[:4]}, nil},
		"a wildcard":   {map[string]string{"cloudtest": s.mark[:4] + "*"}, nil},
		"no such tag":  {map[string]string{"cloud": ""}, nil},
		"not together": {map[string]string{"cloudtest": s.mark, "cloudtest:launch": "3"}, nil},
	} {
		if got := idsOf(s.describe(cloud.Query{Tags: c.tags})); !slices.Equal(got, c.want) {
			s.Errorf("by tags, %s: %v, want %v", what, got, c.want)
		}
	}
}

func (s *suite) boots() {
	for _, market := range []cloud.Market{s.Market, s.onDemand()} {
		id := s.start(market, 1)[0].ID
		s.eventuallyIn(id, cloud.Running)
		s.eventually("its status is ok", func() bool {
			i, ok := s.one(id)
			return ok && i.Status == cloud.StatusOK
		})
	}
}

func (s *suite) terminates() {
	started := s.start(s.Market, 2)
	ids := idsOf(started)
	for range 2 {
		if err := s.Provider.Terminate(s.Context(), s.region, ids[:1]); err != nil {
			s.Fatalf("Terminate: %v", err)
		}
	}
	gone := s.eventuallyIn(ids[0], cloud.Terminated)
	if gone.Ended != cloud.EndedByUser || gone.EndedAt.Before(gone.LaunchedAt) || gone.EndedAt.After(s.Now()) {
		s.Errorf("it ended by %q at %v", gone.Ended, gone.EndedAt)
	}
	if err := s.Provider.Terminate(s.Context(), s.region, ids); err != nil {
		s.Errorf("terminating it again, with another: %v", err)
	}
	s.eventuallyIn(ids[1], cloud.Terminated)
	if again := s.eventuallyIn(ids[0], cloud.Terminated); !again.EndedAt.Equal(gone.EndedAt) {
		s.Errorf("its end moved from %v to %v", gone.EndedAt, again.EndedAt)
	}
}

func (s *suite) refusesUnknown() {
	err := s.Provider.Terminate(s.Context(), s.region, []string{"i-00000000000000000"})
	s.refused("an unknown id", err, cloud.Unknown)
}

func (s *suite) checks() {
	faults, err := s.Provider.Check(s.Context(), s.region, s.Template)
	if err != nil || len(faults) != 0 {
		s.Fatalf("a good template: %v, %v", faults, err)
	}
	bad := s.Template
	bad.Image, bad.SecurityGroups = "not an image", []string{"not a group"}
	faults, err = s.Provider.Check(s.Context(), s.region, bad)
	if err != nil || len(faults) != 2 {
		s.Fatalf("two faults: %v, %v", faults, err)
	}
	for _, fault := range faults {
		s.refused("a malformed id", fault, cloud.BadRequest)
	}
}

func (s *suite) honoursContext() {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	if _, err := s.Provider.Launch(ctx, s.request(s.Market, 1)); err == nil {
		s.Error("Launch succeeded")
	}
	if _, err := s.Provider.Describe(ctx, cloud.Query{Region: s.region}); err == nil {
		s.Error("Describe succeeded")
	}
	if n := s.countAll(); n != 0 {
		s.Errorf("there are %d instances, want none", n)
	}
}
