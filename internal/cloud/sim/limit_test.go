package sim

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
)

func refusalOf(t *testing.T, err error) *cloud.Refusal {
	t.Helper()
	var refusal *cloud.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want a refusal", err)
	}
	return refusal
}

func TestRequestsBeyondTheBucketAreThrottledUntilItRefills(t *testing.T) {
	tuning := Tame()
	tuning.Rates = map[Call]Rate{DescribeCall: {Burst: 5, PerSecond: 2}}
	w := newWorld(t, 1, tuning)
	ask := func(account string) error {
		_, err := w.Cloud.Account(account).Describe(t.Context(), cloud.Query{Region: region})
		return err
	}
	for n := range 5 {
		if err := ask("acc-1"); err != nil {
			t.Fatalf("request %d: %v", n, err)
		}
	}
	refusal := refusalOf(t, ask("acc-1"))
	if refusal.Kind != cloud.Throttled || refusal.Scope != cloud.ScopeAccount || refusal.Key != region || refusal.Code != "RequestLimitExceeded" {
		t.Errorf("refused with %+v", refusal)
	}
	if err := ask("acc-2"); err != nil {
		t.Errorf("another account is throttled too: %v", err)
	}
	w.clock.Advance(time.Second)
	for n := range 3 {
		if err := ask("acc-1"); (err == nil) != (n < 2) {
			t.Errorf("request %d a second later: %v", n, err)
		}
	}
}

func TestTheQuotaCountsLivingVCPUsOfAClass(t *testing.T) {
	tuning := Tame()
	tuning.QuotaVCPUs = 10
	w := newWorld(t, 1, tuning)
	m := market("m5.large", "us-east-1a", cloud.OnDemand)
	w.Room(m, 100, began.Add(time.Hour))
	started, err := w.account.Launch(t.Context(), launch("t1", m, 8))
	refusal := refusalOf(t, err)
	if len(started) != 5 || refusal.Kind != cloud.NoQuota || refusal.Scope != cloud.ScopeQuota || refusal.Key != "Standard/on-demand" || refusal.Code != "VcpuLimitExceeded" {
		t.Fatalf("started %d, refused with %+v", len(started), refusal)
	}
	w.start(t, "t2", market("m5.large", "us-east-1a", cloud.Spot), 1) // another class
	if err := w.account.Terminate(t.Context(), region, ids(started)[:1]); err != nil {
		t.Fatal(err)
	}
	w.start(t, "t3", m, 1)
	_, err = w.account.Launch(t.Context(), launch("t4", market("c5.xlarge", "us-east-1a", cloud.OnDemand), 1))
	if refusal := refusalOf(t, err); refusal.Kind != cloud.NoQuota {
		t.Errorf("another family of the class: %+v", refusal)
	}
}

func TestFamiliesBelongToTheirQuotaClass(t *testing.T) {
	for family, want := range map[string]string{
		"m5": "Standard", "t3": "Standard", "z1d": "Standard", "i4i": "Standard", "g5": "G and VT", "vt1": "G and VT", "p4d": "P", "f1": "F", "x2gd": "X",
		"inf2": "Inf", "trn1": "Trn", "dl1": "DL", "hpc7a": "HPC", "u-12tb1": "High Memory", "u7i-12tb": "High Memory", "mac2": "Mac",
	} {
		offer := catalog.Offer{Type: catalog.Type{Family: family}}
		if got := quotaClass(offer, cloud.Spot); got != want+"/spot" {
			t.Errorf("%s is in %s, want %s", family, got, want)
		}
	}
}

func TestSubnetsFillUpOneAfterTheOther(t *testing.T) {
	tuning := Tame()
	tuning.SubnetAddresses = 2
	w := newWorld(t, 1, tuning)
	m := market("m5.large", "us-east-1a", cloud.OnDemand)
	request := launch("t1", m, 5)
	request.Template.Subnets = []string{"subnet-aa11", "subnet-bb22"}
	started, err := w.account.Launch(t.Context(), request)
	refusal := refusalOf(t, err)
	var subnets []string
	for _, i := range started {
		subnets = append(subnets, i.Subnet)
	}
	if !slices.Equal(subnets, []string{"subnet-aa11", "subnet-aa11", "subnet-bb22", "subnet-bb22"}) {
		t.Errorf("started in %v", subnets)
	}
	if refusal.Scope != cloud.ScopeSubnet || refusal.Key != "subnet-aa11" || refusal.Code != "InsufficientFreeAddressesInSubnet" {
		t.Errorf("refused with %+v", refusal)
	}
}

func TestAPoolNeverHoldsMoreThanItsDepth(t *testing.T) {
	w := newWorld(t, 1, Tame())
	m := market("g5.48xlarge", "us-east-1c", cloud.Spot)
	offer, sold := w.catalog.Offer(region, catalog.Linux, m.Type)
	if !sold || !offer.Sells(m.Zone) {
		t.Fatalf("%s is not sold in %v", m.Type, offer.Zones)
	}
	p, asked := w.poolOf(m, offer), 0
	for p.IsDry(cloud.Spot, w.now()) {
		w.clock.Advance(10 * time.Minute)
	}
	depth := p.Depth(cloud.Spot)
	for n := range depth/5 + 2 {
		started, err := w.account.Launch(t.Context(), launch(fmt.Sprint(n), m, 5))
		asked += len(started)
		if (err != nil) != (len(started) < 5) {
			t.Fatalf("started %d: %v", len(started), err)
		}
	}
	if asked != depth {
		t.Errorf("%d started in a pool of %d", asked, depth)
	}
}

func TestReadsAreOldForSettleAtMost(t *testing.T) {
	tuning := Tame()
	tuning.Settle, tuning.StaleReads = 3*time.Second, 0.5
	w := newWorld(t, 1, tuning)
	started := ids(w.start(t, "t", market("m5.large", "us-east-1a", cloud.Spot), 100))
	if seen := len(w.describe(t, started...)); seen < 30 || seen > 70 {
		t.Errorf("%d of 100 are seen at once, want about half", seen)
	}
	w.clock.Advance(3*time.Second + time.Millisecond)
	if seen := len(w.describe(t, started...)); seen != 100 {
		t.Errorf("%d of 100 are seen once settled", seen)
	}
	w.clock.Advance(10 * time.Second)
	if err := w.account.Terminate(t.Context(), region, started); err != nil {
		t.Fatal(err)
	}
	still := func() (running int) {
		for _, i := range w.describe(t, started...) {
			if i.State == cloud.Running {
				running++
			}
		}
		return running
	}
	if n := still(); n < 30 || n > 70 {
		t.Errorf("%d of 100 still seem to run at once, want about half", n)
	}
	w.clock.Advance(3*time.Second + time.Millisecond)
	if n := still(); n != 0 {
		t.Errorf("%d of 100 still seem to run once settled", n)
	}
}

func TestAccountsSeeOnlyTheirOwn(t *testing.T) {
	w := newWorld(t, 1, Tame())
	mine := ids(w.start(t, "t", market("m5.large", "us-east-1a", cloud.Spot), 1))
	other := w.Cloud.Account("acc-2")
	if found, err := other.Describe(t.Context(), cloud.Query{Region: region, IDs: mine}); err != nil || len(found) != 0 {
		t.Errorf("another account sees %v, %v", found, err)
	}
	if refusal := refusalOf(t, other.Terminate(t.Context(), region, mine)); refusal.Kind != cloud.Unknown {
		t.Errorf("another account's Terminate: %+v", refusal)
	}
	if refusal := refusalOf(t, w.account.Terminate(t.Context(), "eu-west-1", mine)); refusal.Kind != cloud.Unknown {
		t.Errorf("Terminate in another region: %+v", refusal)
	}
	started, err := other.Launch(t.Context(), launch("t", market("m5.large", "us-east-1b", cloud.OnDemand), 1))
	if err != nil || started[0].ID == mine[0] {
		t.Errorf("the same token in another account: %v, %v", started, err)
	}
}

func TestMalformedTemplatesAndUnknownPlacesAreRefused(t *testing.T) {
	w := newWorld(t, 1, Tame())
	for what, template := range map[string]cloud.Template{
		"image": {Image: "img2"}, "no image": {}, "group": {Image: "ami-ID", SecurityGroups: []string{"group 1"}},
		"subnet": {Image: "ami-ID", Subnets: []string{"subnet_1"}}, "key": {Image: "ami-ID", KeyPair: "tab\there"},
		"user data": {Image: "ami-ID", UserData: string(make([]byte, 30_000))},
	} {
		faults, err := w.account.Check(t.Context(), region, template)
		if err != nil || len(faults) != 1 || faults[0].Kind != cloud.BadRequest {
			t.Errorf("%s: %v, %v", what, faults, err)
		}
	}
	good := cloud.Template{Image: "ami-01e24be29428c15b2", SecurityGroups: []string{"sg-12345"}, Subnets: []string{"subnet-123"}, KeyPair: "my key"}
	if faults, err := w.account.Check(t.Context(), region, good); err != nil || len(faults) != 0 {
		t.Errorf("good template: %v, %v", faults, err)
	}
	if _, err := w.account.Describe(t.Context(), cloud.Query{Region: "mars-north-1"}); refusalOf(t, err).Kind != cloud.BadRequest {
		t.Errorf("unknown region: %v", err)
	}
	_, err := w.account.Launch(t.Context(), launch("t", market("p4d.24xlarge", "us-east-1e", cloud.Spot), 1))
	if refusal := refusalOf(t, err); refusal.Kind != cloud.BadRequest || refusal.Code != "Unsupported" {
		t.Errorf("type not offered in the zone: %+v", refusal)
	}
}

func TestNoticesFollowFromFateAndEndWithTheInstance(t *testing.T) {
	w := newWorld(t, 4, nasty())
	m := market("g5.xlarge", "us-east-1c", cloud.Spot)
	started := w.start(t, "t", m, 300)
	for range 400 * 6 { // until the first of them is taken back
		w.clock.Advance(4 * time.Hour)
		notices, err := w.account.Notices(t.Context(), region)
		if err != nil {
			t.Fatal(err)
		}
		lost := slices.DeleteFunc(notices, func(n cloud.Notice) bool { return n.Kind != cloud.Interruption })
		if len(lost) == 0 {
			continue
		}
		if len(lost)%2 != 0 {
			t.Errorf("%d notices although each comes twice", len(lost))
		}
		for _, n := range lost {
			if n.Deadline.Sub(n.IssuedAt) != 2*time.Minute || n.Region != region {
				t.Errorf("notice %+v", n)
			}
		}
		ledger, err := w.Ledger(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range ledger.Instances {
			if noticed := slices.ContainsFunc(lost, func(n cloud.Notice) bool { return n.Instance == r.ID }); noticed == r.Alive {
				t.Errorf("%s: alive %v, noticed %v", r.ID, r.Alive, noticed)
			}
		}
		if err := w.account.Terminate(t.Context(), region, ids(started)); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := w.db.readers.QueryRow("SELECT COUNT(*) FROM notice WHERE issued_at > ?", int64(w.now())).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d notices of ended instances are still to come, %v", left, err)
		}
		return
	}
	t.Error("nothing was interrupted in 400 days")
}
