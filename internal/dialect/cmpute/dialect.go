// Package cmpute is the wire language of the cmpute.io API: its two envelopes, its errors, its ways to spell an address and to sign a request, and its rows.
//
// It owns that spelling only: accounts, users and teams are identity's. Start reading at Dialect, path.go and credential.go.
package cmpute

import (
	"slices"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

// Deps is what the rows need. With none of it they can be listed, not served.
type Deps struct {
	Identity *identity.Identity
	Catalog  *catalog.Cloud
	// Domain is the one below which each organisation has a host of its own, "<slug>.<domain>"; "" = hosts name no organisation.
	Domain string
	// Public is the address under which clients reach this server ("https://api.example.com"), which their signatures cover; "" = the one that a request names.
	Public string
}

// Dialect is the cmpute API as op mounts it.
func Dialect(d Deps) op.Dialect {
	rows := slices.Concat(d.accountRows(), d.userRows(), d.teamRows())
	return op.Dialect{
		Name:       "cmpute",
		Title:      "cmpute API",
		Prefixes:   []string{"/api"},
		Rows:       rows,
		Rewrite:    rewriter(rows),
		Credential: d.credential,
		Carrier:    op.Carrier{In: "header", Name: "Authorization"},
		Challenge:  "ApiKey",
		Answer:     answer,
		Refuse:     refuse,
		Status:     statuses(),
	}
}

// section heads rows as the published table does.
func section(name string, rows ...op.Row) []op.Row {
	for n := range rows {
		rows[n].Section = name
	}
	return rows
}
