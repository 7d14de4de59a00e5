package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// sample is Neap at the end of one engine day.
type sample struct {
	day    int
	memory int64 // resident, bytes
	file   int64 // database and its log, bytes
	used   int64 // of the file, without free pages
	prices int64 // bytes of dated prices, which are kept for 100 days whatever the load
	rows   map[string]int64
	alive  int
}

// tables are those that grow with time.
func tables() []string {
	return []string{"log_lines", "events", "decisions", "market_snapshots", "actions", "instances", "meters", "ledger_lines", "pools", "revisions", "prices", "alerts"}
}

// watch takes a sample a day.
func (n *process) watch(ctx context.Context, p plan) ([]sample, error) {
	fmt.Printf("%4s %8s %8s %8s %8s %6s", "day", "RSS MB", "file MB", "used MB", "rest MB", "alive")
	for _, t := range tables() {
		fmt.Printf(" %9.9s", t)
	}
	fmt.Println()
	var samples []sample
	tick := time.NewTicker(time.Duration(float64(24*time.Hour) / p.rate))
	defer tick.Stop()
	for day := 1; day <= p.days; day++ {
		select {
		case <-ctx.Done():
			return samples, ctx.Err()
		case <-tick.C:
		}
		s, err := n.sample(ctx, day)
		if err != nil {
			return samples, err
		}
		s.print()
		samples = append(samples, s)
	}
	return samples, nil
}

func megabytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func (s sample) print() {
	fmt.Printf("%4d %8.1f %8.1f %8.1f %8.1f %6d", s.day, megabytes(s.memory), megabytes(s.file), megabytes(s.used), megabytes(s.used-s.prices), s.alive)
	for _, t := range tables() {
		fmt.Printf(" %9d", s.rows[t])
	}
	fmt.Println()
}

func (n *process) sample(ctx context.Context, day int) (s sample, err error) {
	s = sample{day: day, rows: map[string]int64{}}
	if s.memory, err = resident(n.command.Process.Pid); err != nil {
		return s, err
	}
	path := filepath.Join(n.data, "neap.db")
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			return s, err
		}
		s.file += info.Size()
	}
	var status struct {
		Instances int `json:"instances"`
	}
	if err := n.call(ctx, http.MethodGet, "/neap/v1/status", "", &status); err != nil {
		return s, err
	}
	s.alive = status.Instances
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=query_only(1)&_pragma=busy_timeout(10000)")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var pages, free, size int64
	for query, into := range map[string]*int64{"PRAGMA page_count": &pages, "PRAGMA freelist_count": &free, "PRAGMA page_size": &size,
		"SELECT coalesce(sum(length(doc)), 0) FROM prices": &s.prices} {
		if err := db.QueryRowContext(ctx, query).Scan(into); err != nil {
			return s, err
		}
	}
	s.used = (pages - free) * size
	for _, t := range tables() {
		var rows int64
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM "+t).Scan(&rows); err != nil {
			return s, err
		}
		s.rows[t] = rows
	}
	return s, nil
}

// resident reads the memory of a process from the kernel.
func resident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, errors.New("the kernel does not tell the memory of the process")
}

// tolerance is how much the last third may lie above the middle one.
const tolerance = 1.10

// judge compares the last third of the days with the middle one; in the first, nothing is old enough to be forgotten.
func judge(samples []sample) error {
	if len(samples) < 9 {
		return fmt.Errorf("%d days are too few to see a trend; take at least 9", len(samples))
	}
	third := len(samples) / 3
	mean := func(part []sample, of func(sample) int64) (sum float64) {
		for _, s := range part {
			sum += megabytes(of(s)) / float64(len(part))
		}
		return sum
	}
	var failed []error
	for _, figure := range []struct {
		name string
		of   func(sample) int64
	}{
		{"memory", func(s sample) int64 { return s.memory }},
		{"database without prices", func(s sample) int64 { return s.used - s.prices }},
	} {
		middle, last := mean(samples[third:2*third], figure.of), mean(samples[len(samples)-third:], figure.of)
		fmt.Printf("%s: %.1f MB in the middle third, %.1f MB in the last (%+.1f %%)\n", figure.name, middle, last, 100*(last/middle-1))
		if last > tolerance*middle {
			failed = append(failed, fmt.Errorf("%s grows", figure.name))
		}
	}
	return errors.Join(failed...)
}
