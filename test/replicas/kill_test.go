package replicas

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	// runsVariable is how many seeded runs the kill test makes; make replicas asks for a hundred.
	runsVariable = "NEAP_REPLICA_RUNS"
	// seedVariable repeats the run of one seed.
	seedVariable = "NEAP_REPLICA_SEED"
	fleetSize    = 200
	// goesOnWithin is the promise: so long after one process was killed, the other has finished.
	goesOnWithin = 10 * time.Second
)

// slack is how much longer everything may take when this test shares the machine with all others; make replicas runs it alone, and grants nothing.
func slack() time.Duration {
	if os.Getenv(runsVariable) == "" {
		return 2
	}
	return 1
}

// seeds are the runs to make.
func seeds(t *testing.T) []uint64 {
	t.Helper()
	number := func(variable string, otherwise uint64) uint64 {
		text := os.Getenv(variable)
		if text == "" {
			return otherwise
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s is %q, not a number", variable, text)
		}
		return n
	}
	if os.Getenv(seedVariable) != "" {
		return []uint64{number(seedVariable, 0)}
	}
	var all []uint64
	for seed := range number(runsVariable, 1) {
		all = append(all, seed+1)
	}
	return all
}

func TestTheOtherReplicaFinishesWhatAKilledOneBegan(t *testing.T) {
	var slowest time.Duration
	for _, seed := range seeds(t) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("again: %s=%d go test ./test/replicas -count=1 -run TestTheOtherReplicaFinishes", seedVariable, seed)
				}
			}()
			slowest = max(slowest, killOne(t, seed))
		})
	}
	t.Logf("the slowest of %d runs finished %s after the kill", len(seeds(t)), slowest.Round(10*time.Millisecond))
}

// killOne scales two hundred groups through two replicas, kills one of them in the middle, and judges what the other one makes of it.
func killOne(t *testing.T, seed uint64) time.Duration {
	dice := rand.New(rand.NewPCG(seed, 0))
	in := install(t)
	world := []string{"--no-demo", "--seed", strconv.FormatUint(seed, 10), "--log-level", "warn"}
	both := []*replica{in.start(world...), in.start(world...)}
	fleet := foundFleet(t, fleetSize, both, dice)
	cloud := in.world()

	victim := dice.IntN(2)
	survivor := both[1-victim]
	// In the middle of the scaling, so that there are turns in progress, changes that nobody has seen yet, and requests under way.
	moment := 10 + dice.IntN(fleetSize-20)
	reached := make(chan struct{})
	scaling := make(chan struct{})
	go func() {
		fleet.scale(both, survivor, func(answers int) {
			if answers == moment {
				close(reached)
			}
		})
		close(scaling)
	}()
	<-reached
	both[victim].kill()
	killed := time.Now()
	there := len(in.record(cloud).Calls)
	<-scaling
	answered := time.Since(killed)
	eventually(t, "every group has what was asked for", time.Minute, func() bool {
		return maps.Equal(aliveByGroup(in.record(cloud)), fleet.alive())
	})
	took := time.Since(killed)
	t.Logf("killed replica %d after %d of %d requests and %d of %d calls of the cloud; all was answered %s and done %s after that",
		victim+1, moment, fleetSize, there, len(in.record(cloud).Calls), answered.Round(time.Millisecond), took.Round(time.Millisecond))
	if took > goesOnWithin*slack() {
		t.Errorf("it took %s to finish, more than %s", took, goesOnWithin*slack())
	}
	eventually(t, "the engine knows what the cloud runs", 20*time.Second, func() bool { return fleet.isKnownTo(survivor) })
	judge(t, in, in.record(cloud), fleet.alive(), fleet.ever())
	survivor.stop()
	return took
}

// fleet is the groups of a test with what was asked of them.
type fleet struct {
	t       *testing.T
	ids     []string
	targets map[string][2]int // before and after
}

// foundFleet makes the groups with their first targets, by turns through both replicas, and waits until they have them.
func foundFleet(t *testing.T, size int, through []*replica, dice *rand.Rand) *fleet {
	t.Helper()
	f := &fleet{t: t, targets: map[string][2]int{}}
	var mu sync.Mutex
	inParallel(size, func(n int) {
		mu.Lock()
		// Most grow, some shrink, some stay empty or become so; spot and on-demand.
		before, after, risk, at := dice.IntN(2), dice.IntN(4), 100*dice.IntN(2), regions()[dice.IntN(len(regions()))]
		mu.Unlock()
		made := through[n%len(through)].must(http.MethodPost, "/aws/ec2/group", document(fmt.Sprintf("group %d", n), at, before, risk))
		mu.Lock()
		defer mu.Unlock()
		id := made.items[0]["id"].(string)
		f.ids, f.targets[id] = append(f.ids, id), [2]int{before, after}
	})
	slices.Sort(f.ids)
	return f
}

// scale asks for the new targets, by turns through all replicas. What a killed one does not answer is asked again of the survivor.
func (f *fleet) scale(through []*replica, survivor *replica, answered func(count int)) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	var turn atomic.Int64
	f.each(func(id string) {
		r := through[int(turn.Add(1))%len(through)]
		a, err := r.call(client, http.MethodPut, "/aws/ec2/group/"+id+"/capacity", f.wish(id))
		if errors.Is(err, errCut) || errors.Is(err, syscall.ECONNREFUSED) {
			a, err = survivor.call(client, http.MethodPut, "/aws/ec2/group/"+id+"/capacity", f.wish(id))
		}
		f.expect(id, a, err)
	}, answered)
}

// each does something for every group, and tells how many are done.
func (f *fleet) each(do func(id string), done func(count int)) {
	var count atomic.Int64
	inParallel(len(f.ids), func(n int) {
		do(f.ids[n])
		done(int(count.Add(1)))
	})
}

// wish is the body that asks for a group's new target.
func (f *fleet) wish(id string) map[string]any {
	return map[string]any{"capacity": map[string]any{"target": f.targets[id][1]}}
}

// expect fails the test unless a group was scaled.
func (f *fleet) expect(id string, a answered, err error) {
	if err != nil || a.status != http.StatusOK {
		f.t.Errorf("scale %s: %d %v %.300s", id, a.status, err, a.raw)
	}
}

// alive is how many instances each group shall have; those with none are left out.
func (f *fleet) alive() map[string]int {
	all := map[string]int{}
	for id, target := range f.targets {
		if target[1] > 0 {
			all[id] = target[1]
		}
	}
	return all
}

// ever is how many instances each group may have had launched.
func (f *fleet) ever() map[string]int {
	all := map[string]int{}
	for id, target := range f.targets {
		all[id] = max(target[0], target[1])
	}
	return all
}

// isKnownTo asks the replica for every group's instances.
func (f *fleet) isKnownTo(r *replica) bool {
	for _, id := range f.ids {
		members := r.must(http.MethodGet, "/aws/ec2/group/"+id+"/status", nil)
		if len(members.items) != f.targets[id][1] {
			return false
		}
	}
	return true
}

// inParallel calls work for 0 … count-1, eight at a time.
func inParallel(count int, work func(n int)) {
	next := make(chan int)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for n := range next {
				work(n)
			}
		})
	}
	for n := range count {
		next <- n
	}
	close(next)
	workers.Wait()
}
