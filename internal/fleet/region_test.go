package fleet_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim"
	"github.com/neap-cloud/neap/internal/dialect/spot/elastigroup"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
)

// elsewhere is a patch that moves the document to another region.
const elsewhere = `{"region":"us-west-2","capacity":{"target":1},"compute":{"availabilityZones":[{"name":"us-west-2a","subnetIds":["subnet-0de30b0a"]},{"name":"us-west-2b","subnetIds":["subnet-0de30b0b"]}]}}`

func TestARegionThatHangsDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	w := &world{Neap: apptest.Start(t)}
	create(t, w, elsewhere)
	w.settle()
	var hung []fleet.Group
	for n := range 40 { // far more than the workers that one place may have
		group, err := w.Fleet.Create(t.Context(), w.Account.ID, "test", elastigroup.FormName, document(t, fmt.Sprintf(`{"name":"hung-%d","capacity":{"target":1}}`, n)))
		if err != nil {
			t.Fatal(err)
		}
		hung = append(hung, group)
	}
	w.Until("the groups have an instance each", 5*time.Minute, func() bool {
		size, err := w.Fleet.Size(t.Context(), "")
		return err == nil && size.Instances == 41
	})
	w.Cloud.Hang("us-east-1", w.Clock.Now().Add(time.Hour))
	two := 2
	for _, g := range hung {
		if _, err := w.Fleet.SetCapacity(t.Context(), w.Account.ID, "test", g.ID, &two, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	for n := range 3 {
		scaled, err := w.Fleet.Scale(t.Context(), w.Account.ID, "test", w.group.ID, 1, false)
		if err != nil || len(scaled.Launched) != 1 {
			t.Errorf("scaling number %d in the region that works gave %+v, %v", n+1, scaled, err)
		}
	}
	// On an idle machine these are tenths of a second; the region that hangs would have taken ten seconds for each of its calls.
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("three reactions took %s", took)
	} else {
		t.Logf("three reactions took %s", took)
	}
	w.Clock.Advance(2 * time.Hour)
	w.Until("the region that hung has caught up", 10*time.Minute, func() bool {
		size, err := w.Fleet.Size(t.Context(), "")
		return err == nil && size.Instances == 80+4
	})
}

func TestAQuotaThatIsUsedUpIsNotSoughtInEveryPool(t *testing.T) {
	t.Parallel()
	w := &world{Neap: apptest.Start(t)}
	spent := &cloud.Refusal{Kind: cloud.NoQuota, Scope: cloud.ScopeQuota, Key: "Standard/spot", Code: "MaxSpotInstanceCountExceeded", Message: "the quota is used up"}
	for range 500 {
		w.Cloud.FailNext(sim.LaunchCall, spent)
	}
	for n := range 20 {
		_, err := w.Fleet.Create(t.Context(), w.Account.ID, "test", elastigroup.FormName, document(t, fmt.Sprintf(`{"name":"web-%d","strategy":{"fallbackToOd":false}}`, n)))
		if err != nil {
			t.Fatal(err)
		}
	}
	end := w.Clock.Now().Add(2 * time.Minute)
	w.Until("two minutes have passed", 3*time.Minute, func() bool { return w.Clock.Now().After(end) })
	if n := w.launched(); n != 0 {
		t.Errorf("%d instances were launched", n)
	}
	// 20 groups may use 8 markets each. What is on its way when the first refusal comes is refused too: at most the launches in flight at once.
	if calls := count(t, w, "neap_cloud_calls_total", `call="Launch"`); calls < 1 || calls > 20 {
		t.Errorf("%v launches were tried", calls)
	} else {
		t.Logf("%v launches were tried for 20 groups with 8 markets each", calls)
	}
}

// count sums a metric's samples whose labels contain a text.
func count(t *testing.T, w *world, name, label string) (sum float64) {
	t.Helper()
	answer, err := http.Get(w.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, name+"{") && strings.Contains(line, label) {
			var value float64
			if _, err := fmt.Sscan(line[strings.LastIndex(line, " "):], &value); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			sum += value
		}
	}
	return sum
}

func TestAnEmptyListingIsNotBelievedOfInstancesThatNoLookHasSeenYetEither(t *testing.T) {
	t.Parallel()
	w := begin(t, `{"capacity":{"target":1}}`)
	w.pass(time.Minute) // its place has been looked at
	late, err := w.Fleet.Create(t.Context(), w.Account.ID, "test", elastigroup.FormName, document(t, `{"name":"late","capacity":{"target":2}}`))
	if err != nil {
		t.Fatal(err)
	}
	w.Until("the late group has its instances", 5*time.Minute, func() bool {
		members, err := w.Fleet.Instances(t.Context(), w.Account.ID, late.ID)
		return err == nil && len(members) == 2 && members[0].Condition == plan.Healthy && members[1].Condition == plan.Healthy
	})
	w.Cloud.EmptyDescribe("us-east-1", w.Clock.Now().Add(10*time.Minute))
	w.Until("the hold is explained", 3*time.Minute, func() bool { return w.alerts()["hold"] != "" })
	w.pass(15 * time.Minute)
	if n, alive := w.launched(), len(w.alive()); n != 3 || alive != 3 {
		t.Errorf("%d instances were launched and %d are alive; 3 were wanted, and nothing had happened to them:\n%s", n, alive, w.log())
	}
}
