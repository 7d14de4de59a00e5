package app

import "github.com/neap-cloud/neap/internal/store"

// DB is what the app keeps its data in, for tests that look at it.
func (a *App) DB() *store.DB { return a.db }
