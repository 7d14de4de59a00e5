package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/settings"
	"github.com/neap-cloud/neap/internal/fault"
)

// ReplayConfig says which market to replay, and what is to run in it. Neither a server nor a data folder is needed for it.
type ReplayConfig struct {
	Prices, Availability string // files; both "" = the simulated recording that comes with the program
	Folder               string // where files without a folder are looked for, too; "" = nowhere else
	Trace                string // the measurement of an availability file; "" = the only one
	Region               string // "" = the only one
	Types, Zones         []string
	From, To             time.Time // zero = as recorded
	Workload             string
	Policies             []string // none = the usual ones
	Rule                 string
	Floor                int
	Step                 time.Duration
	Seed                 uint64
	Seeds                int
	Progress             func(part float64, what string) // nil = nobody wants to know
}

// Replayed is what came of it: a report as JSON, as lines of CSV, as a page of HTML, and as a table.
type Replayed struct {
	Report json.RawMessage
	Page   func(w io.Writer) error
	CSV    func(w io.Writer) error
	Table  func(w io.Writer, wide bool) error
}

// laboratory is `neap replay`; a single decision is planned again by `neap replay-decision`.
func (s *shell) laboratory() *cobra.Command {
	var config ReplayConfig
	var from, to string
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Replay a spot market and compare what policies make of a workload in it",
		Long: "Replay a spot market and compare what policies make of a workload in it: cost, interruptions, hours short, moves and what they saved.\n\n" +
			"It needs no server, no data folder and no cloud. Without --prices and --availability it replays a simulated recording that comes with the program; the first example makes\n" +
			"a page with charts of it. Give recordings of a real market instead: prices alone (losses are then drawn, anew with each seed), or availability with or without prices\n" +
			"(losses are then those recorded). Files without a folder are also looked for in the folder that NEAP_TRACES names. Hindsight is what the workload would have cost at\n" +
			"least, had somebody known the future. Formats, policies and what the figures can't show are told in docs/replay.md.\n\n" +
			"Workloads: steady:20, diurnal:10-40, deadline:24h/36h and batch:40x30m, the last two also with ,checkpoint=none or ,restart=6m.\n" +
			"Policies for fleets: neap, lowest-price, capacity-optimized, price-capacity-optimized, autospotting, on-demand, hindsight.\n" +
			"Policies for jobs: neap, uniform-progress, lowest-price, on-demand, hindsight.",
		Example: "neap replay -o html > replay.html\nneap replay --workload diurnal:10-40 --policy neap,capacity-optimized,on-demand\n" +
			"neap replay --prices prices.csv.gz --types m5.large,c5.large --from 2021-03-15 --to 2021-04-15 --seeds 10\n" +
			"neap replay --availability availability.csv.gz --trace LABEL --workload deadline:24h/36h",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.checkOutput("table", "wide", "json", "yaml", "csv", "html"); err != nil {
				return err
			}
			if err := config.complete(from, to); err != nil {
				return err
			}
			config.Folder = settings.Lookup(s.world.Environ, "NEAP_TRACES")
			progress := s.progress()
			config.Progress = progress.show
			found, err := s.hooks.Replay(cmd.Context(), config)
			progress.end()
			if fault.Is(err, fault.Invalid) {
				return &usageError{err}
			}
			if err != nil {
				return err
			}
			return s.showReplayed(cmd.OutOrStdout(), found)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&config.Prices, "prices", "", "file of recorded prices")
	flags.StringVar(&config.Availability, "availability", "", "file of recorded availability")
	flags.StringVar(&config.Trace, "trace", "", "measurement of the availability file, where it holds several")
	flags.StringVar(&config.Region, "region", "", "region, where a file holds several")
	flags.StringSliceVar(&config.Types, "types", nil, "only these instance types")
	flags.StringSliceVar(&config.Zones, "zones", nil, "only these zones")
	flags.StringVar(&from, "from", "", "begin at this day or time, such as 2021-03-15 or 2021-03-15T06:00:00Z (default: as recorded)")
	flags.StringVar(&to, "to", "", "end at this day or time (default: as recorded)")
	flags.StringVar(&config.Workload, "workload", "steady:20", "what is to run")
	flags.StringSliceVar(&config.Policies, "policy", nil, "policies to compare (default: the usual ones for the workload)")
	flags.StringVar(&config.Rule, "rule", "balanced", "by which neap chooses: balanced, costOriented, availabilityOriented, cheapest or equalAzDistribution")
	flags.IntVar(&config.Floor, "floor", 0, "instances of a fleet that are kept on demand")
	flags.DurationVar(&config.Step, "step", 5*time.Minute, "how often prices and the target are looked at")
	flags.Uint64Var(&config.Seed, "seed", 1, "seed of everything that is drawn")
	flags.IntVar(&config.Seeds, "seeds", 1, "repeat with so many seeds; figures are then means with 95 % intervals")
	withoutClientFlags(cmd)
	return cmd
}

// complete reads the times, and refuses what could only be a slip.
func (c *ReplayConfig) complete(from, to string) (err error) {
	if c.From, err = readTime("from", from); err != nil {
		return err
	}
	if c.To, err = readTime("to", to); err != nil {
		return err
	}
	switch {
	case c.Seeds < 1 || c.Seeds > 10_000:
		return usagef("--seeds %d is not between 1 and 10,000", c.Seeds)
	case c.Trace != "" && c.Availability == "":
		return usagef("--trace names a measurement of an availability file: give --availability too")
	case c.Step < time.Second || c.Step > 24*time.Hour:
		return usagef("--step %s is not between a second and a day", c.Step)
	}
	return nil
}

// readTime reads a day or a time; "" is none.
func readTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("--%s %q is neither a day, such as 2021-03-15, nor a time, such as 2021-03-15T06:00:00Z", flag, text)
}

func (s *shell) showReplayed(w io.Writer, found Replayed) error {
	switch s.output {
	case "html":
		return found.Page(w)
	case "csv":
		return found.CSV(w)
	}
	return s.write(w, page{raw: found.Report, text: func(w io.Writer, wide bool) error {
		var out strings.Builder
		if err := found.Table(&out, wide); err != nil {
			return err
		}
		for line := range strings.Lines(out.String()) {
			if _, err := io.WriteString(w, oneLine(strings.TrimSuffix(line, "\n"))+"\n"); err != nil {
				return err
			}
		}
		return nil
	}})
}

// progress is a line on a terminal that says how far something is.
type progress struct {
	w     io.Writer // nil = there is no terminal
	shown string
}

func (s *shell) progress() *progress {
	if !s.world.ErrTerminal {
		return &progress{}
	}
	return &progress{w: s.world.Err}
}

const eraseLine = "\r\x1b[K"

// show replaces the line; it is written only when it says something new.
func (p *progress) show(part float64, what string) {
	line := fmt.Sprintf("%3.0f %%  %s", 100*part, what)
	if p.w == nil || line == p.shown {
		return
	}
	p.shown = line
	fmt.Fprint(p.w, eraseLine+line)
}

// end takes the line away.
func (p *progress) end() {
	if p.shown != "" {
		fmt.Fprint(p.w, eraseLine)
	}
}
