package cli

import (
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"
)

// generationView is what accepting a restored database meets.
type generationView struct {
	Generation  int64 `json:"generation"`
	Instances   int   `json:"instances"`
	Known       int   `json:"known"`
	Adopted     int   `json:"adopted"`
	Quarantined int   `json:"quarantined"`
}

func (s *shell) acceptGeneration() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "accept-generation",
		Short: "Let a restored database work again, after you made sure that no newer one does",
		Long: "Let a restored database work again, after you made sure that no newer one does.\n\n" +
			"A restored or copied database only observes, because a newer one may be at work on the same instances. Stop that one for good; then this command makes the database at hand\n" +
			"the newest. Instances that it knows, or whose launch it knows, are kept on; all others are set aside untouched, with an alert each group: end them yourself.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.checkOutput(); err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			a, err := c.do(cmd.Context(), request{method: http.MethodPost, path: "/neap/v1/generation/accept", dryRun: dry})
			if err != nil {
				return err
			}
			items, err := a.items()
			if err != nil {
				return err
			}
			seen, err := decode[generationView](items)
			if err != nil || len(seen) != 1 {
				return fmt.Errorf("the server's answer tells of %d generations: %w", len(seen), err)
			}
			return s.write(cmd.OutOrStdout(), page{raw: items[0], text: func(w io.Writer, _ bool) error { return generationText(w, seen[0], dry) }})
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only look, and accept nothing")
	return cmd
}

func generationText(w io.Writer, v generationView, dry bool) error {
	verb := "The database is accepted as generation"
	if dry {
		verb = "Nothing was accepted; the database would become generation"
	}
	_, err := fmt.Fprintf(w, "%s %d.\nOf %d living instances %d are known, %d are adopted from launches that are known, %d are set aside.\n",
		verb, v.Generation, v.Instances, v.Known, v.Adopted, v.Quarantined)
	return err
}
