package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/document"
)

// replayView is what planning again over stored inputs gave.
type replayView struct {
	Same     bool            `json:"same"`
	Version  string          `json:"version"` // of the planner that decided
	Running  string          `json:"running"` // of the planner that replayed
	Stored   json.RawMessage `json:"stored"`
	Replayed json.RawMessage `json:"replayed"`
}

func (s *shell) replay() *cobra.Command {
	return &cobra.Command{
		Use:   "replay-decision GROUP DECISION",
		Short: "Plan again over a decision's stored inputs and compare; exit code 1 when the plans differ",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.checkOutput(); err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			group, err := c.groupID(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			a, err := c.do(cmd.Context(), get(decisionPath(group, args[1])+"/replay", nil))
			if err != nil {
				return err
			}
			items, err := a.items()
			if err != nil {
				return err
			}
			replays, err := decode[replayView](items)
			if err != nil {
				return err
			}
			if len(replays) != 1 || replays[0].Version == "" {
				return fmt.Errorf("the server's answer holds no replay: %s", excerpt(a.body))
			}
			p := page{raw: items[0], text: func(w io.Writer, _ bool) error { return replays[0].write(w) }}
			if err := s.print(cmd, p); err != nil {
				return err
			}
			if !replays[0].Same {
				return fmt.Errorf("planner %s decides otherwise than %s did", replays[0].Running, replays[0].Version)
			}
			return nil
		},
	}
}

// write says whether the plans agree, and where they do not.
func (r replayView) write(w io.Writer) error {
	if r.Same {
		_, err := fmt.Fprintf(w, "Planner %s gives the same plan, byte for byte.\n", r.Running)
		return err
	}
	lines, err := document.Difference(r.Stored, r.Replayed)
	if err != nil {
		return err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "Planner %s (then: %s) gives another plan:\n", r.Running, r.Version)
	for _, line := range lines {
		fmt.Fprintf(&out, "  %s\n", line)
	}
	_, err = io.WriteString(w, out.String())
	return err
}
