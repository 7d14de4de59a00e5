package mishaps

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/cloud/mishap"
	"github.com/neap-cloud/neap/internal/dialect/spot/elastigroup"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "seed of the one run to repeat, with all that is logged; 0 = -many of them")
	manyFlag  = flag.Int("many", 25, "how many runs, from -first on")
	firstFlag = flag.Uint64("first", 1, "seed of the first run")
)

// patience is how long something may take, by the wall: that is what a turn that failed waits by before it is taken again.
const patience = 2 * time.Minute

// longestStep bounds how much the steps of the clock grow: a simulated cloud has much to work out for a time that is far away.
const longestStep = 30 * time.Second

// run is one group's life on a cloud whose calls go wrong.
type run struct {
	*apptest.Neap
	*rand.Rand
	far     far
	mishaps *mishap.Mishaps
	plan    atomic.Pointer[mishap.Plan]

	account   string
	group     fleet.Group
	target    int
	decreases int      // by how much scaling down ever lowered the target
	story     []string // for people
}

func TestWhateverGoesWrongAtTheCloudNothingLeaksAndNothingIsLaunchedTwice(t *testing.T) {
	struck := many(t, *manyFlag, func(*testing.T) far { return simulated() })
	for _, k := range mishap.Kinds() {
		if struck[k] == 0 && *seedFlag == 0 && *manyFlag >= 10 {
			t.Errorf("%s never struck", k)
		}
	}
}

// many lives through as many runs, or through the one that is to be repeated, and says how often each mishap has struck.
func many(t *testing.T, count int, on func(t *testing.T) far) map[mishap.Kind]int {
	t.Helper()
	first := *firstFlag
	if *seedFlag != 0 {
		first, count = *seedFlag, 1
	}
	var mu sync.Mutex
	struck := map[mishap.Kind]int{}
	t.Run("seeds", func(t *testing.T) {
		for n := range uint64(count) {
			t.Run(fmt.Sprintf("seed %d", first+n), func(t *testing.T) {
				t.Parallel()
				counts := live(t, on(t), first+n)
				mu.Lock()
				defer mu.Unlock()
				for k, n := range counts {
					struck[k] += n
				}
			})
		}
	})
	t.Logf("%d runs: %v", count, struck)
	return struck
}

// live lives through the run of a seed, and judges it.
func live(t *testing.T, f far, seed uint64) map[mishap.Kind]int {
	t.Helper()
	r := &run{Rand: rand.New(rand.NewPCG(seed, 0x5eed)), far: f}
	r.plan.Store(&mishap.Plan{})
	r.mishaps = mishap.New(seed, func() mishap.Plan { return *r.plan.Load() })
	r.Neap = f.start(t, r.mishaps, seed)
	r.account = f.account(r.Neap)
	defer func() {
		if t.Failed() {
			t.Logf("repeat with: go test ./test/mishaps -count=1 -v -run %s -seed %d\nthe story: %v\nthe log:\n%s", t.Name(), seed, r.story, r.log())
		}
	}()
	r.worsen()
	r.create()
	r.reach("its first target")
	r.interrupt(r.alive())
	for range r.far.acts + r.IntN(4) {
		r.act()
		if r.IntN(2) == 0 {
			r.reach("its target")
		}
	}
	r.heal()
	r.reach("its target when all is well")
	r.judge()
	if r.IntN(2) == 0 {
		r.worsen()
	}
	r.delete()
	return r.mishaps.Counts()
}

func (r *run) tell(format string, args ...any) {
	r.story = append(r.story, r.Clock.Now().Format(time.TimeOnly)+" "+fmt.Sprintf(format, args...))
}

// worsen draws anew what goes wrong from now on.
func (r *run) worsen() {
	most := map[mishap.Kind]float64{
		mishap.Throttled: 0.15, mishap.Lost: 0.15, mishap.Unanswered: 0.2, mishap.Denied: 0.3, mishap.Partial: 0.5, mishap.Stale: 0.8, mishap.Empty: 0.15,
		mishap.Late: 1, mishap.Twice: 1,
	}
	p := mishap.Plan{Rate: map[mishap.Kind]float64{}, Spell: time.Duration(2+r.IntN(60)) * time.Second, LateBy: time.Duration(5+r.IntN(180)) * time.Second}
	for _, k := range mishap.Kinds() {
		if r.IntN(2) == 0 {
			p.Rate[k] = r.Float64() * most[k]
		}
	}
	r.plan.Store(&p)
	r.tell("%+v", p)
}

// interrupt takes instances back. Notices are few, so what goes wrong with them is drawn anew.
func (r *run) interrupt(victims []started) {
	p := *r.plan.Load()
	p.Rate = maps.Clone(p.Rate)
	p.Rate[mishap.Late], p.Rate[mishap.Twice] = r.Float64(), r.Float64()
	r.plan.Store(&p)
	r.tell("%+v", p)
	r.strike("interrupt", r.far.interrupt, victims)
}

func (r *run) heal() {
	r.plan.Store(&mishap.Plan{})
	r.tell("all is well")
}

// create makes the group, however often that has to be asked for.
func (r *run) create() {
	r.target = 1 + r.IntN(8)
	r.persist("the group is made", func(ctx context.Context) (err error) {
		r.group, err = r.Fleet.Create(ctx, r.account, "test", elastigroup.FormName, []byte(r.far.document(r.target)))
		return err
	})
	r.tell("create %s for %d", r.group.ID, r.target)
}

// persist does something that a mishap may prevent, until it is done.
func (r *run) persist(what string, do func(context.Context) error) {
	var err error
	defer func() {
		if r.T.Failed() {
			r.T.Logf("%s: %v", what, err)
		}
	}()
	r.until(what, func() bool { err = do(r.T.Context()); return err == nil })
}

// act is one thing that happens to the group.
func (r *run) act() {
	alive := r.alive()
	some := min(len(alive), 1+r.IntN(3))
	r.Shuffle(len(alive), func(i, j int) { alive[i], alive[j] = alive[j], alive[i] })
	switch r.IntN(7) {
	case 0, 1:
		r.resize(r.target + 1 + r.IntN(4))
	case 2, 3:
		r.resize(max(0, r.target-1-r.IntN(4)))
	case 4:
		r.interrupt(alive[:some])
	case 5:
		r.strike("end behind Neap's back", r.far.end, alive[:some])
	case 6:
		r.worsen()
	}
}

func (r *run) resize(target int) {
	r.tell("resize from %d to %d", r.target, target)
	r.decreases += max(0, r.target-target)
	r.target = target
	r.persist("it is resized", func(ctx context.Context) error {
		_, err := r.Fleet.SetCapacity(ctx, r.account, "test", r.group.ID, &target, nil, nil)
		return err
	})
}

// strike does something to instances that Neap is to notice by itself. What has ended this moment, or is on demand, cannot be struck: that is no harm.
func (r *run) strike(what string, do func(context.Context, *apptest.Neap, started) error, victims []started) {
	for _, v := range victims {
		r.tell("%s %s: %v", what, v.ID, do(r.T.Context(), r.Neap, v))
	}
}

// reach waits until the cloud and the engine's rows agree that the group is at its target.
func (r *run) reach(what string) {
	missing := ""
	defer func() {
		if r.T.Failed() {
			r.T.Logf("%s, %d: %s", what, r.target, missing)
		}
	}()
	r.until("the group is at "+what, func() bool { missing = r.missing(); return missing == "" })
	r.tell("reached %d", r.target)
}

// until steps the clock until done holds. After a while the steps grow: what is waited for then is the end of a cooling.
func (r *run) until(what string, done func() bool) {
	r.T.Helper()
	tick := time.NewTicker(r.far.pace)
	defer tick.Stop()
	giveUp := time.After(patience)
	began := r.Clock.Now()
	for step := 0; step%r.far.steps != 0 || !done(); step++ {
		select {
		case <-giveUp:
			r.T.Fatalf("gave up after %s, %s of engine time, waiting until %s", patience, r.Clock.Now().Sub(began), what)
		case <-tick.C:
			r.Clock.Advance(min(max(time.Second, r.Clock.Now().Sub(began)/300), longestStep))
		}
	}
}

func (r *run) delete() {
	r.tell("delete")
	r.persist("it is deleted", func(ctx context.Context) error { return r.Fleet.Delete(ctx, r.account, "test", r.group.ID) })
	r.Clock.Advance(10 * time.Second)
	r.heal()
	r.until("nothing is left of it", func() bool {
		return len(r.alive()) == 0 && len(r.actions(true)) == 0 && !r.hasLivingRow() && r.isBuried()
	})
	r.judgeEnd()
}

// isBuried reports whether the engine has done with the group.
func (r *run) isBuried() bool {
	return strings.Contains(r.log(), "is gone: its last instance has ended")
}

// alive lists what lives in the cloud.
func (r *run) alive() []started {
	return slices.DeleteFunc(r.all(), func(s started) bool { return !s.isAlive() })
}

func (r *run) all() []started {
	all, err := r.far.truth(r.T.Context(), r.Neap)
	if err != nil {
		r.T.Fatal(err)
	}
	return all
}

// missing is what is still missing until the group is as it was wished.
func (r *run) missing() string {
	alive := map[string]bool{}
	for _, s := range r.alive() {
		alive[s.ID] = true
	}
	if len(alive) != r.target {
		return fmt.Sprintf("%d instances live in the cloud", len(alive))
	}
	rows, err := r.Fleet.Instances(r.T.Context(), r.account, r.group.ID)
	if err != nil {
		r.T.Fatal(err)
	}
	for _, row := range rows {
		if !alive[row.ID] || row.Phase != plan.Running {
			return fmt.Sprintf("the engine has %q as %s, and it lives: %v", row.ID, row.Phase, alive[row.ID])
		}
		delete(alive, row.ID)
	}
	if len(alive) > 0 {
		return fmt.Sprintf("%v live, and the engine has no row for them", slices.Collect(maps.Keys(alive)))
	}
	return ""
}

// quiet logs what is needed to understand a failure, when one run is repeated.
func quiet(t *testing.T) *slog.Logger {
	level := slog.LevelError
	if *seedFlag != 0 {
		level = slog.LevelWarn
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level}))
}
