// Package spot is the wire language of the Spot API: its envelope, its errors, its spelling of dates, and the table that its operations come from.
//
// It owns what all products of that API share; each product has a package below this one that brings its rows, schemas and views.
// It must not know any domain room. Start reading at Dialect and envelope.go.
package spot

import (
	"cmp"
	"embed"
	"io/fs"
	"math"
	"slices"

	"github.com/neap-cloud/neap/internal/op"
)

// Product is what a package below this one brings.
type Product struct {
	Rows    []op.Row
	Schemas fs.FS // no two products have a file of the same name
}

// Dialect is the Spot API as op mounts it: the rows of all products in the order of the facts table, behind them those that are not in it, and their schemas.
func Dialect(products ...Product) op.Dialect {
	var rows []op.Row
	var shelves schemas
	for _, p := range products {
		rows = append(rows, p.Rows...)
		shelves = append(shelves, p.Schemas)
	}
	place := func(r op.Row) int {
		if r.N == 0 {
			return math.MaxInt
		}
		return r.N
	}
	slices.SortStableFunc(rows, func(a, b op.Row) int { return cmp.Compare(place(a), place(b)) })
	return op.Dialect{
		Name:        "spot",
		Title:       "Spot API",
		Rows:        rows,
		Schemas:     shelves,
		AccountFrom: "accountId",
		Answer:      answer,
		Refuse:      refuse,
		Status:      statuses(),
	}
}

// schemas shows the folders of all products as one.
type schemas []fs.FS

// Open finds a file in the first folder that has it.
func (s schemas) Open(name string) (fs.File, error) {
	for _, folder := range s {
		if file, err := folder.Open(name); err == nil {
			return file, nil
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// ReadDir lists the files of all folders.
func (s schemas) ReadDir(name string) (all []fs.DirEntry, err error) {
	for _, folder := range s {
		entries, err := fs.ReadDir(folder, name)
		if err != nil {
			return nil, err
		}
		all = append(all, entries...)
	}
	return all, nil
}

var _ fs.ReadDirFS = schemas(nil)

// Schemas are the JSON Schemas in a product's folder "schema".
func Schemas(product embed.FS) fs.FS {
	folder, err := fs.Sub(product, "schema")
	if err != nil {
		panic(err) // the name is a constant
	}
	return folder
}
