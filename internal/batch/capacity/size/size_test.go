package size

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/runtime"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// kind is a machine with so many vCPUs and GiB.
func kind(name string, vcpus, gib, gpus int64, price int64) Kind {
	return Kind{Name: name, Units: int(vcpus), Has: runtime.Resources{MilliCPU: 1000 * vcpus, MemoryMiB: 1024 * gib, GPUs: gpus}, Price: price}
}

// family is three shapes in five sizes.
func family() (list []Kind) {
	for _, shape := range []struct {
		name       string
		gib, price int64
	}{{"c", 2, 85}, {"m", 4, 100}, {"r", 8, 130}} {
		for _, vcpus := range []int64{2, 4, 8, 16, 48} {
			list = append(list, kind(fmt.Sprintf("%s.%d", shape.name, vcpus), vcpus, shape.gib*vcpus, 0, shape.price*vcpus/2))
		}
	}
	return list
}

func task(cpu float64, gib float64) runtime.Resources {
	return runtime.Resources{MilliCPU: int64(1000 * cpu), MemoryMiB: int64(1024 * gib)}
}

func many(n int, t runtime.Resources) []runtime.Resources {
	return slices.Repeat([]runtime.Resources{t}, n)
}

func drawTasks(t *rapid.T, most int) []runtime.Resources {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) runtime.Resources {
		return runtime.Resources{MilliCPU: 250 * rapid.Int64Range(1, 64).Draw(t, "cpu"), MemoryMiB: 512 * rapid.Int64Range(1, 128).Draw(t, "memory")}
	}), 0, most).Draw(t, "waiting")
}

// buyer buys like a planner with a will of its own: any of the kinds, as long as something is missing and the most is not passed. closed are kinds that cannot be had.
func buyer(t *rapid.T, a Answer, hosts []Host, kinds []Kind, named func(n int) string) []Host {
	have := 0
	for _, h := range hosts {
		if h.State != Leaving {
			have += h.Units
		}
	}
	for have < a.Target {
		var open []Kind
		for _, k := range kinds {
			if slices.Contains(a.Kinds, k.Name) && k.Units <= a.Most-have {
				open = append(open, k)
			}
		}
		if len(open) == 0 {
			return hosts
		}
		k := rapid.SampledFrom(open).Draw(t, "bought")
		hosts = append(hosts, Host{ID: named(len(hosts)), Units: k.Units, Has: k.Has, State: Coming})
		have += k.Units
	}
	return hosts
}

func sum(hosts []Host) (all runtime.Resources) {
	for _, h := range hosts {
		all.MilliCPU += h.Has.MilliCPU
		all.MemoryMiB += h.Has.MemoryMiB
	}
	return all
}

func name(n int) string { return fmt.Sprint("i-", n) }

func TestWhatWaitsGetsEnoughMachinesHoweverTheyAreChosen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := Question{Waiting: drawTasks(t, 60), Kinds: family(), Room: Unbounded(), IdleFor: time.Minute, Now: noon}
		for round := 0; ; round++ {
			a := Decide(q)
			if a.New == 0 {
				break
			}
			if again := Decide(q); !reflect.DeepEqual(a, again) {
				t.Fatalf("%+v, and then %+v", a, again)
			}
			before := len(q.Hosts)
			if q.Hosts = buyer(t, a, q.Hosts, q.Kinds, name); len(q.Hosts) == before {
				t.Fatalf("nothing can be bought of %+v", a)
			}
			if len(a.Go) > 0 || a.Short > 0 {
				t.Fatalf("%+v: nothing is idle, and there is room", a)
			}
			if round > len(q.Waiting)+3 {
				t.Fatalf("after %d rounds it asks for %+v", round, a)
			}
		}
		if _, left := onto(q); len(left) > 0 {
			t.Fatalf("%v wait, and nothing is bought", left)
		}
	})
}

func TestNothingIsBoughtBeyondTheRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := runtime.Resources{MilliCPU: 1000 * rapid.Int64Range(1, 64).Draw(t, "vcpus"), MemoryMiB: 1024 * rapid.Int64Range(1, 128).Draw(t, "GiB")}
		q := Question{Waiting: drawTasks(t, 60), Kinds: family(), IdleFor: time.Minute, Now: noon}
		for round := 0; round < 100; round++ {
			q.Room = minus(limit, sum(q.Hosts))
			a := Decide(q)
			if a.New == 0 {
				// Either all that fits is there, or nothing more fits.
				if _, left := onto(q); len(left) > 0 && a.Short == 0 && slices.ContainsFunc(left, func(r runtime.Resources) bool {
					return slices.ContainsFunc(q.Kinds, func(k Kind) bool { return k.Holds(r) && fits(k.Has, q.Room) })
				}) {
					t.Fatalf("%v wait, there is room for %+v, and nothing is bought", left, q.Room)
				}
				return
			}
			q.Hosts = buyer(t, a, q.Hosts, q.Kinds, name)
			if all := sum(q.Hosts); !fits(all, limit) {
				t.Fatalf("%+v of %+v are used", all, limit)
			}
		}
		t.Fatal("it never has enough")
	})
}

// drawHosts are hosts in any state, with work on some.
func drawHosts(t *rapid.T) (hosts []Host, busy map[string]runtime.Resources) {
	busy = map[string]runtime.Resources{}
	for n := range rapid.IntRange(0, 12).Draw(t, "hosts") {
		k := rapid.SampledFrom(family()).Draw(t, "type")
		h := Host{ID: name(n), Units: k.Units, Has: k.Has, State: rapid.SampledFrom([]State{Coming, Ready, Ready, Leaving}).Draw(t, "state")}
		if h.State != Coming && rapid.Bool().Draw(t, "busy") {
			busy[h.ID] = task(0.5, 0.5)
		}
		if h.State == Coming && rapid.Bool().Draw(t, "unborn") {
			h.ID = ""
		}
		hosts = append(hosts, h)
	}
	return hosts, busy
}

func TestABusyMachineNeverGoesAndAnIdleOneStaysItsTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := Question{Kinds: family(), Room: Unbounded(), IdleFor: time.Minute, Now: noon, Waiting: drawTasks(t, 10)}
		if rapid.Bool().Draw(t, "crowded") {
			q.Room = runtime.Resources{}
		}
		q.Hosts, q.Busy = drawHosts(t)
		idle := map[string]time.Time{}
		for range 30 {
			q.Now = q.Now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "passes")) * time.Second)
			q.Idle = idle
			a := Decide(q)
			for _, id := range a.Go {
				at := slices.IndexFunc(q.Hosts, func(h Host) bool { return h.ID == id })
				switch _, busy := q.Busy[id]; {
				case busy:
					t.Fatalf("%s has work and is to go", id)
				case q.Hosts[at].State == Leaving:
					t.Fatalf("%s leaves already", id)
				case a.Short == 0 && q.Now.Sub(idle[id]) < q.IdleFor:
					t.Fatalf("%s is to go after %s", id, q.Now.Sub(idle[id]))
				}
				q.Hosts[at].State = Leaving
			}
			for id, since := range idle {
				if now, stays := a.Idle[id]; stays && !now.Equal(since) {
					t.Fatalf("%s was idle since %s, now since %s", id, since, now)
				}
			}
			units := 0
			for _, h := range q.Hosts {
				if _, busy := q.Busy[h.ID]; busy && h.State != Leaving {
					units += h.Units
				}
			}
			if a.Target < units || a.Most < a.Target {
				t.Fatalf("%+v for %d busy units", a, units)
			}
			idle = a.Idle
		}
	})
}

func TestAnEmptyQueueEndsWithoutMachines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := Question{Kinds: family(), Room: Unbounded(), IdleFor: time.Minute, Now: noon}
		q.Hosts, _ = drawHosts(t)
		first := Decide(q)
		if first.Target != 0 || len(first.Go) > 0 {
			t.Fatalf("%+v: nothing is needed, and nothing has been idle for long", first)
		}
		q.Now, q.Idle = noon.Add(time.Minute), first.Idle
		gone := Decide(q)
		for _, h := range q.Hosts {
			if h.ID != "" && h.State != Leaving && !slices.Contains(gone.Go, h.ID) {
				t.Fatalf("%s stays", h.ID)
			}
		}
		if gone.Target != 0 || len(gone.Idle) > 0 {
			t.Fatalf("%+v", gone)
		}
	})
}

func TestTheOrderOfHostsAndKindsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := Question{Kinds: family(), Room: Unbounded(), IdleFor: time.Minute, Now: noon, Waiting: drawTasks(t, 20)}
		q.Hosts, q.Busy = drawHosts(t)
		other := q
		other.Kinds = rapid.Permutation(q.Kinds).Draw(t, "kinds")
		other.Hosts = rapid.Permutation(q.Hosts).Draw(t, "order")
		if a, b := Decide(q), Decide(other); !reflect.DeepEqual(a, b) {
			t.Fatalf("%+v\n%+v", a, b)
		}
	})
}

func TestMoreOfTheSameWorkNeverNeedsLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := task(float64(rapid.IntRange(1, 16).Draw(t, "vcpus"))/2, float64(rapid.IntRange(1, 60).Draw(t, "GiB"))/2)
		q := Question{Kinds: family(), Room: Unbounded(), Now: noon}
		if rapid.Bool().Draw(t, "bounded") {
			q.Room = task(float64(rapid.IntRange(0, 300).Draw(t, "room")), 1000)
		}
		before := 0
		for n := range 60 {
			q.Waiting = many(n, size)
			a := Decide(q)
			if a.Target < before {
				t.Fatalf("%d tasks need %d units, one less needs %d", n, a.Target, before)
			}
			before = a.Target
		}
	})
}

func TestWhatIsBoughtFitsTheWork(t *testing.T) {
	gpus := append(family(), kind("g.4", 4, 16, 1, 500), kind("g.48", 48, 192, 4, 5000))
	gpu := task(2, 8)
	gpu.GPUs = 1
	for _, c := range []struct {
		name    string
		kinds   []Kind
		waiting []runtime.Resources
		room    runtime.Resources
		units   int
		first   string
		only    string // the letters of the families that it may be
		short   int
	}{
		{"one task takes the smallest machine", family(), many(1, task(1, 2)), Unbounded(), 2, "c.2", "cmr", 0},
		{"a hundred may be on small machines or larger ones", family(), many(100, task(1, 2)), Unbounded(), 104, "c.8", "cmr", 0},
		{"memory asks for machines with memory", family(), many(100, task(1, 8)), Unbounded(), 104, "r.8", "r", 0},
		{"a machine must hold the largest", family(), []runtime.Resources{task(1, 2), task(7, 10)}, Unbounded(), 8, "c.8", "cmr", 0},
		{"a GPU is bought for those that ask for one", gpus, many(3, gpu), Unbounded(), 12, "g.4", "g", 0},
		{"half a machine's room is no room", family(), many(4, task(1, 2)), task(3, 100), 2, "c.2", "cmr", 2},
		{"where memory is scarce, machines with little of it are bought", family(), many(8, task(1, 2)), task(8, 16), 8, "c.2", "c", 0},
		{"nothing fits", family(), many(2, task(1, 2)), task(1, 100), 0, "", "", 2},
		{"what no machine holds is left alone", family(), []runtime.Resources{task(96, 1), task(1, 1)}, Unbounded(), 2, "c.2", "cmr", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := Decide(Question{Waiting: c.waiting, Kinds: c.kinds, Room: c.room, Now: noon})
			if a.New != c.units || a.Target != c.units || a.Short != c.short {
				t.Fatalf("%+v, want %d units and %d short", a, c.units, c.short)
			}
			if c.units > 0 && a.Kinds[0] != c.first {
				t.Errorf("%v, want %s first", a.Kinds, c.first)
			}
			for _, name := range a.Kinds {
				if !slices.Contains([]byte(c.only), name[0]) {
					t.Errorf("%s is offered", name)
				}
			}
		})
	}
}

func TestIdleMachinesStayCountedWhileMoreAreBought(t *testing.T) {
	small := kind("c.2", 2, 4, 0, 1)
	q := Question{
		Hosts: []Host{{ID: "i-idle", Units: 2, Has: small.Has, State: Ready}, {ID: "i-busy", Units: 2, Has: small.Has, State: Ready}, {ID: "i-lost", Units: 2, Has: small.Has, State: Leaving}},
		Busy:  map[string]runtime.Resources{"i-busy": task(2, 2), "i-lost": task(2, 2)},
		Kinds: family(), Room: Unbounded(), IdleFor: time.Minute, Now: noon,
	}
	delete(q.Busy, "i-lost")
	if a := Decide(q); a.Target != 2 || a.New != 0 {
		t.Errorf("%+v: only the busy one is to be replaced should it be lost", a)
	}
	q.Waiting = many(1, task(8, 8))
	if a := Decide(q); a.Target != 2+2+8 || a.New != 8 {
		t.Errorf("%+v: two stay, and eight units come", a)
	}
}

func TestTheWorkOfAMachineThatLeavesIsExpectedElsewhere(t *testing.T) {
	has := kind("c.2", 2, 4, 0, 1).Has
	q := Question{
		Hosts: []Host{{ID: "i-idle", Units: 2, Has: has, State: Ready}, {ID: "i-other", Units: 2, Has: has, State: Ready}, {ID: "i-lost", Units: 2, Has: has, State: Leaving}},
		Busy:  map[string]runtime.Resources{"i-lost": task(2, 2)}, Idle: map[string]time.Time{"i-idle": noon.Add(-time.Hour), "i-other": noon.Add(-time.Hour)},
		Kinds: family(), Room: Unbounded(), IdleFor: time.Minute, Now: noon,
	}
	if a := Decide(q); a.Target != 2 || !slices.Equal(a.Go, []string{"i-other"}) {
		t.Errorf("%+v: one of two idle machines is kept for it", a)
	}
	q.Hosts = q.Hosts[2:]
	if a := Decide(q); a.Target != 2 || a.New != 0 {
		t.Errorf("%+v: the fleet replaces it by itself", a)
	}
}

func TestAKindForOneTaskIsATightOne(t *testing.T) {
	for _, k := range Tight(task(3, 10), family()) {
		if k.Units != 4 || !k.Holds(task(3, 10)) {
			t.Errorf("%+v", k)
		}
	}
	if list := Tight(task(300, 10), family()); list != nil {
		t.Errorf("%+v hold what nothing holds", list)
	}
}

func BenchmarkThousandsOfTasksAndHosts(b *testing.B) {
	q := Question{Kinds: family(), Room: Unbounded(), Now: noon}
	for n := range 300 { // as many as a region sells
		q.Kinds = append(q.Kinds, kind(fmt.Sprint("x.", n), int64(2+n%40), int64(4+n), 0, int64(n)))
	}
	for n := range 1000 {
		state := Ready
		if n%4 == 0 {
			state = Coming
		}
		q.Hosts = append(q.Hosts, Host{ID: name(n), Units: 4, Has: task(4, 8), State: state})
	}
	for n := range 3000 {
		q.Waiting = append(q.Waiting, task(float64(1+n%17)/2, float64(1+n%31)))
	}
	for b.Loop() {
		Decide(q)
	}
}
