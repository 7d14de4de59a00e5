package job

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/session"
	"github.com/neap-cloud/neap/internal/cli/table"
	"github.com/neap-cloud/neap/internal/cli/words"
)

const queuesPath = "/neap/v1/job-queues"

type queue struct {
	Cloud     string         `json:"cloud"`
	Region    string         `json:"region"`
	Queue     string         `json:"queue"`
	Lifecycle string         `json:"lifecycle"`
	Types     []string       `json:"types,omitempty"`
	Most      map[string]any `json:"most,omitempty"`
	Created   *time.Time     `json:"created,omitempty"`
}

// most says what its machines together may have.
func (q queue) most() string {
	var parts []string
	for _, unit := range [][2]string{{"vcpus", "vCPU"}, {"memory", "MiB"}, {"gpu", "GPU"}} {
		if n, is := q.Most[unit[0]].(float64); is && n > 0 {
			parts = append(parts, fmt.Sprintf("%.0f %s", n, unit[1]))
		}
	}
	return strings.Join(parts, ", ")
}

// queues lists, and has commands below it that change them.
func (c commands) queues() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "queues",
		Short: "List named queues; below it, set and remove change them",
		Long:  "List named queues. The queues spot and on-demand, which every region has, are not among them.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.Show(cmd, func(ctx context.Context) (session.Page, error) {
				queues, raw, _, err := session.List[queue](ctx, c, queuesPath, nil)
				now := c.Now(ctx)
				return session.Page{Raw: raw, Text: func(w io.Writer, wide bool) error { return queuesText(w, wide, queues, now) }}, err
			})
		},
	}
	cmd.AddCommand(c.setQueue(), c.removeQueue())
	return cmd
}

func queuesText(w io.Writer, wide bool, queues []queue, now time.Time) error {
	if len(queues) == 0 {
		_, err := fmt.Fprintln(w, "No named queues. Jobs go to the queues spot and on-demand of their region, by priority.")
		return err
	}
	return table.Write(w, wide, []table.Column[queue]{
		{Head: "QUEUE", Cell: func(q queue) string { return q.Queue }},
		{Head: "CLOUD", Cell: func(q queue) string { return q.Cloud }},
		{Head: "REGION", Cell: func(q queue) string { return q.Region }},
		{Head: "LIFECYCLE", Cell: func(q queue) string { return q.Lifecycle }},
		{Head: "TYPES", Cell: func(q queue) string { return several(q.Types, 4) }},
		{Head: "AT MOST", Cell: queue.most},
		{Head: "AGE", Cell: func(q queue) string {
			if q.Created == nil {
				return ""
			}
			return words.Age(now, *q.Created)
		}},
	}, queues)
}

func (q *queue) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&q.Cloud, "cloud", "aws", "aws or azure")
	cmd.Flags().StringVar(&q.Region, "region", "", "region that the queue is in")
}

func (c commands) setQueue() *cobra.Command {
	var q queue
	var vcpus float64
	var memory, gpu int64
	cmd := &cobra.Command{
		Use:   "set QUEUE",
		Short: "Make or change a named queue",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.Check(); err != nil {
				return err
			}
			q := q
			q.Queue, q.Most = args[0], map[string]any{}
			for name, n := range map[string]float64{"vcpus": vcpus, "memory": float64(memory), "gpu": float64(gpu)} {
				if n > 0 {
					q.Most[name] = n
				}
			}
			raw, err := c.Ask(cmd.Context(), session.Question{Method: http.MethodPut, Path: queuesPath, Body: q})
			if err != nil {
				return err
			}
			return c.Print(cmd, said(raw, fmt.Sprintf("The queue %s of %s %s runs on %s machines.\n", q.Queue, q.Cloud, q.Region, q.Lifecycle)))
		},
	}
	q.bind(cmd)
	flags := cmd.Flags()
	flags.StringVar(&q.Lifecycle, "lifecycle", "spot", "how its machines are bought: spot or on-demand")
	flags.StringSliceVar(&q.Types, "types", nil, "instance types that it may use (default: any current general ones)")
	flags.Float64Var(&vcpus, "most-vcpus", 0, "vCPUs that all of its machines together may have")
	flags.Int64Var(&memory, "most-memory", 0, "MiB that they may have")
	flags.Int64Var(&gpu, "most-gpu", 0, "GPUs that they may have")
	return cmd
}

func (c commands) removeQueue() *cobra.Command {
	var q queue
	cmd := &cobra.Command{
		Use:   "remove QUEUE",
		Short: "Remove a named queue that has no machines any more",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.Check(); err != nil {
				return err
			}
			where := url.Values{"cloud": {q.Cloud}, "region": {q.Region}, "queue": {args[0]}}
			raw, err := c.Ask(cmd.Context(), session.Question{Method: http.MethodDelete, Path: queuesPath, Query: where})
			if err != nil {
				return err
			}
			return c.Print(cmd, said(raw, fmt.Sprintf("The queue %s of %s %s is gone.\n", args[0], q.Cloud, q.Region)))
		},
	}
	q.bind(cmd)
	return cmd
}

// said is a page of one sentence.
func said(raw []byte, sentence string) session.Page {
	return session.Page{Raw: raw, Text: func(w io.Writer, _ bool) error {
		_, err := io.WriteString(w, sentence)
		return err
	}}
}
