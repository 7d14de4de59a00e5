package job

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/session"
	"github.com/neap-cloud/neap/internal/cli/table"
	"github.com/neap-cloud/neap/internal/cli/words"
)

// transition is one change of a job's state.
type transition struct {
	At      time.Time `json:"at"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Attempt int       `json:"attempt"`
	Host    string    `json:"host"`
	Because string    `json:"because"`
}

// decision is a plan of the fleet that a job's machine belongs to.
type decision struct {
	ID    string    `json:"id"`
	Group string    `json:"group"`
	At    time.Time `json:"at"`
	Plan  struct {
		Actions []struct {
			Verb      string `json:"verb"`
			Type      string `json:"type"`
			Zone      string `json:"zone"`
			Lifecycle string `json:"lifecycle"`
			Because   string `json:"because"`
		} `json:"actions"`
	} `json:"plan"`
}

// bought is why there is a machine: which decision launched one of its kind last before a job was given room on it.
type bought struct {
	Decision  string `json:"decision"`
	Group     string `json:"group"`
	Lifecycle string `json:"lifecycle"`
	Because   string `json:"because"`
}

// story is all that explains a job.
type story struct {
	Job     json.RawMessage `json:"job"`
	History json.RawMessage `json:"history"`
	Bought  map[int]bought  `json:"bought,omitempty"` // by attempt

	job     view
	history []transition
}

func (c commands) explain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain JOB",
		Short: "Say why a job stands as it does: what it waits for, where it ran and why there, and what that cost",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.Show(cmd, func(ctx context.Context) (session.Page, error) {
				id, err := c.id(ctx, args[0])
				if err != nil {
					return session.Page{}, err
				}
				s, err := c.story(ctx, id)
				if err != nil {
					return session.Page{}, err
				}
				now := c.Now(ctx)
				raw, err := json.Marshal(s)
				return session.Page{Raw: raw, Text: func(w io.Writer, _ bool) error {
					_, err := io.WriteString(w, s.tell(now))
					return err
				}}, err
			})
		},
	}
}

func (c commands) story(ctx context.Context, id string) (s story, err error) {
	if s.job, s.Job, err = c.read(ctx, id); err != nil {
		return s, err
	}
	if s.history, s.History, _, err = session.List[transition](ctx, c, path(id, "/history"), nil); err != nil {
		return s, err
	}
	decisions := map[string][]decision{}
	for _, a := range s.job.Attempts {
		if a.Group == "" {
			continue
		}
		if _, known := decisions[a.Group]; !known { // who may see the job need not be allowed to see how its fleet is kept
			decisions[a.Group], _, _, _ = session.List[decision](ctx, c, "/neap/v1/groups/"+url.PathEscape(a.Group)+"/decisions", url.Values{"limit": {"200"}})
		}
		if b, is := launchOf(a, decisions[a.Group]); is {
			if s.Bought == nil {
				s.Bought = map[int]bought{}
			}
			s.Bought[a.N] = b
		}
	}
	return s, nil
}

// launchOf finds the newest decision before an attempt, which launched a machine like its own. decisions are newest first.
func launchOf(a attempt, decisions []decision) (bought, bool) {
	for _, d := range decisions {
		if d.At.After(a.At) {
			continue
		}
		for _, action := range d.Plan.Actions {
			if action.Verb == "launch" && action.Type == a.Type && action.Zone == a.Zone {
				return bought{d.ID, d.Group, action.Lifecycle, action.Because}, true
			}
		}
	}
	return bought{}, false
}

// tell is the story in sentences.
func (s story) tell(now time.Time) string {
	var out strings.Builder
	j := s.job
	say := func(format string, args ...any) { out.WriteString(table.OneLine(fmt.Sprintf(format, args...)) + "\n") }
	say("Job %s (%s of %s) is %s%s", j.ID, j.Class, j.Customer, j.State, because(j.Reason))
	where := fmt.Sprintf("to %s %s", j.Cloud, j.Region)
	if j.Queue != "" {
		where += ", queue " + j.Queue
	}
	asks := ""
	if needs := j.needs(); needs != "" {
		asks = ", and asks for " + needs
	}
	say("It was submitted %s, %s%s.", ago(now, j.SubmittedAt), where, asks)
	if j.RetryOf != "" {
		say("It is job %s again.", j.RetryOf)
	}
	s.waits(say, now)
	if len(s.history) > 0 {
		out.WriteString("\nWhat happened\n")
	}
	for _, t := range s.history {
		say("   %s  %s%s", words.Stamp(t.At), strings.TrimPrefix(t.From+" → "+t.To, " → "), because(t.Because))
	}
	if len(j.Attempts) > 0 {
		out.WriteString("\nWhere it ran\n")
	}
	for _, a := range j.Attempts {
		s.ran(say, a, now)
	}
	if c := j.Cost; c != nil && c.Running > 0 {
		out.WriteString("\n")
		say("%s", c.tell())
	}
	return out.String()
}

func (s story) waits(say func(string, ...any), now time.Time) {
	j := s.job
	switch {
	case j.State == pending && !j.Deadline.IsZero():
		begin := j.Deadline.Add(-time.Duration(j.Expected * float64(time.Second)))
		say("It has to be done by %s (%s) and takes about %s, so it may wait for cheaper capacity until %s at the latest.", words.Stamp(j.Deadline), words.Age(now, j.Deadline), words.Span(j.Deadline.Sub(begin)), words.Stamp(begin))
	case j.Ahead == nil:
	case *j.Ahead == 0:
		say("It is the next of its queue: it waits for a machine that has room for it.")
	case *j.Ahead == 1:
		say("One job of its queue has its turn before it.")
	default:
		say("%d jobs of its queue have their turn before it.", *j.Ahead)
	}
}

// ran tells of one attempt.
func (s story) ran(say func(string, ...any), a attempt, now time.Time) {
	host := "on this Neap's own machine"
	if a.Host != "" {
		host = "on " + a.Host
		if a.Type != "" {
			host += fmt.Sprintf(", %s in %s", a.Type, a.Zone)
		}
		if a.Share > 0 && a.Share < 1 {
			host += fmt.Sprintf(", %.0f%% of it", 100*a.Share)
		}
	}
	say("   Attempt %d, %s%s", a.N, host, s.fate(a, now))
	if b, is := s.Bought[a.N]; is {
		say("      The machine was bought %s%s See: neap explain %s %s", b.Lifecycle, because(b.Because), b.Group, b.Decision)
	}
}

// fate says for how long an attempt ran and what ended it.
func (s story) fate(a attempt, now time.Time) string {
	long := "never begun"
	if !a.StartedAt.IsZero() {
		long = words.Span(a.ran(now))
	}
	if a.Outcome == "" {
		if a.StartedAt.IsZero() {
			return ": it begins."
		}
		return ": it has been running for " + long + "."
	}
	told := fmt.Sprintf(": %s, %s", long, a.Outcome)
	if ending := a.ending(); ending != "" {
		told += " (" + ending + ")"
	}
	told += because(a.Reason)
	switch a.Outcome {
	case "preempted", "lost", "refused":
		told += " That was not the job's fault and does not count against it."
	}
	return told
}

func (c cost) tell() string {
	paid := fmt.Sprintf("It has cost %s for %s of running", dollars(c.Actual), words.Span(time.Duration(c.Running*float64(time.Second))))
	if c.Potential == 0 {
		return paid + "."
	}
	return fmt.Sprintf("%s; on demand, at list price, it would have been %s: %.0f%% saved.", paid, dollars(c.Potential), 100*(c.Potential-c.Actual)/c.Potential)
}
