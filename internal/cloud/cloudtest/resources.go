package cloudtest

import (
	"crypto/rand"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

// Resources is one cloud account with what the suite of the further abilities needs. Market says the region and the zone; other tests may use the account too.
type Resources struct {
	Fixture
	Subnet    string // of the zone
	Group     string // a security group of the subnet's network
	Instance  func(t *testing.T) string
	Address   func(t *testing.T) string // a public address of the account's, nobody's yet
	Balancers []cloud.BalancerRef       // of each kind that there is one, without targets
	Scaling   func(t *testing.T, members int) string
	Measured  func(t *testing.T) Measured
}

// Measured is what was measured: a metric with a value in each of two successive minutes, the first of which begins at From.
type Measured struct {
	Namespace, Name string
	Dimensions      map[string]string
	From            time.Time
	First, Second   []float64
}

// resources is the suite at work on one account.
type resources struct {
	*suite
	kit Resources
}

// RunResources holds a provider to the contract of the abilities that it claims beside its instances. gaps are the cases that the cloud under test cannot show, by
// name, each with the reason: they are left out, and have to be tested otherwise.
func RunResources(t *testing.T, gaps map[string]string, fresh func(t *testing.T) Resources) {
	left := maps.Clone(gaps)
	for _, c := range []struct {
		name string
		run  func(*resources)
	}{
		{"a volume is made, attached, detached and deleted", (*resources).volumes},
		{"the same token makes no second volume", (*resources).repeatsVolumes},
		{"a volume outlives its instance when it is to", (*resources).keepsVolumes},
		{"what a volume's state forbids is refused", (*resources).refusesVolumes},
		{"a snapshot is made of a volume and a volume of the snapshot", (*resources).snapshots},
		{"an image is made of an instance and ended", (*resources).images},
		{"the name of an image is its token", (*resources).repeatsImages},
		{"an image is registered from snapshots", (*resources).registersImages},
		{"an image takes its snapshots with it", (*resources).endsImages},
		{"a network interface is made, attached, detached and deleted", (*resources).interfaces},
		{"the same token makes no second network interface", (*resources).repeatsInterfaces},
		{"a network interface outlives its instance when it is to", (*resources).keepsInterfaces},
		{"what a network interface's state forbids is refused", (*resources).refusesInterfaces},
		{"a public address moves between instances", (*resources).addresses},
		{"targets are registered with each kind of balancer, and drained", (*resources).balancers},
		{"a balancer that is not there is refused by name", (*resources).refusesBalancers},
		{"nothing is registered with a balancer that is not there", (*resources).refusesTargets},
		{"a metric is read by statistic and period", (*resources).metrics},
		{"a percentile of a metric is read", (*resources).percentiles},
		{"a scaling group is seen and taken over", (*resources).scaling},
		{"an unknown scaling group is refused", (*resources).refusesScaling},
	} {
		if _, is := left[c.name]; is {
			delete(left, c.name)
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			kit := fresh(t)
			c.run(&resources{&suite{T: t, Fixture: kit.Fixture, region: kit.Market.Region}, kit})
		})
	}
	for name := range left {
		t.Errorf("there is no case %q to leave out", name)
	}
}

// ok fails the test for an error.
func (s *resources) ok(what string, err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

// unknowns fails the test unless each of the calls is refused as one about what is not there.
func (s *resources) unknowns(calls map[string]error) {
	s.Helper()
	for what, err := range calls {
		s.refused(what, err, cloud.Unknown)
	}
}

func (s *resources) volumeSpec(gib int) cloud.VolumeSpec {
	return cloud.VolumeSpec{
		Token: unique(), Zone: s.Market.Zone, GiB: gib, Type: "gp3", IOPS: 4000, Throughput: 250,
		Tags: map[string]string{"cloudtest": "yes", "other": ""},
	}
}

func (s *resources) makeVolume(spec cloud.VolumeSpec) cloud.Volume {
	s.Helper()
	made, err := ability[cloud.Volumes](s.suite).CreateVolume(s.Context(), s.region, spec)
	s.ok("CreateVolume", err)
	return s.eventuallyVolume(made.ID, cloud.VolumeAvailable)
}

func (s *resources) eventuallyVolume(id string, state cloud.VolumeState) cloud.Volume {
	s.Helper()
	q := cloud.AttachedQuery{Query: cloud.Query{Region: s.region, IDs: []string{id}}}
	return eventuallyOne(s, id+" is "+string(state), func() ([]cloud.Volume, error) {
		return ability[cloud.Volumes](s.suite).Volumes(s.Context(), q)
	}, func(v cloud.Volume) bool { return v.State == state })
}

// eventuallyOne lets time pass until a listing of one thing finds it as it is to be.
func eventuallyOne[T any](s *resources, what string, list func() ([]T, error), done func(T) bool) (one T) {
	s.Helper()
	s.eventually(what, func() bool {
		found, err := list()
		s.ok(what, err)
		if len(found) != 1 {
			return false
		}
		one = found[0]
		return done(one)
	})
	return one
}

// volumesOf are the ids of what a query finds.
func (s *resources) volumesOf(q cloud.AttachedQuery) (ids []string) {
	s.Helper()
	q.Region = s.region
	found, err := ability[cloud.Volumes](s.suite).Volumes(s.Context(), q)
	s.ok("Volumes", err)
	for _, v := range found {
		ids = append(ids, v.ID)
	}
	return ids
}

func (s *resources) volumes() {
	volumes := ability[cloud.Volumes](s.suite)
	spec := s.volumeSpec(8)
	v := s.makeVolume(spec)
	if v.Zone != spec.Zone || v.GiB != 8 || v.Type != "gp3" || v.IOPS != 4000 || v.Throughput != 250 || v.Snapshot != "" || v.Encrypted || !maps.Equal(v.Tags, spec.Tags) || v.CreatedAt.IsZero() {
		s.Errorf("made %+v, want %+v", v, spec)
	}
	other := s.makeVolume(s.volumeSpec(9))
	for what, c := range map[string]struct {
		query cloud.AttachedQuery
		want  bool
	}{
		"by its tag":       {cloud.AttachedQuery{Query: cloud.Query{Tags: map[string]string{"cloudtest": "yes"}}}, true},
		"by any value":     {cloud.AttachedQuery{Query: cloud.Query{Tags: map[string]string{"cloudtest": "", "other": ""}}}, true},
		"by nothing":       {cloud.AttachedQuery{}, true},
		"by another value": {cloud.AttachedQuery{Query: cloud.Query{Tags: map[string]string{"cloudtest": "ye"}}}, false},
		"among others":     {cloud.AttachedQuery{Query: cloud.Query{IDs: []string{"vol-00000000000000000", other.ID}}}, false},
		"by no ids":        {cloud.AttachedQuery{Query: cloud.Query{IDs: []string{}}}, false},
	} {
		if got := slices.Contains(s.volumesOf(c.query), v.ID); got != c.want {
			s.Errorf("%s it is found: %v", what, got)
		}
	}
	instance := s.kit.Instance(s.T)
	for range 2 {
		s.ok("AttachVolume", volumes.AttachVolume(s.Context(), s.region, v.ID, instance, "/dev/sdf"))
	}
	if at := s.eventuallyVolume(v.ID, cloud.VolumeInUse).Attachments; len(at) != 1 || at[0].Instance != instance || at[0].Device != "/dev/sdf" {
		s.Errorf("attached to %+v", at)
	}
	if ids := s.volumesOf(cloud.AttachedQuery{Instance: instance}); !slices.Contains(ids, v.ID) || slices.Contains(ids, other.ID) {
		s.Errorf("of the instance there are %v", ids)
	}
	for range 2 {
		s.ok("DetachVolume", volumes.DetachVolume(s.Context(), s.region, v.ID, false))
	}
	s.eventuallyVolume(v.ID, cloud.VolumeAvailable)
	s.ok("DeleteVolume", volumes.DeleteVolume(s.Context(), s.region, v.ID))
	s.eventually("it is gone", func() bool {
		return len(s.volumesOf(cloud.AttachedQuery{Query: cloud.Query{IDs: []string{v.ID}}})) == 0
	})
}

func (s *resources) repeatsVolumes() {
	volumes, spec := ability[cloud.Volumes](s.suite), s.volumeSpec(8)
	first := s.makeVolume(spec)
	if again := s.makeVolume(spec); again.ID != first.ID {
		s.Errorf("repeated: %s, first %s", again.ID, first.ID)
	}
	spec.GiB = 9
	_, err := volumes.CreateVolume(s.Context(), s.region, spec)
	s.refused("another size", err, cloud.BadRequest)
}

func (s *resources) keepsVolumes() {
	volumes, instance := ability[cloud.Volumes](s.suite), s.kit.Instance(s.T)
	v := s.makeVolume(s.volumeSpec(8))
	s.ok("AttachVolume", volumes.AttachVolume(s.Context(), s.region, v.ID, instance, "/dev/sdf"))
	for _, keep := range []bool{false, true} {
		s.ok("KeepVolumes", volumes.KeepVolumes(s.Context(), s.region, instance, []string{"/dev/sdf"}, keep))
		if at := s.eventuallyVolume(v.ID, cloud.VolumeInUse).Attachments; len(at) != 1 || at[0].Kept != keep {
			s.Errorf("attached to %+v, want kept %v", at, keep)
		}
	}
	s.ok("Terminate", s.Provider.Terminate(s.Context(), s.region, []string{instance}))
	s.eventuallyVolume(v.ID, cloud.VolumeAvailable)
}

func (s *resources) refusesVolumes() {
	const none = "vol-00000000000000000"
	volumes, instance := ability[cloud.Volumes](s.suite), s.kit.Instance(s.T)
	v := s.makeVolume(s.volumeSpec(8))
	s.unknowns(map[string]error{
		"attaching an unknown volume":  volumes.AttachVolume(s.Context(), s.region, none, instance, "/dev/sdf"),
		"detaching an unknown volume":  volumes.DetachVolume(s.Context(), s.region, none, true),
		"deleting an unknown volume":   volumes.DeleteVolume(s.Context(), s.region, none),
		"attaching to nobody":          volumes.AttachVolume(s.Context(), s.region, v.ID, "i-00000000000000000", "/dev/sdf"),
		"keeping an unknown's volumes": volumes.KeepVolumes(s.Context(), s.region, "i-00000000000000000", []string{"/dev/sdf"}, true),
	})
	s.ok("AttachVolume", volumes.AttachVolume(s.Context(), s.region, v.ID, instance, "/dev/sdf"))
	s.refused("deleting what is in use", volumes.DeleteVolume(s.Context(), s.region, v.ID), cloud.BadRequest)
	odd := s.volumeSpec(8)
	odd.Type = "io2"
	odd.IOPS = 0
	_, err := volumes.CreateVolume(s.Context(), s.region, odd)
	s.refused("a type that needs IOPS", err, cloud.BadRequest)
}

// snapshotOf is a finished snapshot of a new volume.
func (s *resources) snapshotOf(v cloud.Volume) cloud.Snapshot {
	s.Helper()
	snapshots := ability[cloud.Snapshots](s.suite)
	made, err := snapshots.CreateSnapshot(s.Context(), s.region, v.ID, "for cloudtest", map[string]string{"cloudtest": v.ID})
	s.ok("CreateSnapshot", err)
	return eventuallyOne(s, made.ID+" is done", func() ([]cloud.Snapshot, error) {
		return snapshots.Snapshots(s.Context(), cloud.Query{Region: s.region, IDs: []string{"snap-00000000000000000", made.ID}})
	}, func(sn cloud.Snapshot) bool { return sn.State == cloud.SnapshotCompleted })
}

func (s *resources) snapshots() {
	snapshots, v := ability[cloud.Snapshots](s.suite), s.makeVolume(s.volumeSpec(8))
	made := s.snapshotOf(v)
	if made.Volume != v.ID || made.Percent != 100 || made.GiB != 8 || made.Description != "for cloudtest" || made.Tags["cloudtest"] != v.ID || made.CreatedAt.IsZero() {
		s.Errorf("made %+v", made)
	}
	found, err := snapshots.Snapshots(s.Context(), cloud.Query{Region: s.region, Tags: map[string]string{"cloudtest": v.ID}})
	if err != nil || len(found) != 1 || found[0].ID != made.ID {
		s.Errorf("by its tag: %+v, %v", found, err)
	}
	s.ok("DeleteVolume", ability[cloud.Volumes](s.suite).DeleteVolume(s.Context(), s.region, v.ID))
	spec := s.volumeSpec(0)
	spec.Snapshot = made.ID
	if filled := s.makeVolume(spec); filled.GiB != 8 || filled.Snapshot != made.ID {
		s.Errorf("filled from it: %+v", filled)
	}
	s.ok("DeleteSnapshot", snapshots.DeleteSnapshot(s.Context(), s.region, made.ID))
	_, err = snapshots.CreateSnapshot(s.Context(), s.region, v.ID, "", nil)
	s.unknowns(map[string]error{"a deleted snapshot": snapshots.DeleteSnapshot(s.Context(), s.region, made.ID), "a deleted volume": err})
}

// unique is a name that no other test has.
func unique() string { return "cloudtest-" + rand.Text() }

func (s *resources) image(id string) cloud.Image {
	s.Helper()
	q := cloud.Query{Region: s.region, IDs: []string{"ami-00000000000000000", id, "ami-00000000000000001"}}
	return eventuallyOne(s, id+" can be started from", func() ([]cloud.Image, error) {
		return ability[cloud.Images](s.suite).Images(s.Context(), q)
	}, func(i cloud.Image) bool { return i.State == cloud.ImageAvailable })
}

func (s *resources) images() {
	images, instance, name := ability[cloud.Images](s.suite), s.kit.Instance(s.T), unique()
	id, err := images.CreateImage(s.Context(), s.region, instance, cloud.ImageSpec{Name: name, Description: "for cloudtest"}, false)
	s.ok("CreateImage", err)
	made := s.image(id)
	if made.Name != name || made.Description != "for cloudtest" || made.Architecture == "" || made.Root == "" || made.Snapshots[made.Root] == "" || made.CreatedAt.IsZero() {
		s.Errorf("made %+v", made)
	}
	own, err := images.Images(s.Context(), cloud.Query{Region: s.region})
	if err != nil || !slices.ContainsFunc(own, func(i cloud.Image) bool { return i.ID == id }) || slices.ContainsFunc(own, func(i cloud.Image) bool { return i.ID == s.Template.Image }) {
		s.Errorf("its own: %d, %v", len(own), err)
	}
	if found, err := images.Images(s.Context(), cloud.Query{Region: s.region, IDs: []string{s.Template.Image}}); err != nil || len(found) != 1 {
		s.Errorf("somebody else's: %+v, %v", found, err)
	}
	s.refused("a snapshot that an image is made of", ability[cloud.Snapshots](s.suite).DeleteSnapshot(s.Context(), s.region, made.Snapshots[made.Root]), cloud.BadRequest)
	s.ok("DeregisterImage", images.DeregisterImage(s.Context(), s.region, id, false))
	if found, err := images.Images(s.Context(), cloud.Query{Region: s.region, IDs: []string{id}}); err != nil || len(found) != 0 {
		s.Errorf("after its end: %+v, %v", found, err)
	}
	_, err = images.CreateImage(s.Context(), s.region, "i-00000000000000000", cloud.ImageSpec{Name: name}, false)
	s.unknowns(map[string]error{"an ended image": images.DeregisterImage(s.Context(), s.region, id, true), "an unknown instance": err})
}

func (s *resources) repeatsImages() {
	images, instance := ability[cloud.Images](s.suite), s.kit.Instance(s.T)
	spec := cloud.ImageSpec{Name: unique(), Tags: map[string]string{"cloudtest": "yes"}}
	first, err := images.CreateImage(s.Context(), s.region, instance, spec, true)
	s.ok("CreateImage", err)
	if again, err := images.CreateImage(s.Context(), s.region, instance, spec, true); err != nil || again != first {
		s.Errorf("repeated: %s, %v; first %s", again, err, first)
	}
	spec.Tags = map[string]string{"cloudtest": "no"}
	_, err = images.CreateImage(s.Context(), s.region, instance, spec, true)
	s.refused("a name that is taken", err, cloud.BadRequest)
}

func (s *resources) registersImages() {
	images, made := ability[cloud.Images](s.suite), s.snapshotOf(s.makeVolume(s.volumeSpec(30)))
	like := s.image(s.Template.Image)
	id, err := images.RegisterImage(s.Context(), s.region, like.ID, cloud.ImageSpec{Name: unique()}, map[string]string{like.Root: made.ID})
	s.ok("RegisterImage", err)
	if i := s.image(id); i.Architecture != like.Architecture || i.Root != like.Root || !maps.Equal(i.Snapshots, map[string]string{like.Root: made.ID}) {
		s.Errorf("registered %+v like %+v", i, like)
	}
	_, err = images.RegisterImage(s.Context(), s.region, like.ID, cloud.ImageSpec{Name: unique()}, map[string]string{"/dev/sdz": made.ID})
	s.refused("an image without a root", err, cloud.BadRequest)
	_, err = images.RegisterImage(s.Context(), s.region, "ami-00000000000000000", cloud.ImageSpec{Name: unique()}, map[string]string{like.Root: made.ID})
	s.refused("like an unknown image", err, cloud.Unknown)
}

func (s *resources) endsImages() {
	images := ability[cloud.Images](s.suite)
	id, err := images.CreateImage(s.Context(), s.region, s.kit.Instance(s.T), cloud.ImageSpec{Name: unique()}, false)
	s.ok("CreateImage", err)
	ids := slices.Collect(maps.Values(s.image(id).Snapshots))
	s.ok("DeregisterImage", images.DeregisterImage(s.Context(), s.region, id, true))
	s.eventually("its snapshots are gone", func() bool {
		found, err := ability[cloud.Snapshots](s.suite).Snapshots(s.Context(), cloud.Query{Region: s.region, IDs: ids})
		s.ok("Snapshots", err)
		return len(found) == 0
	})
}
