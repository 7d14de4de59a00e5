package job

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// Row is what one policy made of one kind of job, in one part of a world.
type Row struct {
	World  string
	Load   lab.Workload
	Policy string
	Half   int // 1, 2: jobs that began in the first or the second half of the world
	Jobs   int
	Missed int
	Ratio  Mean // cost ÷ what the work alone would have cost on demand
	Over   Mean // its difference to the first policy's ratio, job by job
}

// Mean is a mean with its 95 % interval. Jobs that overlap in time tell much of the same: they count as so many as would have fitted one after another.
type Mean struct{ Mean, Low, High float64 }

// Compare runs the same deadline jobs under each policy: so many beginnings, spread evenly over the world. Halves are by beginning, so that parameters found in the
// first half can be judged in the second.
func Compare(ctx context.Context, w *world.World, loads []lab.Workload, policies []string, beginnings int, seed uint64) ([]Row, error) {
	seen, err := watch(w)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, load := range loads {
		if room := w.Until.Sub(w.From) - load.Within; load.Kind != lab.Deadline || room < 0 || beginnings < 2 {
			return nil, fmt.Errorf("%s can't be compared %d times in the %s of %s", load, beginnings, w.Until.Sub(w.From), w.Name)
		}
		var first [2][]float64
		for n, policy := range policies {
			t := trial{seen: seen, load: load, beginnings: beginnings, seed: seed}
			ratios, missed, err := t.run(ctx, policy)
			if err != nil {
				return nil, err
			}
			if n == 0 {
				first = ratios
			}
			for half, of := range ratios {
				rows = append(rows, Row{
					World: w.Name, Load: load, Policy: policy, Half: half + 1, Jobs: len(of), Missed: missed[half],
					Ratio: mean(of, t.apart()), Over: mean(minus(of, first[half]), t.apart()),
				})
			}
		}
	}
	return rows, nil
}

// trial is one kind of job, to be run again and again.
type trial struct {
	seen       *market
	load       lab.Workload
	beginnings int
	seed       uint64
}

func (t *trial) room() time.Duration { return t.seen.w.Until.Sub(t.seen.w.From) - t.load.Within }

// apart is how many of the jobs of one half could have been run one after another.
func (t *trial) apart() float64 {
	return float64(t.room()/2+t.load.Within) / float64(t.load.Within)
}

// run gives the ratios and the missed deadlines of both halves.
func (t *trial) run(ctx context.Context, policy string) (ratios [2][]float64, missed [2]int, err error) {
	fresh, err := deciders(policy)
	if err != nil {
		return ratios, missed, err
	}
	for n := range t.beginnings {
		if err := ctx.Err(); err != nil {
			return ratios, missed, err
		}
		b := &books{w: t.seen.w, demand: t.seen.demand}
		r := newRun(t.seen, t.load, fresh(), &draws{next: t.seed + uint64(n)<<20}, b)
		r.job.Began = t.seen.w.From.Add((t.room() * time.Duration(n) / time.Duration(t.beginnings-1)).Truncate(look))
		r.job.Until = r.job.Began.Add(t.load.Within)
		r.all()
		half := 2 * n / t.beginnings
		missed[half] += b.Missed
		ratios[half] = append(ratios[half], b.Cost.Dollars()/b.OnDemand.Dollars())
	}
	return ratios, missed, nil
}

func minus(a, b []float64) []float64 {
	list := make([]float64, len(a))
	for n := range a {
		list[n] = a[n] - b[n]
	}
	return list
}

// mean of values of which only so many stand apart.
func mean(values []float64, apart float64) Mean {
	var sum, square float64
	for _, v := range values {
		sum += v
	}
	n := float64(len(values))
	m := sum / n
	for _, v := range values {
		square += (v - m) * (v - m)
	}
	if n < 2 {
		return Mean{m, math.Inf(-1), math.Inf(1)}
	}
	off := 1.96 * math.Sqrt(square/(n-1)/min(n, apart))
	return Mean{m, m - off, m + off}
}
