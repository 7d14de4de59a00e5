package cli

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/settings"
)

// ObserveConfig says which account to look at. Neither a server nor a data folder is needed for it.
type ObserveConfig struct {
	Regions          []string
	Role, ExternalID string // "" = the account of the credentials that are found on this machine
	Group            string // "" = everything
	Endpoint         string // of AWS; "" = AWS's own
}

// Observed is what was found: a report as JSON, as a page of HTML, and as a table with the totals below it; why adds the reasons.
type Observed struct {
	Report json.RawMessage
	Page   func(w io.Writer) error
	Table  func(w io.Writer, wide, why bool) error
}

func (s *shell) observe() *cobra.Command {
	var config ObserveConfig
	cmd := &cobra.Command{
		Use:   "observe",
		Short: "Show what Neap would do with an AWS account's scaling groups and what that would save, changing nothing",
		Long: "Show what Neap would do with an AWS account's scaling groups and what that would save, changing nothing.\n\n" +
			"It needs no server and no data folder, only credentials that may read: those found on this machine as every AWS tool finds them, or with --role a role that they may assume.\n" +
			"A saving is told against what the groups cost now, and against the baseline: the same instances all on demand at list price. With --group it is told why, and what stands in\n" +
			"the way. -o html writes a page with everything, -o json all figures, in micro-dollars. Which permissions it takes is told in docs/observe.md.",
		Example: "neap observe --region us-east-1 --region eu-west-1\nneap observe --region us-east-1 --role arn:aws:iam::123456789012:role/NeapObserver --external-id acme -o html > savings.html",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.checkOutput("table", "wide", "json", "yaml", "html"); err != nil {
				return err
			}
			if err := s.whereToObserve(&config); err != nil {
				return err
			}
			found, err := s.hooks.Observe(cmd.Context(), config)
			if err != nil {
				return err
			}
			if s.output == "html" {
				return found.Page(cmd.OutOrStdout())
			}
			return s.write(cmd.OutOrStdout(), page{raw: found.Report, text: func(w io.Writer, wide bool) error {
				var out strings.Builder
				if err := found.Table(&out, wide, config.Group != ""); err != nil {
					return err
				}
				for line := range strings.Lines(out.String()) {
					if _, err := io.WriteString(w, oneLine(strings.TrimSuffix(line, "\n"))+"\n"); err != nil {
						return err
					}
				}
				return nil
			}})
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&config.Regions, "region", nil, "region to look at; may be repeated (default: AWS_REGION)")
	flags.StringVar(&config.Role, "role", "", "ARN of a role to look through")
	flags.StringVar(&config.ExternalID, "external-id", "", "external id that the role asks for")
	flags.StringVar(&config.Group, "group", "", "only scaling groups of this name, with the reasons")
	flags.StringVar(&config.Endpoint, "aws-endpoint", "", "address of AWS, if not AWS's own")
	withoutClientFlags(cmd)
	return cmd
}

// whereToObserve fills in the region that AWS's own tools would take, and refuses halves of pairs.
func (s *shell) whereToObserve(c *ObserveConfig) error {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if given := settings.Lookup(s.world.Environ, name); len(c.Regions) == 0 && given != "" {
			c.Regions = []string{given}
		}
	}
	switch {
	case len(c.Regions) == 0:
		return usagef("Name a region to look at: --region us-east-1.")
	case (c.Role == "") != (c.ExternalID == ""):
		return usagef("--role and --external-id go together: without an external id anybody could have Neap use the role.")
	}
	return nil
}
