package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/suggest"
)

const experimentsPath = "/neap/v1/experiments"

func (s *shell) experiment() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "experiment",
		Short: "Measure Neap's model against a baseline policy on your own groups",
		Long: "Measure Neap's model against a baseline policy on your own groups.\n\n" +
			"Each group's markets are weighed by the model and by the baseline in turn, in an order that is drawn by lot, and the ledger says what each cost. " +
			"The protocol is fixed when the experiment is created; docs/experiment.md explains it.",
	}, s.experimentCreate(), s.experimentList(), s.experimentShow(), s.experimentStop(), s.experimentReport(), s.experimentOpt(true), s.experimentOpt(false), s.experimentGroups())
}

func (s *shell) experimentCreate() *cobra.Command {
	var groups []string
	var all, dryRun bool
	var seed uint32
	asked := map[string]any{}
	texts := map[string]*string{}
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Fix a protocol and begin at the next full minute",
		Long:    "Fix a protocol and begin at the next full minute. Groups that are named are opted in on the way; a group is in one experiment at a time.",
		Example: "neap experiment create november --groups web,workers --baseline price-capacity-optimized --for 14d",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(groups) > 0) {
				return usagef("name groups with --groups, or take every group that is opted in and free with --all-opted-in")
			}
			if err := s.checkOutput(); err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			ids, err := c.groupIDs(cmd.Context(), groups)
			if err != nil {
				return err
			}
			for _, id := range ids {
				if !dryRun {
					if _, err := c.optIn(cmd.Context(), id, true); err != nil {
						return err
					}
				}
			}
			asked["name"] = args[0]
			if all {
				asked["allOptedIn"] = true
			} else {
				asked["groups"] = ids
			}
			for member, text := range texts {
				if *text != "" {
					asked[member] = *text
				}
			}
			if cmd.Flags().Changed("seed") {
				asked["seed"] = seed
			}
			r, err := post(experimentsPath, asked)
			if err != nil {
				return err
			}
			r.dryRun = dryRun
			return s.experimentPage(cmd, c, r)
		},
	}
	text := func(flag, member, usage string) {
		texts[member] = cmd.Flags().String(flag, "", usage)
	}
	cmd.Flags().StringSliceVar(&groups, "groups", nil, "groups, by id or name")
	cmd.Flags().BoolVar(&all, "all-opted-in", false, "every group that is opted in and in no other experiment")
	text("baseline", "baseline", "price-capacity-optimized, capacity-optimized or lowest-price")
	text("for", "for", "how long, a whole number of pairs of blocks: 14d")
	text("measure", "measure", "what it is about: cost-per-capacity-hour or interruptions (default: the cost)")
	text("switch-every", "switchEvery", "length of a block (default: 24h)")
	text("wash-out", "washOut", "first part of each block that is not measured (default: 1h, or a quarter of a shorter block)")
	cmd.Flags().Uint32Var(&seed, "seed", 0, "seed that the order is drawn from (default: drawn, too)")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show the protocol and what it can be expected to show, and change nothing; named groups must be opted in already")
	return cmd
}

// experimentPage makes a request that is answered with one experiment, and shows it.
func (s *shell) experimentPage(cmd *cobra.Command, c *client, r request) error {
	a, err := c.do(cmd.Context(), r)
	if err != nil {
		return err
	}
	views, err := decode[experimentView]([]json.RawMessage{a.body})
	if err != nil {
		return err
	}
	if r.dryRun {
		fmt.Fprintln(cmd.ErrOrStderr(), "Nothing was created.")
	}
	return s.write(cmd.OutOrStdout(), page{raw: a.body, text: func(w io.Writer, _ bool) error { return views[0].write(w) }})
}

// groupIDs turns names into ids.
func (c *client) groupIDs(ctx context.Context, words []string) ([]string, error) {
	ids := make([]string, 0, len(words))
	for _, word := range words {
		id, err := c.groupID(ctx, strings.TrimSpace(word))
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (c *client) optIn(ctx context.Context, group string, is bool) (answer, error) {
	body, err := json.Marshal(map[string]bool{"optedIn": is})
	if err != nil {
		return answer{}, err
	}
	return c.do(ctx, request{method: http.MethodPut, path: groupsPath + "/" + url.PathEscape(group) + "/experiments", body: body})
}

// experimentOpt and its opposite differ in one word.
func (s *shell) experimentOpt(in bool) *cobra.Command {
	use, short, done := "opt-in GROUP ...", "Let groups take part in experiments", "may take part in experiments"
	if !in {
		use, short, done = "opt-out GROUP ...", "Keep groups out of experiments", "takes no part in experiments"
	}
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.checkOutput(); err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			ids, err := c.groupIDs(cmd.Context(), args)
			if err != nil {
				return err
			}
			for _, id := range ids {
				a, err := c.optIn(cmd.Context(), id, in)
				if err != nil {
					return err
				}
				err = s.write(cmd.OutOrStdout(), page{raw: a.body, text: func(w io.Writer, _ bool) error {
					_, err := fmt.Fprintf(w, "Group %s %s.\n", id, done)
					return err
				}})
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (s *shell) experimentGroups() *cobra.Command {
	return &cobra.Command{
		Use:   "groups",
		Short: "List the groups that are opted in",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			return s.show(cmd, func(ctx context.Context) (page, error) {
				return fetchList(ctx, c, get("/neap/v1/experiment-groups", nil), func(w io.Writer, wide bool, list []enrolmentView) error {
					return writeTable(w, wide, []column[enrolmentView]{
						{head: "GROUP", cell: func(v enrolmentView) string { return v.Group }},
						{head: "EXPERIMENT", cell: func(v enrolmentView) string { return v.Experiment }},
						{head: "OPTED IN BY", cell: func(v enrolmentView) string { return v.By }},
						{head: "SINCE", cell: func(v enrolmentView) string { return stamp(v.Since) }},
					}, list)
				})
			})
		},
	}
}

func (s *shell) experimentList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List experiments, oldest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			return s.show(cmd, func(ctx context.Context) (page, error) {
				return fetchList(ctx, c, get(experimentsPath, nil), experimentsText)
			})
		},
	}
}

// experimentPath finds an experiment by its id or name.
func (c *client) experimentPath(ctx context.Context, word string) (string, error) {
	a, err := c.do(ctx, get(experimentsPath, nil))
	if err != nil {
		return "", err
	}
	items, err := a.items()
	if err != nil {
		return "", err
	}
	list, err := decode[experimentView](items)
	if err != nil {
		return "", err
	}
	var names []string
	for _, e := range list {
		if e.ID == word || e.Name == word {
			return experimentsPath + "/" + url.PathEscape(e.ID), nil
		}
		names = append(names, e.Name)
	}
	return "", fmt.Errorf("there is no experiment %q here%s (neap experiment list shows them)", word, suggest.Clause(word, names))
}

func (s *shell) experimentShow() *cobra.Command {
	peek := false
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show an experiment's protocol, its schedule and how far it is",
		Long:  "Show an experiment's protocol, its schedule and how far it is. What it found so far is not shown, because whoever watches results is tempted to stop at a lucky moment; --peek shows it all the same, marked as such.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			return s.show(cmd, func(ctx context.Context) (page, error) {
				path, err := c.experimentPath(ctx, args[0])
				if err != nil {
					return page{}, err
				}
				if peek {
					return c.reportPage(ctx, path, url.Values{"peek": {"true"}})
				}
				a, err := c.do(ctx, get(path, nil))
				if err != nil {
					return page{}, err
				}
				views, err := decode[experimentView]([]json.RawMessage{a.body})
				if err != nil {
					return page{}, err
				}
				now := c.about(ctx, s.world.Clock.Now()).Now
				return page{raw: a.body, text: func(w io.Writer, _ bool) error {
					if err := views[0].write(w); err != nil {
						return err
					}
					return views[0].writeSchedule(w, now)
				}}, nil
			})
		},
	}
	cmd.Flags().BoolVar(&peek, "peek", false, "show what there is so far instead, as it will be in the report")
	return cmd
}

func (s *shell) experimentStop() *cobra.Command {
	return &cobra.Command{
		Use:   "stop NAME",
		Short: "Stop an experiment before its end; its groups are the model's again",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.send(cmd, func(c *client) (request, string, error) {
				path, err := c.experimentPath(cmd.Context(), args[0])
				return request{method: http.MethodPost, path: path + "/stop"}, fmt.Sprintf("Experiment %s is stopped. What it measured is kept, and its report says that it was stopped.\n", args[0]), err
			})
		},
	}
}

func (s *shell) experimentReport() *cobra.Command {
	return &cobra.Command{
		Use:   "report NAME",
		Short: "Say what an experiment found, and how sure that is",
		Long:  "Say what an experiment found, and how sure that is, once everything has been measured. With -o csv: every pair of blocks, for a spreadsheet.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			known := append(slices.Clone(formats), "csv")
			if err := s.checkOutput(known...); err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			path, err := c.experimentPath(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			p, err := c.reportPage(cmd.Context(), path, nil)
			if err != nil {
				return err
			}
			if s.output == "csv" {
				return writePairsCSV(cmd.OutOrStdout(), p.raw)
			}
			return s.write(cmd.OutOrStdout(), p)
		},
	}
}

func (c *client) reportPage(ctx context.Context, path string, query url.Values) (page, error) {
	a, err := c.do(ctx, get(path+"/report", query))
	if err != nil {
		return page{}, err
	}
	views, err := decode[reportView]([]json.RawMessage{a.body})
	if err != nil {
		return page{}, err
	}
	return page{raw: a.body, text: func(w io.Writer, _ bool) error { return views[0].write(w) }}, nil
}
