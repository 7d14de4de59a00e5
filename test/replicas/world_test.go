package replicas

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim"
)

// world opens the simulated cloud as a bystander.
func (in *installation) world() *sim.Cloud {
	in.t.Helper()
	opened, err := sim.Open(in.t.Context(), sim.Config{URL: in.url, Clock: clock.Wall{}})
	if err != nil {
		in.t.Fatalf("open the cloud: %v", err)
	}
	in.t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			in.t.Error(err)
		}
	})
	return opened
}

func (in *installation) record(world *sim.Cloud) sim.Ledger {
	in.t.Helper()
	record, err := world.Ledger(in.t.Context())
	if err != nil {
		in.t.Fatalf("read the cloud's record: %v", err)
	}
	return record
}

// aliveByGroup counts the instances that the cloud runs, by the group on their tags.
func aliveByGroup(record sim.Ledger) map[string]int {
	count := map[string]int{}
	for _, i := range record.Instances {
		if i.Alive {
			count[i.Tags["neap:owner"]]++
		}
	}
	return count
}

// judge compares the cloud's own record with what was asked: alive is what each group shall have now, ever is how many it may have had launched in all, beside
// those that the cloud took away.
func judge(t *testing.T, in *installation, record sim.Ledger, alive, ever map[string]int) {
	t.Helper()
	living, launched, tokens := aliveByGroup(record), map[string]int{}, map[string][]sim.Record{}
	for _, i := range record.Instances {
		owner := i.Tags["neap:owner"]
		tokens[i.Token] = append(tokens[i.Token], i)
		if i.Ended != cloud.EndedByInterruption {
			launched[owner]++
		}
		if _, known := ever[owner]; !known {
			t.Errorf("leaked: %s carries the owner %q, which is no group of ours", i.ID, owner)
		}
	}
	for _, group := range slices.Sorted(maps.Keys(ever)) {
		if living[group] != alive[group] {
			t.Errorf("%s has %d instances where %d are wanted", group, living[group], alive[group])
		}
		if launched[group] > ever[group] {
			t.Errorf("doubled: %s had %d instances launched where %d were ever wanted", group, launched[group], ever[group])
		}
	}
	in.judgeTokens(tokens)
}

// judgeTokens compares what each launch started with what its written action asked for.
func (in *installation) judgeTokens(tokens map[string][]sim.Record) {
	in.t.Helper()
	asked := map[string]int{}
	in.rows("SELECT id, coalesce((doc::jsonb->'launch'->>'Count')::int, (doc::jsonb->'launch'->>'count')::int, -1) FROM actions WHERE doc::jsonb ? 'launch'", func(row pgx.Rows) error {
		var id string
		var count int
		err := row.Scan(&id, &count)
		asked[id] = count
		return err
	})
	for token, started := range tokens {
		if count, known := asked[token]; !known || len(started) > count {
			in.t.Errorf("doubled: the token %s started %d instances; its action (known: %v) asked for %d", token, len(started), known, count)
		}
	}
}

// rows reads the engine's database as a bystander.
func (in *installation) rows(query string, scan func(pgx.Rows) error, args ...any) {
	in.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, in.url)
	if err != nil {
		in.t.Fatal(err)
	}
	defer conn.Close(ctx)
	found, err := conn.Query(ctx, query, args...)
	if err != nil {
		in.t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		if err := scan(found); err != nil {
			in.t.Fatal(err)
		}
	}
	if err := found.Err(); err != nil {
		in.t.Fatal(err)
	}
}

// dropWorld removes the cloud's schema, which lies beside the engine's.
func (in *installation) dropWorld() {
	at, err := url.Parse(in.url)
	if err != nil {
		in.t.Error(err)
		return
	}
	schema := at.Query().Get("search_path") + "_sim"
	if !strings.HasPrefix(schema, "test_") {
		in.t.Errorf("%q is not the schema of a test", schema)
		return
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, in.url)
	if err != nil {
		in.t.Error(err)
		return
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, fmt.Sprintf("DROP SCHEMA IF EXISTS %s CASCADE", pgx.Identifier{schema}.Sanitize())); err != nil {
		in.t.Error(err)
	}
}
