package mapsor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/batch"
)

func TestTheSameKeyIsTheSameJob(t *testing.T) {
	n := start(t)
	operator := robot(n, "operator")
	body := document("lightning", holding)
	first := submitted(n, operator, body, "Idempotency-Key", "k 1")
	if again := submitted(n, operator, body, "Idempotency-Key", "k 1"); again != first {
		t.Errorf("the same again is %s, not %s", again, first)
	}
	if other := submitted(n, operator, body, "Idempotency-Key", "k 2"); other == first {
		t.Error("another key gives the same job")
	}
	if a := send(n, "POST", "/submit", operator, document("acme", holding), "Idempotency-Key", "k 1"); a.Status != 400 || code(a.Body) != "KEY_USED" {
		t.Errorf("another job with the same key: %d %s", a.Status, a.Raw)
	}
	if a := send(n, "GET", "/cancel/"+first, operator, ""); a.Status != 200 {
		t.Fatalf("cancel: %d %s", a.Status, a.Raw)
	}
	retry := func(key string) any {
		a := send(n, "GET", "/retry/"+first, operator, "", "Idempotency-Key", key)
		return a.Body["job_id"]
	}
	if a, b, c := retry("k 1"), retry("k 1"), retry("k 2"); a != b || a == c || a == first || a == nil || c == nil {
		t.Errorf("retries are %v, %v, and %v with another key", a, b, c)
	}
}

func TestARehearsalChangesNothing(t *testing.T) {
	n := start(t)
	id := submitted(n, n.Admin, document("lightning", holding))
	for _, ask := range [][2]string{{"POST", "/submit"}, {"GET", "/cancel/" + id}} {
		a := send(n, ask[0], ask[1], n.Admin, map[string]string{"POST": document("lightning", holding)}[ask[0]], "Neap-Dry-Run", "true")
		if a.Status != 200 || a.Header.Get("Neap-Dry-Run") != "true" {
			t.Errorf("%v: %d %s", ask, a.Status, a.Raw)
		}
	}
	if jobs := listed(n, n.Admin, "customer=lightning"+always); len(jobs) != 1 || jobs[0]["status"] == "CANCELLED" {
		t.Errorf("there are %v", jobs)
	}
}

func TestListsTakeWhatIsAskedForNewestFirst(t *testing.T) {
	n := start(t)
	var ids []string
	for _, body := range []string{
		`{"customer":"c","cloud":"aws","region":"us-east-1","id":"a",` + waiting(n) + `}`,
		`{"customer":"c","cloud":"aws","region":"us-east-1","id":"b",` + waiting(n) + `}`,
		`{"customer":"c","cloud":"aws","region":"nowhere-1","id":"a","image":"host"}`,
		`{"customer":"c","cloud":"azure","region":"nowhere-1","id":"a","ami":"ami-1"}`,
		`{"customer":"d","cloud":"aws","region":"us-east-1","id":"a",` + waiting(n) + `}`,
	} {
		ids = append(ids, submitted(n, n.Admin, body))
		n.Clock.Advance(time.Second)
	}
	begin := apptest.Epoch.UnixMilli()
	at := map[string]float64{}
	for _, job := range append(listed(n, n.Admin, "customer=c"+always), listed(n, n.Admin, "customer=d"+always)...) {
		at[job["job_id"].(string)] = job["submitted_at"].(float64)
	}
	for query, want := range map[string][]int{
		"customer=c" + always:                       {3, 2, 1, 0},
		"customer=d" + always:                       {4},
		"customer=C" + always:                       {},
		"customer=c&id=a" + always:                  {3, 2, 0},
		"customer=c&cloud=azure" + always:           {3},
		"customer=c&region=us-east-1" + always:      {1, 0},
		"customer=c&id=a&region=us-east-1" + always: {0},
		fmt.Sprintf("customer=c&start_time=%.0f&end_time=%.0f", at[ids[1]], at[ids[2]]):       {2, 1},
		fmt.Sprintf("customer=c&start_time=%.1f&end_time=%.1f", at[ids[1]]+.5, at[ids[1]]+.9): {1},
		fmt.Sprintf("customer=c&start_time=0&end_time=%d", begin-1):                           {},
	} {
		var wanted, got []string
		for _, i := range want {
			wanted = append(wanted, ids[i])
		}
		for _, job := range listed(n, n.Admin, query) {
			got = append(got, job["job_id"].(string))
		}
		if !slices.Equal(got, wanted) {
			t.Errorf("%s: %v, want %v", query, got, wanted)
		}
	}
}

func TestALogIsTheFirstTenThousandLines(t *testing.T) {
	n := start(t)
	id := submitted(n, n.Admin, document("lightning", `"image":"host","command":["seq","12000"]`))
	if lines := logged(n, id); len(lines) != 0 {
		t.Errorf("a job that never ran wrote %v", lines)
	}
	becomes(n, id, batch.Succeeded)
	lines := logged(n, id)
	if len(lines) != 10_000 || lines[0] != "1" || lines[9_999] != "10000" {
		t.Errorf("%d lines, from %q to %q", len(lines), lines[0], lines[len(lines)-1])
	}
}

func TestOnlyTheOwnAccountsInstancesMayCall(t *testing.T) {
	n := start(t)
	tokens := others(n)
	job, instance := booted(n, tokens["operator"], "lightning")
	for role, token := range tokens {
		want := map[string]int{"nobody": 401, "foreign": 400}[role]
		if want == 0 {
			want = 403
		}
		if role == "admin" || role == "operator" {
			continue
		}
		for _, path := range []string{"/get-info/us-east-1/", "/destroy/us-east-1/"} {
			if a := send(n, "GET", path+instance, token, ""); a.Status != want {
				t.Errorf("%s as %s: %d %s, want %d", path, role, a.Status, a.Raw, want)
			}
		}
	}
	for _, path := range []string{"/get-info/eu-west-1/" + instance, "/get-info/us-east-1/i-0", "/destroy/us-east-1/i-0"} {
		if a := send(n, "GET", path, tokens["operator"], ""); a.Status != 400 || code(a.Body) != "BAD_REQUEST" {
			t.Errorf("%s: %d %s", path, a.Status, a.Raw)
		}
	}
	if state(n, job) != batch.Starting {
		t.Fatalf("refusals made it %s", state(n, job))
	}
	// The published description calls both parameters id, and some clients send what it says.
	a := send(n, "GET", "/dev/?token="+tokens["operator"]+"/get-info/us-east-1/"+instance+"?id=us-east-1&id=i-0", "", "")
	if a.Status != 201 || a.Body["job_id"] != job || state(n, job) != batch.Running {
		t.Errorf("%d %s, and the job is %s", a.Status, a.Raw, state(n, job))
	}
}

func TestUseIsToldOfOneRegionAndTime(t *testing.T) {
	n := start(t)
	becomes(n, submitted(n, n.Admin, document("lightning", container)), batch.Succeeded)
	for query, customers := range map[string]int{
		"start_date=0&end_date=9e15&cloud_provider=aws&region=us-east-1":                1,
		"start_date=0&end_date=9e15&cloud_provider=aws&region=us-east-1&price=0":        1,
		"start_date=0&end_date=9e15&cloud_provider=aws&region=eu-west-1":                0,
		"start_date=0&end_date=9e15&cloud_provider=azure&region=us-east-1":              0,
		"start_date=0&end_date=1569400000000.5&cloud_provider=aws&region=us-east-1":     0,
		"start_date=9e15&end_date=9e15&cloud_provider=aws&region=us-east-1&price=10000": 0,
	} {
		a := send(n, "GET", "/get-metrics?"+query, n.Admin, "")
		use, is := a.Body["response"].(map[string]any)
		if a.Status != 200 || !is || len(use) != customers || strings.Contains(string(a.Raw), "cost") != (customers > 0 && strings.Contains(query, "price")) {
			t.Errorf("%s: %d %s", query, a.Status, a.Raw)
		}
	}
}
