// Package storetest gives tests databases to work on: a fresh SQLite file, and a schema of their own on PostgreSQL.
//
// It owns their making and removal. It must not know what is kept in them. Start reading at Each.
package storetest

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
)

// Variable names the environment variable with the URL of a PostgreSQL server; test/postgres.sh starts one.
const Variable = "NEAP_TEST_POSTGRES"

// Place is a database that can be opened several times, as replicas do.
type Place struct {
	Driver string
	Config store.Config
}

// Each runs test on an empty database of either kind; the PostgreSQL half is skipped when Variable is not set.
func Each(t *testing.T, test func(t *testing.T, at Place)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// SQLite is a file in a folder that goes with the test.
func SQLite(t testing.TB) Place {
	return Place{Driver: "sqlite", Config: store.Config{Path: filepath.Join(t.TempDir(), "neap.db")}}
}

// Postgres is a schema that is dropped after the test; it skips the test when Variable is not set.
func Postgres(t testing.TB) Place {
	t.Helper()
	server := os.Getenv(Variable)
	if server == "" {
		t.Skipf("%s is not set: nothing is tested on PostgreSQL; run: export %s=\"$(test/postgres.sh start)\"", Variable, Variable)
	}
	schema := "test_" + ident.Hex(6)
	run(t, server, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { run(t, server, "DROP SCHEMA "+schema+" CASCADE") })
	at, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	query := at.Query()
	query.Set("search_path", schema)
	at.RawQuery = query.Encode()
	return Place{Driver: "postgres", Config: store.Config{URL: at.String()}}
}

// Open opens the place until the end of the test.
func (p Place) Open(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, p.Config)
}

// Open opens a database until the end of the test.
func Open(t testing.TB, c store.Config) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// Memory is the quickest database: SQLite that is never flushed.
func Memory(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, store.Config{Memory: true})
}

func run(t testing.TB, server, statement string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("PostgreSQL at %s does not answer: %v", Variable, err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatal(err)
	}
}
