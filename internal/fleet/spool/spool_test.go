package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

var morning = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

var here = Place{"act-1", "us-east-1"}

func notice(n int) cloud.Notice {
	return cloud.Notice{ID: fmt.Sprint("n-", n), Kind: cloud.Interruption, Region: "us-east-1", Instance: fmt.Sprint("i-", n), IssuedAt: morning, Deadline: morning}
}

func fill(t *testing.T, s *File, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := s.Add(here, notice(n)); err != nil {
			t.Fatal(err)
		}
	}
}

func kept(t *testing.T, s *File) string {
	t.Helper()
	list, err := s.All()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, entry := range list {
		if entry.Place() != here || !entry.Notice.Deadline.Equal(morning) {
			t.Errorf("not as it was given: %+v", entry)
		}
		ids = append(ids, entry.Notice.ID)
	}
	return strings.Join(ids, " ")
}

func TestASpoolOutlivesItsProcessAndKeepsEachNoticeOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "spool.jsonl")
	first := New(path)
	fill(t, first, 1, 4)
	fill(t, first, 2, 5)
	if got := kept(t, New(path)); got != "n-1 n-2 n-3 n-4" {
		t.Errorf("the next process finds %s", got)
	}
	next := New(path)
	fill(t, next, 4, 6)
	if got := kept(t, New(path)); got != "n-1 n-2 n-3 n-4 n-5" {
		t.Errorf("and the one after it %s", got)
	}
}

func TestALineThatACrashCutOffIsLeftOutAndSpoilsNoOther(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "spool.jsonl")
	fill(t, New(path), 1, 3)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := len(text) - 1; cut > len(text)/2+1; cut -= 7 {
		if err := os.WriteFile(path, text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := New(path)
		fill(t, s, 3, 4)
		if got := kept(t, New(path)); got != "n-1 n-3" {
			t.Errorf("cut at %d of %d: %s", cut, len(text), got)
		}
	}
}

func TestWhatTheStoreHasIsDroppedAndWhatCameMeanwhileStays(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", filepath.Join(t.TempDir(), "spool.jsonl")} {
		s := New(path)
		fill(t, s, 1, 6)
		if err := s.Drop(3); err != nil {
			t.Fatal(err)
		}
		if got := kept(t, s); got != "n-4 n-5" {
			t.Errorf("kept %s", got)
		}
		fill(t, s, 6, 7)
		if path != "" {
			if got := kept(t, New(path)); got != "n-4 n-5 n-6" {
				t.Errorf("on disk %s", got)
			}
		}
		if err := s.Drop(3); err != nil {
			t.Fatal(err)
		}
		if got := kept(t, s); got != "" {
			t.Errorf("kept %s", got)
		}
	}
}

func TestASpoolThatSomebodyElseWroteIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "spool.jsonl")
	if err := os.WriteFile(path, []byte("not ours\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := New(path).Add(here, notice(1)); err == nil || !strings.Contains(err.Error(), "can't be read") {
		t.Errorf("it was taken: %v", err)
	}
}
