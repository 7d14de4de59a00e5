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
		room := w.Until.Sub(w.From) - load.Within
		if load.Kind != lab.Deadline || room < 0 || beginnings < 2 {
			return nil, fmt.Errorf("%s can't be compared %d times in the %s of %s", load, beginnings, w.Until.Sub(w.From), w.Name)
		}
		var first [][2][]float64
		for _, policy := range policies {
			fresh, err := deciders(policy)
			if err != nil {
				return nil, err
			}
			halves := [2]Row{{World: w.Name, Load: load, Policy: policy, Half: 1}, {World: w.Name, Load: load, Policy: policy, Half: 2}}
			var ratios [2][]float64
			for n := range beginnings {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				b := &books{w: w, demand: seen.demand}
				r := newRun(seen, load, fresh(), &draws{next: seed + uint64(n)<<20}, b)
				r.job.Began = w.From.Add((room * time.Duration(n) / time.Duration(beginnings-1)).Truncate(look))
				r.job.Until = r.job.Began.Add(load.Within)
				r.all()
				half := 2 * n / beginnings
				halves[half].Jobs++
				halves[half].Missed += b.Missed
				ratios[half] = append(ratios[half], b.Cost.Dollars()/b.OnDemand.Dollars())
			}
			first = append(first, ratios)
			for half := range halves {
				apart := float64(room/2+load.Within) / float64(load.Within)
				halves[half].Ratio = mean(ratios[half], apart)
				halves[half].Over = mean(minus(ratios[half], first[0][half]), apart)
				rows = append(rows, halves[half])
			}
		}
	}
	return rows, nil
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
