package store_test

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

type thing struct {
	Text string `json:"text"`
	N    int64  `json:"n"`
}

var (
	things = store.Collection[thing]{Table: "groups", Noun: "group"}
	told   = store.Log[thing]{Table: "events"}
)

// furnish puts something of every kind of column into a database.
func furnish(t *testing.T, db *store.DB, n int) {
	t.Helper()
	err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for i := range n {
			d := store.Doc[thing]{Meta: store.Meta{ID: fmt.Sprintf("g-%05d", i), Account: "act-1", Name: "ä \"quoted\" <b>\u2028", State: "active"}, Value: thing{"line\nbreak 𝄞 \\ ' &", 1<<62 + int64(i)}}
			if _, err := things.Insert(ctx, tx, d); err != nil {
				return err
			}
			if err := told.Append(ctx, tx, store.Record[thing]{ID: fmt.Sprintf("e-%05d", i), Account: "act-1", Resource: d.ID, Kind: "made", At: time.Now(), Value: d.Value}); err != nil {
				return err
			}
		}
		_, err := told.Seal(ctx, tx, n/2)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// contents is everything that collections and logs show.
func contents(t *testing.T, db *store.DB) string {
	t.Helper()
	docs, _, err := things.List(t.Context(), db, store.Installation(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	records, err := told.List(t.Context(), db, store.Installation(), store.LogQuery{})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%v\n%v", docs, records)
}

func backup(t *testing.T, c store.Config, extras ...store.Extra) (string, store.Manifest) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "backup.zip")
	m, err := store.Backup(t.Context(), c, to, extras...)
	if err != nil {
		t.Fatal(err)
	}
	return to, m
}

func restore(t *testing.T, from string, c store.Config, o store.RestoreOptions) error {
	t.Helper()
	a, err := store.OpenArchive(from)
	if err != nil {
		return err
	}
	defer a.Close()
	return a.Restore(t.Context(), c, o)
}

func places(t *testing.T) map[string]func(testing.TB) storetest.Place {
	t.Helper()
	kinds := map[string]func(testing.TB) storetest.Place{"sqlite": storetest.SQLite}
	if os.Getenv(storetest.Variable) != "" {
		kinds["postgres"] = storetest.Postgres
	}
	return kinds
}

func TestABackupOfEitherDatabaseRestoresIntoEitherLetterByLetter(t *testing.T) {
	for from, source := range places(t) {
		for into, target := range places(t) {
			t.Run(from+" into "+into, func(t *testing.T) {
				at := source(t)
				db := at.Open(t)
				furnish(t, db, 300)
				want := contents(t, db)
				file, m := backup(t, at.Config, store.Extra{Name: "server.key", Content: []byte("secret")})
				if m.Driver != from || m.Schema == 0 {
					t.Errorf("the manifest says %+v", m)
				}
				to := target(t)
				if err := restore(t, file, to.Config, store.RestoreOptions{}); err != nil {
					t.Fatal(err)
				}
				restored := to.Open(t)
				if got := contents(t, restored); got != want {
					t.Errorf("restored\n%.2000s\nwas\n%.2000s", got, want)
				}
				// Life goes on: orders continue behind what was restored.
				err := told.Append(t.Context(), restored, store.Record[thing]{ID: "later", Account: "act-1", Kind: "made", At: time.Now()})
				if err != nil {
					t.Fatal(err)
				}
				err = restored.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { _, err := told.Seal(ctx, tx, 1000); return err })
				if err != nil {
					t.Fatal(err)
				}
				records, err := told.List(t.Context(), restored, store.Installation(), store.LogQuery{Sealed: true})
				if err != nil || len(records) != 301 || records[300].ID != "later" || records[300].Seq != 301 {
					t.Errorf("after the restore the log has %d records, the last %+v, %v", len(records), records[len(records)-1], err)
				}
			})
		}
	}
}

func TestABackupIsOneMomentWhileOthersWrite(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		furnish(t, db, 500)
		stop, stopped := make(chan struct{}), make(chan error, 1)
		go func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					stopped <- nil
					return
				default:
				}
				// A document and its event are one.
				err := db.Tx(context.Background(), func(ctx context.Context, tx *store.Tx) error {
					id := fmt.Sprintf("w-%06d", n)
					if _, err := things.Insert(ctx, tx, store.Doc[thing]{Meta: store.Meta{ID: id, Account: "act-1"}}); err != nil {
						return err
					}
					return told.Append(ctx, tx, store.Record[thing]{ID: id, Account: "act-1", At: time.Now()})
				})
				if err != nil {
					stopped <- err
					return
				}
			}
		}()
		var moments []int64
		for range 3 {
			_, m := backup(t, at.Config)
			rows := map[string]int64{}
			for _, e := range m.Tables {
				rows[e.Name] = e.Rows
			}
			if rows["groups"] != rows["events"] {
				t.Errorf("the backup holds %d documents and %d events, which were always written together", rows["groups"], rows["events"])
			}
			moments = append(moments, rows["groups"])
		}
		close(stop)
		if err := <-stopped; err != nil {
			t.Errorf("a writer was disturbed: %v", err)
		}
		if moments[2] == moments[0] {
			t.Errorf("nobody wrote while backups were taken: %v", moments)
		}
	})
}

func TestADamagedOrShortenedBackupIsRefusedAndChangesNothing(t *testing.T) {
	at := storetest.SQLite(t)
	furnish(t, at.Open(t), 200)
	file, _ := backup(t, at.Config)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	into := store.Config{Path: filepath.Join(t.TempDir(), "neap.db")}
	refused := func(what string, content []byte) {
		t.Helper()
		bad := filepath.Join(t.TempDir(), "bad.zip")
		if err := os.WriteFile(bad, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := restore(t, bad, into, store.RestoreOptions{Force: true}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(into.Path); err == nil {
			t.Errorf("%s: there is a database all the same", what)
		}
	}
	for n := 1; n <= 9; n++ {
		refused(fmt.Sprintf("cut at %d tenths", n), whole[:len(whole)*n/10])
	}
	refused("another table's text", rewritten(t, file, func(name, text string) string {
		if name == "tables/groups" {
			return text + text
		}
		return text
	}))
	refused("a changed letter", rewritten(t, file, func(name, text string) string {
		if name == "tables/groups" {
			return text[:len(text)-20] + "X" + text[len(text)-19:]
		}
		return text
	}))
	refused("a text file", []byte("not a backup"))
	if err := restore(t, filepath.Join(t.TempDir(), "none.zip"), into, store.RestoreOptions{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("no file: %v", err)
	}
}

// rewritten is a backup with the same manifest and other entries.
func rewritten(t *testing.T, file string, edit func(name, text string) string) []byte {
	t.Helper()
	in, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	path := filepath.Join(t.TempDir(), "rewritten.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	out := zip.NewWriter(f)
	for _, part := range in.File {
		r, err := part.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		w, err := out.Create(part.Name)
		if err == nil {
			_, err = io.WriteString(w, edit(part.Name, string(text)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestARestoreReplacesWhatIsThereOnlyWhenForcedAndPutsItAside(t *testing.T) {
	at := storetest.SQLite(t)
	furnish(t, at.Open(t), 3)
	file, _ := backup(t, at.Config)

	into := store.Config{Path: filepath.Join(t.TempDir(), "neap.db")}
	old, err := store.Open(t.Context(), into)
	if err != nil {
		t.Fatal(err)
	}
	furnish(t, old, 7)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if err := restore(t, file, into, store.RestoreOptions{}); !fault.Is(err, fault.Exists) {
		t.Fatalf("an unforced restore over a database: %v", err)
	}
	if err := restore(t, file, into, store.RestoreOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	count := func(c store.Config) int {
		n, err := things.Count(t.Context(), storetest.Open(t, c), store.Installation(), store.Query{})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(into); n != 3 {
		t.Errorf("%d documents, not those of the backup", n)
	}
	aside, err := filepath.Glob(into.Path + ".replaced-*")
	if err != nil || len(aside) != 1 {
		t.Fatalf("put aside: %v, %v", aside, err)
	}
	if n := count(store.Config{Path: aside[0]}); n != 7 {
		t.Errorf("the database that was put aside has %d documents", n)
	}
}

func TestARestoreThatFailsAtTheEndLeavesTheOldDatabase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		source := storetest.SQLite(t)
		furnish(t, source.Open(t), 3)
		file, _ := backup(t, source.Config)
		db, err := store.Open(t.Context(), at.Config)
		if err != nil {
			t.Fatal(err)
		}
		furnish(t, db, 5)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		err = restore(t, file, at.Config, store.RestoreOptions{Force: true, Mark: func(context.Context, *store.Tx) error { return io.ErrUnexpectedEOF }})
		if err == nil {
			t.Fatal("a restore whose last step failed says it is done")
		}
		if n, err := things.Count(t.Context(), at.Open(t), store.Installation(), store.Query{}); err != nil || n != 5 {
			t.Errorf("%d documents, %v", n, err)
		}
	})
}

func TestARestoreThatWasCutShortBetweenTwoFilesIsNotTakenForAFirstStart(t *testing.T) {
	at := storetest.SQLite(t)
	if err := os.WriteFile(at.Config.Path+".replaced-20260101T000000", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), at.Config); !fault.Is(err, fault.Conflict) {
		t.Errorf("opened: %v", err)
	}
}

func TestANewerBackupIsRefusedByName(t *testing.T) {
	at := storetest.SQLite(t)
	at.Open(t)
	file, _ := backup(t, at.Config)
	a, err := store.OpenArchive(file)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.Schema, a.Release = 999, "9.9"
	if err := a.Restore(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "neap.db")}, store.RestoreOptions{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("restored: %v", err)
	}
}

func TestPostgresIsNotRestoredUnderALivingReplica(t *testing.T) {
	source := storetest.SQLite(t)
	furnish(t, source.Open(t), 3)
	file, _ := backup(t, source.Config)
	at := storetest.Postgres(t)
	db := at.Open(t)
	err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO leases (name, owner, epoch, until) VALUES ('x', 'somebody', 1, ?)", time.Now().Add(time.Hour).UnixMicro())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := restore(t, file, at.Config, store.RestoreOptions{Force: true}); !fault.Is(err, fault.Conflict) {
		t.Errorf("restored: %v", err)
	}
}
