package cloudtest

import (
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

// The cases of this file are about what is asked of one instance, by name.

func (s *suite) launchesLeast() {
	request := s.request(s.onDemand(), 3)
	request.Least = 3
	if started, err := s.Provider.Launch(s.Context(), request); err != nil || len(started) != 3 {
		s.Fatalf("at least three of three: started %d, %v", len(started), err)
	}
	if s.Room == nil {
		return
	}
	s.Room(s.onDemand(), 2)
	request = s.request(s.onDemand(), 5)
	request.Least = 3
	started, err := s.Provider.Launch(s.Context(), request)
	s.refused("at least three where there is room for two", err, cloud.NoCapacity)
	if n := s.countAll(); len(started) != 0 || n != 3 {
		s.Errorf("started %d, and there are %d; want none beside the first three", len(started), n)
	}
	request = s.request(s.onDemand(), 5)
	request.Least = 2
	started, err = s.Provider.Launch(s.Context(), request)
	s.refused("the rest of five", err, cloud.NoCapacity)
	if len(started) != 2 {
		s.Errorf("at least two where there is room for two: started %d", len(started))
	}
}

// inOrder are the ids as they come.
func inOrder(instances []cloud.Instance) []string {
	var ids []string
	for _, i := range instances {
		ids = append(ids, i.ID)
	}
	return ids
}

func (s *suite) keepsOrder() {
	request := s.request(s.onDemand(), 5)
	first, err := s.Provider.Launch(s.Context(), request)
	if err != nil {
		s.Fatalf("Launch: %v", err)
	}
	again, err := s.Provider.Launch(s.Context(), request)
	if err != nil || !slices.Equal(inOrder(again), inOrder(first)) {
		s.Errorf("repeated: %v, %v; want %v", inOrder(again), err, inOrder(first))
	}
}

func (s *suite) showsItself() {
	powerer := ability[cloud.Powerer](s)
	request := s.request(s.onDemand(), 1)
	started, err := s.Provider.Launch(s.Context(), request)
	if err != nil || len(started) != 1 {
		s.Fatalf("Launch: %v, %v", inOrder(started), err)
	}
	id := started[0].ID
	runs := s.eventuallyIn(id, cloud.Running)
	if runs.KeyPair != request.Template.KeyPair || runs.PlacementGroup != request.Template.PlacementGroup {
		s.Errorf("shows the key pair %q and the placement group %q, want those of %+v", runs.KeyPair, runs.PlacementGroup, request.Template)
	}
	for address, name := range map[string]string{runs.PrivateIP: runs.PrivateDNS, runs.PublicIP: runs.PublicDNS} {
		if dashed := "-" + strings.ReplaceAll(address, ".", "-") + "."; address == "" || !strings.Contains(name, dashed) {
			s.Errorf("the address %q has the name %q, which does not say it", address, name)
		}
	}
	if err := powerer.Stop(s.Context(), s.region, []string{id}, false); err != nil {
		s.Fatalf("Stop: %v", err)
	}
	rests := s.eventuallyIn(id, cloud.Stopped)
	if rests.PublicIP != "" || rests.PublicDNS != "" || rests.PrivateIP != runs.PrivateIP || rests.PrivateDNS != runs.PrivateDNS {
		s.Errorf("stopped it shows %+v, want what it showed without the public address", rests)
	}
}

// restless starts an on-demand instance and waits until it runs.
func (s *suite) restless() cloud.Instance {
	s.Helper()
	return s.eventuallyIn(s.start(s.onDemand(), 1)[0].ID, cloud.Running)
}

func (s *suite) renewsLaunch() {
	powerer := ability[cloud.Powerer](s)
	first := s.restless()
	s.settle()
	if err := powerer.Stop(s.Context(), s.region, []string{first.ID}, false); err != nil {
		s.Fatalf("Stop: %v", err)
	}
	s.eventuallyIn(first.ID, cloud.Stopped)
	s.settle()
	s.Advance(time.Minute)
	if err := powerer.Start(s.Context(), s.region, []string{first.ID}); err != nil {
		s.Fatalf("Start: %v", err)
	}
	s.settle()
	again := s.eventuallyIn(first.ID, cloud.Running)
	if !s.Coarse && !again.LaunchedAt.After(first.LaunchedAt) {
		s.Errorf("launched at %v, after a start at %v", first.LaunchedAt, again.LaunchedAt)
	}
}

func (s *suite) stopsByForce() {
	powerer := ability[cloud.Powerer](s)
	id := s.restless().ID
	for _, force := range []bool{false, true, true} { // force helps one that stops already, too
		if err := powerer.Stop(s.Context(), s.region, []string{id}, force); err != nil {
			s.Fatalf("Stop, by force %v: %v", force, err)
		}
	}
	s.eventuallyIn(id, cloud.Stopped)
}

func (s *suite) modifies() {
	modifier, powerer := ability[cloud.Modifier](s), ability[cloud.Powerer](s)
	id := s.restless().ID
	const other = "c5.large"
	modify := func(attribute, value string) error {
		return modifier.Modify(s.Context(), s.region, id, attribute, value)
	}
	if err := modify("instanceType", other); !s.Coarse {
		if refusal := s.refused("the type of a running instance", err, cloud.BadRequest); refusal.Code != "IncorrectInstanceState" {
			s.Errorf("the type of a running instance: %v", refusal)
		}
	}
	for attribute, value := range map[string]string{"sourceDestCheck": "false", "disableApiTermination": "false"} {
		if err := modify(attribute, value); err != nil {
			s.Errorf("%s of a running instance: %v", attribute, err)
		}
	}
	s.refused("an unknown attribute", modify("colour", "green"), cloud.BadRequest)
	s.refused("an unknown instance", modifier.Modify(s.Context(), s.region, "i-00000000000000000", "sourceDestCheck", "true"), cloud.Unknown)
	if err := powerer.Stop(s.Context(), s.region, []string{id}, true); err != nil {
		s.Fatalf("Stop: %v", err)
	}
	s.eventuallyIn(id, cloud.Stopped)
	if err := modify("instanceType", other); err != nil {
		s.Fatalf("the type of a stopped instance: %v", err)
	}
	s.settle()
	if i, ok := s.one(id); !ok || i.Market.Type != other {
		s.Errorf("its type is %q, want %s", i.Market.Type, other)
	}
}

func (s *suite) protects() {
	modifier := ability[cloud.Modifier](s)
	ids := inOrder(s.start(s.onDemand(), 2))
	if err := modifier.Modify(s.Context(), s.region, ids[0], "disableApiTermination", "true"); err != nil {
		s.Fatalf("Modify: %v", err)
	}
	refusal := s.refused("a protected instance", s.Provider.Terminate(s.Context(), s.region, ids[:1]), cloud.BadRequest)
	if refusal.Code != "OperationNotPermitted" {
		s.Errorf("a protected instance: %v", refusal)
	}
	if err := modifier.Modify(s.Context(), s.region, ids[0], "disableApiTermination", "false"); err != nil {
		s.Fatalf("Modify: %v", err)
	}
	if err := s.Provider.Terminate(s.Context(), s.region, ids); err != nil {
		s.Errorf("without protection: %v", err)
	}
}
