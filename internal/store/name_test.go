package store

import (
	"strings"
	"testing"
)

func TestTheNameOfADatabaseHoldsNoSecret(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://anna:geheim@db.example:6432/neap?search_path=test&sslmode=disable": "PostgreSQL, database neap, schema test, at db.example:6432",
		"postgres://anna:geheim@127.0.0.1/neap":                                        "PostgreSQL, database neap, schema public, at 127.0.0.1:5432",
		"postgres://anna:geheim@[":                                                     "PostgreSQL",
	} {
		got := Name(url)
		if got != want {
			t.Errorf("%q, %q expected", got, want)
		}
		if strings.Contains(got, "geheim") || strings.Contains(got, "anna") {
			t.Errorf("%q tells a secret", got)
		}
	}
}
