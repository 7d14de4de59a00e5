// Package spot is the wire language of the Spot API: its envelope, its errors, its spelling of dates, and the table that its operations come from.
//
// It owns what all products of that API share; each product has a package below this one that brings its rows, schemas and views.
// It must not know any domain room. Start reading at Dialect and envelope.go.
package spot

import (
	"io/fs"

	"github.com/neap-cloud/neap/internal/op"
)

// Dialect is the Spot API as op mounts it: the rows of all products in the order of the facts table, and their schemas.
func Dialect(rows []op.Row, schemas fs.FS) op.Dialect {
	return op.Dialect{
		Name:        "spot",
		Title:       "Spot API",
		Rows:        rows,
		Schemas:     schemas,
		AccountFrom: "accountId",
		Answer:      answer,
		Refuse:      refuse,
		Status:      statuses(),
	}
}
