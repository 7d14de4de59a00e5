// Command size measures a whole Neap with many groups, and prints each figure beside its bound.
//
// It owns the measuring only. world.go builds an installation: one group of each kind per account and region is made through Fleet and brought to life by the engine, and its
// rows, in Neap's database and in the simulated cloud's, are then copied under new ids, because ten thousand creations would take longer than everything that
// is measured here. measure.go then starts the real app on it, in a process of its own, whose processor time and memory are the figures; the simulated cloud
// is a part of that process, so its work counts too.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/app"
)

// options say what is measured.
type options struct {
	Groups   int           // in all
	Members  int           // in each group
	Accounts int           // cloud accounts that the groups are spread over …
	Regions  int           // … and regions in each
	Database string        // PostgreSQL URL of an empty database; "" = SQLite
	Data     string        // the installation's folder
	Idle     time.Duration // for which the idle process is watched
	Notices  int           // interruptions in the storm; 0 = no storm
	Within   time.Duration // for which the storm lasts
	Profile  string        // where profiles of the processor go; "" = nowhere
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o options
	var growth string
	flag.IntVar(&o.Groups, "groups", 1000, "groups")
	flag.IntVar(&o.Members, "members", 10, "instances in each group")
	flag.IntVar(&o.Accounts, "accounts", 10, "cloud accounts")
	flag.IntVar(&o.Regions, "regions", 8, "regions in each account")
	flag.StringVar(&o.Database, "database", "", "URL of an empty PostgreSQL database (default: SQLite)")
	flag.StringVar(&o.Data, "data", "", "folder of an installation that was built before (default: a fresh one, removed afterwards)")
	flag.DurationVar(&o.Idle, "idle", 60*time.Second, "how long the idle process is watched")
	flag.IntVar(&o.Notices, "notices", -1, "interruptions in the storm (default: one for each group)")
	flag.DurationVar(&o.Within, "within", time.Minute, "how long the storm lasts")
	flag.StringVar(&o.Profile, "profile", "", "folder for profiles of the processor")
	flag.StringVar(&growth, "growth", "", "numbers of groups, e.g. 100,1000,10000: measure each and print the growth as a table")
	measured := flag.Bool("measured", false, "internal: be the process that is measured")
	flag.Parse()
	if o.Notices < 0 {
		o.Notices = o.Groups
	}
	if err := run(ctx, o, growth, *measured); err != nil {
		fmt.Fprintln(os.Stderr, "size:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, growth string, measured bool) error {
	if measured {
		app.TuneMemory()
		f, err := measure(ctx, o)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(f)
	}
	if growth == "" {
		f, err := whole(ctx, o)
		if err != nil {
			return err
		}
		return report(o, f)
	}
	var all []figures
	for text := range strings.SplitSeq(growth, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("-growth: %w", err)
		}
		one := o
		one.Groups, one.Notices, one.Data = n, n, ""
		f, err := whole(ctx, one)
		if err != nil {
			return err
		}
		all = append(all, f)
	}
	return table(all)
}

// whole builds an installation, unless there is one, and measures it in a process of its own.
func whole(ctx context.Context, o options) (f figures, err error) {
	if o.Data == "" {
		folder, err := os.MkdirTemp("", "neap-size-")
		if err != nil {
			return f, err
		}
		defer os.RemoveAll(folder)
		o.Data = folder
	}
	if _, err := os.Stat(filepath.Join(o.Data, "built")); err != nil {
		began := time.Now()
		drop, err := build(ctx, &o)
		if err != nil {
			return f, fmt.Errorf("build the installation: %w", err)
		}
		defer drop()
		fmt.Fprintf(os.Stderr, "built %d groups of %d in %s\n", o.Groups, o.Members, time.Since(began).Round(time.Second))
	}
	self, err := os.Executable()
	if err != nil {
		return f, err
	}
	child := exec.CommandContext(ctx, self, "-measured", "-data", o.Data, "-database", o.Database, "-profile", o.Profile, "-groups", strconv.Itoa(o.Groups),
		"-members", strconv.Itoa(o.Members), "-idle", o.Idle.String(), "-notices", strconv.Itoa(o.Notices), "-within", o.Within.String())
	child.Stderr = os.Stderr
	out, err := child.Output()
	if err != nil {
		return f, fmt.Errorf("the measured process: %w", err)
	}
	return f, json.Unmarshal(out, &f)
}
