package capacity_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
	"github.com/neap-cloud/neap/internal/runtime"
)

func TestAQueueIsCheckedBeforeItIsMade(t *testing.T) {
	t.Parallel()
	y := open(t)
	good := func() capacity.Queue {
		return capacity.Queue{Lane: y.lane("media-low"), Lifecycle: cloud.Spot, Types: []string{"c5.large", "m5.xlarge"}, Most: size(16, 0)}
	}
	for _, c := range []struct {
		name   string
		change func(*capacity.Queue)
		field  string // that is named; "" = it is good
	}{
		{"as it should be", func(*capacity.Queue) {}, ""},
		{"without types and bounds", func(q *capacity.Queue) { q.Types, q.Most = nil, runtime.Resources{} }, ""},
		{"arm, named", func(q *capacity.Queue) { q.Types = []string{"m6g.large"} }, ""},
		{"a name that every region has", func(q *capacity.Queue) { q.Queue = capacity.SpotQueue }, "queue"},
		{"no name", func(q *capacity.Queue) { q.Queue = "" }, "queue"},
		{"a name with a slash", func(q *capacity.Queue) { q.Queue = "media/low" }, "queue"},
		{"a name that begins with a dash", func(q *capacity.Queue) { q.Queue = "-low" }, "queue"},
		{"a name that is too long", func(q *capacity.Queue) { q.Queue = strings.Repeat("a", 65) }, "queue"},
		{"a region that nobody knows", func(q *capacity.Queue) { q.Region = "us-north-9" }, "region"},
		{"a cloud without machines", func(q *capacity.Queue) { q.Cloud = "azure" }, "cloud"},
		{"no lifecycle", func(q *capacity.Queue) { q.Lifecycle = "" }, "lifecycle"},
		{"a type that nobody sells", func(q *capacity.Queue) { q.Types[1] = "m5.tiny" }, "types[1]"},
		{"a type twice", func(q *capacity.Queue) { q.Types[1] = "c5.large" }, "types[1]"},
		{"a negative bound", func(q *capacity.Queue) { q.Most.GPUs = -1 }, "most"},
		{"a bound below every machine", func(q *capacity.Queue) { q.Most = size(1, 0) }, "most"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := good()
			c.change(&q)
			made, err := y.PutQueue(t.Context(), q)
			if c.field == "" {
				if err != nil || made.Created.IsZero() {
					t.Errorf("%+v, %v", made, err)
				}
			} else if !fault.Is(err, fault.Invalid) || fault.As(err).Field != c.field {
				t.Errorf("%v, want a fault of %q", err, c.field)
			}
		})
	}
	list, err := y.Queues(t.Context(), y.Account.ID)
	if err != nil || len(list) != 1 || list[0].Queue != "media-low" || list[0].Types[0] != "m6g.large" || list[0].Created.IsZero() {
		t.Errorf("%+v, %v: the queue is there once, as it was put last", list, err)
	}
	if list, err := y.Queues(t.Context(), "act-other"); err != nil || len(list) > 0 {
		t.Errorf("another account sees %+v, %v", list, err)
	}
}

func TestANamedQueueUsesItsTypesWithinItsBoundAndIsDroppedWhenItIsEmpty(t *testing.T) {
	t.Parallel()
	y := open(t)
	lane := y.lane("media-low")
	if err := y.DropQueue(t.Context(), lane); !fault.Is(err, fault.NotFound) {
		t.Errorf("a queue that is not there: %v", err)
	}
	if err := y.DropQueue(t.Context(), y.lane(capacity.SpotQueue)); !fault.Is(err, fault.Invalid) {
		t.Errorf("a queue that is always there: %v", err)
	}
	if _, err := y.PutQueue(t.Context(), capacity.Queue{Lane: lane, Lifecycle: cloud.OnDemand, Types: []string{"c5.large", "m5.large"}, Most: size(4, 0)}); err != nil {
		t.Fatal(err)
	}
	y.submit(lane, 6, size(1, 1800))
	y.until("as many run as the bound allows", 10*time.Minute, func() bool { return len(y.running) == 4 })
	for range 30 {
		y.Clock.Advance(time.Second)
		y.dispatch()
		if all := y.lent(); all.MilliCPU > 4000 {
			t.Fatalf("%+v are lent", all)
		}
	}
	for _, h := range y.living() {
		if h.Lifecycle != cloud.OnDemand || h.Type != "c5.large" && h.Type != "m5.large" || h.Lane != lane {
			t.Errorf("%+v", h)
		}
	}
	if err := y.DropQueue(t.Context(), lane); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "2 machines") {
		t.Errorf("dropped with machines: %v", err)
	}
	y.finish("")
	y.until("the others run", 10*time.Minute, func() bool { return len(y.running) == 2 })
	y.finish("")
	y.until("all are gone", 10*time.Minute, func() bool { return len(y.living()) == 0 })
	if err := y.DropQueue(t.Context(), lane); err != nil {
		t.Fatal(err)
	}
	y.submit(lane, 1, size(1, 1800))
	y.dispatch()
	y.Clock.Advance(time.Minute)
	y.dispatch()
	if len(y.groups()) > 0 || len(y.living()) > 0 {
		t.Errorf("a dropped queue has %d groups and %d machines", len(y.groups()), len(y.living()))
	}
}

func TestWhatCanNeverRunIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	y := open(t)
	small := capacity.New(func() capacity.Config { c := y.config; c.Limit = size(2, 3900); return c }())
	if _, err := y.PutQueue(t.Context(), capacity.Queue{Lane: y.lane("narrow"), Lifecycle: cloud.Spot, Types: []string{"c5.large", "r5.4xlarge"}, Most: size(8, 0)}); err != nil {
		t.Fatal(err)
	}
	tiny := capacity.New(func() capacity.Config {
		c := y.config
		c.Limit = runtime.Resources{MilliCPU: 500, MemoryMiB: 900, GPUs: 1}
		return c
	}())
	half := runtime.Resources{MilliCPU: 500, MemoryMiB: 900}
	gpu := size(1, 1024)
	gpu.GPUs = 1
	elsewhere := y.lane(capacity.SpotQueue)
	elsewhere.Region = "mars-east-1"
	azure := y.lane(capacity.SpotQueue)
	azure.Cloud = "azure"
	for _, c := range []struct {
		name string
		in   *capacity.Fleets
		lane capacity.Lane
		task runtime.Resources
		says string // "" = it fits
	}{
		{"the usual", y.Fleets, y.lane(capacity.SpotQueue), size(1, 2048), ""},
		{"the usual, on a small machine", small, y.lane(capacity.SpotQueue), size(2, 3900), ""},
		{"all of a machine that is smaller than any that is sold", tiny, y.lane(capacity.SpotQueue), half, ""},
		{"a GPU of such a one", tiny, y.lane(capacity.SpotQueue), runtime.Resources{MilliCPU: 500, MemoryMiB: 900, GPUs: 1}, ""},
		{"more than such a one has", tiny, y.lane(capacity.SpotQueue), size(1, 1024), "The job needs 1 vCPU and 1024 MiB of memory; this machine lends 0.5 vCPUs and 900 MiB of memory."},
		{"a GPU", y.Fleets, y.lane(capacity.OnDemandQueue), gpu, ""},
		{"more vCPUs than this machine has", small, y.lane(capacity.SpotQueue), size(96, 2048), "The job needs 96 vCPUs; this machine lends 2 vCPUs."},
		{"more memory than this machine has", small, y.lane(capacity.SpotQueue), size(1, 4096), "The job needs 4096 MiB of memory; this machine lends 3900 MiB of memory."},
		{"a GPU where there is none", small, y.lane(capacity.SpotQueue), gpu, "The job needs 1 GPU; this machine lends no GPUs."},
		{"more than any machine has", y.Fleets, y.lane(capacity.SpotQueue), size(1000, 2048), "The job needs 1000 vCPUs; the largest machine of queue spot in us-east-1 has 384 vCPUs."},
		{"more than the queue may use", y.Fleets, y.lane("narrow"), size(9, 2048), "The job needs 9 vCPUs; all machines of queue narrow together have at most 8 vCPUs."},
		{"on a machine that the queue may not use", y.Fleets, y.lane("narrow"), size(4, 2048), "Every machine of queue narrow that holds the job has more than the queue may use, 8 vCPUs; raise that, or ask for less."},
		{"a GPU in a queue without", y.Fleets, y.lane("narrow"), gpu, "The job needs 1 GPU, and queue narrow in us-east-1 has no machines with any."},
		{"a queue that is not there", y.Fleets, y.lane("media-low"), size(1, 2048), "There is no queue media-low in us-east-1; spot and on-demand are there always, and others are made first."},
		{"a region that is not there", y.Fleets, elsewhere, size(1, 2048), `There is no region "mars-east-1" in aws.`},
		{"a cloud that is not there", y.Fleets, azure, size(1, 2048), `This account has no machines in the cloud "azure".`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.in.Fits(t.Context(), c.lane, c.task)
			var refusal *runtime.Refusal
			switch {
			case c.says == "" && err != nil:
				t.Error(err)
			case c.says != "" && (!errors.As(err, &refusal) || refusal.Kind != runtime.Never || refusal.Message != c.says):
				t.Errorf("%v\nwant %s", err, c.says)
			}
		})
	}
}

func TestTheMarketOfATaskIsItsShareOfTheMachinesItWouldGet(t *testing.T) {
	t.Parallel()
	y := open(t)
	half, err := y.Market(t.Context(), y.lane(capacity.SpotQueue), size(1, 4096)) // of machines with two vCPUs and four GiB: all of the memory
	if err != nil {
		t.Fatal(err)
	}
	whole, err := y.Market(t.Context(), y.lane(capacity.OnDemandQueue), size(2, 4096))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []deadline.Market{half, whole} {
		if m.OnDemand <= 0 || m.Every <= 0 || len(m.Pools) < 5 {
			t.Fatalf("%+v", m)
		}
		for _, p := range m.Pools {
			if !p.Open || p.Price <= 0 || p.Hazard <= 0 || !strings.HasPrefix(p.Zone, "us-east-1") {
				t.Errorf("%+v", p)
			}
		}
	}
	if whole.OnDemand != 76_500 { // c6a.large
		t.Errorf("the cheapest machine of two vCPUs and 4 GiB costs %s", whole.OnDemand)
	}
	if half.OnDemand != 57_960 { // m7a.medium
		t.Errorf("the cheapest machine of one vCPU and 4 GiB costs %s", half.OnDemand)
	}
	part, err := y.Market(t.Context(), y.lane(capacity.SpotQueue), runtime.Resources{MilliCPU: 1500, MemoryMiB: 3000})
	if err != nil || part.OnDemand != 76_500*3/4 {
		t.Errorf("three quarters of it cost %s, %v", part.OnDemand, err)
	}
	d := deadline.Decide(deadline.Job{Work: time.Hour, Left: time.Hour, Began: y.Clock.Now(), Until: y.Clock.Now().Add(8 * time.Hour), Checkpoint: true}, deadline.Where{Kind: deadline.Wait}, half, y.Clock.Now())
	if d.Kind != deadline.Spot {
		t.Errorf("a calm market has it wait or pay: %s", d.Because)
	}
	if _, err := y.Market(t.Context(), y.lane(capacity.SpotQueue), size(1000, 1)); err == nil {
		t.Error("there is a market for what no machine holds")
	}
}
