package journal

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/store"
)

// Severity of a log line.
type Severity string

const (
	Debug Severity = "DEBUG"
	Info  Severity = "INFO"
	Warn  Severity = "WARN"
	Error Severity = "ERROR"
)

// Line is one sentence about a resource, for people. It must not hold secrets.
type Line struct {
	At       time.Time // zero when writing = now
	Severity Severity  // "" when writing = Info
	Message  string
}

// line is a stored Line; its severity is the record's kind.
type line struct {
	Message string `json:"message"`
}

// Log writes lines about a resource.
func (j *Journal) Log(ctx context.Context, tx *store.Tx, account, resource string, written ...Line) error {
	records := make([]store.Record[line], len(written))
	for i, l := range written {
		if l.Severity == "" {
			l.Severity = Info
		}
		records[i] = store.Record[line]{
			ID: recordID(), Account: account, Resource: resource, Kind: string(l.Severity), At: j.dated(l.At), Value: line{Message: l.Message},
		}
	}
	return lines.Append(ctx, tx, records...)
}

// LineQuery selects lines: From ≤ At < To, newest first. Zero fields don't restrict.
type LineQuery struct {
	From, To   time.Time
	Severities []Severity // none = all
	Limit      int
}

// Lines reads the lines about a resource, sealed or not, newest first.
func (j *Journal) Lines(ctx context.Context, account, resource string, q LineQuery) ([]Line, error) {
	var kinds []string
	for _, severity := range q.Severities {
		kinds = append(kinds, string(severity))
	}
	records, err := lines.List(ctx, j.db, store.Account(account), store.LogQuery{
		Resource: resource, Kinds: kinds, From: q.From, To: q.To, Descending: true, Limit: q.Limit,
	})
	if err != nil {
		return nil, err
	}
	read := make([]Line, len(records))
	for i, r := range records {
		read[i] = lineOf(r)
	}
	return read, nil
}

func lineOf(r store.Record[line]) Line {
	return Line{At: r.At, Severity: Severity(r.Kind), Message: r.Value.Message}
}

// Sealed is a record in its final place. Following a log by Seq sees every record exactly once.
type Sealed[T any] struct {
	Seq      int64
	Resource string
	Value    T
}

// FollowLines reads sealed lines beyond a place in the log, in order; without a resource those of the whole account.
func (j *Journal) FollowLines(ctx context.Context, account, resource string, after int64, limit int) ([]Sealed[Line], error) {
	return follow(ctx, j, lines, account, resource, after, limit, lineOf)
}

// FollowEvents reads sealed events beyond a place in the log, in order; without a resource those of the whole account.
func (j *Journal) FollowEvents(ctx context.Context, account, resource string, after int64, limit int) ([]Sealed[Event], error) {
	return follow(ctx, j, events, account, resource, after, limit, eventOf)
}

func follow[S, T any](ctx context.Context, j *Journal, log store.Log[S], account, resource string, after int64, limit int, of func(store.Record[S]) T) ([]Sealed[T], error) {
	records, err := log.List(ctx, j.db, store.Account(account), store.LogQuery{Resource: resource, Sealed: true, AfterSeq: after, Limit: limit})
	if err != nil {
		return nil, err
	}
	sealed := make([]Sealed[T], len(records))
	for i, r := range records {
		sealed[i] = Sealed[T]{Seq: r.Seq, Resource: r.Resource, Value: of(r)}
	}
	return sealed, nil
}
