// Package journal remembers what happened and why.
//
// It owns log lines, events, audit entries, decision records, and their sealed order. It must not know rules of any product. Start reading at Journal.
package journal

import (
	"context"
	"encoding/json"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

type Config struct {
	DB    *store.DB
	Clock clock.Clock // dates of lines and events; audit entries live on wall time
}

// Journal writes inside its callers' transactions and reads on its own.
type Journal struct{}

func New(c Config) *Journal { panic("unbuilt") }

// Severity of a log line.
type Severity string

const (
	Debug Severity = "DEBUG"
	Info  Severity = "INFO"
	Warn  Severity = "WARN"
	Error Severity = "ERROR"
)

// Line is one sentence about a resource, for people.
type Line struct {
	At       time.Time
	Severity Severity
	Message  string
}

// Event is something that happened to a resource, for programs.
type Event struct {
	At   time.Time
	Type string          // "launched", "terminated", "updated", …
	Data json.RawMessage // an object
}

// Decision is one stored plan. Inputs and Market are what the planner was given; Plan is what it answered, byte for byte.
type Decision struct {
	ID      string
	Account string
	Group   string
	At      time.Time
	Version string // of the planner
	DryRun  bool
	Summary string
	Inputs  json.RawMessage // plan.Intent and plan.Observed and the planning time
	Market  string          // hash of the market snapshot, stored once by content
	Plan    json.RawMessage
}

func (j *Journal) Log(ctx context.Context, tx *store.Tx, account, resource string, lines ...Line) error {
	panic("unbuilt")
}
func (j *Journal) Emit(ctx context.Context, tx *store.Tx, account, resource string, events ...Event) error {
	panic("unbuilt")
}

// Record makes the journal op's Auditor.
func (j *Journal) Record(ctx context.Context, tx *store.Tx, entry op.AuditEntry) error {
	panic("unbuilt")
}

// LineQuery selects lines: From ≤ At < To, newest first.
type LineQuery struct {
	From, To   time.Time
	Severities []Severity // none = all
	Limit      int
}

func (j *Journal) Lines(ctx context.Context, account, resource string, q LineQuery) ([]Line, error) {
	panic("unbuilt")
}

// Events are listed oldest first.
func (j *Journal) Events(ctx context.Context, account, resource string, from, to time.Time) ([]Event, error) {
	panic("unbuilt")
}

// Keep stores a decision and, once per content, its market snapshot.
func (j *Journal) Keep(ctx context.Context, s store.Session, d Decision, market json.RawMessage) (Decision, error) {
	panic("unbuilt")
}
func (j *Journal) Decision(ctx context.Context, account, group, id string) (Decision, json.RawMessage, error) {
	panic("unbuilt")
}

// Decisions are listed newest first, a page at a time.
func (j *Journal) Decisions(ctx context.Context, account, group string, limit int, after string) (list []Decision, next string, err error) {
	panic("unbuilt")
}

// Seal gives waiting records their final order; call it under a lease, at least once a second.
func (j *Journal) Seal(ctx context.Context) (int, error) { panic("unbuilt") }
