// Command jobs holds Neap to its promises about jobs: none is lost, none is completed twice, none gets stuck, whatever is killed and however many machines are taken
// back; and so many of them a second.
//
// It owns a node (a Neap in a process of its own, whose tasks run inside of it), a client, and a judge that reads what was left on disk. It must not know the batch
// room's insides: what it judges by are the tables, and the runtime's own record. Start reading at main, then judge.go.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/neap-cloud/neap/internal/app"
)

// options are what is asked for on the command line.
type options struct {
	Jobs  int
	Kill  time.Duration // between two kills; 0 = none
	Storm time.Duration // between two storms; 0 = none
	Rate  float64       // of the simulated cloud's time
	Slots int
	Seed  uint64
	Data  string
	Speed bool
	Real  bool // of a node: tasks are real processes
	Node  bool
	Gate  string // of a node: a file whose coming opens it; "" = it is open
	At    string // of a node: its address
}

func main() {
	if is, code := app.Supervise(os.Args); is {
		os.Exit(code)
	}
	var o options
	flag.IntVar(&o.Jobs, "jobs", 100_000, "how many jobs")
	flag.DurationVar(&o.Kill, "kill", 4*time.Second, "how often the node is killed; 0 = never")
	flag.DurationVar(&o.Storm, "storm", 3*time.Second, "how often machines are taken back; 0 = never")
	flag.Float64Var(&o.Rate, "rate", 60, "how many times faster than the wall simulated time runs")
	flag.IntVar(&o.Slots, "slots", 64, "vCPUs that jobs may use all together")
	flag.Uint64Var(&o.Seed, "seed", 1, "of what is drawn")
	flag.StringVar(&o.Data, "data", "", "folder of what is kept (default: a new one, removed if all is well)")
	flag.BoolVar(&o.Speed, "speed", false, "measure speed instead")
	flag.BoolVar(&o.Real, "real", false, "of a node: tasks are processes of this machine")
	flag.BoolVar(&o.Node, "node", false, "be the node")
	flag.StringVar(&o.Gate, "gate", "", "of a node: no task begins before there is this file")
	flag.StringVar(&o.At, "at", "", "of a node: its address")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "jobs:", err)
		os.Exit(1)
	}
}

func (o options) run(ctx context.Context) (err error) {
	if o.Node {
		return node(ctx, o)
	}
	if o.Data == "" {
		if o.Data, err = os.MkdirTemp("", "neap-jobs-"); err != nil {
			return err
		}
		defer func() {
			if err == nil {
				err = os.RemoveAll(o.Data)
			} else {
				fmt.Fprintln(os.Stderr, "jobs: what was left is in", o.Data)
			}
		}()
	}
	if o.Speed {
		return speed(ctx, o)
	}
	return ordeal(ctx, o)
}
