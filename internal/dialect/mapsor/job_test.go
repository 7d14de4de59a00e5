package mapsor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/batch/output"
	"github.com/neap-cloud/neap/internal/dialect/dialecttest"
)

// answered compares an answer with a published sample's.
func answered(t *testing.T, s dialecttest.Sample, status int, out any) {
	t.Helper()
	body, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	s.Agrees(t, status, body)
}

func TestAJobIsListedAsPublished(t *testing.T) {
	at := time.UnixMilli
	job := batch.Job{
		ID: "3892fea6-df92-11e9-9d97-f2a54137d40c", State: batch.Succeeded, SubmittedAt: at(1569405600000), StartedAt: at(1569405660000), StoppedAt: at(1569405900000),
		Submission: batch.Submission{
			Customer: "lightning", Class: "Transcode_23", Cloud: "aws", Region: "us-east-1", Image: "hello-world:linux", Priority: batch.High, Tags: map[string]any{"team": "media"},
			Command: []string{"echo", "hi"}, Env: map[string]string{"LEVEL": "info"},
		},
	}
	answered(t, dialecttest.Find(t, "jobs", "list"), 200, found{[]listed{shown(job)}})
}

func TestWhatAJobHasNotIsNull(t *testing.T) {
	text, err := json.Marshal(shown(batch.Job{ID: "1", State: batch.Rejected, Submission: batch.Submission{AMI: "ami-1"}, SubmittedAt: time.UnixMilli(1)}))
	const want = `{"job_id":"1","id":"","customer":"","cloud":"","region":"","status":"REJECTED","kind":"ec2","priority":null,"queue":null,"image":null,"ami":"ami-1","tags":null,` +
		`"submitted_at":1,"started_at":null,"stopped_at":null,"retry_of":null,"reason":null}`
	if string(text) != want || err != nil {
		t.Errorf("%s, %v", text, err)
	}
	text, err = json.Marshal(shown(batch.Job{
		RetryOf: "0", Reason: "Why.", Submission: batch.Submission{Image: "i", Queue: "q", Deadline: time.UnixMilli(5), Expected: 1500 * time.Millisecond, Checkpoint: true},
	}))
	var members map[string]any
	if json.Unmarshal(text, &members) != nil || err != nil || members["deadline"] != 5.0 || members["expected"] != 1.5 || members["checkpoint"] != true ||
		members["retry_of"] != "0" || members["reason"] != "Why." || members["queue"] != "q" || members["kind"] != "container" {
		t.Errorf("%s, %v", text, err)
	}
}

func TestAListShowsNothingOfAJobsEnvironment(t *testing.T) {
	text, err := json.Marshal(shown(batch.Job{Submission: batch.Submission{
		Env: map[string]string{canary: canary}, UserData: canary, Command: []string{canary}, InstanceType: "x",
	}, Author: canary}))
	if err != nil || bytes.Contains(text, []byte(canary)) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestPagesAreReadOnceInOrderUpToTheMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, most := rapid.IntRange(0, 5000).Draw(t, "all"), rapid.IntRange(1, 4000).Draw(t, "most")
		short := rapid.IntRange(1, page).Draw(t, "short") // a room may give less than it was asked for
		asked := 0
		got, err := collect(most, func(after string, want int) ([]int, string, error) {
			from, _ := strconv.Atoi(after)
			if asked++; want < 1 || want > page || from+want > most {
				t.Fatalf("asked for %d after %d of at most %d", want, from, most)
			}
			to := min(from+min(want, short), all)
			var list []int
			for n := from; n < to; n++ {
				list = append(list, n)
			}
			if to == all {
				return list, "", nil
			}
			return list, strconv.Itoa(to), nil
		}, func(n int) []int { return []int{n} })
		if err != nil || len(got) != min(all, most) || got == nil || !slices.IsSorted(got) || asked > most/short+2 {
			t.Fatalf("%d of %d, %d asked, %d calls, %v", len(got), all, most, asked, err)
		}
	})
}

func TestAPageThatFailsOrLeadsNowhereEndsTheReading(t *testing.T) {
	down := errors.New("down")
	calls := 0
	read := func(after string, most int) ([]int, string, error) {
		if calls++; calls > 1 {
			return nil, "", down
		}
		return []int{1}, "1", nil
	}
	one := func(n int) []int { return []int{n} }
	if got, err := collect(10, read, one); !errors.Is(err, down) || got != nil {
		t.Errorf("%v, %v", got, err)
	}
	got, err := collect(10, func(string, int) ([]int, string, error) { return nil, "same", nil }, one)
	if err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestLinesThatWereNotKeptAreTold(t *testing.T) {
	at := time.UnixMilli(1569405661000)
	all, err := collect(3, func(string, int) ([]output.Line, string, error) {
		return []output.Line{{At: at, Text: "a"}, {At: at, Text: "b", Dropped: 70}, {At: at, Text: "c", Dropped: 1}}, "", nil
	}, written)
	want := []line{{1569405661000, "a"}, {1569405661000, "[lines that were not kept: 70]"}, {1569405661000, "b"}}
	if err != nil || !reflect.DeepEqual(all, want) {
		t.Errorf("%v, %v", all, err)
	}
	answered(t, dialecttest.Find(t, "jobs", "logs"), 200, log{Response: written(output.Line{At: at, Text: "hi", Stream: "stdout"})})
	text, err := json.Marshal(log{Response: []line{}})
	if string(text) != `{"error":{},"response":[]}` || err != nil {
		t.Errorf("%s, %v", text, err)
	}
}

func TestAnswersAreShapedAsPublished(t *testing.T) {
	const id = "3892fea6-df92-11e9-9d97-f2a54137d40c"
	answered(t, dialecttest.Find(t, "jobs", "container, on demand"), 200, made{id})
	answered(t, dialecttest.Find(t, "jobs", "status"), 200, status{batch.Rejected})
	answered(t, dialecttest.Find(t, "spot_metrics", "get info"), 201, channel{id, "pub-c-2f1f7a50-3c0e-4a1e-9b1a-6a3d2c1b0a90", "sub-c-7b1e2c34-df92-11e9-9d97-f2a54137d40c"})
}

func TestUseIsBilledAsPublished(t *testing.T) {
	cost := func(n int64) *int64 { return &n }
	use := map[string]batch.Usage{"lightning": {Jobs: 2, RuntimeMS: 3_600_000, VCPUMS: 7_200_000}, "acme": {Jobs: 1, RuntimeMS: 3_600_000, VCPUMS: 3_600_000}}
	answered(t, dialecttest.Find(t, "spot_metrics", "metrics"), 200, billed(use))
	for customer, part := range map[string]int64{"lightning": 67, "acme": 33} {
		u := use[customer]
		u.Cost = cost(part)
		use[customer] = u
	}
	answered(t, dialecttest.Find(t, "spot_metrics", "metrics with price"), 200, billed(use))
	if text, err := json.Marshal(billed(map[string]batch.Usage{"b": {Cost: cost(0)}, "a": {}})); err != nil ||
		string(text) != `{"response":{"a":{"jobs":0,"runtime_ms":0,"vcpu_ms":0},"b":{"jobs":0,"runtime_ms":0,"vcpu_ms":0,"cost":0}}}` {
		t.Errorf("%s, %v", text, err)
	}
	if text, err := json.Marshal(billed(nil)); string(text) != `{"response":{}}` || err != nil {
		t.Errorf("%s, %v", text, err)
	}
}

func TestTimesAreCutToTheMillisecondAndToWhatAStoreKeeps(t *testing.T) {
	for given, want := range map[float64]string{
		0: "1970-01-01T00:00:00Z", 1.9: "1970-01-01T00:00:00.001Z", -1: "1970-01-01T00:00:00Z", -1e300: "1970-01-01T00:00:00Z",
		1569405600000: "2019-09-25T10:00:00Z", 9007199254740991: "9999-12-31T23:59:59Z", 1e300: "9999-12-31T23:59:59Z",
	} {
		if got := moment(given).Format(time.RFC3339Nano); got != want {
			t.Errorf("%v is %s, want %s", given, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Float64().Draw(t, "a"), rapid.Float64().Draw(t, "b")
		if moment(a).Year() > 9999 || a <= b && moment(a).After(moment(b)) {
			t.Fatalf("%v is %s, %v is %s", a, moment(a), b, moment(b))
		}
		if _, _, err := window("start_time", a, "end_time", b); (err != nil) != moment(a).After(moment(b)) {
			t.Fatalf("%v … %v: %v", a, b, err)
		}
	})
	if _, _, err := window("start_time", 2, "end_time", 1); err == nil || fmt.Sprint(err) != "start_time: must not be after end_time" {
		t.Errorf("%v", err)
	}
}
