package output

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// Book is the log of output. Its methods are safe for concurrent use.
type Book struct {
	DB *store.DB
	// Poll is how often those who follow a job look for what another replica has written; 0 = 300 ms. What this process writes they see at once.
	Poll time.Duration

	mu        sync.Mutex
	followers map[string]map[chan struct{}]bool // by job
}

const (
	chunkLines = 1000
	chunkBytes = 64 << 10
	lineBytes  = 32 // what a line counts for besides its text, so that empty ones are not free
)

var chunks = store.Log[chunk]{Table: "job_output"}

// chunk is a record: some lines of one attempt, which stand together. Its Resource is the job, its Kind the attempt. Its At is not before that of any record of the job
// that was there when it came, so that the order of time is that of the lines, even when the clock was set back.
type chunk struct {
	Last  int64  `json:"last"`
	Bytes int64  `json:"bytes"` // of the attempt up to here
	Ended bool   `json:"ended,omitempty"`
	Lines []line `json:"lines"`
}

type line struct {
	N       int64  `json:"n"`
	At      int64  `json:"at"` // microseconds since 1970
	Stream  string `json:"s"`
	Text    string `json:"t"`
	Dropped int64  `json:"d,omitempty"`
}

func weight(l runtime.Line) int64 { return int64(len(l.Text)) + lineBytes }

// mark is how far the book is with an attempt.
type mark struct {
	last  int64
	bytes int64
	at    time.Time // before which no record of the job may be dated
	ended bool      // nothing may follow any more
}

// Append adds lines of an attempt, in their order. Those that are not behind the newest stored one are there already and left out, so that repeating it adds nothing.
func (b *Book) Append(ctx context.Context, tx *store.Tx, account, job string, attempt int, lines []runtime.Line) error {
	_, err := b.append(ctx, tx, Ref{account, job, attempt}, lines, false)
	return err
}

// append tells how far the book is then. With end, it is the last of the attempt that is taken.
func (b *Book) append(ctx context.Context, tx *store.Tx, ref Ref, lines []runtime.Line, end bool) (mark, error) {
	m, err := newest(ctx, tx, ref)
	if err != nil || m.ended {
		return m, err
	}
	var records []store.Record[chunk]
	var open *store.Record[chunk]
	size := int64(0)
	for _, l := range lines {
		if l.N <= m.last {
			continue
		}
		if open == nil || len(open.Value.Lines) == chunkLines || size+weight(l) > chunkBytes {
			if l.At.After(m.at) {
				m.at = l.At.Truncate(time.Microsecond)
			}
			records = append(records, store.Record[chunk]{ID: recordID(ref.Job, ref.Attempt, l.N), Account: ref.Account, Resource: ref.Job, Kind: strconv.Itoa(ref.Attempt), At: m.at})
			open, size = &records[len(records)-1], 0
		}
		dropped := max(l.Dropped, l.N-m.last-1)
		m.last, m.bytes, size = l.N, m.bytes+weight(l), size+weight(l)
		open.Value.Lines = append(open.Value.Lines, line{l.N, l.At.UnixMicro(), l.Stream, l.Text, dropped})
		open.Value.Last, open.Value.Bytes = m.last, m.bytes
	}
	if len(records) == 0 {
		return m, nil
	}
	m.ended, open.Value.Ended = end, end
	tx.AfterCommit(func() { b.Wake(ref.Job) })
	return m, chunks.Append(ctx, tx, records...)
}

// newest reads how far the book is with an attempt. Mostly the job's newest record tells.
func newest(ctx context.Context, s store.Session, ref Ref) (mark, error) {
	query := store.LogQuery{Resource: ref.Job, Descending: true, Limit: 1}
	found, err := chunks.List(ctx, s, store.Account(ref.Account), query)
	if err != nil || len(found) == 0 {
		return mark{}, err
	}
	at, kind := found[0].At, strconv.Itoa(ref.Attempt)
	if found[0].Kind != kind {
		query.Kinds = []string{kind}
		if found, err = chunks.List(ctx, s, store.Account(ref.Account), query); err != nil || len(found) == 0 {
			return mark{at: at}, err
		}
	}
	v := found[0].Value
	return mark{last: v.Last, bytes: v.Bytes, at: at, ended: v.Ended}, nil
}

// Newest is the number of the newest stored line of an attempt; 0 = there is none.
func (b *Book) Newest(ctx context.Context, s store.Session, account, job string, attempt int) (int64, error) {
	m, err := newest(ctx, s, Ref{account, job, attempt})
	return m.last, err
}

func recordID(job string, attempt int, first int64) string {
	return fmt.Sprintf("%s.%d.%d", job, attempt, first)
}

// Retention says how long output is kept.
func Retention(keep time.Duration) []store.Rule {
	return []store.Rule{{Table: chunks.Table, Log: true, Unsealed: true, Wall: true, Keep: keep}}
}

// linesOf gives the lines of a record, of which there is at least one.
func linesOf(r store.Record[chunk]) ([]Line, error) {
	attempt, err := strconv.Atoi(r.Kind)
	if err != nil || attempt < 1 || len(r.Value.Lines) == 0 {
		return nil, fault.Of(fault.Internal, "output", "A record of the output cannot be read.").With(fmt.Errorf("record %s of attempt %q has %d lines", r.ID, r.Kind, len(r.Value.Lines)))
	}
	out := make([]Line, 0, len(r.Value.Lines))
	for _, l := range r.Value.Lines {
		out = append(out, Line{Attempt: attempt, N: l.N, At: time.UnixMicro(l.At).UTC(), Stream: l.Stream, Text: l.Text, Dropped: l.Dropped})
	}
	return out, nil
}

// Wake lets those who follow a job look at it at once: after something was written, and when it has come to its end.
func (b *Book) Wake(job string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for f := range b.followers[job] {
		select {
		case f <- struct{}{}:
		default: // it has been woken already
		}
	}
}

// follower gives a channel that Wake writes to, until leave.
func (b *Book) follower(job string) (woken <-chan struct{}, leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := make(chan struct{}, 1)
	if b.followers == nil {
		b.followers = map[string]map[chan struct{}]bool{}
	}
	if b.followers[job] == nil {
		b.followers[job] = map[chan struct{}]bool{}
	}
	b.followers[job][f] = true
	return f, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if delete(b.followers[job], f); len(b.followers[job]) == 0 {
			delete(b.followers, job)
		}
	}
}
