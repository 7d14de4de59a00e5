package cli

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// copying is a world in which backups succeed and are remembered.
func copying(called *[]string) Hooks {
	report := CopyReport{File: "b.zip", Release: "1.0", Schema: 6, Driver: "sqlite", Taken: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Rows: 42}
	return Hooks{
		Backup: func(_ context.Context, c UpConfig, to string, withKey bool) (CopyReport, error) {
			*called = append(*called, "backup", c.Data, c.Database, to)
			report.Key = withKey
			return report, nil
		},
		Restore: func(_ context.Context, c UpConfig, from string, force bool) (CopyReport, error) {
			if !force {
				return CopyReport{}, errors.New("there is a database already")
			}
			*called = append(*called, "restore", c.Data, from)
			return report, nil
		},
	}
}

func TestABackupGoesWhereItIsToldAndSaysWhatItHolds(t *testing.T) {
	var called []string
	got := neap(t, nil, copying(&called), "backup", "--data", "d", "--to", "x.zip")
	if got.code != ExitDone || got.out != "Backed up 42 rows (sqlite, form 6) to b.zip\n" || strings.Join(called, " ") != "backup d  x.zip" {
		t.Errorf("%+v %q", got, called)
	}
	if got := neapIn(t, []string{"NEAP_DATABASE=postgres://neap@127.0.0.1/neap"}, copying(&called), "backup", "--with-key", "-o", "json"); !strings.Contains(got.out, `"key": true`) || called[6] != "postgres://neap@127.0.0.1/neap" {
		t.Errorf("%+v %q", got, called)
	}
	if got := neap(t, nil, copying(&called), "backup", "extra"); got.code != ExitUsage {
		t.Errorf("%+v", got)
	}
}

func TestARestoreNamesTheNextSteps(t *testing.T) {
	var called []string
	if got := neap(t, nil, copying(&called), "restore", "b.zip", "--data", "d"); got.code != ExitRefused || len(called) > 0 {
		t.Errorf("unforced: %+v", got)
	}
	got := neap(t, nil, copying(&called), "restore", "b.zip", "--data", "d", "--force")
	if got.code != ExitDone || !strings.Contains(got.out, "as of 2026-01-02T03:04:05Z") || !strings.Contains(got.out, "neap accept-generation") || strings.Join(called, " ") != "restore d b.zip" {
		t.Errorf("%+v %q", got, called)
	}
	if got := neap(t, nil, copying(&called), "restore"); got.code != ExitUsage {
		t.Errorf("without a file: %+v", got)
	}
}

func TestAcceptingAGenerationTellsWhatBecomesOfEveryInstance(t *testing.T) {
	s := serve(t, map[string]reply{http.MethodPost + " /neap/v1/generation/accept": {body: `{"generation":8,"instances":9,"known":4,"adopted":2,"quarantined":3}`}})
	got := neap(t, s, Hooks{}, "accept-generation")
	if got.code != ExitDone || !strings.Contains(got.out, "accepted as generation 8") || !strings.Contains(got.out, "Of 9 living instances 4 are known, 2 are adopted") || s.requests()[0].dryRun != "" {
		t.Errorf("%+v %+v", got, s.requests())
	}
	got = neap(t, s, Hooks{}, "accept-generation", "--dry-run")
	if got.code != ExitDone || !strings.Contains(got.out, "Nothing was accepted") || s.requests()[1].dryRun != "true" {
		t.Errorf("%+v %+v", got, s.requests())
	}
}
