// Package experiment is the part of the command line that measures Neap's model on the operator's own groups.
//
// It owns the commands below `neap experiment` and what people see of them. It must not know how the server is reached, nor the room that decides: the shell lends
// what it needs. Start reading at Commands.
package experiment

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/session"
	"github.com/neap-cloud/neap/internal/cli/suggest"
)

// Shell is the command line around these commands.
type Shell interface {
	session.Session
	// GroupID takes a group's id, or its name where only one group has it.
	GroupID(ctx context.Context, word string) (string, error)
}

const collection = "/neap/v1/experiments"

type commands struct{ Shell }

// Commands are `neap experiment` and what is below it.
func Commands(s Shell) (root *cobra.Command, children []*cobra.Command) {
	c := commands{s}
	return &cobra.Command{
		Use:   "experiment",
		Short: "Measure Neap's model against a baseline policy on your own groups",
		Long: "Measure Neap's model against a baseline policy on your own groups.\n\n" +
			"Each group's markets are weighed by the model and by the baseline in turn, in an order that is drawn by lot, and the ledger says what each cost. " +
			"The protocol is fixed when the experiment is created; docs/experiment.md explains it.",
	}, []*cobra.Command{c.create(), c.list(), c.show(), c.stop(), c.report(), c.opt(true), c.opt(false), c.groups()}
}

// draft is what create is asked for.
type draft struct {
	Name        string   `json:"name"`
	Groups      []string `json:"groups,omitempty"`
	AllOptedIn  bool     `json:"allOptedIn,omitempty"`
	Baseline    string   `json:"baseline"`
	Measure     string   `json:"measure,omitempty"`
	For         string   `json:"for"`
	SwitchEvery string   `json:"switchEvery,omitempty"`
	WashOut     string   `json:"washOut,omitempty"`
	Seed        *uint32  `json:"seed,omitempty"`
}

func (c commands) create() *cobra.Command {
	var asked draft
	var seed uint32
	dryRun := false
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Fix a protocol and begin at the next full minute",
		Long:    "Fix a protocol and begin at the next full minute. Groups that are named are opted in on the way; a group is in one experiment at a time.",
		Example: "neap experiment create november --groups web,workers --baseline price-capacity-optimized --for 14d",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asked := asked
			if asked.Name = args[0]; asked.AllOptedIn == (len(asked.Groups) > 0) {
				return c.Usage("name groups with --groups, or take every group that is opted in and free with --all-opted-in")
			}
			if cmd.Flags().Changed("seed") {
				asked.Seed = &seed
			}
			return c.begin(cmd, asked, dryRun)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&asked.Groups, "groups", nil, "groups, by id or name")
	flags.BoolVar(&asked.AllOptedIn, "all-opted-in", false, "every group that is opted in and in no other experiment")
	flags.StringVar(&asked.Baseline, "baseline", "", "price-capacity-optimized, capacity-optimized or lowest-price")
	flags.StringVar(&asked.For, "for", "", "how long, a whole number of pairs of blocks: 14d")
	flags.StringVar(&asked.Measure, "measure", "", "what it is about: cost-per-capacity-hour or interruptions (default: the cost)")
	flags.StringVar(&asked.SwitchEvery, "switch-every", "", "length of a block (default: 24h)")
	flags.StringVar(&asked.WashOut, "wash-out", "", "first part of each block that is not measured (default: 1h, or a quarter of a shorter block)")
	flags.Uint32Var(&seed, "seed", 0, "seed that the order is drawn from (default: drawn, too)")
	flags.BoolVar(&dryRun, "dry-run", false, "show the protocol and what it can be expected to show, and change nothing; named groups must be opted in already")
	return cmd
}

func (c commands) begin(cmd *cobra.Command, asked draft, dryRun bool) (err error) {
	if err := c.Check(); err != nil {
		return err
	}
	if asked.Groups, err = c.groupIDs(cmd.Context(), asked.Groups); err != nil {
		return err
	}
	if !dryRun {
		for _, id := range asked.Groups {
			if _, err := c.optIn(cmd.Context(), id, true); err != nil {
				return err
			}
		}
	}
	made, raw, err := session.Ask[view](cmd.Context(), c, session.Question{Method: http.MethodPost, Path: collection, Body: asked, DryRun: dryRun})
	if err != nil {
		return err
	}
	if dryRun {
		made.ID = "" // nobody will find it
		fmt.Fprintln(cmd.ErrOrStderr(), "Nothing was created.")
	}
	return c.Print(cmd, session.Page{Raw: raw, Text: func(w io.Writer, _ bool) error { return made.write(w) }})
}

func (c commands) groupIDs(ctx context.Context, words []string) ([]string, error) {
	ids := make([]string, 0, len(words))
	for _, word := range words {
		id, err := c.GroupID(ctx, strings.TrimSpace(word))
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (c commands) optIn(ctx context.Context, group string, is bool) (json.RawMessage, error) {
	return c.Ask(ctx, session.Question{Method: http.MethodPut, Path: "/neap/v1/groups/" + url.PathEscape(group) + "/experiments", Body: map[string]bool{"optedIn": is}})
}

// opt and its opposite differ in one word.
func (c commands) opt(in bool) *cobra.Command {
	use, short, done := "opt-in GROUP ...", "Let groups take part in experiments", "may take part in experiments"
	if !in {
		use, short, done = "opt-out GROUP ...", "Keep groups out of experiments", "takes no part in experiments"
	}
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.Check(); err != nil {
				return err
			}
			ids, err := c.groupIDs(cmd.Context(), args)
			if err != nil {
				return err
			}
			for _, id := range ids {
				raw, err := c.optIn(cmd.Context(), id, in)
				if err != nil {
					return err
				}
				said := fmt.Sprintf("Group %s %s.\n", id, done)
				if err := c.Print(cmd, session.Page{Raw: raw, Text: func(w io.Writer, _ bool) error { _, err := io.WriteString(w, said); return err }}); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (c commands) groups() *cobra.Command {
	return &cobra.Command{
		Use:   "groups",
		Short: "List the groups that are opted in",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.Show(cmd, func(ctx context.Context) (session.Page, error) {
				items, raw, _, err := session.List[enrolment](ctx, c, "/neap/v1/experiment-groups", nil)
				return session.Page{Raw: raw, Text: func(w io.Writer, wide bool) error { return groupsText(w, wide, items) }}, err
			})
		},
	}
}

func (c commands) list() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List experiments, oldest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.Show(cmd, func(ctx context.Context) (session.Page, error) {
				items, raw, _, err := session.List[view](ctx, c, collection, nil)
				return session.Page{Raw: raw, Text: func(w io.Writer, wide bool) error { return listText(w, wide, items) }}, err
			})
		},
	}
}

// path finds an experiment by its id or name.
func (c commands) path(ctx context.Context, word string) (string, error) {
	items, _, _, err := session.List[view](ctx, c, collection, nil)
	if err != nil {
		return "", err
	}
	var names []string
	for _, e := range items {
		if e.ID == word || e.Name == word {
			return collection + "/" + url.PathEscape(e.ID), nil
		}
		names = append(names, e.Name)
	}
	return "", fmt.Errorf("there is no experiment %q here%s (neap experiment list shows them)", word, suggest.Clause(word, names))
}

func (c commands) show() *cobra.Command {
	peek := false
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show an experiment's protocol, its schedule and how far it is",
		Long: "Show an experiment's protocol, its schedule and how far it is.\n\nWhat it found so far is not shown, because whoever watches results is tempted to stop at a lucky moment; " +
			"--peek shows it all the same, marked as such.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.Show(cmd, func(ctx context.Context) (session.Page, error) {
				path, err := c.path(ctx, args[0])
				if err != nil {
					return session.Page{}, err
				}
				if peek {
					return c.reported(ctx, path, url.Values{"peek": {"true"}})
				}
				e, raw, err := session.Ask[view](ctx, c, session.Question{Method: http.MethodGet, Path: path})
				if err != nil {
					return session.Page{}, err
				}
				now := c.Now(ctx)
				return session.Page{Raw: raw, Text: func(w io.Writer, _ bool) error {
					if err := e.write(w); err != nil {
						return err
					}
					return e.writeSchedule(w, now)
				}}, nil
			})
		},
	}
	cmd.Flags().BoolVar(&peek, "peek", false, "show what there is so far instead, as it will be in the report")
	return cmd
}

func (c commands) stop() *cobra.Command {
	return &cobra.Command{
		Use:   "stop NAME",
		Short: "Stop an experiment before its end; its groups are the model's again",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.Check(); err != nil {
				return err
			}
			path, err := c.path(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			raw, err := c.Ask(cmd.Context(), session.Question{Method: http.MethodPost, Path: path + "/stop"})
			if err != nil {
				return err
			}
			return c.Print(cmd, session.Page{Raw: raw, Text: func(w io.Writer, _ bool) error {
				_, err := fmt.Fprintf(w, "Experiment %s is stopped. What it measured is kept, and its report says that it was stopped.\n", args[0])
				return err
			}})
		},
	}
}

func (c commands) report() *cobra.Command {
	return &cobra.Command{
		Use:   "report NAME",
		Short: "Say what an experiment found, and how sure that is",
		Long:  "Say what an experiment found, and how sure that is, once everything has been measured. With -o csv: every block of every pair, for a spreadsheet.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.Check("csv"); err != nil {
				return err
			}
			path, err := c.path(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			p, err := c.reported(cmd.Context(), path, nil)
			if err != nil {
				return err
			}
			if c.Format() == "csv" {
				return writeCSV(cmd.OutOrStdout(), p.Raw)
			}
			return c.Print(cmd, p)
		},
	}
}

func (c commands) reported(ctx context.Context, path string, query url.Values) (session.Page, error) {
	r, raw, err := session.Ask[report](ctx, c, session.Question{Method: http.MethodGet, Path: path + "/report", Query: query})
	return session.Page{Raw: raw, Text: func(w io.Writer, _ bool) error { return r.write(w) }}, err
}
