package store

import (
	"context"
	"io/fs"
	"strconv"
	"testing/fstest"
)

// Next is a configuration of a release whose migrations go on behind this one's, by file name and text.
func Next(c Config, release string, more map[string]string) Config {
	all := fstest.MapFS{}
	err := fs.WalkDir(migrations, "migrations", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations, path)
		all[path] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		panic(err)
	}
	for name, text := range more {
		for _, driver := range []string{"sqlite", "postgres"} {
			all["migrations/"+driver+"/"+name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text)}
		}
	}
	c.Release, c.migrations = release, all
	return c
}

// Limit gives a SQLite file room for so many pages, as a full disk would.
func (db *DB) Limit(ctx context.Context, pages int) error {
	s := db.engine.(*sqlite)
	if err := s.writer.take(ctx); err != nil {
		return err
	}
	defer s.writer.pass()
	var now int
	return s.writer.conn.QueryRowContext(ctx, "PRAGMA max_page_count = "+strconv.Itoa(pages)).Scan(&now)
}
