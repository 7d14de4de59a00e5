package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/job"
	"github.com/neap-cloud/neap/internal/lab/optimum"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// jobPolicies are compared with each other, the baseline first.
func jobPolicies() []string {
	return []string{lab.PolicyUniformProgress, lab.PolicyNeap, lab.PolicyLowestPrice, lab.PolicyOnDemand}
}

// jobsOf are the jobs that are tried in a world, as long as it has room for.
func jobsOf(w *world.World, quick bool) (all []lab.Workload) {
	work := 24 * time.Hour
	switch days := w.Until.Sub(w.From).Hours() / 24; {
	case days < 3:
		work = 6 * time.Hour
	case days < 10:
		work = 12 * time.Hour
	}
	for _, within := range []time.Duration{110, 125, 150, 200} {
		for _, restart := range []time.Duration{6 * time.Minute, 18 * time.Minute} {
			for _, checkpoint := range []bool{true, false} {
				if quick && (within == 110 || within == 200 || restart > 6*time.Minute) {
					continue
				}
				all = append(all, lab.Workload{Kind: lab.Deadline, Work: work, Within: work * within / 100, Restart: restart, Checkpoint: checkpoint})
			}
		}
	}
	return all
}

// kind is what jobs of worlds of different lengths have in common.
func kind(l lab.Workload) string {
	text := fmt.Sprintf("deadline %.2f × work, restart %.0f min", l.Within.Hours()/l.Work.Hours(), l.Restart.Minutes())
	if !l.Checkpoint {
		text += ", no checkpoints"
	}
	return text
}

// jobWorld is what the policies made of all jobs in one world: by half, kind and policy; hindsight comes last.
type jobWorld struct {
	name         string
	kinds        []string
	ratio        [2][][]float64
	jobs, missed [2][]int // by policy
}

// runDeadline compares deadline jobs on every recorded series and on the zones of a region together.
func runDeadline(b *bench, r *result) error {
	a, err := b.data.availabilityOf(fileAvailability)
	if err != nil {
		return err
	}
	worlds, err := job.Worlds(a)
	if err != nil {
		return err
	}
	if b.quick {
		worlds = worlds[len(worlds)-8:]
	}
	beginnings := quickly(b, 24, 8)
	all := make([]jobWorld, len(worlds))
	err = b.each(len(worlds), func(n int) (err error) {
		all[n], err = b.jobs(worlds[n], beginnings)
		return err
	})
	if err != nil {
		return err
	}
	r.note("Recorded availability: %s, seed 1. %d worlds: every series by itself, the zones of a region together, and all zones of a measurement. In each, %d jobs of each kind begin at moments spread evenly; "+
		"those of the first half of the time are the training data, the others the later data. Costs are shares of what the work alone costs on demand. "+
		"Intervals: 95 %%, by drawing worlds with replacement, %d times. Hindsight of jobs with checkpoints is a bound.", source(a.Name, a.Digest), len(all), beginnings, resamples)
	r.summary(all)
	r.byKind(all)
	r.byWorld(all)
	return nil
}

// jobs runs everything in one world.
func (b *bench) jobs(w *world.World, beginnings int) (j jobWorld, err error) {
	loads := jobsOf(w, b.quick)
	rows, err := job.Compare(b.ctx, w, loads, jobPolicies(), beginnings, 1)
	if err != nil {
		return j, err
	}
	j.name = w.Name
	for half := range 2 {
		j.jobs[half], j.missed[half] = make([]int, len(jobPolicies())), make([]int, len(jobPolicies()))
		j.ratio[half] = make([][]float64, len(loads))
	}
	for n, row := range rows {
		at, policy := n/2/len(jobPolicies()), n/2%len(jobPolicies())
		half := row.Half - 1
		j.ratio[half][at] = append(j.ratio[half][at], row.Ratio.Mean)
		j.jobs[half][policy] += row.Jobs
		j.missed[half][policy] += row.Missed
	}
	for at, load := range loads {
		j.kinds = append(j.kinds, kind(load))
		for half := range 2 {
			best, err := foreseen(w, load, beginnings, half)
			if err != nil {
				return j, err
			}
			j.ratio[half][at] = append(j.ratio[half][at], best)
		}
	}
	return j, nil
}

// foreseen is hindsight's share of the cost on demand, for the jobs of one half.
func foreseen(w *world.World, load lab.Workload, beginnings, half int) (float64, error) {
	room := w.Until.Sub(w.From) - load.Within
	var starts []time.Time
	for n := range beginnings {
		if 2*n/beginnings == half {
			starts = append(starts, w.From.Add((room * time.Duration(n) / time.Duration(beginnings-1)).Truncate(5*time.Minute)))
		}
	}
	best, err := optimum.Jobs(w, load, starts)
	if err != nil {
		return 0, err
	}
	return best.Outcome.Cost.Dollars() / (cheapestList(w).For(load.Work).Dollars() * float64(len(starts))), nil
}

// over are means over worlds of a figure of a world.
func over(all []jobWorld, of func(j jobWorld) float64) estimate {
	sizes := make([]int, len(all))
	for n := range sizes {
		sizes[n] = 1
	}
	return bootstrap(sizes, true, func(picks []pick) []float64 {
		return []float64{mean(picks, func(p pick) float64 { return of(all[p.of]) })}
	})[0]
}

// ratioOf is the mean of a policy over the kinds of jobs.
func (j jobWorld) ratioOf(half, policy int) float64 {
	sum := 0.0
	for _, of := range j.ratio[half] {
		sum += of[policy]
	}
	return sum / float64(len(j.ratio[half]))
}

func (r *result) summary(all []jobWorld) {
	t := table{Title: "All kinds of jobs in all worlds", Columns: []string{"policy", "data", "of on demand", "dearer than " + jobPolicies()[0], "jobs", "deadlines missed"}}
	for n, policy := range append(jobPolicies(), lab.PolicyHindsight) {
		for half, part := range parts() {
			ratio := over(all, func(j jobWorld) float64 { return j.ratioOf(half, n) })
			dearer := over(all, func(j jobWorld) float64 { return j.ratioOf(half, n)/j.ratioOf(half, 0) - 1 })
			row := []cell{words("%s", policy), words("%s", part), percent(ratio, 1), percent(dearer, 1), words("–"), words("–")}
			if n < len(jobPolicies()) {
				jobs, missed := 0, 0
				for _, j := range all {
					jobs, missed = jobs+j.jobs[half][n], missed+j.missed[half][n]
				}
				row[4], row[5] = words("%d", jobs), words("%d", missed)
				if policy == lab.PolicyNeap {
					r.Lines = append(r.Lines, none("deadline jobs, "+part+" data: missed deadlines", missed, fmt.Sprint(jobs)),
						atMost("deadline jobs, "+part+" data: dearer than "+jobPolicies()[0], percent(dearer, 2), 0, 100, 2, " %"))
				}
			}
			if n == 0 {
				row[3] = words("–")
			}
			t.Rows = append(t.Rows, row)
		}
	}
	r.Tables = append(r.Tables, t)
}

func (r *result) byKind(all []jobWorld) {
	t := table{Detail: true, Title: "By kind of job, later data, of on demand", Columns: append([]string{"job"}, append(jobPolicies(), lab.PolicyHindsight)...)}
	for at, name := range all[0].kinds {
		row := []cell{words("%s", name)}
		for n := range append(jobPolicies(), lab.PolicyHindsight) {
			row = append(row, percent(over(all, func(j jobWorld) float64 { return j.ratio[1][at][n] }), 1))
		}
		t.Rows = append(t.Rows, row)
	}
	r.Tables = append(r.Tables, t)
}

func (r *result) byWorld(all []jobWorld) {
	const own, theirs = 1, 0
	t := table{Detail: true, Title: "By world, all kinds of jobs, of on demand", Columns: []string{"world"}}
	for _, part := range parts() {
		t.Columns = append(t.Columns, lab.PolicyNeap+", "+part, jobPolicies()[theirs]+", "+part, "dearer")
	}
	for _, j := range all {
		row := []cell{words("%s", strings.TrimSpace(j.name))}
		for half := range 2 {
			a, b := j.ratioOf(half, own), j.ratioOf(half, theirs)
			row = append(row, percent(exactly(a), 1), percent(exactly(b), 1), percent(exactly(a/b-1), 1))
		}
		t.Rows = append(t.Rows, row)
	}
	r.Tables = append(r.Tables, t)
}
