package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// Each benchmark stands beside its yardstick, named …Bare: the same statement through the same driver with the same settings, and nothing else.

type cargo struct {
	Text string `json:"text"`
}

var cargoes = store.Collection[cargo]{Table: "groups", Noun: "cargo"}

const benchRows = 10_000

func fill(b *testing.B, db *store.DB) {
	b.Helper()
	err := db.Tx(b.Context(), func(ctx context.Context, tx *store.Tx) error {
		for i := range benchRows {
			if _, err := cargoes.Insert(ctx, tx, newCargo(fmt.Sprintf("c-%d", i))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func newCargo(id string) store.Doc[cargo] {
	return store.Doc[cargo]{Meta: store.Meta{ID: id, Account: "act-1"}, Value: cargo{Text: strings.Repeat("x", 500)}}
}

// bare opens the file as the store does.
func bare(b *testing.B, path string, conns int, more string) *sql.DB {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"+more)
	if err != nil {
		b.Fatal(err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return db
}

func BenchmarkGet(b *testing.B) {
	db := storetest.SQLite(b).Open(b)
	fill(b, db)
	ctx := b.Context()
	var n atomic.Int64
	b.SetParallelism(4)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := fmt.Sprintf("c-%d", n.Add(7)%benchRows)
			if _, err := cargoes.Get(ctx, db, store.Account("act-1"), id); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkGetBare(b *testing.B) {
	at := storetest.SQLite(b)
	fill(b, at.Open(b))
	db := bare(b, at.Config.Path, 4, "&_pragma=query_only(1)")
	get, err := db.Prepare("SELECT doc FROM groups WHERE id = ?")
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	var n atomic.Int64
	b.SetParallelism(4)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			var doc string
			id := fmt.Sprintf("c-%d", n.Add(7)%benchRows)
			if err := get.QueryRowContext(ctx, id).Scan(&doc); err != nil {
				b.Error(err)
			}
		}
	})
}

func benchmarkInsert(b *testing.B, writers int) {
	db := storetest.Open(b, store.Config{Path: filepath.Join(b.TempDir(), "neap.db")})
	ctx := b.Context()
	var n atomic.Int64
	b.SetParallelism(writers)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := cargoes.Insert(ctx, db, newCargo(fmt.Sprintf("c-%d", n.Add(1)))); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkInsertAlone(b *testing.B) {
	db := storetest.SQLite(b).Open(b)
	for i := 0; b.Loop(); i++ {
		if _, err := cargoes.Insert(b.Context(), db, newCargo(fmt.Sprintf("c-%d", i))); err != nil {
			b.Error(err)
		}
	}
}

func BenchmarkInsertBy8PerCore(b *testing.B)  { benchmarkInsert(b, 8) }
func BenchmarkInsertBy32PerCore(b *testing.B) { benchmarkInsert(b, 32) }

func BenchmarkInsertBare(b *testing.B) {
	at := storetest.SQLite(b)
	storetest.Open(b, at.Config)
	db := bare(b, at.Config.Path, 1, "")
	put, err := db.Prepare("INSERT INTO groups (id, account, parent, name, state, at, version, created, updated, doc) VALUES (?, 'act-1', '', '', '', 0, 1, 0, 0, ?)")
	if err != nil {
		b.Fatal(err)
	}
	ctx, doc := b.Context(), `{"text":"`+strings.Repeat("x", 500)+`"}`
	var n atomic.Int64
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := put.ExecContext(ctx, fmt.Sprintf("c-%d", n.Add(1)), doc); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkListPageOf100(b *testing.B) {
	db := storetest.SQLite(b).Open(b)
	fill(b, db)
	for b.Loop() {
		if _, _, err := cargoes.List(b.Context(), db, store.Account("act-1"), store.Query{Limit: 100}); err != nil {
			b.Fatal(err)
		}
	}
}
