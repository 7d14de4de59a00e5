package market

import "github.com/neap-cloud/neap/internal/store"

// Retention is how long an account's experience is kept: as long as it has any weight. Prices are thinned by Thin, and dropped by the feed itself, by the day.
func Retention() []store.Rule {
	return []store.Rule{{Table: observations().Table, Keep: remembered + remembered/10}}
}
