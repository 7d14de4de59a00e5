package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What a group or a place asks for in every turn must not cost more because its account, or its past, is large.
func TestEveryKindOfQueryUsesTheIndexThatNarrowsMost(t *testing.T) {
	db, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "neap.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c := Collection[struct{}]{Table: "instances"}
	many := strings.Split("abcdefghijklmnopqrstuvwxyz", "")
	for _, k := range []struct {
		scope Scope
		query Query
		index string
	}{
		{Account("a"), Query{}, "(account=?)"}, // a count takes any that has the account
		{Account("a"), Query{Since: time.UnixMicro(1), Limit: 10, Descending: true}, "instances_account (account=? AND at>?)"},
		{Account("a"), Query{Parent: "g"}, "instances_parent (parent=?)"},
		{Account("a"), Query{Parent: "g", States: many}, "instances_parent (parent=? AND state=?)"},
		{Installation(), Query{Parent: "g", States: many}, "instances_parent (parent=? AND state=?)"},
		{Installation(), Query{Parent: "g", States: many[:1]}, "instances_parent (parent=? AND state=?)"},
		{Account("a"), Query{Name: "r"}, "instances_name (account=? AND name=?)"},
		{Account("a"), Query{Name: "r", States: many}, "instances_name (account=? AND name=?)"},
		{Account("a"), Query{IDs: many}, "sqlite_autoindex_instances_1 (id=?)"},
		{Account("a"), Query{IDs: many, States: many[:4]}, "sqlite_autoindex_instances_1 (id=?)"},
		{Account("a"), Query{IDs: many, Parent: "g", Name: "n", States: many[:1]}, "sqlite_autoindex_instances_1 (id=?)"},
		{Installation(), Query{States: many[:1], Limit: 10}, "instances_state (state=?)"},
	} {
		sel := c.find(db, k.scope, k.query)
		for _, text := range []string{sel.query(columns, k.query.order(), k.query.Limit), sel.query("count(*)", "", 0)} {
			var plan []string
			err := Rows(t.Context(), db, func(row Row) error {
				var id, parent, unused int
				var step string
				err := row.Scan(&id, &parent, &unused, &step)
				plan = append(plan, step)
				return err
			}, "EXPLAIN QUERY PLAN "+text, sel.args...)
			if got := fmt.Sprint(plan); err != nil || !strings.Contains(got, k.index) {
				t.Errorf("%s\nuses %s, not %s: %v", text, got, k.index, err)
			}
		}
	}
}
