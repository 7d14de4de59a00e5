package cloudtest

import (
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

func (s *resources) interfaceSpec() cloud.InterfaceSpec {
	return cloud.InterfaceSpec{
		Token: unique(), Subnet: s.kit.Subnet, Groups: []string{s.kit.Group}, Description: "for cloudtest",
		Tags: map[string]string{"cloudtest": unique()},
	}
}

func (s *resources) makeInterface(spec cloud.InterfaceSpec) cloud.Interface {
	s.Helper()
	made, err := ability[cloud.Interfaces](s.suite).CreateInterface(s.Context(), s.region, spec)
	s.ok("CreateInterface", err)
	return s.eventuallyInterface(made.ID, cloud.InterfaceAvailable)
}

func (s *resources) eventuallyInterface(id string, state cloud.InterfaceState) cloud.Interface {
	s.Helper()
	q := cloud.AttachedQuery{Query: cloud.Query{IDs: []string{id, "eni-00000000000000000"}}}
	return eventuallyOne(s, id+" is "+string(state), func() ([]cloud.Interface, error) { return s.interfacesOf(q), nil }, func(i cloud.Interface) bool { return i.State == state })
}

func (s *resources) interfacesOf(q cloud.AttachedQuery) []cloud.Interface {
	s.Helper()
	q.Region = s.region
	found, err := ability[cloud.Interfaces](s.suite).Interfaces(s.Context(), q)
	s.ok("Interfaces", err)
	return found
}

func (s *resources) interfaces() {
	interfaces, spec := ability[cloud.Interfaces](s.suite), s.interfaceSpec()
	i := s.makeInterface(spec)
	if i.Subnet != spec.Subnet || !slices.Equal(i.Groups, spec.Groups) || i.Description != spec.Description || i.Zone != s.Market.Zone || i.PrivateIP == "" || i.Attachment != nil {
		s.Errorf("made %+v, want %+v", i, spec)
	}
	if found := s.interfacesOf(cloud.AttachedQuery{Query: cloud.Query{Tags: spec.Tags}}); len(found) != 1 || found[0].ID != i.ID {
		s.Errorf("by its tag: %+v", found)
	}
	s.ok("DeleteInterface", interfaces.DeleteInterface(s.Context(), s.region, i.ID))
	spec = s.interfaceSpec()
	spec.PrivateIP = i.PrivateIP // it is free again
	i = s.makeInterface(spec)
	if i.PrivateIP != spec.PrivateIP {
		s.Errorf("its address is %s, want %s", i.PrivateIP, spec.PrivateIP)
	}
	instance := s.kit.Instance(s.T)
	for range 2 {
		s.ok("AttachInterface", interfaces.AttachInterface(s.Context(), s.region, i.ID, instance, 1))
	}
	if at := s.eventuallyInterface(i.ID, cloud.InterfaceInUse).Attachment; at == nil || at.Instance != instance || at.Device != "1" {
		s.Errorf("attached to %+v", at)
	}
	ids := []string{}
	for _, of := range s.interfacesOf(cloud.AttachedQuery{Instance: instance}) {
		ids = append(ids, of.Attachment.Device)
	}
	if slices.Sort(ids); !slices.Equal(ids, []string{"0", "1"}) {
		s.Errorf("the instance has interfaces %v", ids)
	}
	for range 2 {
		s.ok("DetachInterface", interfaces.DetachInterface(s.Context(), s.region, i.ID, true))
	}
	s.eventuallyInterface(i.ID, cloud.InterfaceAvailable)
	s.ok("DeleteInterface", interfaces.DeleteInterface(s.Context(), s.region, i.ID))
	if found := s.interfacesOf(cloud.AttachedQuery{Query: cloud.Query{IDs: []string{i.ID}}}); len(found) != 0 {
		s.Errorf("after its end: %+v", found)
	}
}

func (s *resources) repeatsInterfaces() {
	interfaces, spec := ability[cloud.Interfaces](s.suite), s.interfaceSpec()
	first := s.makeInterface(spec)
	if again := s.makeInterface(spec); again.ID != first.ID {
		s.Errorf("repeated: %s, first %s", again.ID, first.ID)
	}
	spec.Description = "another"
	_, err := interfaces.CreateInterface(s.Context(), s.region, spec)
	s.refused("another description", err, cloud.BadRequest)
}

func (s *resources) keepsInterfaces() {
	interfaces, instance := ability[cloud.Interfaces](s.suite), s.kit.Instance(s.T)
	i := s.makeInterface(s.interfaceSpec())
	s.ok("AttachInterface", interfaces.AttachInterface(s.Context(), s.region, i.ID, instance, 1))
	for _, keep := range []bool{false, true} {
		s.ok("KeepInterface", interfaces.KeepInterface(s.Context(), s.region, i.ID, keep))
		if at := s.eventuallyInterface(i.ID, cloud.InterfaceInUse).Attachment; at == nil || at.Kept != keep {
			s.Errorf("attached to %+v, want kept %v", at, keep)
		}
	}
	s.ok("Terminate", s.Provider.Terminate(s.Context(), s.region, []string{instance}))
	s.eventuallyInterface(i.ID, cloud.InterfaceAvailable)
}

func (s *resources) refusesInterfaces() {
	const none = "eni-00000000000000000"
	interfaces, instance := ability[cloud.Interfaces](s.suite), s.kit.Instance(s.T)
	i := s.makeInterface(s.interfaceSpec())
	s.unknowns(map[string]error{
		"attaching an unknown interface": interfaces.AttachInterface(s.Context(), s.region, none, instance, 1),
		"detaching an unknown interface": interfaces.DetachInterface(s.Context(), s.region, none, true),
		"keeping an unknown interface":   interfaces.KeepInterface(s.Context(), s.region, none, true),
		"deleting an unknown interface":  interfaces.DeleteInterface(s.Context(), s.region, none),
		"attaching to nobody":            interfaces.AttachInterface(s.Context(), s.region, i.ID, "i-00000000000000000", 1),
	})
	s.refused("keeping what hangs on nothing", interfaces.KeepInterface(s.Context(), s.region, i.ID, true), cloud.BadRequest)
}

func (s *resources) addresses() {
	const none = "eipalloc-00000000000000000"
	addresses, id := ability[cloud.Addresses](s.suite), s.kit.Address(s.T)
	first, second := s.kit.Instance(s.T), s.kit.Instance(s.T)
	holds := func(instance string) {
		s.Helper()
		found, err := addresses.Addresses(s.Context(), cloud.Query{Region: s.region, IDs: []string{none, id}})
		if err != nil || len(found) != 1 || found[0].ID != id || found[0].IP == "" || found[0].Instance != instance {
			s.Errorf("the address is %+v, %v; want it to be of %q", found, err, instance)
		}
	}
	holds("")
	for range 2 {
		s.ok("AssociateAddress", addresses.AssociateAddress(s.Context(), s.region, id, first, false))
	}
	holds(first)
	s.refused("somebody else's address", addresses.AssociateAddress(s.Context(), s.region, id, second, false), cloud.BadRequest)
	s.ok("AssociateAddress", addresses.AssociateAddress(s.Context(), s.region, id, second, true))
	holds(second)
	for range 2 {
		s.ok("DisassociateAddress", addresses.DisassociateAddress(s.Context(), s.region, id))
	}
	holds("")
	s.unknowns(map[string]error{
		"giving an unknown address":      addresses.AssociateAddress(s.Context(), s.region, none, first, false),
		"taking an unknown address away": addresses.DisassociateAddress(s.Context(), s.region, none),
		"giving it to nobody":            addresses.AssociateAddress(s.Context(), s.region, id, "i-00000000000000000", false),
	})
}

func (s *resources) balancers() {
	balancers := ability[cloud.Balancers](s.suite)
	found, err := balancers.Balancers(s.Context(), s.region, s.kit.Balancers)
	s.ok("Balancers", err)
	if len(found) != len(s.kit.Balancers) {
		s.Fatalf("found %+v, want %+v", found, s.kit.Balancers)
	}
	first, second := s.kit.Instance(s.T), s.kit.Instance(s.T)
	for n, ref := range s.kit.Balancers {
		if found[n].BalancerRef != ref || found[n].Name == "" || found[n].Takes == "" {
			s.Errorf("found %+v for %+v", found[n], ref)
		}
		targets := []cloud.Target{{ID: first}, {ID: second}}
		for range 2 {
			s.ok("RegisterTargets", balancers.RegisterTargets(s.Context(), s.region, ref, targets))
		}
		s.healths(ref, nil, first, second)
		s.healths(ref, []cloud.Target{{ID: second}}, second)
		for range 2 {
			s.ok("DeregisterTargets", balancers.DeregisterTargets(s.Context(), s.region, ref, []cloud.Target{{ID: second}, {ID: "i-00000000000000000"}}))
		}
		s.healths(ref, nil, first)
		if h, err := balancers.TargetHealth(s.Context(), s.region, ref, []cloud.Target{{ID: second}}); err != nil || len(h) != 1 || h[0].State != cloud.TargetUnused && h[0].State != cloud.TargetDraining {
			s.Errorf("%s: after its deregistration it is %+v, %v", ref.Kind, h, err)
		}
		s.ok("DeregisterTargets", balancers.DeregisterTargets(s.Context(), s.region, ref, targets))
	}
}

// healths fails the test unless those that are not draining are registered, each in a state that it may have.
func (s *resources) healths(ref cloud.BalancerRef, asked []cloud.Target, want ...string) {
	s.Helper()
	found, err := ability[cloud.Balancers](s.suite).TargetHealth(s.Context(), s.region, ref, asked)
	s.ok("TargetHealth", err)
	var got []string
	for _, h := range found {
		if h.State == "" {
			s.Errorf("%s: %+v has no state", ref.Kind, h)
		}
		if h.State != cloud.TargetDraining {
			got = append(got, h.Target.ID)
		}
	}
	slices.Sort(want)
	if !slices.Equal(slices.Compact(got), want) {
		s.Errorf("%s: registered are %v, want %v", ref.Kind, got, want)
	}
}

// elsewhere is a reference to what is not there.
func elsewhere(ref cloud.BalancerRef) cloud.BalancerRef {
	ref.Key = strings.Replace(ref.Key, "cloudtest", "nowhere", 1)
	return ref
}

func (s *resources) refusesBalancers() {
	balancers := ability[cloud.Balancers](s.suite)
	for _, ref := range s.kit.Balancers {
		none := elsewhere(ref)
		found, missing := balancers.Balancers(s.Context(), s.region, []cloud.BalancerRef{none, ref})
		if len(found) != 1 || found[0].BalancerRef != ref {
			s.Errorf("beside a missing one %+v are found", found)
		}
		_, unknown := balancers.TargetHealth(s.Context(), s.region, none, nil)
		for what, err := range map[string]error{"looking": missing, "health": unknown} {
			if refusal := s.refused(what, err, cloud.Unknown); !strings.Contains(refusal.Message, none.Key) {
				s.Errorf("%s: the refusal does not name %s: %s", what, none.Key, refusal.Message)
			}
		}
	}
	_, err := balancers.Balancers(s.Context(), s.region, []cloud.BalancerRef{{Kind: "gate", Key: "x"}})
	s.refused("no such kind", err, cloud.BadRequest)
}

func (s *resources) refusesTargets() {
	balancers, targets := ability[cloud.Balancers](s.suite), []cloud.Target{{ID: s.kit.Instance(s.T)}}
	for _, ref := range s.kit.Balancers {
		none := elsewhere(ref)
		for what, err := range map[string]error{
			"registering":   balancers.RegisterTargets(s.Context(), s.region, none, targets),
			"deregistering": balancers.DeregisterTargets(s.Context(), s.region, none, targets),
		} {
			if refusal := s.refused(what, err, cloud.Unknown); !strings.Contains(refusal.Message, none.Key) {
				s.Errorf("%s: the refusal does not name %s: %s", what, none.Key, refusal.Message)
			}
		}
	}
}

// measured reads statistics of what was measured, in minutes.
func (s *resources) measured(m Measured, statistics ...string) [][]cloud.MetricPoint {
	s.Helper()
	var queries []cloud.MetricQuery
	for _, statistic := range statistics {
		queries = append(queries, cloud.MetricQuery{Namespace: m.Namespace, Name: m.Name, Dimensions: m.Dimensions, Statistic: statistic, Period: time.Minute})
	}
	queries = append(queries, cloud.MetricQuery{Namespace: m.Namespace, Name: "nobody measures this", Statistic: "Sum", Period: time.Minute})
	found, err := ability[cloud.Metrics](s.suite).Metrics(s.Context(), s.region, queries, m.From, m.From.Add(2*time.Minute))
	s.ok("Metrics", err)
	if len(found) != len(queries) || len(found[len(statistics)]) != 0 {
		s.Fatalf("%d answers to %d queries: %v", len(found), len(queries), found)
	}
	return found[:len(statistics)]
}

func (s *resources) metrics() {
	m := s.kit.Measured(s.T)
	sum := func(values []float64) (total float64) {
		for _, v := range values {
			total += v
		}
		return total
	}
	found := s.measured(m, "Sum", "Average", "Minimum", "Maximum", "SampleCount")
	for n, want := range [][2]float64{
		{sum(m.First), sum(m.Second)},
		{sum(m.First) / float64(len(m.First)), sum(m.Second) / float64(len(m.Second))},
		{slices.Min(m.First), slices.Min(m.Second)},
		{slices.Max(m.First), slices.Max(m.Second)},
		{float64(len(m.First)), float64(len(m.Second))},
	} {
		points := found[n]
		if len(points) != 2 || points[0].Value != want[0] || points[1].Value != want[1] || !points[0].At.Equal(m.From) || !points[1].At.Equal(m.From.Add(time.Minute)) {
			s.Errorf("statistic %d is %v, want %v from %v", n, points, want, m.From)
		}
	}
	if found, err := ability[cloud.Metrics](s.suite).Metrics(s.Context(), s.region, nil, m.From, m.From.Add(time.Minute)); err != nil || len(found) != 0 {
		s.Errorf("no queries: %v, %v", found, err)
	}
}

func (s *resources) percentiles() {
	m := s.kit.Measured(s.T)
	if points := s.measured(m, "p50")[0]; len(points) != 2 || points[0].Value < slices.Min(m.First) || points[0].Value > slices.Max(m.First) {
		s.Errorf("the median of %v and %v is %v", m.First, m.Second, points)
	}
}

func (s *resources) scaling() {
	scaler, name := ability[cloud.Scaler](s.suite), s.kit.Scaling(s.T, 3)
	see := func() cloud.ScalingGroup {
		s.Helper()
		found, err := scaler.ScalingGroups(s.Context(), s.region, []string{"cloudtest has no such group", name})
		if err != nil || len(found) != 1 || found[0].Name != name {
			s.Fatalf("found %+v, %v", found, err)
		}
		return found[0]
	}
	g := see()
	if g.Desired != 3 || len(g.Members) != 3 || len(g.Types) == 0 || g.Template.Image == "" || !slices.Contains(g.Zones, s.Market.Zone) {
		s.Errorf("the group is %+v", g)
	}
	all, err := scaler.ScalingGroups(s.Context(), s.region, nil)
	if err != nil || !slices.ContainsFunc(all, func(g cloud.ScalingGroup) bool { return g.Name == name }) {
		s.Errorf("not among all %d, %v", len(all), err)
	}
	for range 2 {
		s.ok("SuspendScaling", scaler.SuspendScaling(s.Context(), s.region, name, []string{"Launch"}))
	}
	if got := see().Suspended; !slices.Equal(got, []string{"Launch"}) {
		s.Errorf("suspended: %v", got)
	}
	for range 2 {
		s.ok("ResumeScaling", scaler.ResumeScaling(s.Context(), s.region, name, nil))
	}
	s.ok("ResizeScaling", scaler.ResizeScaling(s.Context(), s.region, name, cloud.ScalingSize{Min: 0, Max: 7, Desired: 3}))
	s.ok("DetachScaling", scaler.DetachScaling(s.Context(), s.region, name, []string{g.Members[0].Instance}, true))
	left := see()
	if left.ScalingSize != (cloud.ScalingSize{Min: 0, Max: 7, Desired: 2}) || len(left.Suspended) != 0 || len(left.Members) != 2 {
		s.Errorf("the group is left with %+v", left)
	}
	if i, ok := s.one(g.Members[0].Instance); !ok || i.State != cloud.Running {
		s.Errorf("what was detached is %+v", i)
	}
}

func (s *resources) refusesScaling() {
	scaler := ability[cloud.Scaler](s.suite)
	err := scaler.ResizeScaling(s.Context(), s.region, "cloudtest has no such group", cloud.ScalingSize{Max: 1})
	if refusal := s.refused("an unknown group", err, cloud.Unknown); !strings.Contains(refusal.Message, "cloudtest has no such group") {
		s.Error(refusal.Message)
	}
}
