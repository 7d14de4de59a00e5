package deadline

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

var begin = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

// day is a job of 10 hours that has just begun and has 16.
func day() Job {
	return Job{Work: 10 * time.Hour, Left: 10 * time.Hour, Began: begin, Until: begin.Add(16 * time.Hour), Restart: 12 * time.Minute, Checkpoint: true}
}

// calm is a market with one open pool that has been up for long, and one that is shut.
func calm() Market {
	return Market{
		OnDemand: 1_000_000, Every: 5 * time.Minute, History: History{Open: 100 * time.Hour, Losses: 10},
		Pools: []Pool{{Type: "m5.large", Zone: "a", Price: 300_000, Open: true}, {Type: "m5.large", Zone: "b", Price: 250_000}},
	}
}

func shut() Market {
	m := calm()
	m.Pools[0].Open = false
	return m
}

func TestStories(t *testing.T) {
	wait, demand, pool := Where{Kind: Wait}, Where{Kind: OnDemand}, Where{Kind: Spot}
	for _, c := range []struct {
		name    string
		job     func(*Job)
		market  func(*Market)
		at      Where
		after   time.Duration // since the job began
		want    Where
		because string // part of it
	}{
		{"takes spot that is open", nil, nil, wait, 0, pool, "Spot in m5.large a costs $0.30/h instead of $1.00/h"},
		{"waits while it is ahead of its pace", nil, close, wait, time.Hour, wait, "ahead of its pace"},
		{"runs on demand when it is behind", nil, close, wait, 4 * time.Hour, demand, "behind its pace"},
		{"waits for nothing once the net is reached", nil, nil, wait, 5*time.Hour + 35*time.Minute, demand, "On demand until it is done"},
		{"takes spot as long as the net has room", nil, nil, wait, 5*time.Hour + 31*time.Minute, pool, "costs"},
		{"stays on spot below the net", func(j *Job) { j.Left = 4 * time.Hour }, nil, pool, 11*time.Hour + 40*time.Minute, pool, "stays"},
		{"leaves spot that it came to without a net, just in time", nil, nil, pool, 5*time.Hour + 46*time.Minute, demand, "until it is done"},
		{"stays on spot when only luck can help", nil, nil, pool, 7 * time.Hour, pool, "stays"},
		{"leaves on demand for a pool that lasts", nil, nil, demand, 4 * time.Hour, pool, "A move to m5.large a at $0.30/h is worth"},
		{"stays on demand when the pool has just opened and pools die young", nil, func(m *Market) {
			m.Pools[0].Since, m.History = begin.Add(4*time.Hour), History{Open: 10 * time.Hour, Losses: 40}
		}, demand, 4 * time.Hour, demand, "more than it is worth"},
		{"affords a move when it is ahead", func(j *Job) { j.Left = 8 * time.Hour }, func(m *Market) {
			m.Pools[0].Since, m.History = begin.Add(4*time.Hour), History{Open: 40 * time.Hour, Losses: 40}
		}, demand, 4 * time.Hour, pool, "can afford a move"},
		{"stays on demand while nothing is open, ahead or not", func(j *Job) { j.Left = time.Hour }, close, demand, time.Hour, demand, "No spot pool"},
		{"trusts the caller's hazard", nil, func(m *Market) { m.Pools[0].Hazard = 5 }, demand, 4 * time.Hour, demand, "more than it is worth"},
		{"moves to a pool that has become much cheaper", nil, func(m *Market) {
			m.Pools[1].Open, m.Pools[1].Price, m.Pools[0].Price = true, 100_000, 900_000
		}, pool, time.Hour, Where{Spot, 1}, "A move to m5.large b"},
		{"does not move for a little", nil, func(m *Market) { m.Pools[1].Open = true }, pool, time.Hour, pool, "stays"},
		{"leaves a pool that has become dearer than on demand", nil, func(m *Market) { m.Pools[0].Price = 3_000_000 }, pool, time.Hour, demand, "dearer than on demand"},
		{"never buys spot above on demand", nil, func(m *Market) { m.Pools[0].Price = 1_000_000 }, wait, 4 * time.Hour, demand, "behind"},
		{"takes the older of two pools at one price", nil, func(m *Market) {
			m.Pools[1].Open, m.Pools[1].Price, m.Pools[0].Since, m.Pools[1].Since = true, 300_000, begin.Add(59*time.Minute), begin.Add(time.Minute)
		}, wait, time.Hour, Where{Spot, 1}, "m5.large b"},
		{"rests when the work is done", func(j *Job) { j.Left = 0 }, nil, pool, time.Hour, wait, "done"},
		{"without checkpoints, does not try spot when losing the run would lose the deadline", noCheckpoint, nil, wait, 0, demand, "until it is done"},
		{"without checkpoints, tries spot when there is time for a second run", func(j *Job) { noCheckpoint(j); j.Until = begin.Add(30 * time.Hour) },
			func(m *Market) { m.History = History{Open: 400 * time.Hour, Losses: 4} }, wait, 0, pool, "costs"},
		{"without checkpoints, waits where no run would survive", func(j *Job) { noCheckpoint(j); j.Until = begin.Add(30 * time.Hour) },
			func(m *Market) { m.Pools[0].Hazard = 3 }, wait, 0, wait, "costs nothing"},
		{"without checkpoints, never leaves on demand", func(j *Job) { noCheckpoint(j); j.Until = begin.Add(90 * time.Hour) }, nil, demand, time.Hour, demand, "lost by leaving"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, m := day(), calm()
			if c.job != nil {
				c.job(&j)
			}
			if c.market != nil {
				c.market(&m)
			}
			d := Decide(j, c.at, m, begin.Add(c.after))
			if d.Where != c.want || !strings.Contains(d.Because, c.because) {
				t.Errorf("%v because %q; want %v because …%s…; %+v", d.Where, d.Because, c.want, c.because, d.Terms)
			}
			if !d.Next.IsZero() && d.Next.Sub(begin) != c.after+m.Every {
				t.Errorf("the next decision is at %s", d.Next)
			}
		})
	}
}

func close(m *Market) { *m = shut() }

func noCheckpoint(j *Job) { j.Checkpoint = false }

func TestTheSameArgumentsGiveTheSameDecision(t *testing.T) {
	at := begin.Add(3 * time.Hour)
	if a, b := Decide(day(), Where{Kind: OnDemand}, calm(), at), Decide(day(), Where{Kind: OnDemand}, calm(), at); !reflect.DeepEqual(a, b) {
		t.Errorf("%+v and then %+v", a, b)
	}
}

func TestAPoolThatIsOlderIsExpectedToLastLonger(t *testing.T) {
	scale := History{}.scale()
	before := 0.0
	for age := range 48 {
		p := Pool{Since: begin}
		if life := lasts(p.reach(scale, begin.Add(time.Duration(age)*time.Hour)), 24); life <= before || life > 24 {
			t.Fatalf("at %d h it is expected to last %.2f h, an hour before %.2f h", age, life, before)
		} else {
			before = life
		}
	}
}

func TestTheMeanUpSpellIsWhatWasSeen(t *testing.T) {
	for _, hours := range []float64{0.3, 1, 4, 10} {
		h := History{Open: time.Duration(hours * 1e4 * float64(time.Hour)), Losses: 10_000}
		if life := lasts(h.scale(), longest); life < 0.99*hours || life > 1.01*hours {
			t.Errorf("pools that lasted %.1f h are expected to last %.2f h", hours, life)
		}
	}
}

func BenchmarkDecideAmongAThousandPools(b *testing.B) {
	m := calm()
	for n := range 1000 {
		m.Pools = append(m.Pools, Pool{Price: money.Price(300_000 + n), Open: true})
	}
	for b.Loop() {
		Decide(day(), Where{Kind: Wait}, m, begin)
	}
}
