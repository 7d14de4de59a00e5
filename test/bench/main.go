// Command bench measures a whole Neap against plain yardsticks in the same run, and prints each figure beside its bound.
//
// It owns the measuring only: it starts the real app, and a bare huma handler that does one SELECT or one INSERT on a SQLite file with the same settings.
// It ends with status 1 when a bound is missed.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"
)

// figure is one measured value beside what it must reach.
type figure struct {
	name     string
	measured string
	yard     string // the yardstick of the same run
	bound    string
	holds    bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "neap-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	var figures []figure
	for _, measure := range []func(context.Context, string) ([]figure, error){measureStart, measureRequests} {
		some, err := measure(ctx, folder)
		if err != nil {
			return err
		}
		figures = append(figures, some...)
	}
	return report(figures)
}

func report(figures []figure) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "FIGURE\tMEASURED\tYARDSTICK\tBOUND\t")
	missed := 0
	for _, f := range figures {
		verdict := "holds"
		if !f.holds {
			verdict = "MISSED"
			missed++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", f.name, f.measured, f.yard, f.bound, verdict)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if missed > 0 {
		return fmt.Errorf("%d of %d bounds missed", missed, len(figures))
	}
	return nil
}

func within(name string, took, bound time.Duration) figure {
	return figure{name: name, measured: took.Round(time.Millisecond).String(), yard: "-", bound: "≤ " + bound.String(), holds: took <= bound}
}
