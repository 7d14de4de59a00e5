package job

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/session"
	"github.com/neap-cloud/neap/internal/cli/words"
)

const (
	lookEvery = time.Second
	lookPage  = 1000
	// looked is how many pages of jobs may be read in a second, all in all.
	looked = 4
)

// waiting is a set of jobs, and how far they are.
type waiting struct {
	commands
	ids   map[string]bool
	query url.Values // finds them, among a few others
	began time.Time
	errs  io.Writer
	live  bool
	said  string
}

// await waits until jobs have come to their end, saying how far they are, and gives the exit code.
func (c commands) await(cmd *cobra.Command, made []sent) error {
	w := &waiting{commands: c, ids: map[string]bool{}, began: c.Clock().Now(), errs: cmd.ErrOrStderr()}
	_, w.live = c.Terminal()
	first := made[0]
	since := first.SubmittedAt
	for _, m := range made {
		w.ids[m.ID] = true
		if m.SubmittedAt.Before(since) {
			since = m.SubmittedAt
		}
	}
	w.query = url.Values{"customer": {first.Customer}, "class": {first.Class}, "since": {since.UTC().Format(time.RFC3339Nano)}, "limit": {fmt.Sprint(lookPage)}}
	pause := max(lookEvery, time.Duration(len(made)/lookPage)*time.Second/looked)
	for {
		over, err := w.look(cmd.Context())
		switch {
		case cmd.Context().Err() != nil:
			return w.leave()
		case err != nil && !c.IsAway(err): // a server that is away may come back
			return err
		case err == nil && over:
			return w.verdict(cmd.Context())
		}
		select {
		case <-cmd.Context().Done():
			return w.leave()
		case <-c.Clock().After(pause):
		}
	}
}

// leave gives up waiting.
func (w *waiting) leave() error {
	if w.live {
		fmt.Fprintln(w.errs)
	}
	fmt.Fprintln(w.errs, "The jobs go on; neap job list shows them.")
	return session.Code(codeInterrupted)
}

// find reads which of the jobs are in some of the states now.
func (w *waiting) find(ctx context.Context, states []string) ([]view, error) {
	query := url.Values{"state": {strings.Join(states, ",")}}
	for name, values := range w.query {
		query[name] = values
	}
	var found []view
	for {
		some, _, next, err := session.List[view](ctx, w, collection, query)
		if err != nil {
			return nil, err
		}
		for _, j := range some {
			if w.ids[j.ID] {
				found = append(found, j)
			}
		}
		if next == "" {
			return found, nil
		}
		query.Set("after", next)
	}
}

// look says how far the jobs are, and whether they have all come to their end.
func (w *waiting) look(ctx context.Context) (over bool, err error) {
	still, err := w.find(ctx, open())
	if err != nil {
		return false, err
	}
	run := 0
	for _, j := range still {
		if j.State == running {
			run++
		}
	}
	done := len(w.ids) - len(still)
	w.say(len(still)-run, run, done)
	if len(still) > 0 {
		return false, nil
	}
	// A job that changed its state between two pages is in neither: only those that are seen at their end have come to it.
	ended, err := w.find(ctx, append(failures(), succeeded))
	return len(ended) == len(w.ids), err
}

// say draws in place where a person looks on, and elsewhere tells what has changed.
func (w *waiting) say(wait, run, done int) {
	text := fmt.Sprintf("%d waiting, %d running, %d of %d done", wait, run, done, len(w.ids))
	if text == w.said && !w.live {
		return
	}
	w.said = text
	took := w.Clock().Now().Sub(w.began)
	if len(w.ids) > 1 && done > 0 && took >= time.Second {
		text += fmt.Sprintf(", %.3g a second", float64(done)/took.Seconds())
	}
	text += ", " + words.Span(took)
	if w.live {
		fmt.Fprintf(w.errs, "\r\x1b[K%s", text)
		return
	}
	fmt.Fprintln(w.errs, text)
}

const (
	largestCode = 125 // what is above means something else to shells
	codeTimeout = 124 // as timeout(1) has it
	// codeInterrupted is what shells say of a command that was interrupted.
	codeInterrupted = 130
)

// verdict is the exit code of what came of the jobs.
func (w *waiting) verdict(ctx context.Context) error {
	if w.live {
		fmt.Fprintln(w.errs)
	}
	failed, err := w.find(ctx, failures())
	if err != nil || len(failed) == 0 {
		return err
	}
	for n, j := range failed {
		if n == 10 {
			fmt.Fprintf(w.errs, "and %d more\n", len(failed)-n)
			break
		}
		fmt.Fprintf(w.errs, "Job %s has %s%s\n", j.ID, j.State, because(j.Reason))
	}
	if len(w.ids) > 1 {
		return session.Code(1)
	}
	j, _, err := w.read(ctx, failed[0].ID)
	if err != nil {
		return err
	}
	return session.Code(exitCode(j))
}

func because(reason string) string {
	if reason == "" {
		return "."
	}
	return ": " + strings.TrimSuffix(reason, ".") + "."
}

// exitCode is that of a job that has not succeeded.
func exitCode(j view) int {
	if j.State == timedOut {
		return codeTimeout
	}
	if n := len(j.Attempts); n > 0 && j.State == "FAILED" && j.Attempts[n-1].Exit != nil {
		return min(max(j.Attempts[n-1].Exit.Code, 1), largestCode)
	}
	return 1
}
