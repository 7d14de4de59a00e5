package op

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	_ "modernc.org/sqlite" // the yardstick's own database
)

// The yardstick is a bare huma handler doing one SELECT or INSERT on SQLite; beside it stands an operation doing the same statement. What op adds
// (token, rate, account, checks, envelope, metrics) must leave at least half of the requests per second for reading, a tenth for writing.

type yard struct{ db *sql.DB }

func newYard(b *testing.B) *yard {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "yard.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	db.SetMaxOpenConns(1)
	for _, statement := range []string{`CREATE TABLE animal (id TEXT PRIMARY KEY, doc TEXT)`, `INSERT INTO animal VALUES ('ani-1', '` + small + `')`} {
		if _, err := db.Exec(statement); err != nil {
			b.Fatal(err)
		}
	}
	return &yard{db}
}

const small = `{"animal":{"name":"Ida","legs":4,"diet":["hay","fish"],"cage":{"number":12,"door":"SHUT"},"size":{"metres":1.25}}}`

func (y *yard) read(ctx context.Context, id string) (json.RawMessage, error) {
	var text []byte
	err := y.db.QueryRowContext(ctx, `SELECT doc FROM animal WHERE id = ?`, id).Scan(&text)
	return text, err
}

func (y *yard) write(ctx context.Context, text []byte) error {
	_, err := y.db.ExecContext(ctx, `INSERT INTO animal VALUES (hex(randomblob(8)), ?)`, text)
	return err
}

// bare mounts the two handlers on huma alone.
func (y *yard) bare() http.Handler {
	type answer struct{ Body json.RawMessage }
	router := chi.NewRouter()
	api := humachi.New(router, huma.DefaultConfig("yard", "1"))
	huma.Register(api, huma.Operation{OperationID: "read", Method: "GET", Path: "/zoo/animal/{animalId}"}, func(ctx context.Context, in *byID) (*answer, error) {
		text, err := y.read(ctx, in.ID)
		return &answer{text}, err
	})
	huma.Register(api, huma.Operation{OperationID: "write", Method: "POST", Path: "/zoo/animal"}, func(ctx context.Context, in *struct{ RawBody []byte }) (*answer, error) {
		return &answer{in.RawBody}, y.write(ctx, in.RawBody)
	})
	return router
}

// mounted serves the same statements as operations.
func (y *yard) mounted(b *testing.B) http.Handler {
	return open(b, func(c *Config) {
		c.Log, c.Auditor = nil, nil
		rows := c.Dialects[0].Rows
		rows[2].Do = Func(func(ctx context.Context, in byID) (json.RawMessage, error) { return y.read(ctx, in.ID) })
		rows[0].Do = Func(func(ctx context.Context, in struct{ Body Document }) (Document, error) {
			return in.Body, y.write(ctx, in.Body)
		})
	})
}

func drive(b *testing.B, h http.Handler, method, path, body string) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.RemoteAddr = "127.0.0.1:4711"
		r.Header.Set("Authorization", "Bearer "+keeperToken)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Code, w.Body)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	y := newYard(b)
	b.Run("yardstick", func(b *testing.B) { drive(b, y.bare(), "GET", "/zoo/animal/ani-1", "") })
	b.Run("operation", func(b *testing.B) { drive(b, y.mounted(b), "GET", "/zoo/animal/ani-1", "") })
}

func BenchmarkWrite(b *testing.B) {
	y := newYard(b)
	b.Run("yardstick", func(b *testing.B) { drive(b, y.bare(), "POST", "/zoo/animal", small) })
	b.Run("operation", func(b *testing.B) { drive(b, y.mounted(b), "POST", "/zoo/animal", small) })
}
