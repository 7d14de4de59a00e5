package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/words"
	"github.com/neap-cloud/neap/internal/journal/chain"
)

const auditPath = "/neap/v1/audit"

// auditView is an audit entry as a table shows it.
type auditView struct {
	ID        string    `json:"id"`
	Seq       int64     `json:"seq"`
	At        time.Time `json:"at"`
	Subject   string    `json:"subject"`
	Name      string    `json:"name"`
	Remote    string    `json:"remote"`
	Source    string    `json:"source"`
	Operation string    `json:"operation"`
	Object    string    `json:"object"`
	Outcome   string    `json:"outcome"`
	Status    int       `json:"status"`
	Message   string    `json:"message"`
}

func (s *shell) audit() *cobra.Command {
	return parent(&cobra.Command{Use: "audit", Short: "Read, export and verify what callers did"}, s.auditList(), s.auditExport(), s.auditVerify())
}

func (s *shell) auditList() *cobra.Command {
	var subject, after string
	var outcomes []string
	var newer, older string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what callers changed or were refused, newest first",
		Long: "List what callers changed or were refused, newest first; with --account what was about that account. With -o json: the requests too, without secrets.\n\n" +
			"Reading is not recorded, nor are callers that nobody knows. `--after` goes on behind the last entry of a list, by its id.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			query := url.Values{"limit": {number(limit)}}
			for name, value := range map[string]string{"subject": subject, "after": after, "outcome": strings.Join(outcomes, ","), "newerThan": newer, "olderThan": older} {
				if value != "" {
					query.Set(name, value)
				}
			}
			return s.show(cmd, func(ctx context.Context) (page, error) {
				return fetchList(ctx, c, get(auditPath, query), auditText)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&subject, "subject", "", "only what this user or token did, by id")
	flags.StringSliceVar(&outcomes, "outcome", nil, "only these: done, refused, failed, dryRun")
	flags.StringVar(&newer, "newer-than", "", "only what is newer than this time, such as 2026-11-22T12:00:00Z")
	flags.StringVar(&older, "older-than", "", "only what is older than this time")
	flags.StringVar(&after, "after", "", "only what comes behind the entry of this id")
	flags.IntVar(&limit, "limit", 50, "show at most this many, up to 1000")
	return cmd
}

func auditText(w io.Writer, wide bool, list []auditView) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "No entries.")
		return err
	}
	return writeTable(w, wide, []column[auditView]{
		{head: "AT", cell: func(a auditView) string { return words.Stamp(a.At) }},
		{head: "WHO", cell: func(a auditView) string { return a.Name }},
		{head: "SUBJECT", wide: true, cell: func(a auditView) string { return a.Subject }},
		{head: "FROM", wide: true, cell: func(a auditView) string { return a.Remote }},
		{head: "SOURCE", wide: true, cell: func(a auditView) string { return a.Source }},
		{head: "OPERATION", cell: func(a auditView) string { return a.Operation }},
		{head: "OBJECT", cell: func(a auditView) string { return a.Object }},
		{head: "OUTCOME", cell: func(a auditView) string { return a.Outcome }},
		{head: "STATUS", cell: func(a auditView) string {
			if a.Status == 0 {
				return ""
			}
			return number(a.Status)
		}},
		{head: "ID", wide: true, cell: func(a auditView) string { return a.ID }},
		{head: "MESSAGE", cell: func(a auditView) string { return a.Message }},
	}, list)
}

func (s *shell) auditExport() *cobra.Command {
	var after int64
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the audit to standard output, with what is needed to verify it",
		Long: "Write the audit to standard output, with what is needed to verify it, oldest entry first.\n\n" +
			"The first line holds the public key and the newest signed head, each further line one entry with its hash: `neap audit verify --file` verifies them anywhere.\n" +
			"Of other organisations' entries there is a digest only, so that the chain can be followed. The head is shown on standard error: keep it.",
		Args:    cobra.NoArgs,
		Example: "neap audit export > audit.jsonl",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.output != "" && s.output != "json" {
				return usagef("--output %q: what is exported is JSON, one object a line.", s.output)
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			head, err := exportAudit(cmd.Context(), c, after, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.ErrOrStderr(), "Exported up to the head %d:%s\n", head.Seq, head.Hash)
			return err
		},
	}
	cmd.Flags().Int64Var(&after, "after", 0, "only entries behind this place")
	return cmd
}

// exportAudit writes page after page, all up to the head of the first one.
func exportAudit(ctx context.Context, c *client, after int64, to io.Writer) (head chain.Mark, err error) {
	lines := json.NewEncoder(to)
	lines.SetEscapeHTML(false)
	query := url.Values{"limit": {"1000"}, "after": {strconv.FormatInt(after, 10)}}
	for first := true; ; first = false {
		a, err := c.do(ctx, get(auditPath+"/export", query))
		if err != nil {
			return head, err
		}
		var part struct {
			chain.Preface
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next"`
		}
		if err := json.Unmarshal(a.body, &part); err != nil {
			return head, fmt.Errorf("the server's answer has an unexpected form: %w", err)
		}
		if first {
			head = part.Head
			query.Set("until", strconv.FormatInt(head.Seq, 10))
			if err := lines.Encode(part.Preface); err != nil {
				return head, err
			}
		}
		for _, item := range part.Items {
			if err := lines.Encode(item); err != nil {
				return head, err
			}
		}
		if part.Next == "" {
			return head, nil
		}
		query.Set("after", part.Next)
	}
}
