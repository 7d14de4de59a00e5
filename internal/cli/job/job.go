// Package job is the part of the command line that runs jobs: submits them, follows them and says why they stand as they do.
//
// It owns the commands below `neap job` and what people see of them. It must not know how the server is reached, nor the room that decides: the shell lends what it
// needs. Start reading at Commands.
package job

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
	"github.com/neap-cloud/neap/internal/clock"
)

// Shell is the command line around these commands.
type Shell interface {
	session.Session
	// Open asks for an answer that goes on; whoever reads it closes it.
	Open(ctx context.Context, q session.Question) (io.ReadCloser, error)
	// IsAway reports whether an error means that no server answered, so that asking again may help.
	IsAway(err error) bool
	// Clock is that of this machine.
	Clock() clock.Clock
	// Terminal says whether a person sees what is written, and what is written as errors.
	Terminal() (out, err bool)
	// Variable reads the environment; "" = there is no such variable.
	Variable(name string) string
}

const collection = "/neap/v1/jobs"

type commands struct{ Shell }

// Commands are `neap job` with what is below it, and `neap logs`, which is `neap job logs`.
func Commands(s Shell) (root *cobra.Command, children []*cobra.Command, logs *cobra.Command) {
	c := commands{s}
	return &cobra.Command{
		Use:   "job",
		Short: "Run jobs to their end, and see what became of them",
		Long:  "Run jobs to their end, and see what became of them. JOB is an id, or the beginning of one that only one of the newest jobs has.",
	}, []*cobra.Command{c.submit(), c.list(), c.show(), c.logs(), c.explain(), c.cancel(), c.retry(), c.queues()}, c.logs()
}

// Ids are searched among so many of the newest jobs.
const (
	pageOfIDs  = 500
	pagesOfIDs = 4
	wholeID    = 36
)

// id takes a job's id, or the beginning of one.
func (c commands) id(ctx context.Context, word string) (string, error) {
	if len(word) >= wholeID {
		return word, nil
	}
	var found []string
	after := ""
	for range pagesOfIDs {
		query := url.Values{"limit": {fmt.Sprint(pageOfIDs)}}
		if after != "" {
			query.Set("after", after)
		}
		jobs, _, next, err := session.List[view](ctx, c, collection, query)
		if err != nil {
			return "", err
		}
		for _, j := range jobs {
			if j.ID == word {
				return word, nil
			}
			if strings.HasPrefix(j.ID, word) {
				found = append(found, j.ID)
			}
		}
		if after = next; next == "" {
			break
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("there is no job %q among the newest %d (neap job list shows them); give the whole id of an older one", word, pageOfIDs*pagesOfIDs)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%d jobs begin with %q: %s; give more of the id", len(found), word, several(found, 5))
}

func several(words []string, most int) string {
	if len(words) <= most {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(words[:most], ", "), len(words)-most)
}

func path(id string, more ...string) string {
	return collection + "/" + url.PathEscape(id) + strings.Join(more, "")
}

// read fetches a job.
func (c commands) read(ctx context.Context, id string) (view, json.RawMessage, error) {
	return session.Ask[view](ctx, c, session.Question{Method: http.MethodGet, Path: path(id)})
}

func (c commands) cancel() *cobra.Command {
	return c.change("cancel JOB ...", "Cancel jobs wherever they stand", "cancel", func(before string, j view) string {
		return fmt.Sprintf("Job %s is %s.\n", before, j.State)
	})
}

func (c commands) retry() *cobra.Command {
	return c.change("retry JOB ...", "Submit finished jobs again, as new ones", "retry", func(before string, j view) string {
		return fmt.Sprintf("Job %s runs again as %s.\n", before, j.ID)
	})
}

// change is a command that does something to jobs, one after the other.
func (c commands) change(use, short, verb string, says func(before string, j view) string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.Check(); err != nil {
				return err
			}
			for _, word := range args {
				id, err := c.id(cmd.Context(), word)
				if err != nil {
					return err
				}
				j, raw, err := session.Ask[view](cmd.Context(), c, session.Question{Method: http.MethodPost, Path: path(id, "/", verb)})
				if err != nil {
					return err
				}
				err = c.Print(cmd, session.Page{Raw: raw, Text: func(w io.Writer, _ bool) error {
					_, err := io.WriteString(w, says(id, j))
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
