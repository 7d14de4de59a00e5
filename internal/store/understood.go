package store

import (
	"context"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
)

// Understood fails when a newer release has brought the database to a form, since it was opened, that this one can't work on: fault.Conflict.
func (db *DB) Understood(ctx context.Context) error {
	newest, err := newestForm(db.Driver())
	if err != nil {
		return failure(err)
	}
	reader, release := int64(0), ""
	err = Rows(ctx, db, func(row Row) error { return row.Scan(&reader, &release) }, "SELECT reader, release FROM schema_compat WHERE one = 1")
	if err != nil || reader <= newest {
		return err
	}
	return fault.Of(fault.Conflict, "store", "Neap %s has brought the database to a form that this release does not understand: replace this process by the newer release.", release)
}

// newestForm is the number of the newest migration that this release brings along.
func newestForm(driver string) (newest int64, err error) {
	files, err := fs.ReadDir(migrations, "migrations/"+driver)
	for _, file := range files {
		number, _, _ := strings.Cut(path.Base(file.Name()), "_")
		form, wrong := strconv.ParseInt(number, 10, 64)
		if wrong != nil {
			return 0, wrong
		}
		newest = max(newest, form)
	}
	return newest, err
}
