package trace_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/lab/trace"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestANameWithoutAFolderIsLookedForHereAndThenAmongTheTraces(t *testing.T) {
	here, folder := t.TempDir(), t.TempDir()
	t.Chdir(here)
	write(t, "both.csv", "")
	write(t, filepath.Join(folder, "both.csv"), "")
	write(t, filepath.Join(folder, "there.csv"), "")
	if err := os.Mkdir("there.csv", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"both.csv":             "both.csv",
		"there.csv":            filepath.Join(folder, "there.csv"),
		"nowhere.csv":          "nowhere.csv",
		"./there.csv":          "./there.csv",
		"sub/there.csv":        "sub/there.csv",
		folder + "/there.csv":  folder + "/there.csv",
		folder + "/absent.csv": folder + "/absent.csv",
	} {
		if got := trace.Resolve(name, folder); got != want {
			t.Errorf("%s is found at %s, want %s", name, got, want)
		}
	}
	if got := trace.Resolve("there.csv", ""); got != "there.csv" {
		t.Errorf("without a folder of traces: %s", got)
	}
}

func TestFilesAreCalledByTheirNameWithoutTheFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.csv")
	write(t, path, byZone+"2026-03-01T00:00:00Z,us-east-1a,m5.large,1\n")
	if p, err := trace.OpenPrices(path); err != nil || p.Name != "mine.csv" {
		t.Errorf("%q, %v", p.Name, err)
	}
	const want = "mine.csv, line 1: this is a file of prices; hand it over with --prices."
	if _, err := trace.OpenAvailability(path); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestAFileThatCannotBeOpenedIsNamed(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	const missing = `There is no file "aws.csv.gz"; name it with its folder, or set NEAP_TRACES to the folder that it is in.`
	if _, err := trace.OpenPrices("aws.csv.gz"); err == nil || err.Error() != missing || !fault.Is(err, fault.NotFound) {
		t.Errorf("%v, want %s", err, missing)
	}
	if err := os.Mkdir("sub", 0o700); err != nil {
		t.Fatal(err)
	}
	const directory = "sub, line 1: the file can't be read: is a directory."
	if _, err := trace.OpenPrices("sub"); err == nil || err.Error() != directory {
		t.Errorf("%v, want %s", err, directory)
	}
	write(t, "file", "")
	const below = `The file "file/x" can't be opened: not a directory.`
	if _, err := trace.OpenPrices("file/x"); err == nil || err.Error() != below || !fault.Is(err, fault.Invalid) {
		t.Errorf("%v, want %s", err, below)
	}
}
