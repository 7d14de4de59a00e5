package store

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"text/template"
)

var update = flag.Bool("update", false, "write the generated migrations")

// generated lists the tables of each migration that is made from a template. A migration that was released never changes: add a row instead.
var generated = []struct {
	file, template string
	tables         []string
}{
	{"00001_collections.sql", "collection.sql.tmpl", []string{
		"groups", "revisions", "instances", "actions", "places", // fleet
		"accounts", "organisations", "tokens", "installation", // identity
		"decisions", "market_snapshots", // journal
		"meters", "ledger_lines", // ledger
		"pools", "prices", // market
		"settings",
	}},
	{"00002_logs.sql", "log.sql.tmpl", []string{"log_lines", "events", "audit"}},
	{"00004_runs.sql", "collection.sql.tmpl", []string{"runs"}},                               // workflow
	{"00005_alerts.sql", "collection.sql.tmpl", []string{"alerts", "webhooks", "deliveries"}}, // journal
	{"00008_identity.sql", "collection.sql.tmpl", []string{"users", "user_groups", "policies", "credentials", "nonces"}},
	{"00009_experiments.sql", "collection.sql.tmpl", []string{"experiments", "experiment_groups", "experiment_blocks"}},
	{"00010_batch.sql", "collection.sql.tmpl", []string{"jobs", "job_queues", "job_lanes", "instance_tasks", "remote_tasks"}},
	{"00011_batch_logs.sql", "log.sql.tmpl", []string{"job_history", "job_output", "job_messages"}},
}

// past are the tables in which a parent's rows of the past outnumber those that matter, and are told from them by their state.
var past = []string{"instances", "actions"}

var types = map[string]map[string]string{
	"sqlite":   {"JSON": "TEXT", "Order": "INTEGER PRIMARY KEY AUTOINCREMENT"},
	"postgres": {"JSON": "JSON", "Order": "BIGINT GENERATED ALWAYS AS IDENTITY"},
}

func TestEveryGeneratedMigrationAgreesWithItsTemplateAndList(t *testing.T) {
	for dialect, words := range types {
		for _, g := range generated {
			text := template.Must(template.ParseFiles(filepath.Join("migrations", g.template)))
			out := bytes.NewBufferString("-- +goose Up\n")
			for _, table := range g.tables {
				row := map[string]any{"Table": table, "JSON": words["JSON"], "Order": words["Order"], "Weeks": dialect == "postgres" && slices.Contains(partitionedTables(), table),
					"Past": slices.Contains(past, table)}
				if err := text.Execute(out, row); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join("migrations", dialect, g.file)
			if *update {
				if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			stored, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(stored, out.Bytes()) {
				t.Errorf("%s differs from its template; if it was never released, run the test with -update", path)
			}
		}
	}
}
