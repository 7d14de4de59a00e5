package main

import (
	"fmt"
	"os"
	"text/tabwriter"
	"time"
)

// line is one figure beside what it must reach.
type line struct {
	name, measured, bound string
	holds                 bool
}

func lines(o options, f figures) []line {
	idle := 100 * f.IdleCPU.Seconds() / f.IdleWall.Seconds()
	all := []line{
		within("ready after a restart", f.Ready, 2*time.Second),
		within("one full sweep, processor time", f.SweepCPU, 30*time.Second),
		{"idle, share of one core", fmt.Sprintf("%.1f %%", idle), "< 5 %", idle < 5},
		{"memory, highest", megabytes(max(f.Memory, f.MemoryStorm)), "≤ 1500 MB", max(f.Memory, f.MemoryStorm) <= 1500e6},
	}
	if s := f.Storm; s != nil {
		all = append(all,
			line{"notices answered by a replacement", fmt.Sprintf("%d of %d in %s", s.Replaced, s.Notices, o.Within), "all", s.Replaced == s.Notices},
			line{"replacement asked for after its notice, p99", fmt.Sprintf("%s (median %s, worst %s)", short(s.P99), short(s.Median), short(s.Worst)), "≤ 1s", s.P99 <= time.Second},
			line{"capacity healthy again", fmt.Sprintf("%s (bound by the buckets %s)", short(s.Healthy), short(s.LowerBound)), "≤ 1.1 ×", s.Healthy <= s.LowerBound*11/10},
			line{"processor time of the storm", short(s.CPU), "-", true},
		)
	}
	return all
}

func report(o options, f figures) error {
	where := "SQLite"
	if o.Database != "" {
		where = "PostgreSQL"
	}
	fmt.Printf("%d groups, %d instances, %s\nYardstick: one small document is decoded in %s before, and in %s afterwards.\n", f.Groups, f.Instances, where, f.Yardstick[0], f.Yardstick[1])
	out := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(out, "FIGURE\tMEASURED\tBOUND\t")
	missed := 0
	for _, l := range lines(o, f) {
		verdict := "holds"
		if !l.holds {
			verdict = "MISSED"
			missed++
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", l.name, l.measured, l.bound, verdict)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if missed > 0 {
		return fmt.Errorf("%d bounds missed", missed)
	}
	return nil
}

// table shows how the figures grow.
func table(all []figures) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(out, "INSTANCES\tYARDSTICK\tREADY\tSWEEP CPU\tPER INSTANCE\tIDLE\tPER 1000\tMEMORY\tSTORM P99\tHEALTHY / BOUND\tCPU PER NOTICE\t")
	for _, f := range all {
		idle := 100 * f.IdleCPU.Seconds() / f.IdleWall.Seconds()
		storm, healthy, each := "-", "-", "-"
		if s := f.Storm; s != nil {
			storm, healthy = short(s.P99), fmt.Sprintf("%.2f", s.Healthy.Seconds()/s.LowerBound.Seconds())
			each = (s.CPU / time.Duration(max(1, s.Notices))).Round(100 * time.Microsecond).String()
		}
		fmt.Fprintf(out, "%d\t%s\t%s\t%s\t%s\t%.1f %%\t%.2f %%\t%s\t%s\t%s\t%s\n", f.Instances, f.Yardstick[0], short(f.Ready), short(f.SweepCPU),
			(f.SweepCPU / time.Duration(max(1, f.Instances))).Round(time.Microsecond), idle, 1000*idle/float64(max(1, f.Instances)),
			megabytes(max(f.Memory, f.MemoryStorm)), storm, healthy, each)
	}
	return out.Flush()
}

func within(name string, took, bound time.Duration) line {
	return line{name, short(took), "≤ " + bound.String(), took <= bound}
}

func short(d time.Duration) string { return d.Round(10 * time.Millisecond).String() }

func megabytes(bytes int64) string { return fmt.Sprintf("%d MB", bytes/1e6) }
