// Package store keeps typed documents with versions, and append-only logs, in SQLite or PostgreSQL.
//
// It owns SQL, transactions, migrations, isolation between accounts and optimistic concurrency. It must not know what the documents
// mean. Start reading at DB, Collection and Log.
package store

import (
	"context"
	"time"
)

// Scope says on whose behalf rows are read or written; it becomes part of every statement.
type Scope struct {
	account string
	all     bool
}

// Account sees the rows of one account only.
func Account(id string) Scope { return Scope{account: id} }

// Installation sees every account's rows: for the engine's own loops and for look-ups by unique id that are checked afterwards.
func Installation() Scope { return Scope{all: true} }

// Meta is what the store knows of every document. Account, ID and Created never change after the insert.
type Meta struct {
	ID      string
	Account string
	Parent  string // owner inside the account, e.g. the group of an instance; "" = none
	Name    string
	State   string
	At      time.Time // the noun's own time, for ordered lists: creation by default
	Version int64     // 1 after the insert, one more with every update
	Created time.Time // wall time
	Updated time.Time // wall time
}

// Doc is a stored value with its Meta. Value travels as JSON.
type Doc[T any] struct {
	Meta
	Value T
}

// Query selects documents. Zero fields don't restrict.
type Query struct {
	IDs        []string // nil = any; empty = none
	Parent     string
	Parents    []string // any of them; nil = any, empty = none
	Name       string
	States     []string
	Since      time.Time // At ≥ Since
	Until      time.Time // At < Until
	Descending bool      // by (At, ID); ascending by default
	Limit      int       // 0 = no limit
	After      string    // cursor of the previous page
}

// Session runs statements: *DB (each on its own) or *Tx (together).
type Session interface {
	session() querier
	write(ctx context.Context, work func(ctx context.Context, tx *Tx) error) error
}

// Collection is one table of documents of type T. Its fields are constants of the owning room.
type Collection[T any] struct {
	Table string // made by a migration of this package
	Noun  string // in fault.Missing and fault.Exists
}

// Log is one append-only table of records of type T, in order of sealing.
type Log[T any] struct {
	Table string
}

// Record is one line of a Log. Seq is 0 until the sealer gave it its place; from then on it is gap-free and final.
type Record[T any] struct {
	ID       string // unique; appending it again, with the same At, changes nothing
	Account  string
	Resource string // what it is about, e.g. a group id
	Kind     string
	At       time.Time
	Seq      int64
	Value    T
}

// LogQuery selects records. Zero fields don't restrict.
type LogQuery struct {
	Resource   string
	Kinds      []string
	ID         string
	Holding    []string  // texts that the stored JSON has
	From, To   time.Time // From ≤ At < To
	After      string    // only what comes behind the record of this ID; nothing when there is none
	AfterSeq   int64     // only sealed records beyond it, in order of Seq
	Sealed     bool      // only sealed records, in order of Seq: what AfterSeq means for the very first page
	Descending bool      // by At, then order of insertion; ascending by default
	Limit      int
}

// Prologue is work that joins the first transaction that a request commits. See WithPrologue.
type Prologue func(ctx context.Context, tx *Tx) error
