package instance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	consoleFirst   = time.Minute // after a task began to run its console is read; then ever less often …
	consoleSeldom  = 30 * time.Minute
	consolesMost   = 64 // … and once when it has ended: so many in one round
	consolesAtOnce = 8
	consoleTimeout = 5 * time.Second

	lineMost  = 16 << 10 // bytes
	linesMost = 5_000    // that are kept of a task: the last ones
)

// transcript is what is known of a console. Clouds show the end of it only, so what they showed before is kept.
type transcript struct {
	Lines   []line `json:"lines"`
	Dropped int64  `json:"dropped,omitempty"` // lines before the first one
}

type line struct {
	At   time.Time `json:"at"` // when it was read
	Text string    `json:"text"`
}

// newest is the number of the last line.
func (t transcript) newest() int64 { return t.Dropped + int64(len(t.Lines)) }

// merged is the transcript with what a console shows now. Where that begins among the known lines is told by the lines themselves; one that goes on is not complete
// before its end is known, so the last is left out unless nothing more will come.
func (t transcript) merged(shown string, at time.Time, final bool) transcript {
	texts := split(shown, final)
	begin := 0
	for ; begin < len(t.Lines); begin++ {
		known := t.Lines[begin:]
		if !agree(known, texts) {
			continue
		}
		if len(known) > len(texts) {
			return t // an older view
		}
		break
	}
	fresh := texts[len(t.Lines)-begin:]
	if len(fresh) == 0 {
		return t
	}
	after := transcript{Lines: slices.Clone(t.Lines), Dropped: t.Dropped}
	for _, text := range fresh {
		after.Lines = append(after.Lines, line{at, text})
	}
	if over := len(after.Lines) - linesMost; over > 0 {
		after.Lines, after.Dropped = after.Lines[over:], after.Dropped+int64(over)
	}
	return after
}

// agree reports whether two lists of lines say the same as far as both go. The first line of a view may have lost its beginning.
func agree(known []line, texts []string) bool {
	both := min(len(known), len(texts))
	for n := range both {
		cut := n == 0 && both > 1 && strings.HasSuffix(known[n].Text, texts[n])
		if known[n].Text != texts[n] && !cut {
			return false
		}
	}
	return both > 0
}

// split cuts what a console shows into lines.
func split(shown string, final bool) (texts []string) {
	shown = strings.ReplaceAll(strings.ToValidUTF8(shown, "\uFFFD"), "\x00", "")
	lines := strings.Split(shown, "\n")
	if last := len(lines) - 1; lines[last] == "" || !final {
		lines = lines[:last]
	}
	for _, text := range lines {
		text = strings.TrimRight(text, "\r")
		for len(text) > lineMost {
			cut := lineMost
			for !utf8.RuneStart(text[cut]) {
				cut--
			}
			texts, text = append(texts, text[:cut]), text[cut:]
		}
		texts = append(texts, text)
	}
	return texts
}

// Output is the instance's console as far as it has been read: the first time a minute after it began to run, and the last time when it ended.
func (r *Runtime) Output(ctx context.Context, id string, after int64, limit int) ([]runtime.Line, error) {
	d, err := consoles.Get(ctx, r.DB, store.Installation(), consoleID(id))
	if err != nil {
		return nil, unlessMissing(err)
	}
	t := d.Value
	var lines []runtime.Line
	for n := max(after, t.Dropped) + 1; n <= t.newest() && len(lines) < limit; n++ {
		l := t.Lines[n-t.Dropped-1]
		told := runtime.Line{N: n, At: l.At, Stream: "stdout", Text: l.Text}
		if len(lines) == 0 && after < t.Dropped {
			told.Dropped = t.Dropped - after
		}
		lines = append(lines, told)
	}
	return lines, nil
}

// readConsoles reads those of tasks that run and are due.
func (r *Runtime) readConsoles(ctx context.Context, living []store.Doc[task], now time.Time) error {
	var due []step
	for _, d := range living {
		if t := d.Value; d.State != string(runtime.Running) || t.ConsoleAt.IsZero() || now.Before(t.ConsoleAt) || len(due) == consolesMost {
			continue
		}
		after := d
		after.Value.ConsoleAt = now.Add(max(consoleFirst, min(consoleSeldom, now.Sub(d.Value.Started))))
		due = append(due, step{d, after})
	}
	return r.withConsoles(ctx, due, false)
}

// finish ends tasks, each after a last look at its console; those beyond a round's measure come with the next one.
func (r *Runtime) finish(ctx context.Context, final []step) error {
	return r.withConsoles(ctx, final[:min(len(final), consolesMost)], true)
}

// withConsoles stores tasks together with what their consoles show. A console that can't be read holds nothing up.
func (r *Runtime) withConsoles(ctx context.Context, steps []step, final bool) error {
	var all sync.WaitGroup
	failed := make([]error, len(steps))
	turn := make(chan struct{}, consolesAtOnce)
	for n, s := range steps {
		turn <- struct{}{}
		all.Go(func() {
			defer func() { <-turn }()
			text, err := r.console(ctx, s.after)
			if err != nil {
				r.Log.Debug("cannot read a console", "task", s.after.ID, "error", err)
			}
			failed[n] = r.putWith(ctx, s, text, final)
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// console is what a task's console shows; nothing where the cloud has no such ability, or there is no instance.
func (r *Runtime) console(ctx context.Context, d store.Doc[task]) (string, error) {
	if d.Value.Instance == "" {
		return "", nil
	}
	provider, err := r.Clouds.For(ctx, d.Account)
	if err != nil {
		return "", err
	}
	consoler, is := cloud.As[cloud.Consoler](provider)
	if !is {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(budget.With(ctx, budget.Sweep), consoleTimeout)
	defer cancel()
	text, _, err := consoler.ConsoleOutput(ctx, d.Value.Region, d.Value.Instance)
	return text, err
}

// putWith stores a task and its transcript in one transaction.
func (r *Runtime) putWith(ctx context.Context, s step, text string, final bool) error {
	now := r.Clock.Now()
	err := r.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		d, err := consoles.Get(ctx, tx, store.Account(s.after.Account), consoleID(s.after.ID))
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		isNew := err != nil
		told := d.Value.merged(text, now, final)
		after := s.after
		after.Value.Lines = told.newest()
		if _, err := save(ctx, tx, after, now); err != nil {
			return err
		}
		switch {
		case told.newest() == d.Value.newest():
			return nil
		case isNew:
			_, err = consoles.Insert(ctx, tx, store.Doc[transcript]{Meta: beside(after.Meta, consoleID(after.ID), consoleState), Value: told})
		default:
			d.Value = told
			_, err = consoles.Update(ctx, tx, d)
		}
		return err
	})
	if fault.Is(err, fault.Conflict) {
		return nil // somebody changed the task meanwhile: the next round reads again
	}
	return unlessMissing(err)
}
