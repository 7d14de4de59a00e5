package output

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	usualLimit = 1000
	mostLines  = 10_000
	pageBytes  = 4 << 20
	pageChunks = 32 // that are read at a time
)

// Read gives a page of a job's lines. next is the cursor behind the page, "" when nothing is behind it yet; for Newest it is always given when there are lines, so that
// one can follow from there.
func (b *Book) Read(ctx context.Context, account, job string, q Query) (lines []Line, next string, err error) {
	p := &page{book: b, account: account, job: job, attempt: q.Attempt, limit: min(cmp.Or(max(q.Limit, 0), usualLimit), mostLines)}
	if q.Newest {
		return p.newest(ctx)
	}
	from, err := parseCursor(q.After)
	if err != nil {
		return nil, "", err
	}
	if from, err = p.standing(ctx, from); err != nil {
		return nil, "", err
	}
	behind, err := p.forward(ctx, from)
	if err != nil || !p.more {
		return p.lines, "", err
	}
	return p.lines, behind.String(), nil
}

// page is one page while it is read.
type page struct {
	book         *Book
	account, job string
	attempt      int
	limit        int
	lines        []Line
	bytes        int
	more         bool // something is stored behind the page
}

func (p *page) full() bool { return len(p.lines) >= p.limit || p.bytes >= pageBytes }

func (p *page) list(ctx context.Context, q store.LogQuery) ([]store.Record[chunk], error) {
	q.Resource = p.job
	if p.attempt > 0 {
		q.Kinds = []string{strconv.Itoa(p.attempt)}
	}
	return chunks.List(ctx, p.book.DB, store.Account(p.account), q)
}

// standing begins anew where the cursor's record is no longer kept: everything that still is comes behind it.
func (p *page) standing(ctx context.Context, from cursor) (cursor, error) {
	if from == (cursor{}) {
		return from, nil
	}
	found, err := chunks.List(ctx, p.book.DB, store.Account(p.account), store.LogQuery{Resource: p.job, ID: from.record(p.job)})
	if err != nil || len(found) > 0 {
		return from, err
	}
	return cursor{}, nil
}

// forward fills the page from a cursor on, and tells where it ends.
func (p *page) forward(ctx context.Context, from cursor) (behind cursor, err error) {
	behind = from
	if from.line > 0 { // the page before ended within a record
		found, err := p.list(ctx, store.LogQuery{ID: from.record(p.job)})
		if err != nil {
			return behind, err
		}
		if behind, err = p.take(found, behind); err != nil || p.more {
			return behind, err
		}
	}
	for {
		q := store.LogQuery{Limit: min(pageChunks, p.limit-len(p.lines)+1)}
		if behind != (cursor{}) {
			q.After = behind.record(p.job)
		}
		found, err := p.list(ctx, q)
		if err != nil {
			return behind, err
		}
		if behind, err = p.take(found, behind); err != nil || p.more || len(found) < q.Limit {
			return behind, err
		}
	}
}

// take adds records until the page is full.
func (p *page) take(found []store.Record[chunk], at cursor) (cursor, error) {
	for _, r := range found {
		lines, err := linesOf(r)
		if err != nil {
			return at, err
		}
		here := cursor{attempt: lines[0].Attempt, first: lines[0].N}
		for _, l := range lines {
			if at.attempt == here.attempt && l.N <= at.line {
				continue
			}
			if p.full() {
				p.more = true
				return at, nil
			}
			p.lines, p.bytes = append(p.lines, l), p.bytes+len(l.Text)+lineBytes
			at = cursor{here.attempt, here.first, l.N}
		}
		at = here
	}
	return at, nil
}

// newest fills the page from the end.
func (p *page) newest(ctx context.Context) (lines []Line, next string, err error) {
	q := store.LogQuery{Descending: true}
	for !p.full() {
		q.Limit = min(pageChunks, p.limit-len(p.lines))
		found, err := p.list(ctx, q)
		if err != nil {
			return nil, "", err
		}
		for _, r := range found {
			some, err := linesOf(r)
			if err != nil {
				return nil, "", err
			}
			if next == "" {
				next = cursor{attempt: some[0].Attempt, first: some[0].N}.String()
			}
			for _, l := range slices.Backward(some) {
				if p.full() {
					break
				}
				p.lines, p.bytes = append(p.lines, l), p.bytes+len(l.Text)+lineBytes
			}
			q.After = r.ID
		}
		if len(found) < q.Limit {
			break
		}
	}
	slices.Reverse(p.lines)
	return p.lines, next, nil
}

// cursor is a place behind a record, or behind a line within it.
type cursor struct {
	attempt int
	first   int64 // of the record
	line    int64 // 0 = behind the record
}

func (c cursor) record(job string) string { return recordID(job, c.attempt, c.first) }

func (c cursor) String() string {
	text := fmt.Sprintf("%d.%d", c.attempt, c.first)
	if c.line > 0 {
		text += fmt.Sprintf(".%d", c.line)
	}
	return text
}

func parseCursor(text string) (c cursor, err error) {
	if text == "" {
		return cursor{}, nil
	}
	parts := strings.Split(text, ".")
	var numbers [3]int64
	wrong := len(parts) < 2 || len(parts) > 3
	for i, part := range parts[:min(len(parts), 3)] {
		n, err := strconv.ParseInt(part, 10, 64)
		numbers[i], wrong = n, wrong || err != nil || n < 1
	}
	if wrong {
		return cursor{}, fault.Of(fault.Invalid, "cursor", "The cursor %.60q is not one of ours; use the one that the page before returned.", text)
	}
	return cursor{int(numbers[0]), numbers[1], numbers[2]}, nil
}

// Follow hands a job's lines to take, from the cursor on ("" = from the first), as they come: until ended says that none will come any more and all were handed over,
// take fails, or ctx ends. next is the cursor behind the lines. ended is asked before each look, and may be costly only as often as Poll.
func (b *Book) Follow(ctx context.Context, account, job, after string, ended func(ctx context.Context) (bool, error), take func(lines []Line, next string) error) error {
	woken, leave := b.follower(job)
	defer leave()
	from, err := parseCursor(after)
	if err != nil {
		return err
	}
	if from, err = (&page{book: b, account: account, job: job}).standing(ctx, from); err != nil {
		return err
	}
	tick := time.NewTicker(cmp.Or(b.Poll, 300*time.Millisecond))
	defer tick.Stop()
	for {
		over, err := ended(ctx) // before the look: what was written before the end is then seen
		if err != nil {
			return err
		}
		p := &page{book: b, account: account, job: job, limit: usualLimit}
		if from, err = p.forward(ctx, from); err != nil {
			return err
		}
		if len(p.lines) > 0 {
			if err := take(p.lines, from.String()); err != nil {
				return err
			}
		}
		switch {
		case p.more:
			continue
		case over:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-woken:
		case <-tick.C:
		}
	}
}
