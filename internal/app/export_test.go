package app

import (
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/store"
)

// DB is what the app keeps its data in, for tests that look at it.
func (a *App) DB() *store.DB { return a.db }

// Books are the app's own, for tests that add up.
func (a *App) Books() *ledger.Ledger { return a.books }
