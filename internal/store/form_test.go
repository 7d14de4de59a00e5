package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// The next release adds: a column with a default, a table, an index. The one after it takes something away.
var (
	expands   = map[string]string{"09001_expand.sql": "ALTER TABLE groups ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';\nCREATE TABLE hues (id TEXT PRIMARY KEY);\nCREATE INDEX groups_colour ON groups (colour);\n"}
	contracts = map[string]string{"09001_expand.sql": expands["09001_expand.sql"], "09002_contract.sql": "DROP INDEX groups_name;\nUPDATE schema_compat SET reader = 9001;\n"}
)

func put(t *testing.T, db *store.DB, id string) {
	t.Helper()
	if _, err := things.Insert(t.Context(), db, store.Doc[thing]{Meta: store.Meta{ID: id, Account: "act-1"}}); err != nil {
		t.Fatal(err)
	}
}

func seen(t *testing.T, db *store.DB) int {
	t.Helper()
	n, err := things.Count(t.Context(), db, store.Installation(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTwoNeighbouringReleasesWorkSideBySideAfterAMigrationThatAdds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		at.Config.Backups = filepath.Join(t.TempDir(), "backups")
		previous := at.Open(t)
		put(t, previous, "before")
		next := storetest.Open(t, store.Next(at.Config, "2.0", expands))
		put(t, next, "by-next")
		put(t, previous, "by-previous")
		if p, n := seen(t, previous), seen(t, next); p != 3 || n != 3 {
			t.Errorf("the previous release sees %d documents, the next one %d, of 3", p, n)
		}
		d, err := things.Get(t.Context(), previous, store.Installation(), "by-next")
		if err == nil {
			d.Value.N = 7
			_, err = things.Update(t.Context(), previous, d)
		}
		if err != nil {
			t.Errorf("the previous release changes what the next one wrote: %v", err)
		}
		// A replica of the previous release may even start again.
		if again := at.Open(t); seen(t, again) != 3 {
			t.Error("a restarted previous release does not see everything")
		}
		files, err := filepath.Glob(filepath.Join(at.Config.Backups, "*.zip"))
		if err != nil || len(files) != 1 {
			t.Fatalf("backups before the migration: %v, %v", files, err)
		}
		into := store.Config{Path: filepath.Join(t.TempDir(), "neap.db")}
		if err := restore(t, files[0], into, store.RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		if n := seen(t, storetest.Open(t, into)); n != 1 {
			t.Errorf("the backup before the migration holds %d documents", n)
		}
	})
}

func TestADatabaseThatThisReleaseNoLongerUnderstandsIsRefusedWithAdviceAndLeftAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		newer := storetest.Open(t, store.Next(at.Config, "3.0", contracts))
		put(t, newer, "one")
		_, err := store.Open(t.Context(), at.Config)
		if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.As(err).Message, "Neap 3.0") || !strings.Contains(fault.As(err).Message, "neap restore") {
			t.Errorf("opened by a release that is too old: %v", err)
		}
		if between := storetest.Open(t, store.Next(at.Config, "2.0", expands)); seen(t, between) != 1 {
			t.Error("the release in between does not read it")
		}
	})
}

func TestOnlyTheNewestBackupsBeforeMigrationsAreKept(t *testing.T) {
	at := storetest.SQLite(t)
	at.Config.Backups = filepath.Join(t.TempDir(), "backups")
	at.Open(t)
	more := map[string]string{}
	for n := range 5 {
		more[fmt.Sprintf("%05d_more.sql", 9001+n)] = fmt.Sprintf("CREATE TABLE more_%d (id TEXT PRIMARY KEY);\n", n)
		db, err := store.Open(t.Context(), store.Next(at.Config, "2", more))
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(at.Config.Backups, "*.zip"))
	if err != nil || len(files) != 3 || !strings.Contains(files[2], "09005") {
		t.Errorf("kept: %v, %v", files, err)
	}
}

func TestNothingIsMigratedWhenTheBackupBeforeItCannotBeWritten(t *testing.T) {
	at := storetest.SQLite(t)
	at.Open(t)
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	at.Config.Backups = filepath.Join(blocked, "backups")
	if _, err := store.Open(t.Context(), store.Next(at.Config, "2", expands)); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("opened: %v", err)
	}
	db := at.Open(t)
	err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { _, err := tx.Exec(ctx, "DELETE FROM hues"); return err })
	if err == nil {
		t.Error("the table of the next release is there")
	}
}

func TestEveryMigrationThatTakesSomethingAwaySaysWhoCanStillRead(t *testing.T) {
	takes := regexp.MustCompile(`(?i)\b(DROP|RENAME|TRUNCATE|DELETE|ALTER\s+COLUMN)\b`)
	adds := regexp.MustCompile(`(?is)ADD\s+COLUMN[^;]*NOT\s+NULL[^;]*;`)
	files, err := filepath.Glob("migrations/*/*.sql")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d migrations, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		plain := regexp.MustCompile(`(?m)--.*$`).ReplaceAllString(string(text), "")
		contracting := takes.MatchString(plain)
		for _, column := range adds.FindAllString(plain, -1) {
			contracting = contracting || !strings.Contains(strings.ToUpper(column), "DEFAULT")
		}
		if contracting && !strings.Contains(plain, "UPDATE schema_compat SET reader") {
			t.Errorf("%s takes something away and does not raise schema_compat.reader: releases that still need it would half work", file)
		}
	}
}
