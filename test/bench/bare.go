package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http/httptest"
	"strconv"
	"sync/atomic"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	_ "modernc.org/sqlite" // registers the driver
)

type document struct {
	Body json.RawMessage
}

type stored struct {
	Body json.RawMessage
}

// bareServer is the yardstick: huma, one statement, nothing else. The file has the settings of Neap's own: WAL, every commit flushed, one writer.
func bareServer(ctx context.Context, path string, first []byte) (*httptest.Server, func(), error) {
	dsn := "file:" + path + "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_txlock=immediate"
	writer, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, nil, err
	}
	writer.SetMaxOpenConns(1)
	if _, err := writer.ExecContext(ctx, "CREATE TABLE items (id TEXT PRIMARY KEY, doc TEXT NOT NULL)"); err != nil {
		return nil, nil, err
	}
	if _, err := writer.ExecContext(ctx, "INSERT INTO items (id, doc) VALUES ('first', ?)", string(first)); err != nil {
		return nil, nil, err
	}
	readers, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, nil, err
	}
	readers.SetMaxOpenConns(connections)
	readers.SetMaxIdleConns(connections)
	selectOne, err := readers.PrepareContext(ctx, "SELECT doc FROM items WHERE id = ?")
	if err != nil {
		return nil, nil, err
	}
	insertOne, err := writer.PrepareContext(ctx, "INSERT INTO items (id, doc) VALUES (?, ?)")
	if err != nil {
		return nil, nil, err
	}
	config := huma.DefaultConfig("bare", "1")
	config.CreateHooks = nil
	router := chi.NewMux()
	api := humachi.New(router, config)
	huma.Get(api, "/item/{id}", func(ctx context.Context, in *struct {
		ID string `path:"id"`
	}) (*stored, error) {
		var doc string
		err := selectOne.QueryRowContext(ctx, in.ID).Scan(&doc)
		return &stored{Body: json.RawMessage(doc)}, err
	})
	var next atomic.Int64
	huma.Post(api, "/item", func(ctx context.Context, in *document) (*stored, error) {
		_, err := insertOne.ExecContext(ctx, strconv.FormatInt(next.Add(1), 10), string(in.Body))
		return &stored{Body: in.Body}, err
	})
	server := httptest.NewServer(router)
	return server, func() {
		server.Close()
		readers.Close()
		writer.Close()
	}, nil
}
