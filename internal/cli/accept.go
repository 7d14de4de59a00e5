package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// upgradeView is a group whose moves wait for consent.
type upgradeView struct {
	Group   string `json:"group"`
	Name    string `json:"name"`
	Why     string `json:"why"`
	Changes []struct {
		Path   string          `json:"path"`
		Before json.RawMessage `json:"before"`
		After  json.RawMessage `json:"after"`
	} `json:"changes"`
}

func (s *shell) accept() *cobra.Command {
	var percent int
	cmd := &cobra.Command{
		Use:   "accept",
		Short: "Show what an upgrade changes for your groups, or accept it in stages",
		Long: "Show what an upgrade changes for your groups, or accept it in stages.\n\n" +
			"Where a new release reads a group's document or plans differently, moves that only save money wait; recovery and capacity never do.\n" +
			"Without --percent the groups that wait are listed with their differences. With --percent 1, then 10, then 100, the change takes effect on that part of the groups.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("percent") {
				return s.showUpgrades(cmd)
			}
			return s.acceptPart(cmd, percent)
		},
	}
	cmd.Flags().IntVar(&percent, "percent", 0, "accept for 1, 10 or 100 percent of the groups")
	return cmd
}

func (s *shell) showUpgrades(cmd *cobra.Command) error {
	if err := s.checkOutput(); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	a, err := c.do(cmd.Context(), get("/neap/v1/upgrades", nil))
	if err != nil {
		return err
	}
	items, err := a.items()
	if err != nil {
		return err
	}
	waiting, err := decode[upgradeView](items)
	if err != nil {
		return err
	}
	return s.write(cmd.OutOrStdout(), page{raw: a.body, text: func(w io.Writer, _ bool) error { return upgradesText(w, waiting) }})
}

func upgradesText(w io.Writer, waiting []upgradeView) error {
	var text bytes.Buffer
	if len(waiting) == 0 {
		text.WriteString("Nothing waits to be accepted.\n")
	}
	for _, u := range waiting {
		fmt.Fprintf(&text, "%s (%s): %s\n", u.Group, u.Name, u.Why)
		for _, c := range u.Changes {
			fmt.Fprintf(&text, "  %s: %s → %s\n", c.Path, orNothing(c.Before), orNothing(c.After))
		}
	}
	_, err := text.WriteTo(w)
	return err
}

func orNothing(value json.RawMessage) string {
	if len(value) == 0 {
		return "(nothing)"
	}
	return string(value)
}

func (s *shell) acceptPart(cmd *cobra.Command, percent int) error {
	if err := s.checkOutput(); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	r, err := post("/neap/v1/upgrades/accept", map[string]int{"percent": percent})
	if err != nil {
		return err
	}
	a, err := c.do(cmd.Context(), r)
	if err != nil {
		return err
	}
	var did struct{ Accepted, Waiting int }
	if err := json.Unmarshal(a.body, &did); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	return s.write(cmd.OutOrStdout(), page{raw: a.body, text: func(w io.Writer, _ bool) error {
		_, err := fmt.Fprintf(w, "Accepted for %d groups; %d wait for a later stage.\n", did.Accepted, did.Waiting)
		return err
	}})
}
