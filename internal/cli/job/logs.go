package job

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/session"
	"github.com/neap-cloud/neap/internal/cli/table"
)

// line is a line that a job wrote.
type line struct {
	Attempt int       `json:"attempt"`
	N       int64     `json:"n"`
	At      time.Time `json:"at"`
	Stream  string    `json:"stream"`
	Text    string    `json:"text"`
	Dropped int64     `json:"dropped,omitempty"`
}

// wanted is which lines to show.
type wanted struct {
	follow        bool
	attempt, tail int
}

func (c commands) logs() *cobra.Command {
	var want wanted
	cmd := &cobra.Command{
		Use:   "logs JOB",
		Short: "Show what a job wrote",
		Long: "Show what a job wrote: its output as output, its errors as errors. Lines of every attempt are shown, in their order.\n\n" +
			"-f follows it until the job has come to its end. -o json gives one object a line, with its time.",
		Example: "neap job logs -f 3892fea6\nneap job logs --tail 100 --attempt 2 3892fea6",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.Check(); err != nil {
				return err
			}
			id, err := c.id(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			p := &printer{want: want, json: c.Format() == "json", out: cmd.OutOrStdout(), errs: cmd.ErrOrStderr()}
			p.cleanOut, p.cleanErr = c.Terminal()
			next, err := c.printLogs(cmd.Context(), id, p)
			if err != nil || !want.follow {
				return err
			}
			return c.followLogs(cmd.Context(), id, next, p)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&want.follow, "follow", "f", false, "go on until the job has come to its end")
	flags.IntVar(&want.attempt, "attempt", 0, "only of this attempt")
	flags.IntVar(&want.tail, "tail", 0, "only the last so many lines")
	return cmd
}

// printLogs shows what there is, and tells where to follow from. What is followed from the beginning is left to that.
func (c commands) printLogs(ctx context.Context, id string, p *printer) (next string, err error) {
	query := url.Values{}
	if p.want.attempt > 0 {
		query.Set("attempt", fmt.Sprint(p.want.attempt))
	}
	if p.want.tail > 0 {
		query.Set("tail", fmt.Sprint(p.want.tail))
	} else if p.want.follow {
		return "", nil
	}
	for {
		lines, _, next, err := session.List[line](ctx, c, path(id, "/logs"), query)
		if err == nil {
			err = p.print(lines)
		}
		if err != nil || next == "" || p.want.tail > 0 {
			return next, err
		}
		query.Set("after", next)
	}
}

// printer writes lines where they belong.
type printer struct {
	want               wanted
	json               bool
	out, errs          io.Writer
	cleanOut, cleanErr bool // they are terminals, which what a job wrote must not take over
	attempt            int
}

func (p *printer) print(lines []line) error {
	for _, l := range lines {
		if p.want.attempt > 0 && l.Attempt != p.want.attempt {
			continue
		}
		if err := p.one(l); err != nil {
			return err
		}
	}
	return nil
}

func (p *printer) one(l line) error {
	if p.json {
		return json.NewEncoder(p.out).Encode(l)
	}
	if p.attempt != 0 && l.Attempt != p.attempt {
		fmt.Fprintf(p.errs, "[attempt %d]\n", l.Attempt)
	}
	if p.attempt = l.Attempt; l.Dropped > 0 {
		fmt.Fprintf(p.errs, "[lines that were not kept: %d]\n", l.Dropped)
	}
	to, clean := p.out, p.cleanOut
	if l.Stream == "stderr" {
		to, clean = p.errs, p.cleanErr
	}
	if clean {
		l.Text = table.OneLine(l.Text)
	}
	_, err := io.WriteString(to, l.Text+"\n")
	return err
}

// event is one of a stream.
type event struct {
	id, name string
	data     []byte
}

const againAfter = time.Second

// followLogs shows lines as they come. A stream that breaks off is taken up where it was.
func (c commands) followLogs(ctx context.Context, id, after string, p *printer) error {
	over := false
	for {
		query := url.Values{}
		if after != "" {
			query.Set("after", after)
		}
		stream, err := c.Open(ctx, session.Question{Method: http.MethodGet, Path: path(id, "/logs/follow"), Query: query})
		if err == nil {
			err = eachEvent(stream, func(e event) error {
				if over, err = p.event(e); e.id != "" {
					after = e.id
				}
				return err
			})
			if closed := stream.Close(); err == nil && !over {
				err = closed
			}
		} else if !c.IsAway(err) {
			return err
		}
		var refused *refusedEvent
		switch {
		case over:
			return nil
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &refused):
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-c.Clock().After(againAfter):
		}
	}
}

// refusedEvent is what a stream ends with when it may not go on.
type refusedEvent struct{ message string }

func (e *refusedEvent) Error() string { return e.message }

// event shows one event; over says that nothing comes behind it.
func (p *printer) event(e event) (over bool, err error) {
	var data struct {
		Items  []line `json:"items"`
		State  string `json:"state"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(e.data, &data); err != nil {
		return false, &refusedEvent{fmt.Sprintf("the server's event %q has an unexpected form: %v", e.name, err)}
	}
	switch e.name {
	case "lines":
		return false, p.print(data.Items)
	case "end":
		if data.State != succeeded && !p.json {
			fmt.Fprintf(p.errs, "[the job has %s]\n", data.State)
		}
		return true, nil
	case "error":
		refused := &refusedEvent{"the stream was ended by the server"}
		if len(data.Errors) > 0 {
			refused.message = data.Errors[0].Message
		}
		return false, refused
	}
	return false, nil
}

// largestEvent holds a page of lines.
const largestEvent = 32 << 20

// eachEvent hands the events of a stream to take, until it ends. Comments are left out.
func eachEvent(stream io.Reader, take func(event) error) error {
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, largestEvent)
	var e event
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			if e.data != nil {
				if err := take(e); err != nil {
					return err
				}
			}
			e = event{}
		case name == "id":
			e.id = value
		case name == "event":
			e.name = value
		case name == "data":
			e.data = append(e.data, value...)
		}
	}
	return lines.Err()
}
